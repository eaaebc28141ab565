"""Moving a sink's cursor along the feed: one runner per sink at a time, batches in order.

The turn is a lock that ends with the process that holds it, so nobody waits for a lease to run out
after a kill, and nobody who was only slow finds another at work. PostgreSQL: the cursor's
row, locked for as long as its batch is being handed over. SQLite: a lock on a file beside it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger import feed
from crossdock.ledger.database import Database
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import cursors, deliveries
from schemas.errors import PermanentError, TransientError

HandOver = Callable[[Sequence[StoredEvent]], None]


def deliver(database: Database, sink: str, hand_over: HandOver, *, batch: int) -> int:
    """See ``Ledger.deliver``."""
    if batch < 1:
        raise ValueError(f"a batch holds at least one event, not {batch}")
    _know(database, sink)
    step = _step_postgres if database.is_postgres else _step_sqlite
    with _turn(database.file, sink) as mine:
        if not mine:
            return 0
        delivered = 0
        while count := step(database, sink, hand_over, batch):
            delivered += count
        return delivered


def _know(database: Database, sink: str) -> None:
    """A sink begins before the first event."""
    with database.read() as connection:
        if connection.scalar(sa.select(cursors.c.sink).where(cursors.c.sink == sink)):
            return
    insert = postgresql.insert if database.is_postgres else sqlite.insert
    with database.write() as connection:
        connection.execute(
            insert(cursors).values(sink=sink, position=0, moved_at=datetime.now(UTC)).on_conflict_do_nothing()
        )


def _step_postgres(database: Database, sink: str, hand_over: HandOver, batch: int) -> int:
    """Hand over one batch within the transaction that locks and moves the cursor; 0 at the end or out of turn."""
    with database.write() as connection:
        position = connection.scalar(
            sa.select(cursors.c.position).where(cursors.c.sink == sink).with_for_update(skip_locked=True)
        )
        events = [] if position is None else feed.page(connection, after=position, limit=batch)
        if events:
            hand_over(events)
            _move(connection, sink, events)
    return len(events)


def _step_sqlite(database: Database, sink: str, hand_over: HandOver, batch: int) -> int:
    """Hand over one batch outside any transaction, then move the cursor; 0 at the end."""
    with database.read() as connection:
        position = connection.scalar(sa.select(cursors.c.position).where(cursors.c.sink == sink))
        events = feed.page(connection, after=position or 0, limit=batch)
    if events:
        hand_over(events)
        with database.write() as connection:
            _move(connection, sink, events)
    return len(events)


def _move(connection: Connection, sink: str, events: Sequence[StoredEvent]) -> None:
    """From just before the first of ``events`` to the last."""
    now = datetime.now(UTC)
    first, last = events[0].position, events[-1].position
    moved = connection.execute(
        cursors.update()
        .where(cursors.c.sink == sink, cursors.c.position == first - 1)
        .values(position=last, moved_at=now)
    )
    if moved.rowcount != 1:
        raise TransientError(
            f"the cursor of sink {sink!r} was moved by someone else while events {first} to {last} were handed over",
            hint="it will go on from where the cursor stands; events may arrive there twice, with the same ids",
        )
    connection.execute(
        deliveries.insert(),
        {"sink": sink, "first_position": first, "last_position": last, "delivered_at": now},
    )


@contextmanager
def _turn(ledger: Path | None, sink: str) -> Iterator[bool]:
    """Whether it is this caller's turn at the sink. PostgreSQL (no file) settles that batch by batch."""
    if ledger is None:
        yield True
        return
    place = ledger.with_name(f"{ledger.name}.{quote(sink, safe='')}.lock")
    try:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise PermanentError(
            f"the lock {place} could not be made: {error.strerror}", hint="let this user write to that folder"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
