"""Sources' memory and the versions of master data."""

from __future__ import annotations

import polars as pl
import pytest

from crossdock.ledger import Ledger
from schemas.errors import ConfigError
from schemas.master import MASTER_TABLES


def test_state_is_kept_by_scope_and_outlives_the_connection(url: str, ledger: Ledger) -> None:
    orders, receipts = ledger.state("source:erp"), ledger.state("source:other")
    assert orders.get("watermark") is None
    orders.set("watermark", "2026-03-01T00:00:00Z")
    orders.set("watermark", "2026-03-02T00:00:00Z")
    receipts.set("watermark", "x")
    with Ledger.open(url) as again:
        assert again.state("source:erp").get("watermark") == "2026-03-02T00:00:00Z"
        assert again.state("source:other").get("watermark") == "x"
        assert again.state("source:erp").get("other") is None


def items(*names: str) -> pl.DataFrame:
    columns = MASTER_TABLES["items"]
    return pl.DataFrame(
        [{"item": name, "base_unit": "EA", "status": "active"} for name in names],
        schema=dict.fromkeys(columns, pl.String),
    )


def test_tables_never_loaded_are_there_and_empty(ledger: Ledger) -> None:
    tables = ledger.master()
    assert {name: tuple(table.columns) for name, table in tables.items()} == MASTER_TABLES
    assert all(table.height == 0 for table in tables.values())
    assert ledger.master_version() == ""


def test_a_load_comes_in_force_and_the_old_ones_are_kept(ledger: Ledger) -> None:
    assert ledger.load_master("items", items("P-1"), source="erp", actor="dag") == 1
    first = ledger.master_version()
    assert ledger.load_master("items", items("P-1", "P-2"), source="erp", actor="dag") == 2
    assert ledger.master()["items"].equals(items("P-1", "P-2"))
    assert ledger.master_version() != first
    assert [(load["version"], load["status"], load["rows"]) for load in ledger.master_loads()] == [
        (2, "in_force", 2),
        (1, "superseded", 1),
    ]


def test_equal_content_makes_no_new_version_whatever_its_order(ledger: Ledger) -> None:
    ledger.load_master("items", items("P-1", "P-2"), source="erp", actor="dag")
    version = ledger.master_version()
    extra = items("P-2", "P-1").with_columns(pl.lit("x").alias("not_ours"))
    assert ledger.load_master("items", extra, source="csv", actor="person") == 1
    assert ledger.master_version() == version
    assert len(ledger.master_loads()) == 1


def test_going_back_to_an_older_content_is_a_version_of_its_own(ledger: Ledger) -> None:
    for names in (["P-1"], ["P-2"], ["P-1"]):
        ledger.load_master("items", items(*names), source="erp", actor="dag")
    assert ledger.master()["items"]["item"].to_list() == ["P-1"]
    assert [load["version"] for load in ledger.master_loads()] == [3, 2, 1]


def test_an_empty_text_and_a_missing_one_are_told_apart(ledger: Ledger) -> None:
    ledger.load_master("items", items("P-1"), source="erp", actor="dag")
    assert ledger.load_master("items", items("P-1").fill_null(""), source="erp", actor="dag") == 2


def test_a_rejected_load_is_remembered_and_changes_nothing(ledger: Ledger) -> None:
    ledger.load_master("items", items("P-1"), source="erp", actor="dag")
    version = ledger.master_version()
    ledger.note_rejected_master("items", source="erp", actor="dag", reasons=["item is not unique: P-1", "2 of 2 rows"])
    assert ledger.master_version() == version
    newest = ledger.master_loads()[0]
    assert (newest["table"], newest["status"], newest["version"]) == ("items", "rejected", None)
    assert newest["reasons"] == ["item is not unique: P-1", "2 of 2 rows"]


def test_an_unknown_table_or_a_missing_column_is_named(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="known: partners, sites, items"):
        ledger.load_master("itmes", items("P-1"), source="erp", actor="dag")
    with pytest.raises(ConfigError, match="lacks base_unit"):
        ledger.load_master("items", items("P-1").drop("base_unit"), source="erp", actor="dag")
    with pytest.raises(ConfigError, match="unknown master table"):
        ledger.note_rejected_master("nothing", source="erp", actor="dag", reasons=[])
