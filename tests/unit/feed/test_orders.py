"""What orders still want, and the supplier's page that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from crossdock.console import own
from crossdock.feed.orders import still_wanted

from .conftest import Browser
from .test_supply import due, event

pytestmark = pytest.mark.usefixtures("under_frames")


def left(*events: Any) -> dict[int, Decimal]:
    """How much is still to come, by the day of March on which it is due."""
    facts = {one.position: json.loads(one.data) for one in events}
    return {int(facts[one.position]["due_at"][8:10]): quantity for one, quantity, _ in still_wanted(events, facts)}


def test_what_was_received_against_a_line_is_taken_off_it_and_no_other() -> None:
    found = left(
        event("ordered", "60", order="1", order_line="10", due_at=due(1)),
        event("changed", "60", order="1", order_line="20", due_at=due(2)),
        event("ordered", "60", order="2", order_line="10", due_at=due(3)),
        event("ordered", "60", order="1", order_line="10", due_at=due(4), partner="OTHER"),
        event("received", "25", order="1", order_line="10"),
        event("received", "5.5", order="1", order_line="10"),
    )
    assert found == {1: Decimal("29.5"), 2: 60, 3: 60, 4: 60}


def test_the_schedules_of_a_line_are_served_by_their_days() -> None:
    found = left(
        event("ordered", "60", order="1", order_line="10", due_at=due(9)),
        event("ordered", "60", order="1", order_line="10", due_at=due(2)),
        event("received", "70", order="1", order_line="10"),
    )
    assert found == {9: 50}


def test_what_names_no_line_serves_its_orders_lines_once() -> None:
    found = left(
        event("ordered", "60", order="1", order_line="10", due_at=due(1)),
        event("ordered", "60", order="1", order_line="20", due_at=due(2)),
        event("received", "10", order="1", order_line="20"),
        event("received", "70", order="1"),
        event("received", "1000"),
        event("received", "1000", shipment="S1"),
    )
    assert found == {2: 40}


def test_more_than_was_ordered_leaves_nothing_and_what_was_taken_back_is_wanted_again() -> None:
    first = event("ordered", "60", order="1", order_line="10", due_at=due(1))
    assert left(first, event("received", "61", order="1", order_line="10")) == {}
    taken_back = event("received", "-20", order="1", order_line="10")
    assert left(first, event("received", "60", order="1", order_line="10"), taken_back) == {1: 20}


def test_a_receipt_in_another_unit_is_not_counted() -> None:
    ordered = event("ordered", "60", order="1", order_line="10", due_at=due(1))
    assert left(ordered, event("received", "60", order="1", order_line="10", base_unit="KGM")) == {1: 60}


# -- the page ----------------------------------------------------------------------------------------


RECEIPTS = [
    *("receipt_no", "line_no", "supplier_id", "order_no", "order_line_no", "item_no", "plant", "quantity", "unit"),
    "received_at",
]


def received(order: str, line: str, quantity: str) -> str:
    """A pull of one goods receipt."""
    header = {"query": "receipts", "columns": RECEIPTS, "types": [], "pulled_at": "2026-03-03T08:00:00Z"}
    row = [f"R{order}{line}", "1", "ACME", order, line, "P-100", "N1", quantity, "EA", "2026-03-02T10:00:00Z"]
    return json.dumps(header) + "\n" + json.dumps(row) + "\n"


def rows(page: str) -> list[tuple[str, ...]]:
    table = page[page.index('id="orders"') :]
    cells = r'<th scope="row">([^<]*)</th><td data-name="line">([^<]*)</td>.*?'
    cells += r'"ordered"><span>([^<]*?) <.*?"still open"><span>([^<]*?) <span class="soft">([^<]*)<'
    return re.findall(cells, table, re.DOTALL)


def test_a_supplier_sees_what_it_still_has_to_deliver(
    known: Any, dock: Any, browser: Browser, token: Callable[..., str], orders: Callable[..., str]
) -> None:
    known.drop("po.jsonl", orders(("1", "10"), ("1", "20"), ("2", "10"), {"order_no": "3", "due_on": "2026-03-20"}))
    known.drop("r1.jsonl", received("1", "10", "12"))
    known.drop("r2.jsonl", received("2", "10", "4.5"))
    dock.run()
    assert {(event.stream, event.kind) for event in dock.ledger.events()} == {
        ("demand", "ordered"), ("inventory", "received")
    }  # fmt: skip
    page = browser.get("/supplier", token=token(partner="ACME")).text
    assert rows(page) == [
        ("3", "10", "12", "12", "C62"),
        ("1", "20", "12", "12", "C62"),
        ("2", "10", "12", "7.5", "C62"),
    ]


def test_of_many_the_first_due_are_shown_and_all_are_counted(
    known: Any, dock: Any, browser: Browser, token: Callable[..., str], orders: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(own, "ORDERS", 2)
    days = (("1", "2026-05-01"), ("2", "2026-03-20"), ("3", "2026-04-02"))
    known.drop("po.jsonl", orders(*({"order_no": number, "due_on": day} for number, day in days)))
    dock.run()
    page = browser.get("/supplier", token=token(partner="ACME")).text
    assert [row[0] for row in rows(page)] == ["2", "3"]
    assert "The 2 that are due first" in page
    assert re.search(r"open order lines</dt><dd><a[^>]*>\D*3\b", page)
