"""Lists for people to leaf through, newest first: files, answers, events; ``before`` is the id a page ended with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from crossdock.ledger import feed
from crossdock.ledger.answer_tables import answers
from crossdock.ledger.answers import listed, states
from crossdock.ledger.database import Database
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.spans import Wanted
from crossdock.ledger.tables import documents, events, parked_lines, payloads, spans
from crossdock.ledger.text import holds


class Browsing:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def files(
        self,
        *,
        text: str = "",
        channel: str = "",
        status: str = "",
        since: datetime | None = None,
        without_documents: bool = False,
        of: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Payloads, each with how many ``documents`` stand in it; ``text`` is part of the name or begins the SHA-256.

        ``of`` is the container whose parts are meant, ``since`` when they were taken in at the earliest.
        """
        inside = sa.select(sa.func.count()).where(documents.c.payload_id == payloads.c.id).scalar_subquery()
        query = sa.select(payloads, inside.label("documents")).where(payloads.c.replay_of.is_(None))
        with self._database.read() as connection:
            if text:
                named = holds(connection, payloads.c.name, text)
                query = query.where(sa.or_(named, payloads.c.sha256.startswith(text.lower(), autoescape=True)))
            if without_documents:
                query = query.where(inside == 0, payloads.c.status != "unpacked")
            for column, value in ((payloads.c.channel, channel), (payloads.c.status, status)):
                if value:
                    query = query.where(column == value)
            if since is not None:
                query = query.where(payloads.c.recorded_at >= since)
            if of is not None:
                query = query.where(payloads.c.parent_id == of)
            rows = connection.execute(_page(query, payloads.c.id, before, limit))
            return [dict(row._mapping) for row in rows]

    def answers(
        self, *, partner: str = "", kind: str = "", state: str = "", before: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Answers; ``state`` is one of ``ledger.answers.states``."""
        query = listed()
        for column, value in ((answers.c.partner, partner), (answers.c.kind, kind)):
            if value:
                query = query.where(column == value)
        if state:
            query = query.where(states()[state])
        with self._database.read() as connection:
            rows = connection.execute(_page(query, answers.c.id, before, limit))
            return [dict(row._mapping) for row in rows]

    def events(
        self, wanted: Wanted, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> list[StoredEvent]:
        """Events, those beyond the position ``after``; by partner or item as far as the spans have followed the feed.

        Those given up are left out.
        """
        table = spans if wanted.narrows else events
        query = sa.select(table.c.position).where(table.c.position > after, *wanted.conditions(table))
        with self._database.read() as connection:
            positions = connection.scalars(_page(query, table.c.position, before, limit)).all()
            return feed.at(connection, positions)[::-1]

    def held(self) -> dict[str, int]:
        """How many documents are ``rejected``, and how many files ``quarantined`` or ``received`` and not yet read."""
        rejected = sa.select(sa.func.count()).where(
            documents.c.status == sa.literal_column("'rejected'"), documents.c.replaced_by.is_(None)
        )
        files = {
            status: sa.select(sa.func.count()).where(
                payloads.c.status == sa.literal_column(f"'{status}'"), payloads.c.replay_of.is_(None)
            )
            for status in ("quarantined", "received")
        }
        with self._database.read() as connection:
            return {name: connection.scalar(query) or 0 for name, query in {"rejected": rejected, **files}.items()}

    def waiting(self) -> dict[str, int]:
        """How many parked lines wait, by channel."""
        query = (
            sa.select(payloads.c.channel, sa.func.count().label("lines"))
            .join_from(parked_lines, documents, parked_lines.c.document_id == documents.c.id)
            .join(payloads, documents.c.payload_id == payloads.c.id)
            .where(parked_lines.c.status == "waiting")
            .group_by(payloads.c.channel)
        )
        with self._database.read() as connection:
            return {row.channel: row.lines for row in connection.execute(query)}


def _page(query: sa.Select[Any], id: sa.ColumnElement[int], before: int | None, limit: int) -> sa.Select[Any]:
    newest = query.order_by(id.desc()).limit(limit)
    return newest if before is None else newest.where(id < before)
