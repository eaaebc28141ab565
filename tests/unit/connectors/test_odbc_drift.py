"""What happens when a query's columns are no longer those of last time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.pulls import shape
from schemas.errors import PermanentError
from tests.odbc_erp import Erp


class TestDrift:
    """What happens when a query's columns are no longer those of last time."""

    def pull(self, erp: Erp, drift: str, sql: str = "SELECT * FROM t ORDER BY id") -> tuple[Any, list[Any]]:
        source = erp.open(sql, drift=drift)
        for arrival in source.arrivals(1):
            header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
            source.settle(arrival)
            return header, rows
        return None, []

    @pytest.fixture(autouse=True)
    def table(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, quantity INTEGER, note TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, 10, 'a')")

    def test_evolve_takes_the_new_columns_and_says_so_once(self, erp: Erp) -> None:
        assert self.pull(erp, "evolve")[0].get("drift") is None
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        header, rows = self.pull(erp, "evolve")
        assert header["drift"] == [{"column": "due", "change": "added", "now": "text"}]
        assert rows == [["1", "10", "a", None]]
        erp.db.execute("INSERT INTO t VALUES (2, 20, 'b', '2026-01-01')")
        assert "drift" not in self.pull(erp, "evolve")[0]

    def test_freeze_keeps_the_old_columns_and_says_so_once(self, erp: Erp) -> None:
        self.pull(erp, "freeze")
        erp.db.execute("ALTER TABLE t DROP COLUMN note")
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        header, rows = self.pull(erp, "freeze")
        assert [(one["column"], one["change"]) for one in header["drift"]] == [("note", "renamed")]
        assert header["columns"] == ["id", "quantity", "note"]
        assert rows == [["1", "10", None]]
        erp.db.execute("INSERT INTO t VALUES (2, 20, '2026-01-01')")
        header, rows = self.pull(erp, "freeze")
        assert "drift" not in header
        assert len(rows) == 2

    def test_stop_takes_nothing_until_it_is_accepted(self, erp: Erp) -> None:
        self.pull(erp, "stop")
        erp.db.execute("ALTER TABLE t RENAME COLUMN quantity TO qty")
        erp.db.execute("INSERT INTO t VALUES (2, 20, 'b')")
        for _ in range(2):
            with pytest.raises(PermanentError, match="query q has changed: column quantity is now called qty"):
                self.pull(erp, "stop")
        assert len(self.pull(erp, "evolve")[1]) == 2
        erp.db.execute("INSERT INTO t VALUES (3, 30, 'c')")
        assert len(self.pull(erp, "stop")[1]) == 3

    def test_what_drifted_is_told_even_when_no_row_is_new(self, erp: Erp) -> None:
        sql = "SELECT * FROM t WHERE id > :watermark"
        erp.rows(sql, watermark="id", initial=0)
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        source = erp.open(sql, watermark="id", initial=0)
        (arrival,) = source.arrivals(1)
        assert arrival.metadata["rows"] == "0"
        assert b'"added"' in b"".join(source.fetch(arrival))

    @pytest.mark.parametrize(
        ("was", "now", "expected"),
        [
            ("id:integer q:integer", "id:integer q:text", ["retyped q"]),
            ("id:integer q:integer", "q:integer id:integer", []),
            ("id:integer q:integer", "id:integer Q:integer", []),
            ("id:integer quantity:decimal a:text", "id:integer a:text quantity_2:decimal", ["renamed quantity"]),
            ("id:integer q:integer", "id:integer due:timestamp", ["dropped q", "added due"]),
            ("id:integer", "id:integer a:text b:text", ["added a", "added b"]),
        ],
    )
    def test_changes(self, was: str, now: str, expected: list[str]) -> None:
        before, after = ([shape.Column(*one.split(":")) for one in text.split()] for text in (was, now))
        assert [f"{one.change} {one.column}" for one in shape.changes(before, after)] == expected
