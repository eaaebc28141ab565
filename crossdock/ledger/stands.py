"""What stands under subjects that begin alike: all schedules of an order line, all lines of a shipment."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import bodies
from crossdock.ledger.tables import documents, events

_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Stands:
    """The newest event of one key."""

    subject: str
    kind: str
    time: str
    data: dict[str, Any]


def under(connection: Connection, stream: str, prefixes: Collection[str]) -> Iterator[Stands]:
    """The newest event of each key that is one of ``prefixes`` or begins with one and ``/``."""
    asked = sorted(set(prefixes))
    if not asked or not _any_between(connection, asked[0], max(f"{prefix}0" for prefix in asked)):
        return
    newer = events.alias("newer")
    last = (
        sa.select(sa.func.max(newer.c.sequence))
        .where(newer.c.subject == events.c.subject, newer.c.stream == events.c.stream)
        .scalar_subquery()
    )
    for at in range(0, len(asked), _TOGETHER):
        ranges = [
            sa.or_(
                events.c.subject == prefix,
                sa.and_(events.c.subject > f"{prefix}/", events.c.subject < f"{prefix}0"),  # 0 follows /
            )
            for prefix in asked[at : at + _TOGETHER]
        ]
        query = sa.select(events.c.subject, events.c.kind, events.c.time, events.c.position).where(
            sa.or_(*ranges), events.c.stream == stream, events.c.sequence == last
        )
        rows = connection.execute(query.order_by(events.c.subject)).all()
        said = bodies.read(connection, [row.position for row in rows])
        for row in rows:
            yield Stands(row.subject, row.kind, row.time, msgspec.json.decode(said[row.position]))


def _any_between(connection: Connection, first: str, last: str) -> bool:
    """Whether there is any subject of that range: of what is new there mostly is none."""
    query = sa.select(events.c.position).where(events.c.subject >= first, events.c.subject < last).limit(1)
    return connection.scalar(query) is not None


def given(connection: Connection, document: str, stream: str, prefix: str) -> Iterator[Stands]:
    """What a document, in any of its readings, said last of each key that begins with ``prefix`` and ``/``."""
    its = sa.select(documents.c.id).where(documents.c.document == document)
    query = sa.select(events.c.subject, events.c.kind, events.c.time, events.c.position).where(
        events.c.stream == stream,
        events.c.subject > f"{prefix}/",
        events.c.subject < f"{prefix}0",
        events.c.document_id.in_(its),
    )
    last = {row.subject: row for row in connection.execute(query.order_by(events.c.subject, events.c.sequence))}
    said = bodies.read(connection, [row.position for row in last.values()])
    for row in last.values():
        if said[row.position] != bodies.GIVEN_UP:
            yield Stands(row.subject, row.kind, row.time, msgspec.json.decode(said[row.position]))
