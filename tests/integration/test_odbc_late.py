"""Transactions that stay open for longer than the overlap: what they wrote is found by the keys, and pulled again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest

from crossdock.dock import Dock
from tests.channel_runs import findings, new_events
from tests.odbc_erp import ORDERS

pytestmark = pytest.mark.integration

CHANNEL = f"""\
channel: erp
source:
  kind: odbc
  conn_id: erp
  timezone: ZONE
  queries:
{ORDERS}      overlap: 5m
      reconcile:
        sql: SELECT order_no, line_no, supplier_id, changed_at FROM po ORDER BY order_no, line_no
        every: 0.001s
"""
TABLE = """
CREATE TABLE po (order_no varchar(10), line_no int, supplier_id varchar(10), item_no varchar(18), plant varchar(10),
  quantity decimal(13,3), unit varchar(3), due_on date, status varchar(10), changed_at timestamp(6) NULL,
  PRIMARY KEY (order_no, line_no))
"""


class Erp:
    """Orders in a real database, and an installation that reads them."""

    def __init__(self, known: Any, server: Any, connection: Any, zone: str) -> None:
        self.known, self.server, self.connection = known, server, connection
        self.db = server()
        self.db.execute(TABLE)
        (known.home / "channels" / "erp.yaml").write_text(CHANNEL.replace("ZONE", zone))

    def order(self, db: Any, line: int, quantity: int, at: str) -> None:
        row = f"'45', {line}, 'ACME', 'P-100', 'N1', {quantity}, 'EA', '2026-04-01', 'open', '2026-03-29 {at}'"
        db.execute(f"INSERT INTO po VALUES ({row})")

    def run(self) -> list[tuple[str, str, str]]:
        """One run of the channel: line, kind and quantity of the events that were new."""
        new = new_events(self.known.settings, self.connection, "erp")
        return [
            (event["subject"].rpartition("/")[2], event["data"]["kind"], event["data"]["quantity"]) for event in new
        ]

    def findings(self, code: str) -> list[Any]:
        return findings(self.known.settings, code)


@pytest.fixture(params=["postgres", "mariadb"])
def erp(request: pytest.FixtureRequest, known: Any, odbc_to: Any) -> Iterator[Erp]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
        erp = Erp(
            known, lambda **how: psycopg.connect(url, **{"autocommit": True, **how}), odbc_to(url), "Europe/Berlin"
        )
    else:
        server = request.getfixturevalue("mariadb")
        name = server.database()

        def connect(**how: Any) -> Any:
            connection = server.administer("SET time_zone = '+00:00'", database=name)
            connection.autocommit = how.get("autocommit", True)
            return connection

        erp = Erp(known, connect, server.connection(name), "UTC")
    yield erp
    erp.db.close()


def test_what_was_committed_after_the_overlap_is_pulled_after_all(erp: Erp) -> None:
    erp.order(erp.db, 10, 1, "01:10:00")
    erp.order(erp.db, 20, 2, "01:20:00")
    slow = erp.server(autocommit=False)
    erp.order(slow, 30, 3, "01:30:00.5")
    slow.execute(
        "UPDATE po SET quantity = 9, changed_at = '2026-03-29 01:31:00' WHERE order_no = '45' AND line_no = 10"
    )
    erp.order(erp.db, 40, 4, "05:00:00")
    assert erp.run() == [("10", "ordered", "1.000"), ("20", "ordered", "2.000"), ("40", "ordered", "4.000")]
    assert erp.run() == []
    slow.commit()
    slow.close()
    assert erp.run() == []  # its rows lie below the watermark: the keys tell
    (finding,) = erp.findings("keys.unseen")
    assert finding["message"].startswith("2 rows were committed after more than the overlap")
    assert erp.run() == [("30", "ordered", "3.000"), ("10", "changed", "9.000")]
    for _ in range(2):
        assert erp.run() == []
    assert len(erp.findings("keys.unseen")) == 1
    erp.order(erp.db, 50, 5, "05:01:00")
    assert erp.run() == [("50", "ordered", "5.000")]


def test_a_day_that_is_none_is_a_finding_on_its_row(erp: Erp) -> None:
    """PostgreSQL's driver would make another day of it."""
    if erp.connection.type != "postgres":
        return
    erp.order(erp.db, 10, 1, "01:10:00")
    erp.order(erp.db, 20, 2, "01:20:00")
    erp.db.execute("UPDATE po SET due_on = 'infinity' WHERE line_no = 20")
    assert erp.run() == [("10", "ordered", "1.000")]
    (finding,) = erp.findings("value.unreadable")
    assert (finding["value"], finding["location"]) == ("infinity", "row 2")
    assert finding["length"] > 0  # the row itself, with its key, is shown beside it


def test_what_does_not_come_is_asked_for_once(erp: Erp) -> None:
    """The keys cover a row that the query leaves out."""
    path = erp.known.home / "channels" / "erp.yaml"
    path.write_text(path.read_text().replace("ORDER BY changed_at", "AND line_no <> 10 ORDER BY changed_at"))
    erp.order(erp.db, 40, 4, "05:00:00")
    erp.run()
    erp.order(erp.db, 10, 1, "01:10:00")
    for _ in range(4):
        assert erp.run() == []
    assert len(erp.findings("keys.unseen")) == 1


def test_a_kill_before_rows_are_asked_for_lets_them_be_asked_for_later(
    erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    erp.order(erp.db, 40, 4, "05:00:00")
    erp.run()
    erp.order(erp.db, 10, 1, "01:10:00")
    with monkeypatch.context() as killing:
        killing.setattr("crossdock.stages.unseen.ask_again", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            erp.run()
    assert [erp.run() for _ in range(3)] == [[], [("10", "ordered", "1.000")], []]


def test_rows_that_are_missed_before_others_were_pulled_do_not_displace_them(erp: Erp) -> None:
    erp.order(erp.db, 40, 4, "05:00:00")
    erp.run()
    for line, quantity, at in ((10, 1, "01:10:00"), (20, 2, "01:20:00")):
        erp.order(erp.db, line, quantity, at)
        with Dock.open(erp.known.settings, connections=lambda _: erp.connection) as dock:
            dock.receive("erp")  # keys twice, before the first ones are looked at
    assert [erp.run() for _ in range(3)] == [[], [("10", "ordered", "1.000"), ("20", "ordered", "2.000")], []]


def test_rows_that_no_pull_can_see_are_told_once(erp: Erp) -> None:
    """Of an order that was never changed since it was loaded into the ERP, say."""
    erp.order(erp.db, 10, 1, "01:10:00")
    erp.order(erp.db, 20, 2, "01:20:00")
    erp.db.execute("UPDATE po SET changed_at = NULL")
    assert [erp.run() for _ in range(2)] == [[], []]
    erp.db.execute("UPDATE po SET changed_at = '2026-03-29 01:10:00' WHERE line_no = 10")
    assert [erp.run() for _ in range(3)] == [[("10", "ordered", "1.000")], [], []]
    (finding,) = erp.findings("keys.unmarked")
    assert finding["message"] == "2 rows have no changed_at, so that no pull by it sees them: 45/10, 45/20"
    erp.db.execute("UPDATE po SET changed_at = '2026-03-29 01:20:00'")
    assert erp.run() == [("20", "ordered", "2.000")]
