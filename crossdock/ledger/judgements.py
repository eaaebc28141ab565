"""What the ledger holds of a payload: which lines of it count, and what was found wrong, as it was last read.

An answer is made some time after what it answers; it says what was judged then, whatever has changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.answers import as_finding
from crossdock.ledger.giving_back import GIVEN_BACK
from crossdock.ledger.parked import REJECTED, WAITING
from crossdock.ledger.tables import documents, findings, parked_lines, payloads
from schemas.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Documents by their deterministic ids, lines by document and number."""

    known: frozenset[str]
    rejected: frozenset[str]  #: documents of which nothing counts
    held: frozenset[tuple[str, int]]  #: lines that wait, and those that were given back
    findings: tuple[Finding, ...]


def judgement(connection: Connection, payload: int) -> Judgement:
    """What stands of the payload, by the latest reading of each of its documents."""
    own = sa.or_(payloads.c.id == payload, payloads.c.replay_of == payload)
    rows = connection.execute(
        sa.select(documents.c.id, documents.c.document, documents.c.status, documents.c.stored_at)
        .join(payloads, payloads.c.id == documents.c.payload_id)
        .where(own, documents.c.replaced_by.is_(None))
        .order_by(documents.c.id)
    ).all()
    names = {row.id: row.document for row in rows}
    held = connection.execute(
        sa.select(parked_lines.c.document_id, parked_lines.c.line).where(
            parked_lines.c.document_id.in_(names), parked_lines.c.status.in_((WAITING, REJECTED))
        )
    )
    return Judgement(
        known=frozenset(names.values()),
        rejected=frozenset(row.document for row in rows if row.status == "rejected"),
        held=frozenset((names[row.document_id], row.line) for row in held),
        findings=tuple(map(as_finding, _found(connection, payload, rows))),
    )


def _found(connection: Connection, payload: int, rows: Sequence[Any]) -> Sequence[Any]:
    """Findings of these documents, and of the payload as a whole when they were read; not of earlier attempts."""
    loose = sa.and_(findings.c.payload_id == payload, findings.c.document_id.is_(None))
    if rows:
        first = sa.select(sa.func.min(documents.c.stored_at)).where(documents.c.payload_id == payload).scalar_subquery()
        loose = sa.and_(loose, findings.c.found_at >= first)
    there = sa.or_(findings.c.document_id.in_([row.id for row in rows]), loose)
    query = sa.select(findings).where(there, findings.c.code != GIVEN_BACK)  # those are told in their own way
    return connection.execute(query.order_by(findings.c.id)).all()
