"""What retention gives up of the feed: the words of events that have long been superseded.

An event that was superseded long ago, by one that has been superseded as long, is read by hardly anybody. Its row
stays, with its id, its sequence and the hash of its content, so that an old document that comes once more is still
known for what it is; what it said goes. The newest two revisions of every key are kept for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger import audit, bodies, relay
from crossdock.ledger.tables import cursors, documents, events, held_events, projections, spans

TOGETHER = 2_000  #: events given up in one transaction
_HORIZON = "given_up"


def give_up(connection: Connection, before: datetime, on_hold: sa.ColumnElement[bool]) -> int:
    """Give up what the oldest ``TOGETHER`` events said that may go; how many there were.

    Those may go whose successor was superseded before that moment too, that every sink has, and whose document is not
    ``on_hold``. What stood in the feed before the last of them was superseded cannot be told any more.
    """
    rows = connection.execute(_superseded(connection, before, on_hold).order_by(spans.c.position).limit(TOGETHER)).all()
    if not rows:
        return 0
    positions = [row.position for row in rows]
    bodies.give_up(connection, positions)
    connection.execute(spans.delete().where(spans.c.position.in_(positions)))
    _move_horizon(connection, max(row.until for row in rows))
    audit.note(connection, "events.given_up", "feed", detail=_range(positions, before))
    return len(rows)


def horizon(connection: Connection) -> int:
    """The first position at which all that stood can be told; 0 where nothing was given up yet."""
    return connection.scalar(sa.select(projections.c.position).where(projections.c.name == _HORIZON)) or 0


def _superseded(
    connection: Connection, before: datetime, on_hold: sa.ColumnElement[bool]
) -> sa.Select[tuple[int, int]]:
    newest = relay.position_at(connection, before)
    had = connection.scalar(sa.select(sa.func.min(cursors.c.position)))
    successor, event = spans.alias("successor"), events.alias("event")
    held = sa.select(held_events.c.position).where(held_events.c.position == spans.c.position)
    return (
        sa.select(spans.c.position, spans.c.until)
        .join(successor, successor.c.position == spans.c.until)
        .join(event, event.c.position == spans.c.position)
        .where(
            spans.c.until <= newest,
            successor.c.until <= newest,
            spans.c.position <= (newest if had is None else had),
            ~held.exists(),
            event.c.document_id.not_in(sa.select(documents.c.id).where(on_hold)),
        )
    )


def _move_horizon(connection: Connection, position: int) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(projections).values(name=_HORIZON, position=position)
    farther = sa.case((projections.c.position < position, position), else_=projections.c.position)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"position": farther}))


def _range(positions: Sequence[int], before: datetime) -> dict[str, object]:
    return {"events": len(positions), "from": positions[0], "to": positions[-1], "before": before.isoformat()}
