"""The shipped partner, channel and outlet files fit each other and the demo company they are written for."""

from pathlib import Path

import pytest

from connectors.channel import Channel, load_channels
from connectors.outlet import load_outlets
from connectors.registry import formats
from crossdock.settings import Settings
from crossdock.simulate import connection_environment
from crossdock.simulate.company import HUB_ISA, NORTH, OURSELVES, SOUTH, SOUTH_ISA, SOUTH_PARTNER, SUPPLIERS, Supplier
from crossdock.simulate.mailbox import STRANGER
from crossdock.translation import compile_with
from mappings.library import Library
from schemas.configuration import Shelf
from schemas.master import MASTER_TABLES


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings.from_environment(connection_environment(Path("/nowhere")))


@pytest.fixture(scope="module")
def library(settings: Settings) -> Library:
    return Library.read(settings.mappings, settings.partners, compile=compile_with(formats()))


@pytest.fixture(scope="module")
def channels(settings: Settings) -> Shelf[Channel]:
    return load_channels(settings.channels)


def test_no_file_has_a_problem(library: Library, channels: Shelf[Channel], settings: Settings) -> None:
    assert library.problems == ()
    assert channels.broken == {}
    assert load_outlets(settings.outlets).broken == {}


def test_partners_are_the_suppliers_and_ourselves(library: Library) -> None:
    assert set(library.partners) == {OURSELVES, SOUTH_PARTNER, *(supplier.partner for supplier in SUPPLIERS)}


@pytest.mark.parametrize("supplier", SUPPLIERS, ids=lambda supplier: supplier.partner)
def test_a_supplier_is_known_by_what_it_sends_under(library: Library, supplier: Supplier) -> None:
    partner = library.partners[supplier.partner]
    assert (partner.name, partner.timezone) == (supplier.name, supplier.timezone)
    if supplier.isa:
        assert library.partner_of("x12", f"ZZ:{supplier.isa}") == partner
    if supplier.email:
        assert library.partner_of("email", supplier.email) == partner


def test_the_erp_speaks_for_plant_one(library: Library, channels: Shelf[Channel]) -> None:
    assert channels["erp"].partner == OURSELVES
    assert library.partners[OURSELVES].timezone == NORTH.timezone


def test_plant_two_is_us_and_strangers_are_strangers(library: Library) -> None:
    ours = library.partner_of("x12", f"ZZ:{SOUTH_ISA}")
    assert ours is not None
    assert (ours.partner, ours.timezone) == (SOUTH_PARTNER, SOUTH.timezone)
    assert library.partner_of("x12", f"ZZ:{HUB_ISA}") is None
    assert library.partner_of("email", STRANGER) is None


def test_channels_read_where_the_simulation_writes(channels: Shelf[Channel]) -> None:
    assert {name: channel.purpose for name, channel in channels.items()} == {
        "erp": "events",
        "erp-master": "master_data",
        "edi-inbox": "events",
        "mailbox": "events",
    }
    assert channels["edi-inbox"].source["path"] == "inbox/edi"
    assert channels["mailbox"].source["path"] == "inbox/mail"
    assert {channels[name].source["conn_id"] for name in ("erp", "erp-master")} == {"demo_erp"}


def test_every_master_table_has_its_query(channels: Shelf[Channel]) -> None:
    queries = {query["name"]: query["sql"] for query in channels["erp-master"].source["queries"]}
    assert set(queries) == set(MASTER_TABLES)
    for table, columns in MASTER_TABLES.items():
        assert f"SELECT {', '.join(columns)} FROM" in " ".join(queries[table].split())
