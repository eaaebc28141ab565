"""What becomes of rows of an ERP that change or vanish, from its database to the feed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.connections import Connection
from crossdock.dock import Dock
from tests.channel_runs import findings, new_events
from tests.odbc_erp import ORDERS

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("under_frames")]

CHANNEL = f"""\
channel: erp
source:
  kind: odbc
  conn_id: erp
  queries:
{ORDERS}      overlap: 5m
      reconcile:
        sql: SELECT order_no, line_no, supplier_id FROM po ORDER BY order_no, line_no
        every: 0.001s
    - name: stock
      sql: |
        SELECT plant, location, item_no, quantity, unit, counted_at FROM stock
        WHERE counted_at >= :watermark ORDER BY counted_at, location
      watermark: counted_at
      key: [location]
      reconcile: {{sql: "SELECT plant, location, item_no FROM stock ORDER BY location", every: 0.001s}}
"""


class Erp:
    """Orders and stock in SQLite, and an installation that reads them."""

    def __init__(self, known: Any) -> None:
        self.known = known
        self.connection = Connection(conn_id="erp", type="sqlite", schema=str(known.home / "erp.db"))
        self.db = sqlite3.connect(self.connection.schema, isolation_level=None)
        self.db.execute(
            "CREATE TABLE po (order_no TEXT, line_no INTEGER, supplier_id TEXT, item_no TEXT, plant TEXT,"
            " quantity NUMERIC, unit TEXT, due_on TEXT, status TEXT, changed_at TEXT)"
        )
        self.db.execute(
            "CREATE TABLE stock (plant TEXT, location TEXT, item_no TEXT, quantity NUMERIC, unit TEXT, counted_at TEXT)"
        )
        (known.home / "channels" / "erp.yaml").write_text(CHANNEL)
        self.minute = 0

    def dock(self) -> Dock:
        return Dock.open(self.known.settings, connections=lambda _: self.connection)

    def order(
        self, line: int, quantity: int, status: str = "open", *, order: str = "45", due: str = "2026-04-01"
    ) -> None:
        self.minute += 1
        at = f"2026-03-01T10:{self.minute:02}:00Z"
        self.db.execute("DELETE FROM po WHERE order_no = ? AND line_no = ?", (order, line))
        row = (order, line, "ACME", "P-100", "N1", quantity, "EA", due, status, at)
        self.db.execute("INSERT INTO po VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def run(self) -> list[dict[str, Any]]:
        """One run of the channel: the events that were new."""
        return new_events(self.known.settings, self.connection, "erp")

    def findings(self, code: str = "") -> list[Any]:
        return findings(self.known.settings, code)

    def close(self) -> None:
        self.db.close()


@pytest.fixture
def erp(known: Any) -> Iterator[Erp]:
    erp = Erp(known)
    yield erp
    erp.close()


def short(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(event["subject"], event["data"]["kind"], event["data"]["quantity"]) for event in events]


def test_a_changed_order_says_what_changed(erp: Erp) -> None:
    erp.order(10, 5)
    erp.order(20, 7)
    assert [kind for _, kind, _ in short(erp.run())] == ["ordered", "ordered"]
    erp.order(10, 6, due="2026-04-08")
    (event,) = erp.run()
    assert event["sequence"] == 2
    assert event["data"]["kind"] == "changed"
    assert event["data"]["changes"] == [
        {"field": "quantity", "before": "5", "after": "6"},
        {"field": "base_quantity", "before": "5", "after": "6"},
        {"field": "due_at", "before": "2026-04-01T00:00:00Z", "after": "2026-04-08T00:00:00Z"},
    ]
    erp.order(10, 6, due="2026-04-08")
    assert erp.run() == []


def test_cancelled_by_the_erp_and_ordered_anew(erp: Erp) -> None:
    erp.order(10, 5)
    erp.run()
    erp.order(10, 5, "cancelled")
    assert short(erp.run()) == [("order/ACME/45/10", "cancelled", "5")]
    erp.order(10, 5)
    assert short(erp.run()) == [("order/ACME/45/10", "ordered", "5")]


def test_what_is_deleted_is_cancelled_once_and_stands_again_when_it_is_back(erp: Erp) -> None:
    for line in (10, 20, 30):
        erp.order(line, line)
    assert len(erp.run()) == 3
    (row,) = erp.db.execute("SELECT * FROM po WHERE line_no = 20").fetchall()
    erp.db.execute("DELETE FROM po WHERE line_no = 20")
    (gone,) = erp.run()
    assert (gone["subject"], gone["sequence"]) == ("order/ACME/45/20", 2)
    assert (gone["data"]["kind"], gone["data"]["status"], gone["data"]["quantity"]) == ("cancelled", "vanished", "20")
    assert gone["data"]["lineage"]["location"] == "the keys of all rows"
    assert erp.run() == []
    erp.db.execute("INSERT INTO po VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    (back,) = erp.run()
    assert (back["subject"], back["sequence"], back["data"]["kind"]) == ("order/ACME/45/20", 3, "ordered")
    assert back["id"] != gone["id"]
    assert erp.run() == []
    assert sorted(finding["code"] for finding in erp.findings("keys.")) == ["keys.again", "keys.gone"]


def test_reading_documents_again_leaves_what_is_gone_as_it_is(erp: Erp) -> None:
    for line in (10, 20):
        erp.order(line, line)
    erp.run()
    erp.db.execute("DELETE FROM po WHERE line_no = 20")
    assert len(erp.run()) == 1
    assert erp.known.run("replay", "--channel", "erp").exit_code == 0
    with erp.dock() as dock:
        last = {event.subject: event.kind for event in dock.ledger.events(after=0, limit=100)}
    assert last["order/ACME/45/20"] == "cancelled"


def test_what_the_erp_cancelled_may_go(erp: Erp) -> None:
    erp.order(10, 5)
    erp.run()
    erp.order(10, 5, "cancelled")
    erp.run()
    erp.db.execute("DELETE FROM po")
    assert erp.run() == []


def test_a_place_in_stock_that_is_gone_holds_nothing(erp: Erp) -> None:
    rows = [("N1", place, "P-100", 12, "EA", "2026-03-01T10:00:00Z") for place in ("A1", "A2")]
    erp.db.executemany("INSERT INTO stock VALUES (?, ?, ?, ?, ?, ?)", rows)
    assert len(erp.run()) == 2
    erp.db.execute("DELETE FROM stock WHERE location = 'A2'")
    assert short(erp.run()) == [("stock/OWN/N1/A2/P-100", "on_hand", "0")]
    assert erp.run() == []


def test_when_too_much_is_gone_nothing_is_taken_out(erp: Erp) -> None:
    for line in range(1, 41):
        erp.order(line, line)
    assert len(erp.run()) == 40
    erp.db.execute("DELETE FROM po WHERE line_no <= 30")
    assert erp.run() == []
    (finding,) = [one for one in erp.findings() if one["severity"] == "error"]
    assert finding["code"] == "keys.too_many_gone"
    assert "30 of 40 are no longer there" in finding["message"]
    assert finding["location"] == "keys of query purchase_orders"


def test_what_came_after_the_keys_were_asked_for_is_not_gone(erp: Erp) -> None:
    erp.order(10, 5)
    with erp.dock() as dock:
        early = dock.receive("erp")
    erp.order(20, 7)
    with erp.dock() as dock:
        late = dock.receive("erp")
        dock.translate(late)
        dock.translate(early)
        events = dock.ledger.events(after=0, limit=100)
    assert sorted((event.subject, event.kind) for event in events) == [
        ("order/ACME/45/10", "ordered"),
        ("order/ACME/45/20", "ordered"),
    ]


def test_a_key_that_master_data_no_longer_know_is_not_gone(erp: Erp) -> None:
    erp.order(10, 5)
    erp.run()
    with erp.dock() as dock:
        table = dock.ledger.master()["partners"]
        renamed = table.with_columns(table["partner"].str.replace("ACME", "ACME2"))
        dock.ledger.load_master("partners", renamed.select(table.columns[:7]), source="test", actor="test")
    assert erp.run() == []


def test_columns_that_change_are_told_with_query_and_column(erp: Erp) -> None:
    erp.order(10, 5)
    path = erp.known.home / "channels" / "erp.yaml"
    erp.run()
    path.write_text(path.read_text().replace("due_on, status", "due_on AS due_date, status"))
    erp.run()
    (finding,) = erp.findings("rows.column_renamed")
    assert finding["location"] == "query purchase_orders, column due_on"
    assert "calls the column due_on due_date now" in finding["message"]


def test_a_row_that_its_driver_cannot_read_is_a_finding(erp: Erp) -> None:
    payload = Path(erp.known.home / "in" / "pull.jsonl")
    header = {"query": "purchase_orders", "columns": ["order_no"], "types": [], "pulled_at": "2026-03-02T08:00:00Z"}
    payload.write_text(f"{json.dumps(header)}\n{json.dumps({'unreadable': 'month must be in 1..12'})}\n")
    with erp.dock() as dock:
        dock.run("inbox")
    (finding,) = erp.findings("rows.row_unreadable")
    assert finding["message"] == "month must be in 1..12"
