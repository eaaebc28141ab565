"""What is SQLite's own: how it is opened, and that the feed's pages are found by index."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from crossdock.ledger import feed
from crossdock.ledger.database import Database
from crossdock.ledger.tables import events


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.migrate()
    return database


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000), ("page_size", 16_384)],
)
def test_every_connection_is_durable_and_patient(database: Database, pragma: str, value: object) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_writer_holds_the_lock_from_its_first_moment(database: Database) -> None:
    """So that two writers never meet half-way, where one would have to be turned back."""
    impatient = Database(str(database.url), patience=0.1)
    with (
        database.write(),
        pytest.raises(Exception, match="locked"),
        impatient.write(),
    ):
        raise AssertionError("two writers at once")


@pytest.mark.parametrize("stream", [None, "demand"])
def test_a_page_is_found_by_index_wherever_it_lies(database: Database, stream: str | None) -> None:
    """The plan neither sorts nor walks the events before the cursor."""
    query = feed._STORED.where(events.c.position > 5).order_by(events.c.position).limit(10)
    query = query if stream is None else query.where(events.c.stream == stream)
    with database.read() as connection:
        compiled = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert plan[0].startswith(
        "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"
        if stream is None
        else "SEARCH events USING INDEX ix_events_stream_position (stream=? AND position>?)"
    )
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan)


def test_whether_keys_are_new_is_found_by_index_however_many_events_there_are(database: Database) -> None:
    with database.read() as connection:
        compiled = feed._any_between("a", "b").compile(connection.engine, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert plan == [
        "SEARCH events USING COVERING INDEX sqlite_autoindex_events_1 (subject>? AND subject<?)",
    ]
