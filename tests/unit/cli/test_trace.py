"""The way of each value, from the bytes to the event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from crossdock.dock import Dock
from crossdock.explaining import Explained, explain

if TYPE_CHECKING:
    from conftest import Installation

SHIPPED = "Shipment,Order,Order line,Item,Site,Quantity,Unit,Ship date\nS1,1,10,V-1,N1,2,CTN,2026-03-02\n"


def last_event(known: Installation) -> str:
    *_, event = known.run("events", "--jsonl").stdout.splitlines()
    return str(json.loads(event)["id"])


def explained(known: Installation) -> Explained:
    with Dock.open(known.settings) as dock:
        found = dock.ledger.trace(last_event(known))
        assert found is not None
        return explain(found, ledger=dock.ledger, archive=dock.archive, context=dock.context())


def test_each_value_is_followed_from_its_cell(known: Installation) -> None:
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    known.drop("ship.csv", SHIPPED)
    known.run("run")
    known.run("fix", "item", "V-1", "P-200", "--partner", "ACME", "--from", "2026-03-01")
    known.run("fix", "conversion", "P-200", "XCT", "12", "C62")

    ways = {way.field: way for way in explained(known).ways}
    item = ways["item"]
    assert (item.raw, item.value) == ("V-1", "P-200")
    assert item.steps == ("cross_references: ACME's 'V-1' is P-200, from 2026-03-01 on",)
    assert ways["site"].steps == ("sites: N1 is our own, since ever",)
    assert (ways["base_quantity"].raw, ways["base_quantity"].value) == ("2 XCT", "24 C62")
    assert ways["base_quantity"].steps == ("1 XCT = 12 C62",)

    shown = known.run("trace", last_event(known))
    assert shown.exit_code == 0, shown.output
    assert "cross_references: ACME's 'V-1' is P-200" in shown.stdout
    assert "cross_references/by_hand:1" in shown.stdout


def test_what_master_data_said_then_is_told_after_they_have_changed(
    known: Installation, orders: Callable[..., str]
) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    known.run("run")
    with Dock.open(known.settings) as dock:
        references = dock.ledger.loaded_master()["cross_references"]
        dock.ledger.load_master("cross_references", references.head(0), source="t", actor="t")

    told = explained(known)
    (unit,) = (way for way in told.ways if way.field == "unit")
    assert unit.steps == ("cross_references: anybody's 'EA' is C62, since ever",)
    assert told.remarks == ()

    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + "documents: {rows.purchase_orders: {fields: {note: {const: hello}}}}\n")
    assert explained(known).ways
