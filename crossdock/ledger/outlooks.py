"""How long each item lasts at its site: reckoned once, kept, and reckoned again when something of it was published.

The list of what goes short first is asked for of all items at once; to reckon a million events for it would take a
minute. So the outlook of each place is a row. Following the spans marks the rows whose events are others now; a row
also says until which day it holds, for a plan's days pass. How supply is reckoned is not known here: who does it asks
for what is ``due`` and hands in what came out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger import spans as following
from crossdock.ledger.database import Database
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import events, outlooks, projections, spans

BATCH = 20_000  #: events followed in one transaction
NEVER = date.max  #: it does not go short
_NAME = "outlooks"
_DUE = date.min  #: until when a row holds that was marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One item at a site. Quantities are decimals as text, in ``unit``; ``on_hand`` is None where nobody counted."""

    item: str
    site: str
    changed: int  #: position of the newest event that was known of when it was reckoned
    holds_until: date  #: the last day on which it holds unless something is published
    short_on: date  #: the first day on which the balance is below zero; NEVER
    on_hand: str | None
    in_transit: str
    demand: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A place to be reckoned, with its events that stand as digests: see ``Spans.digests``."""

    item: str
    site: str
    changed: int
    events: Sequence[StoredEvent]


class Outlooks:
    """The projection, and the questions it answers. See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def follow(self, *, seconds: float = 1.0) -> None:
        """Mark what has changed, up to where the spans have got to or as far as ``seconds`` allow."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._database.read() as connection:
                if following.position_of(connection, _NAME) >= following.position_of(connection):
                    return
            with self._database.write() as connection:
                _mark(connection)

    def due(self, today: date, *, limit: int) -> list[Due]:
        """At most ``limit`` places whose outlook does not hold, those first of which something was published."""
        query = (
            sa.select(outlooks.c.item, outlooks.c.site, outlooks.c.changed)
            .where(outlooks.c.holds_until < today)
            .order_by(outlooks.c.holds_until, outlooks.c.item, outlooks.c.site)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            found: dict[tuple[str, str], list[StoredEvent]] = {(row.item, row.site): [] for row in rows}
            for event in following.digests(connection, spans.c.item.in_({row.item for row in rows})):
                if (told := found.get((event.item, event.site))) is not None:
                    told.append(event)
        return [
            Due(item=row.item, site=row.site, changed=row.changed, events=found[row.item, row.site]) for row in rows
        ]

    def keep(self, reckoned: Sequence[Outlook]) -> None:
        """What came out; a place of which something was published meanwhile stays due."""
        if not reckoned:
            return
        key = (outlooks.c.item, outlooks.c.site, outlooks.c.changed)
        statement = outlooks.update().where(*(column == sa.bindparam(f"of_{column.name}") for column in key))
        with self._database.write() as connection:
            connection.execute(statement.values({name: sa.bindparam(name) for name in _RECKONED}), [
                {name: getattr(one, name) for name in _RECKONED}
                | {f"of_{column.name}": getattr(one, column.name) for column in key}
                for one in reckoned
            ])  # fmt: skip

    def left(self, today: date) -> int:
        """How many places are due."""
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).select_from(outlooks).where(outlooks.c.holds_until < today)
            return connection.scalar(query) or 0

    def page(
        self,
        *,
        search: str = "",
        items: Sequence[str] = (),
        after: tuple[date, str, str] | None = None,
        limit: int = 50,
    ) -> list[Outlook]:
        """What goes short first, then the rest in order of item and site; those beyond ``after``. A place of which
        nothing stands, or that nobody has reckoned yet, is not among them.

        ``search`` is how the item begins, ``items`` are others that are meant by it.
        """
        order = (outlooks.c.short_on, outlooks.c.item, outlooks.c.site)
        query = sa.select(outlooks).where(outlooks.c.unit != "").order_by(*order).limit(limit)
        if search:
            begins = sa.and_(outlooks.c.item >= search, outlooks.c.item < search + "\U0010ffff")
            query = query.where(sa.or_(begins, outlooks.c.item.in_(items)))
        if after is not None:
            query = query.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
        with self._database.read() as connection:
            return [Outlook(**row._mapping) for row in connection.execute(query)]


_RECKONED = tuple(one.name for one in fields(Outlook) if one.name not in ("item", "site", "changed"))


def _mark(connection: Connection) -> None:
    """Of one batch, in the transaction of ``connection``; nothing while another is at it."""
    own = sa.select(projections.c.position).where(projections.c.name == _NAME).with_for_update(skip_locked=True)
    position: int | None = connection.scalar(own)
    if position is None:
        return
    last = min(position + BATCH, following.position_of(connection))
    places = _places(position, last)
    changed = sa.literal(last, sa.BigInteger)
    unknown = (sa.literal(value) for value in (_DUE, NEVER, "0", "0", ""))
    rows = sa.select(places.c.item, places.c.site, changed, *unknown)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    columns = ["item", "site", "changed", "holds_until", "short_on", "in_transit", "demand", "unit"]
    marked = {"changed": last, "holds_until": _DUE}
    statement = insert(outlooks).from_select(columns, rows.where(sa.true()))  # SQLite parses ON CONFLICT behind a WHERE
    connection.execute(statement.on_conflict_do_update(index_elements=["item", "site"], set_=marked))
    connection.execute(projections.update().where(projections.c.name == _NAME).values(position=last))


def _places(first: int, last: int) -> sa.Subquery[Any]:
    """Where the events beyond ``first`` up to ``last`` are, and where the revisions were that they replace."""
    new = sa.select(spans.c.item, spans.c.site).where(spans.c.position > first, spans.c.position <= last)
    before = events.alias("before")
    same_key = (before.c.subject == events.c.subject) & (before.c.stream == events.c.stream)
    old = (
        sa.select(before.c.item, before.c.site)
        .join_from(events, before, same_key & (before.c.sequence == events.c.sequence - 1))
        .where(events.c.position > first, events.c.position <= last, events.c.sequence > 1)
    )
    every = new.union(old).subquery()
    return sa.select(every).where(every.c.item != "", every.c.site != "").subquery()
