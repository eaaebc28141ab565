"""What a partner usually sends: how many lines a document has, and what quantities they speak of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import bodies
from crossdock.ledger.tables import documents

_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class Usual:
    """The newest documents of one type: how many, with how many lines in all, and what some of their events say."""

    documents: int
    lines: int
    said: tuple[str, ...]


def usual(connection: Connection, partner: str, type: str, *, since: datetime, sample: int) -> Usual:
    """The newest documents of the partner that were stored since that moment."""
    rows = connection.execute(
        sa.select(documents.c.lines, documents.c.first_position, documents.c.last_position)
        .where(
            documents.c.partner == partner,
            documents.c.type == type,
            documents.c.stored_at >= since,
            documents.c.status != "rejected",
            documents.c.replaced_by.is_(None),
        )
        .order_by(documents.c.id.desc())
        .limit(_DOCUMENTS)
    ).all()
    positions: list[int] = []
    for row in rows:
        if row.first_position is not None and len(positions) < sample:
            positions += range(row.first_position, row.last_position + 1)
    said = bodies.read(connection, positions[:sample])
    return Usual(
        len(rows), sum(row.lines for row in rows), tuple(text for text in said.values() if text != bodies.GIVEN_UP)
    )
