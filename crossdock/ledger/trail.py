"""The ledger's door for auditors and for housekeeping: the trail, what the archive must hold, what may go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from crossdock.ledger import audit, forgetting
from crossdock.ledger.audit import Broken
from crossdock.ledger.database import Database
from crossdock.ledger.parked import WAITING
from crossdock.ledger.payloads import QUARANTINED, RECEIVED
from crossdock.ledger.selecting import speaks_of
from crossdock.ledger.tables import audit as trail
from crossdock.ledger.tables import documents, findings, holds, parked_lines, payloads

_PAGE = 2_000


class Trail:
    """What an auditor asks for; see ``Ledger.trail``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- the trail --------------------------------------------------------------------------------

    def entries(
        self, *, subject: str | None = None, action: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Entries, newest first: ``at, actor, action, subject, reason, detail`` and the hashes."""
        with self._database.read() as connection:
            return audit.listing(connection, subject=subject, action=action, limit=limit)

    def broken(self) -> Iterator[Broken]:
        """Every place where the trail does not hold; nothing when it is whole."""
        with self._database.read() as connection:
            yield from audit.broken(connection)

    def head(self) -> tuple[int, str]:
        """Number and hash of the newest entry: worth noting down elsewhere."""
        with self._database.read() as connection:
            return audit.head(connection)

    def has(self, hash: str) -> bool:
        """Whether any entry carries it."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(trail.c.id).where(trail.c.hash == hash)) is not None

    def note(self, action: str, subject: str, *, reason: str = "", detail: Mapping[str, Any] | None = None) -> None:
        """Append an entry of its own."""
        with self._database.write() as connection:
            audit.note(connection, action, subject, reason=reason, detail=detail)

    # -- the archive --------------------------------------------------------------------------------

    def archived(self) -> Iterator[tuple[str, str, bool]]:
        """SHA-256 and name of everything that was ever archived, and whether it should still be there."""
        query = (
            sa.select(payloads.c.sha256, sa.func.min(payloads.c.name), sa.func.count(payloads.c.pruned_at))
            .group_by(payloads.c.sha256)
            .order_by(payloads.c.sha256)
        )
        with self._database.read() as connection:
            for sha256, name, pruned in connection.execution_options(yield_per=_PAGE).execute(query):
                yield sha256, name, not pruned

    def is_archived(self, sha256s: Collection[str]) -> set[str]:
        """Which of these the ledger knows."""
        with self._database.read() as connection:
            return set(connection.scalars(sa.select(payloads.c.sha256).where(payloads.c.sha256.in_(sha256s))))

    # -- legal hold -----------------------------------------------------------------------------------

    def hold(self, partner: str, reason: str) -> None:
        """Keep everything of the partner, whatever its age, until the hold is lifted."""
        with self._database.write() as connection:
            row = {"partner": partner, "reason": reason, "since": datetime.now(UTC)}
            connection.execute(holds.delete().where(holds.c.partner == partner))
            connection.execute(holds.insert(), row)
            audit.note(connection, "hold.placed", f"partner {partner}", reason=reason)

    def lift(self, partner: str, reason: str) -> bool:
        """Lift the hold; False where there is none."""
        with self._database.write() as connection:
            lifted = connection.execute(holds.delete().where(holds.c.partner == partner)).rowcount > 0
            if lifted:
                audit.note(connection, "hold.lifted", f"partner {partner}", reason=reason)
            return lifted

    def holds(self) -> list[dict[str, Any]]:
        """The holds in force: partner, reason, since."""
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(holds).order_by(holds.c.partner))]

    # -- what may go ------------------------------------------------------------------------------------

    def prune_raw(self, before: datetime, remove: Callable[[str], None]) -> int:
        """Let ``remove`` delete the bytes received before that moment; how many payloads they were.

        What still waits, is quarantined, or is of a partner on hold stays, and so do bytes that any younger
        payload consists of too.
        """
        with self._database.write() as connection:
            rows = connection.execute(_prunable(before, _on_hold(connection))).all()
            if rows:
                connection.execute(
                    payloads.update()
                    .where(payloads.c.id.in_([row.id for row in rows]))
                    .values(pruned_at=datetime.now(UTC))
                )
                audit.note(connection, "raw.pruned", "archive", detail=_range(rows, before))
        for sha256 in {row.sha256 for row in rows}:
            remove(sha256)
        return len(rows)

    def prune_findings(self, before: datetime) -> int:
        """Forget findings made before that moment on documents that wait for nothing; how many."""
        kept = sa.select(parked_lines.c.document_id).where(parked_lines.c.status == WAITING)
        with self._database.write() as connection:
            chosen = sa.select(documents.c.id).where(
                documents.c.stored_at < before, documents.c.id.not_in(kept), ~_on_hold(connection)
            )
            gone = connection.execute(findings.delete().where(findings.c.document_id.in_(chosen))).rowcount
            if gone:
                detail = {"findings": gone, "before": before.isoformat()}
                audit.note(connection, "findings.pruned", "findings", detail=detail)
            return gone

    def give_up_events(self, before: datetime) -> int:
        """Give up what superseded events said, see ``forgetting``; how many."""
        gone = 0
        while True:
            with self._database.write() as connection:
                some = forgetting.give_up(connection, before, _on_hold(connection))
            gone += some
            if not some:
                return gone

    def compact(self) -> None:
        """Give room back to the disk and refresh what the database knows of its tables."""
        self._database.compact()

    # -- a partner's history ----------------------------------------------------------------------------

    def history(self, partner: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Everything the ledger has of a partner but its events: kind of row and row, payload by payload."""
        with self._database.read() as connection:
            for payload in connection.execute(_payloads_of(partner)).all():
                yield "payload", dict(payload._mapping)
                yield from _within(connection, payload, partner)


def _on_hold(connection: Connection) -> sa.ColumnElement[bool]:
    """Whether a document is of a partner on hold."""
    partners = connection.scalars(sa.select(holds.c.partner)).all()
    return sa.or_(sa.false(), *(speaks_of(documents, partner) for partner in partners))


def _prunable(before: datetime, on_hold: sa.ColumnElement[bool]) -> sa.Select[Any]:
    same = payloads.alias("same")
    younger = sa.select(same.c.id).where(
        same.c.sha256 == payloads.c.sha256,
        sa.or_(same.c.received_at >= before, same.c.status.in_((RECEIVED, QUARANTINED))),
    )
    of_held = sa.select(documents.c.id).where(documents.c.payload_id == payloads.c.id, on_hold)
    waits = (
        sa.select(parked_lines.c.id)
        .join_from(parked_lines, documents)
        .join(same, same.c.id == documents.c.payload_id)
        .where(same.c.sha256 == payloads.c.sha256, parked_lines.c.status == WAITING)
    )
    return sa.select(payloads.c.id, payloads.c.sha256).where(
        payloads.c.received_at < before,
        payloads.c.pruned_at.is_(None),
        ~younger.exists(),
        ~of_held.exists(),
        ~waits.exists(),
    )


def _range(rows: list[Row[Any]] | Any, before: datetime) -> dict[str, Any]:
    return {"payloads": len(rows), "first": rows[0].id, "last": rows[-1].id, "before": before.isoformat()}


def _payloads_of(partner: str) -> sa.Select[Any]:
    there = sa.select(documents.c.id).where(documents.c.payload_id == payloads.c.id, speaks_of(documents, partner))
    return sa.select(payloads).where(there.exists()).order_by(payloads.c.id)


def _within(connection: Connection, payload: Any, partner: str) -> Iterator[tuple[str, dict[str, Any]]]:
    own = sa.select(documents).where(documents.c.payload_id == payload.id, speaks_of(documents, partner))
    for document in connection.execute(own.order_by(documents.c.id)).all():
        yield "document", dict(document._mapping)
        for name, table in (("finding", findings), ("parked_line", parked_lines)):
            query = sa.select(table).where(table.c.document_id == document.id).order_by(table.c.id)
            for row in connection.execute(query):
                yield name, dict(row._mapping)
    for entry in audit.entries(connection, f"payload {payload.id}"):
        yield "audit", dict(entry._mapping)
