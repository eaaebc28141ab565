"""Lines given back by a person, and the answers that follow when a partner was told something else before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from crossdock.ledger import audit, bulk
from crossdock.ledger.envelopes import GROUP, MADE, OWED, facts
from crossdock.ledger.parked import REJECTED, WAITING
from crossdock.ledger.tables import answers, documents, envelopes, findings, parked_lines, payloads
from crossdock.ledger.text import storable, to_json
from schemas.documents import GroupEnd
from schemas.findings import Severity, Stage

#: The answers that tell of single lines, and can therefore turn out to have told too much.
_TELLING = ("824",)


def give_back(connection: Connection, ids: Sequence[int], reason: str, now: datetime) -> int:
    """Reject these waiting lines, with a finding that says why; how many there were."""
    query = (
        sa.select(parked_lines, documents.c.payload_id)
        .join_from(parked_lines, documents)
        .where(parked_lines.c.id.in_(ids), parked_lines.c.status == WAITING)
    )
    rows = connection.execute(query).all()
    if not rows:
        return 0
    connection.execute(
        parked_lines.update()
        .where(parked_lines.c.id.in_([row.id for row in rows]))
        .values(status=REJECTED, status_at=now, reason=storable(reason))
    )
    bulk.insert(connection, findings, [_finding(row, reason, now) for row in rows])
    told = {row.document_id for row in rows}
    connection.execute(
        documents.update().where(documents.c.id.in_(told)).values(errors=documents.c.errors + _counted(rows))
    )
    follow_up(connection, sorted(told), now)
    audit.note(
        connection,
        "line.rejected",
        f"document {', '.join(map(str, sorted(told)[:20]))}",
        reason=reason,
        detail={"lines": [row.id for row in rows]},
    )
    return len(rows)


def _counted(rows: Sequence[Row[Any]]) -> sa.ColumnElement[int]:
    counts: dict[int, int] = {}
    for row in rows:
        counts[row.document_id] = counts.get(row.document_id, 0) + 1
    return sa.case(counts, value=documents.c.id, else_=0)


def _finding(row: Row[Any], reason: str, now: datetime) -> dict[str, Any]:
    return {
        "payload_id": row.payload_id,
        "document_id": row.document_id,
        "code": "line.rejected",
        "severity": Severity.ERROR.value,
        "stage": Stage.BUSINESS.value,
        "message": storable(f"rejected, {reason}"),
        "location": row.location,
        "value": None,
        "expected": "the line once more, put right",
        "standard": to_json({}),
        "line": row.line,
        "byte_offset": row.byte_offset,
        "byte_length": row.byte_length,
        "found_at": now,
    }


def follow_up(connection: Connection, ids: Iterable[int], now: datetime) -> int:
    """Owe another answer for those of these documents (rows) of which the partner was told before; how many."""
    owed = 0
    rows = connection.execute(
        sa.select(documents.c.id, documents.c.ordinal, documents.c.payload_id, payloads.c.replay_of)
        .join_from(documents, payloads)
        .where(documents.c.id.in_(list(ids)))
        .order_by(documents.c.id)
    )
    for row in rows.all():
        for envelope, answer in _told(connection, row):
            _owe(connection, row, envelope, answer, now)
            owed += 1
    return owed


def _told(connection: Connection, document: Any) -> list[tuple[Any, Any]]:
    """The envelope that first held the document, with the answer that told of its lines."""
    query = (
        sa.select(envelopes, answers.c.kind.label("answer_kind"), answers.c.owed_at, answers.c.due_at)
        .join_from(envelopes, answers)
        .where(
            envelopes.c.payload_id == (document.replay_of or document.payload_id),
            envelopes.c.kind == GROUP,
            answers.c.kind.in_(_TELLING),
            answers.c.status == MADE,
        )
        .order_by(answers.c.id)
    )
    found: dict[str, tuple[Any, Any]] = {}
    for row in connection.execute(query):
        envelope = facts(row.kind, row.facts)
        if isinstance(envelope, GroupEnd) and envelope.first <= document.ordinal <= envelope.last:
            found.setdefault(row.answer_kind, (row, row))
    return list(found.values())


def _owe(connection: Connection, document: Any, envelope: Any, answer: Any, now: datetime) -> None:
    """The same group once more, with this document alone in it."""
    group = facts(envelope.kind, envelope.facts)
    assert isinstance(group, GroupEnd)
    last = connection.scalar(
        sa.select(sa.func.max(envelopes.c.ordinal)).where(
            envelopes.c.payload_id == document.payload_id, envelopes.c.kind == GROUP
        )
    )
    again = replace(group, first=document.ordinal, last=document.ordinal, declared=None)
    copied = {name: value for name, value in envelope._mapping.items() if name in envelopes.c and name != "id"}
    row = copied | {
        "payload_id": document.payload_id,
        "ordinal": (last or 0) + 1,
        "facts": storable(msgspec.json.encode(again).decode()),
        "recorded_at": now,
    }
    id = connection.execute(envelopes.insert().returning(envelopes.c.id), row).scalar_one()
    within: timedelta = answer.due_at - answer.owed_at
    connection.execute(
        answers.insert(),
        {
            "envelope_id": id,
            "kind": answer.answer_kind,
            "partner": envelope.partner,
            "status": OWED,
            "owed_at": now,
            "due_at": now + within,
            "status_at": now,
            "reason": "",
        },
    )
