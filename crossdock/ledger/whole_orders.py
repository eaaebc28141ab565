"""What documents say of orders as a whole, kept for orders that come after it.

A cancellation holds for an order that is not newer, whenever that comes; an answer waits for its order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import bulk
from crossdock.ledger.database import Database
from crossdock.ledger.draft import Draft
from crossdock.ledger.parked import WAITING
from crossdock.ledger.tables import documents, events, feed, parked_lines, whole_orders
from crossdock.ledger.text import storable
from mappings.outright import Outright, order_key
from schemas.events import Stream
from schemas.lines import LineKind

_TOGETHER = 500
_STREAM = Stream.DEMAND.value


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An order (``ACME/4500017``, as in subjects) that a document took back as a whole. ``waits``: nothing was
    known of it then."""

    document: str
    order: str
    number: str | None
    time: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A document of which something waits for an order: all of it, or some of its lines."""

    document: str
    order: str


class _Fields(msgspec.Struct):
    partner: str = ""
    order: str = ""


_FIELDS = msgspec.json.Decoder(_Fields)


def write(connection: Connection, drafts: Iterable[tuple[int, Draft]]) -> None:
    """Keep what these documents (by the id of their row) say of orders as a whole."""
    said = ((id, draft.closed.outright) for id, draft in drafts if draft.closed and draft.status != "rejected")
    bulk.insert(connection, whole_orders, [_row(id, outright) for id, outright in said if outright is not None])


def _row(document: int, said: Outright) -> dict[str, object]:
    return {
        "document_id": document,
        "order_key": storable(said.key),
        "kind": said.kind.value,
        "word": said.word,
        "number": None if said.number is None else storable(said.number),
        "time": said.time,
        "waits": said.waits,
    }


class WholeOrders:
    """Looks, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancelled(self, orders: Iterable[str]) -> list[Cancelled]:
        """Which of these orders documents have taken back as a whole."""
        query = _SAID.where(whole_orders.c.kind == LineKind.ORDER.value, whole_orders.c.word == "cancelled")
        asked = sorted(orders)
        with self._database.read() as connection:
            if connection.scalar(sa.select(whole_orders.c.id).limit(1)) is None:
                return []
            return [
                Cancelled(*row)
                for at in range(0, len(asked), _TOGETHER)
                for row in connection.execute(query.where(whole_orders.c.order_key.in_(asked[at : at + _TOGETHER])))
            ]

    def ordered_by(self, document: str, subjects: Collection[str]) -> frozenset[str]:
        """Which of these subjects the document, in any of its readings, has said are ordered."""
        query = sa.select(events.c.subject).join_from(events, documents, documents.c.id == events.c.document_id)
        query = query.where(documents.c.document == document, events.c.kind == "ordered")
        asked = sorted(subjects)
        with self._database.read() as connection:
            return frozenset(
                subject
                for at in range(0, len(asked), _TOGETHER)
                for subject in connection.scalars(query.where(events.c.subject.in_(asked[at : at + _TOGETHER])))
            )

    def position(self) -> int:
        """Of the newest event."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(feed.c.position)) or 0

    def answers(self, since: int) -> list[Awaiting]:
        """Answers to whole orders that wait for them, where an order has said something after position ``since``."""
        answer = (whole_orders.c.kind == LineKind.ORDER_RESPONSE.value, whole_orders.c.waits)
        with self._database.read() as connection:
            waiting = [Awaiting(row.document, row.order_key) for row in connection.execute(_SAID.where(*answer))]
            return list(_answerable(connection, waiting, since))

    def lines(self, since: int, *, causes: Collection[str], types: Collection[str]) -> list[Awaiting]:
        """The same of documents of these types, with lines that wait for one of the causes."""
        query = sa.select(documents.c.document, documents.c.partner, parked_lines.c.fields)
        query = query.join_from(parked_lines, documents).where(
            parked_lines.c.status == WAITING, parked_lines.c.cause.in_(causes), documents.c.type.in_(types)
        )
        with self._database.read() as connection:
            waiting = []
            for document, partner, text in connection.execute(query):
                fields = _FIELDS.decode(text)
                if fields.order:
                    waiting.append(Awaiting(document, order_key(fields.partner or partner, fields.order)))
            return list(_answerable(connection, waiting, since))

    def overlooked(self, since: int) -> list[str]:
        """Documents of orders that were stored after position ``since`` at the same moment as their cancellation,
        or taken apart from it, so that neither saw the other."""
        waiting = _SAID.where(whole_orders.c.word == "cancelled", whole_orders.c.waits)
        with self._database.read() as connection:
            return [
                name
                for row in connection.execute(waiting).all()
                for name in connection.scalars(_ordered_after(row.order_key, since))
            ]


_SAID = (
    sa.select(
        documents.c.document,
        whole_orders.c.order_key,
        whole_orders.c.number,
        whole_orders.c.time,
        whole_orders.c.waits,
    )
    .join_from(whole_orders, documents)
    .where(documents.c.replaced_by.is_(None))
)


def _answerable(connection: Connection, waiting: Iterable[Awaiting], since: int) -> Iterator[Awaiting]:
    told: dict[str, bool] = {}
    for one in waiting:
        if one.order not in told:
            spoken = sa.select(events.c.position).where(*_of(one.order), events.c.position > since).limit(1)
            told[one.order] = connection.scalar(spoken) is not None
        if told[one.order]:
            yield one


def _ordered_after(order: str, since: int) -> sa.Select[Any]:
    query = sa.select(documents.c.document).join_from(events, documents, documents.c.id == events.c.document_id)
    return query.where(*_of(order), events.c.position > since, events.c.kind == "ordered").distinct()


def _of(order: str) -> tuple[sa.ColumnElement[bool], ...]:
    """The events of an order's lines."""
    prefix = f"order/{order}"
    return (events.c.stream == _STREAM, events.c.subject > f"{prefix}/", events.c.subject < f"{prefix}0")
