"""Searching and counting for people: documents by anything that stands on them, arrivals by hour, how partners do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.database import Database
from crossdock.ledger.tables import documents, events, parked_lines, payloads
from crossdock.ledger.text import texts

_RECENT = 400  #: newest documents of a partner by which its time to the feed and its rhythm are judged
_LIKE = {ord(c): f"\\{c}" for c in "\\%_"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFacts:
    """How a partner's documents do. Times are those of ``received_at``; ``to_feed`` is the median until stored."""

    partner: str
    documents: int
    clean: int  #: without an error and with no line parked, as they came
    lines: int
    parked: int
    first: datetime
    newest: datetime
    to_feed: timedelta | None
    usual_gap: timedelta | None  #: median between two days on which something came

    def is_quiet(self, now: datetime) -> bool:
        """Whether it has sent nothing for three times as long as it usually takes, and more than a day."""
        if self.usual_gap is None:
            return False
        return now - self.newest > max(3 * self.usual_gap, timedelta(days=1))


class Searching:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def documents(
        self, text: str = "", *, items: Sequence[str] = (), partner: str = "", status: str = "", limit: int = 100
    ) -> list[dict[str, Any]]:
        """Documents, newest first, as rows with name and channel of their payload.

        ``text`` is found in control and interchange numbers, document ids, file names and the subjects of events
        (orders, shipments, items); ``items`` are our ids of what ``text`` may mean to a partner.
        """
        query = (
            sa.select(documents, payloads.c.name, payloads.c.channel, payloads.c.received_at)
            .join_from(documents, payloads)
            .where(documents.c.replaced_by.is_(None))
            .order_by(documents.c.id.desc())
            .limit(limit)
        )
        if partner:
            query = query.where(documents.c.partner == partner)
        if status:
            query = query.where(documents.c.status == status)
        with self._database.read() as connection:
            if text:
                query = query.where(_names(text) | documents.c.id.in_(_of_events(connection, text, items, limit)))
            return [dict(row._mapping) | {"attributes": texts(row.attributes)} for row in connection.execute(query)]

    def hours(self, since: datetime) -> list[dict[str, Any]]:
        """Payloads since then by channel and hour (a UTC instant), with how many could not be read."""
        counted: dict[tuple[str, datetime], list[int]] = defaultdict(lambda: [0, 0])
        query = sa.select(payloads.c.channel, payloads.c.received_at, payloads.c.status).where(
            payloads.c.received_at >= since, payloads.c.replay_of.is_(None)
        )
        with self._database.read() as connection:
            for channel, at, status in connection.execute(query):
                counts = counted[channel, at.replace(minute=0, second=0, microsecond=0)]
                counts[0] += 1
                counts[1] += status == "quarantined"
        return [
            {"channel": channel, "hour": hour, "payloads": some, "unreadable": bad}
            for (channel, hour), (some, bad) in sorted(counted.items())
        ]

    def partners(self) -> dict[str, PartnerFacts]:
        """Facts of every partner whose documents are there."""
        clean = sa.case(((documents.c.errors == 0) & (documents.c.parked == 0), 1), else_=0)
        query = (
            sa.select(
                documents.c.partner,
                sa.func.count().label("documents"),
                sa.func.sum(clean).label("clean"),
                sa.func.sum(documents.c.lines).label("lines"),
                sa.func.sum(documents.c.parked).label("parked"),
                sa.func.min(payloads.c.received_at).label("first"),
                sa.func.max(payloads.c.received_at).label("newest"),
            )
            .join_from(documents, payloads)
            .where(documents.c.partner != "", payloads.c.replay_of.is_(None))
            .group_by(documents.c.partner)
            .order_by(documents.c.partner)
        )
        with self._database.read() as connection:
            return {
                row.partner: _facts(row, _recent(connection, row.partner)) for row in connection.execute(query).all()
            }

    def types(self, partner: str) -> list[dict[str, Any]]:
        """What a partner sends: documents by type with how many were clean, rejected, and the newest."""
        rejected = sa.case((documents.c.status == "rejected", 1), else_=0)
        clean = sa.case(((documents.c.errors == 0) & (documents.c.parked == 0), 1), else_=0)
        query = (
            sa.select(
                documents.c.type,
                sa.func.count().label("documents"),
                sa.func.sum(clean).label("clean"),
                sa.func.sum(rejected).label("rejected"),
                sa.func.sum(documents.c.lines).label("lines"),
                sa.func.max(payloads.c.received_at).label("newest"),
            )
            .join_from(documents, payloads)
            .where(documents.c.partner == partner, payloads.c.replay_of.is_(None))
            .group_by(documents.c.type)
            .order_by(documents.c.type)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def events_of(self, document: str, *, limit: int) -> list[dict[str, Any]]:
        """The envelope facts of a document's events in the order of the feed, at most ``limit``."""
        own = sa.select(documents.c.id).where(documents.c.document == document)
        columns = ("position", "id", "stream", "kind", "subject", "sequence", "time", "item", "site", "line")
        query = (
            sa.select(*(events.c[name] for name in columns))
            .where(events.c.document_id.in_(own))
            .order_by(events.c.position)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def parked_of(self, document: str, *, limit: int) -> list[dict[str, Any]]:
        """The lines of a document that are or were parked, with what became of each."""
        query = (
            sa.select(parked_lines)
            .join(documents, parked_lines.c.document_id == documents.c.id)
            .where(documents.c.document == document, parked_lines.c.status != "superseded")
            .order_by(parked_lines.c.line)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) | {"fields": texts(row.fields)} for row in connection.execute(query)]


def _names(text: str) -> sa.ColumnElement[bool]:
    """Whether a document or its file is called so."""
    begins, holds = f"{text.translate(_LIKE)}%", f"%{text.translate(_LIKE)}%"
    bare = text.lstrip("0") or "0"
    numbers = sorted({text, bare, bare.zfill(9), bare.zfill(4), bare.zfill(14)})
    return sa.or_(
        documents.c.control_number.in_(numbers),
        documents.c.interchange.in_(numbers),
        documents.c.document.like(begins, escape="\\"),
        payloads.c.name.ilike(holds, escape="\\"),
        payloads.c.sha256.like(begins, escape="\\") if len(text) >= 8 else sa.false(),
    )


def _of_events(connection: Connection, text: str, items: Sequence[str], limit: int) -> list[int]:
    """Documents of the newest events that speak of it."""
    speaks: sa.ColumnElement[bool] = events.c.subject.like(f"%{text.translate(_LIKE)}%", escape="\\")
    if items:
        speaks = sa.or_(speaks, events.c.item.in_(items))
    newest = sa.select(events.c.document_id).where(speaks).order_by(events.c.position.desc()).limit(50 * limit)
    found = connection.scalars(sa.select(newest.subquery().c.document_id).distinct()).all()
    return sorted(found, reverse=True)[:limit]


def _recent(connection: Connection, partner: str) -> Sequence[Any]:
    query = (
        sa.select(payloads.c.received_at, documents.c.stored_at)
        .join_from(documents, payloads)
        .where(documents.c.partner == partner, payloads.c.replay_of.is_(None))
        .order_by(documents.c.id.desc())
        .limit(_RECENT)
    )
    return connection.execute(query).all()


def _facts(row: Any, recent: Sequence[Any]) -> PartnerFacts:
    waits = [one.stored_at - one.received_at for one in recent]
    days = sorted({one.received_at.date() for one in recent})
    gaps = [later - earlier for earlier, later in pairwise(days)]
    return PartnerFacts(
        partner=row.partner,
        documents=row.documents,
        clean=int(row.clean),
        lines=int(row.lines),
        parked=int(row.parked),
        first=row.first,
        newest=row.newest,
        to_feed=median(waits) if waits else None,
        usual_gap=median(gaps) if len(gaps) > 1 else None,
    )
