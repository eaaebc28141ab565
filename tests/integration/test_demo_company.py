"""The demo company through the whole pipeline: exactly the events and findings that it was made to give.

Needs unixODBC and its SQLite driver (Debian: unixodbc, libsqliteodbc).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec
import pytest

from connectors.connections import from_environment
from crossdock.dock import Dock, Run
from crossdock.settings import Settings
from crossdock.simulate import Effect, Simulation, connection_environment, simulate
from schemas.events import CloudEvent, Stream

pytestmark = pytest.mark.integration

Found = tuple[str, str, str, str, str | None]


def dock_for(simulation: Simulation) -> Dock:
    environment = connection_environment(simulation.directory)
    settings = Settings.from_environment(environment)
    return Dock.open(settings, connections=lambda conn_id: from_environment(conn_id, environment))


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("company"), seed=5, lines=3000)


@pytest.fixture(scope="module")
def first(simulation: Simulation) -> Iterator[tuple[Dock, Run]]:
    with dock_for(simulation) as dock:
        yield dock, dock.run()


def events_in(dock: Dock) -> Counter[str]:
    return Counter(event.stream for event in dock.ledger.events(limit=1_000_000))


def test_nothing_stops_the_run(first: tuple[Dock, Run]) -> None:
    _, run = first
    assert run.errors == ()
    for channel in run.channels:
        for load in channel.masters:
            assert load.reasons == (), load


def test_every_event_that_was_meant_to_come_came(first: tuple[Dock, Run], simulation: Simulation) -> None:
    dock, run = first
    assert events_in(dock) == {stream.value: count for stream, count in simulation.events.items()}
    assert run.published == {"feed": sum(simulation.events.values())}


def test_each_channel_gave_its_share(first: tuple[Dock, Run], simulation: Simulation) -> None:
    dock, _ = first
    summary = {row["channel"]: row for row in dock.ledger.summary()}
    for channel in simulation.channels:
        made = simulation.of_channel(channel)
        row = summary[channel]
        assert row["documents"] == sum(one.documents for one in made)
        assert row["lines"] == sum(one.lines for one in made)
        assert row["events"] == {s.value: count for s, count in simulation.events_of(made).items()}
        planted = [one for one in simulation.planted if one.channel == channel]
        assert row["parked"] == sum(one.count for one in planted if one.effect is Effect.LINE_PARKED)
        assert row["quarantined"] == sum(one.effect is Effect.QUARANTINED for one in planted)
        assert row["rejected"] == sum(one.effect is Effect.DOCUMENT_REJECTED for one in planted)
        assert row["waiting"] == 0


def test_every_planted_defect_is_found_and_nothing_else(first: tuple[Dock, Run], simulation: Simulation) -> None:
    dock, _ = first
    said = dock.ledger.findings(limit=100_000)
    found = Counter[Found](
        (row["channel"], row["name"], row["code"], row["location"], row["value"])
        for row in said
        if row["severity"] != "info"
    )
    expected = Counter[Found](
        (planted.channel, planted.payload, finding.code, finding.location, finding.value)
        for planted in simulation.planted
        for finding in planted.findings
    )
    assert found == expected


def test_the_feed_holds_every_event_once_and_whole(first: tuple[Dock, Run], simulation: Simulation) -> None:
    decode = msgspec.json.Decoder(CloudEvent).decode
    files = sorted((simulation.directory / "feed").glob("*.jsonl"))
    events = [decode(line) for path in files for line in path.read_bytes().splitlines()]
    assert len({event.id for event in events}) == len(events) == sum(simulation.events.values())
    by_type = Counter(event.type for event in events)
    assert by_type == {stream.type: simulation.events[stream] for stream in Stream}


def test_a_carton_is_counted_in_pieces(first: tuple[Dock, Run]) -> None:
    dock, _ = first
    said = [msgspec.json.decode(event.data) for event in dock.ledger.events(limit=1_000_000)]
    cartons = [data for data in said if data["unit"] == "XCT"]
    assert len(cartons) > 50
    for data in cartons:
        assert data["base_unit"] == "EA"
        pieces, rest = divmod(int(data["base_quantity"]), int(data["quantity"]))
        assert pieces > 1
        assert rest == 0


def test_orders_notices_and_receipts_meet_in_their_references(first: tuple[Dock, Run]) -> None:
    dock, _ = first
    streams: dict[str, set[tuple[str, str, str]]] = {}
    for event in dock.ledger.events(limit=1_000_000):
        data = msgspec.json.decode(event.data)
        references = data["references"]
        if "order" in references:
            place = (references["order"], references["order_line"], data["item"])
            streams.setdefault(event.stream, set()).add(place)
    orders, notices, receipts = (streams[one] for one in ("demand", "shipment", "inventory"))
    # a supplier sent, and the warehouse received, what the buyer had mistyped
    assert len(notices - orders) <= 1
    assert len(receipts - orders) <= 1


def as_left(simulation: Simulation) -> None:
    """The inboxes are empty, the ERP is as it was."""


def written_anew(simulation: Simulation) -> None:
    simulate(simulation.directory, seed=5, lines=3000)


@pytest.mark.parametrize("again", [as_left, written_anew])
def test_a_second_run_publishes_nothing(
    first: tuple[Dock, Run], simulation: Simulation, again: Callable[[Simulation], None]
) -> None:
    before = events_in(first[0])
    again(simulation)
    with dock_for(simulation) as dock:
        run = dock.run()
        assert run.errors == ()
        assert sum(channel.events for channel in run.channels) == 0
        assert run.published == {"feed": 0}
        assert events_in(dock) == before


def test_orders_sent_again_with_one_date_changed_give_one_event(
    first: tuple[Dock, Run], simulation: Simulation
) -> None:
    inbox = simulation.directory / "inbox" / "edi"
    data = (inbox / "done" / "gullhaven-po-0001.edi").read_bytes()
    changed = inbox / "gullhaven-po-0001-changed.edi"
    later = data.replace(b"*00000000", b"*00000090")  # another content needs another number
    changed.write_bytes(later.replace(b"DTM*002*2026", b"DTM*002*2027", 1))
    os.utime(changed, (0, 0))
    with dock_for(simulation) as dock:
        [channel] = dock.run("edi-inbox").channels
        assert (channel.received, channel.events, channel.rejected) == (1, 1, 0)
        assert channel.unchanged == channel.lines - 1
        newest = dock.ledger.events(after=sum(simulation.events.values()))
        assert [(event.stream, event.sequence) for event in newest] == [("demand", 2)]
        assert msgspec.json.decode(newest[0].data)["due_at"].startswith("2027")
