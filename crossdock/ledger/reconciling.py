"""What the feed says of the rows of a source: for telling what is gone there and what has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from crossdock.ledger import bodies
from crossdock.ledger.database import Database
from crossdock.ledger.standing import newest
from crossdock.ledger.tables import documents, events, payloads

_TOGETHER = 10_000  #: rows taken from the database at a time
_NEWEST = ("subject", "position", "sequence", "kind", "time")


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest event of a subject."""

    subject: str
    position: int
    sequence: int
    kind: str
    time: str


class Reconciling:
    """Looks, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, *, stream: str, prefix: str, channel: str, type: str, until: datetime) -> Iterator[Latest]:
        """The newest event of each subject that begins with ``prefix``, if it came by ``channel`` in a document of
        ``type`` no later than ``until``; in the order of subjects."""
        mine = (
            sa.select(documents.c.id)
            .join(payloads)
            .where(payloads.c.channel == channel, documents.c.type == type, payloads.c.received_at <= until)
        )
        query = (
            sa.select(*(events.c[name] for name in _NEWEST), events.c.document_id)
            .where(events.c.stream == stream, events.c.subject >= prefix, events.c.subject < _after(prefix))
            .order_by(events.c.subject, events.c.sequence)
        )
        with self._database.read() as connection:
            ids = frozenset(connection.scalars(mine))
            rows = connection.execution_options(yield_per=_TOGETHER).execute(query)
            for _, revisions in groupby(rows, attrgetter("subject")):
                *_, last = revisions
                if last.document_id in ids:
                    yield _latest(last)

    def handed_over(self, channel: str, query: str, *, before: int) -> Iterator[tuple[str, str]]:
        """Name and SHA-256 of the payloads that held rows of ``query`` before the payload of that id, newest first,
        up to its keys before, which are the last."""
        wanted = (query, f"{query} keys")
        asked = (
            sa.select(payloads.c.name, payloads.c.sha256)
            .where(payloads.c.channel == channel, payloads.c.name.in_(wanted), payloads.c.id < before)
            .order_by(payloads.c.id.desc())
        )
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=100).execute(asked):
                yield row.name, row.sha256
                if row.name != query:
                    return

    def latest(self, stream: str, subjects: Sequence[str]) -> dict[str, Latest]:
        """The newest event of each of these subjects that has one."""
        if not subjects:
            return {}
        known = (events.c.stream == stream, events.c.subject >= min(subjects), events.c.subject <= max(subjects))
        with self._database.read() as connection:
            if connection.scalar(sa.select(events.c.position).where(*known).limit(1)) is None:
                return {}
            return {row.subject: _latest(row) for row in newest(connection, stream, subjects)}

    def revisions(self, stream: str, subject: str) -> list[Latest]:
        """All events of a subject, the newest first."""
        query = (
            sa.select(events)
            .where(events.c.stream == stream, events.c.subject == subject)
            .order_by(events.c.sequence.desc())
        )
        with self._database.read() as connection:
            return [_latest(row) for row in connection.execute(query)]

    def said(self, positions: Collection[int]) -> dict[int, str]:
        """What the events at these positions say: JSON texts by position."""
        with self._database.read() as connection:
            return bodies.read(connection, positions)


def _latest(row: Any) -> Latest:
    return Latest(row.subject, row.position, row.sequence, row.kind, row.time)


def _after(prefix: str) -> str:
    """The first text that is beyond all that begin with ``prefix``."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
