"""What the feed says of the buckets of a schedule: for telling which of them a newer release no longer names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa

from crossdock.ledger import bodies
from crossdock.ledger.database import Database
from crossdock.ledger.standing import known_ids
from crossdock.ledger.tables import events

_TOGETHER = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """The newest event of a bucket."""

    subject: str
    position: int
    kind: str
    time: str


class Superseding:
    """Looks, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def buckets(self, stream: str, subject: str) -> list[Bucket]:
        """The newest event of ``subject`` and of each that goes on from it with a ``/``."""
        beyond = sa.and_(events.c.subject >= f"{subject}/", events.c.subject < f"{subject}0")  # 0 comes after /
        query = (
            sa.select(events.c.subject, events.c.position, events.c.sequence, events.c.kind, events.c.time)
            .where(events.c.stream == stream, sa.or_(events.c.subject == subject, beyond))
            .order_by(events.c.subject, events.c.sequence)
        )
        found = []
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=_TOGETHER).execute(query)
            for _, revisions in groupby(rows, attrgetter("subject")):
                *_, last = revisions
                found.append(Bucket(last.subject, last.position, last.kind, last.time))
        return found

    def knows(self, asked: Iterable[tuple[str, str, str]]) -> bool:
        """Whether the feed has any of these events (stream, subject, id)."""
        with self._database.read() as connection:
            return bool(known_ids(connection, asked))

    def said(self, positions: Collection[int]) -> dict[int, str]:
        """What the events at these positions say: JSON texts by position."""
        with self._database.read() as connection:
            return bodies.read(connection, positions)
