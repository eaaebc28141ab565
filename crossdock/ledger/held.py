"""Events that a sink did not take: tried again, then dead letters; those of the same key wait behind them.

A sink that refuses one event goes on with the others, but not with later events of that one's
key, or their order would be lost. So a row here is either *waiting* (it is offered again at
``retry_at``, unless an earlier one of its key stands before it) or *dead* (a person has to look, and
to redrive it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import held_events

WAITING = "waiting"
DEAD = "dead"
Key = tuple[str, str]  #: stream and subject
_MOST = 1000  #: bound parameters of one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One event that a sink has not taken. ``attempts`` 0: nobody offered it, it stands behind another one."""

    position: int
    key: Key
    attempts: int
    status: str
    retry_at: datetime | None


def key_of(event: StoredEvent) -> Key:
    return event.stream, event.subject


def of_sink(connection: Connection, sink: str) -> list[Held]:
    """All that the sink has not taken, in feed order."""
    query = sa.select(held_events).where(held_events.c.sink == sink).order_by(held_events.c.position)
    return [
        Held(
            position=row.position,
            key=(row.stream, row.subject),
            attempts=row.attempts,
            status=row.status,
            retry_at=row.retry_at,
        )
        for row in connection.execute(query)
    ]


def due(held: Iterable[Held], now: datetime) -> Iterator[Held]:
    """Those to offer now, in feed order: the heads of their keys whose time has come, and who waits behind such."""
    heads: dict[Key, bool] = {}
    for one in held:
        if one.key not in heads:
            heads[one.key] = one.status == WAITING and (one.retry_at is None or one.retry_at <= now)
        elif one.status == DEAD:
            heads[one.key] = False
        if heads[one.key]:
            yield one


def hold(connection: Connection, sink: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep these, each a row of ``held_events`` without its sink; one that is held already is written anew."""
    for start in range(0, len(rows), _MOST):
        part = rows[start : start + _MOST]
        let_go(connection, sink, [row["position"] for row in part])
        connection.execute(held_events.insert(), [{"sink": sink, **row} for row in part])


def let_go(connection: Connection, sink: str, positions: Sequence[int]) -> int:
    """The sink has taken them, or is offered them anew by its cursor; how many were held."""
    gone = 0
    for start in range(0, len(positions), _MOST):
        part = positions[start : start + _MOST]
        condition = (held_events.c.sink == sink, held_events.c.position.in_(part))
        gone += connection.execute(held_events.delete().where(*condition)).rowcount
    return gone


def redrive(connection: Connection, sink: str, positions: Sequence[int] | None) -> int:
    """Offer dead letters (all of the sink, or those at ``positions``) again at once, as if for the first time."""
    condition = [held_events.c.sink == sink, held_events.c.attempts > 0]
    if positions is not None:
        condition.append(held_events.c.position.in_(positions))
    values = {"status": WAITING, "attempts": 0, "retry_at": None}
    return connection.execute(held_events.update().where(*condition).values(**values)).rowcount


def discard(connection: Connection, sink: str, positions: Sequence[int]) -> int:
    """Give dead letters up: the sink never gets them, and what waits behind them goes on. How many."""
    condition = (held_events.c.sink == sink, held_events.c.position.in_(positions), held_events.c.status == DEAD)
    return connection.execute(held_events.delete().where(*condition)).rowcount


def listing(connection: Connection, sink: str | None, status: str | None, limit: int) -> list[dict[str, Any]]:
    """Held events, in feed order, as plain rows with the event's id, partner and item."""
    query = sa.select(held_events).order_by(held_events.c.sink, held_events.c.position).limit(limit)
    if sink is not None:
        query = query.where(held_events.c.sink == sink)
    if status is not None:
        query = query.where(held_events.c.status == status)
    return [dict(row._mapping) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Per sink: how many are waiting and how many dead."""
    query = sa.select(held_events.c.sink, held_events.c.status, sa.func.count().label("n")).group_by(
        held_events.c.sink, held_events.c.status
    )
    counted: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        counted.setdefault(row.sink, {WAITING: 0, DEAD: 0})[row.status] = row.n
    return counted
