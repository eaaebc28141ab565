"""Columns that are added, renamed, retyped and dropped, under each policy, on every kind of database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connectors.connections import Connection
from schemas.errors import PermanentError

pytestmark = pytest.mark.integration

SQL = "SELECT * FROM t ORDER BY id"
BEFORE = "id int, quantity int, note varchar(20)"
#: The table after the change, and what is said of it.
CHANGES = {
    "added": (f"{BEFORE}, due date", {"column": "due", "change": "added", "now": "date"}),
    "renamed": (
        "id int, qty int, note varchar(20)",
        {"column": "quantity", "change": "renamed", "was": "quantity", "now": "qty"},
    ),
    "retyped": (
        "id int, quantity varchar(20), note varchar(20)",
        {"column": "quantity", "change": "retyped", "was": "integer", "now": "text"},
    ),
    "dropped": ("id int, quantity int", {"column": "note", "change": "dropped", "was": "text"}),
}
ROW = {"id": "1", "quantity": "10", "qty": "10", "note": "a", "due": "2026-04-01"}


class Erp:
    """A database of one table, which is made anew when it changes; ``pull`` is one run of a channel."""

    def __init__(self, execute: Callable[[str], Any], channel: Any) -> None:
        self.execute, self.channel = execute, channel
        self.become(BEFORE)

    def become(self, columns: str, rows: int = 1) -> list[str]:
        """The names of the columns."""
        self.execute("DROP TABLE IF EXISTS t")
        self.execute(f"CREATE TABLE t ({columns})")
        names = [column.split()[0] for column in columns.split(", ")]
        for number in range(1, rows + 1):
            values = [str(number), *(ROW[name] for name in names[1:])]
            self.execute("INSERT INTO t VALUES ({})".format(", ".join(f"'{value}'" for value in values)))
        return names

    def pull(self, policy: str) -> tuple[dict[str, Any], list[Any]]:
        header, rows = self.channel.pull(SQL, drift=policy)
        return header, rows


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def erp(request: pytest.FixtureRequest, channel_to: Any, odbc_to: Any, tmp_path: Path) -> Iterator[Erp]:
    if request.param == "sqlite":
        db: Any = sqlite3.connect(tmp_path / "erp.db", isolation_level=None)
        channel = channel_to(Connection(conn_id="erp", type="sqlite", schema=str(tmp_path / "erp.db")))
    elif request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
        db, channel = psycopg.connect(url, autocommit=True), channel_to(odbc_to(url))
    else:
        server = request.getfixturevalue("mariadb")
        name = server.database()
        db, channel = server.administer(database=name), channel_to(server.connection(name))
    yield Erp(db.execute, channel)
    db.close()


@pytest.mark.parametrize("change", CHANGES)
def test_evolve_takes_the_new_columns_and_says_so_once(erp: Erp, change: str) -> None:
    columns, said = CHANGES[change]
    assert "drift" not in erp.pull("evolve")[0]
    names = erp.become(columns)
    header, rows = erp.pull("evolve")
    assert (header["drift"], header["policy"], header["columns"]) == ([said], "evolve", names)
    assert rows == [[ROW[name] for name in names]]
    erp.become(columns, rows=2)
    header, rows = erp.pull("evolve")
    assert ("drift" in header, len(rows)) == (False, 2)


@pytest.mark.parametrize("change", CHANGES)
def test_freeze_keeps_the_old_columns_and_says_so_once(erp: Erp, change: str) -> None:
    columns, said = CHANGES[change]
    erp.pull("freeze")
    names = erp.become(columns)
    header, rows = erp.pull("freeze")
    assert (header["drift"], header["policy"]) == ([said], "freeze")
    assert header["columns"] == ["id", "quantity", "note"]
    assert rows == [[ROW[name] if name in names else None for name in ("id", "quantity", "note")]]
    erp.become(columns, rows=2)
    header, rows = erp.pull("freeze")
    assert ("drift" in header, header["columns"], len(rows)) == (False, ["id", "quantity", "note"], 2)


@pytest.mark.parametrize("change", CHANGES)
def test_stop_takes_nothing_until_it_is_accepted(erp: Erp, change: str) -> None:
    columns, said = CHANGES[change]
    erp.pull("stop")
    names = erp.become(columns)
    for _ in range(2):
        with pytest.raises(PermanentError, match=f"query q has changed: column {said['column']}"):
            erp.pull("stop")
    assert erp.pull("evolve")[0]["columns"] == names
    erp.become(columns, rows=2)
    assert len(erp.pull("stop")[1]) == 2


def test_what_is_reckoned_has_no_type_that_changes_with_its_rows(erp: Erp) -> None:
    """SQLite tells the type of an expression by its first row."""
    sql = "SELECT id, coalesce(nullif(quantity, 10), quantity) AS reckoned FROM t ORDER BY id"
    assert "drift" not in erp.channel.pull(sql)[0]
    erp.execute("UPDATE t SET quantity = NULL")
    assert "drift" not in erp.channel.pull(sql)[0]
    erp.execute("DELETE FROM t")
    assert "drift" not in erp.channel.pull(sql)[0]
