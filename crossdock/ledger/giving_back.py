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
from crossdock.ledger.answer_tables import answers, envelopes
from crossdock.ledger.envelopes import AGAIN, MADE, OWED, facts
from crossdock.ledger.parked import REJECTED, WAITING
from crossdock.ledger.tables import documents, findings, parked_lines, payloads
from crossdock.ledger.text import storable, to_json
from schemas.documents import EnvelopeEnd, GroupEnd, InterchangeEnd, WorkbookEnd
from schemas.findings import Finding, Severity, Stage

GIVEN_BACK = "line.rejected"  #: the finding's code
#: The answers that tell of single lines, and can therefore turn out to have told too much.
_TELLING = ("824", "APERAK", "ALEAUD", "workbook")


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
        GIVEN_BACK,
        f"document {', '.join(map(str, sorted(told)[:20]))}",
        reason=reason,
        detail={"lines": [row.id for row in rows]},
    )
    return len(rows)


def given_back(connection: Connection, payload: int) -> list[Finding]:
    """What was said of the lines of a payload that a person rejected, also on a later reading of it."""
    query = (
        sa.select(parked_lines.c.location, parked_lines.c.reason)
        .join_from(parked_lines, documents)
        .join(payloads, payloads.c.id == documents.c.payload_id)
        .where(sa.or_(payloads.c.id == payload, payloads.c.replay_of == payload), parked_lines.c.status == REJECTED)
        .order_by(parked_lines.c.id)
    )
    return [
        Finding(
            code=GIVEN_BACK,
            severity=Severity.ERROR,
            stage=Stage.BUSINESS,
            message=row.reason,
            location=row.location,
        )
        for row in connection.execute(query)
    ]


def _counted(rows: Sequence[Row[Any]]) -> sa.ColumnElement[int]:
    counts: dict[int, int] = {}
    for row in rows:
        counts[row.document_id] = counts.get(row.document_id, 0) + 1
    return sa.case(counts, value=documents.c.id, else_=0)


def _finding(row: Row[Any], reason: str, now: datetime) -> dict[str, Any]:
    return {
        "payload_id": row.payload_id,
        "document_id": row.document_id,
        "code": GIVEN_BACK,
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
        for told in _told(connection, row):
            _owe(connection, row, told, now)
            owed += 1
    return owed


def _told(connection: Connection, document: Any) -> list[Any]:
    """Of each kind the first answer that told of the document's lines, with the envelope it answers.

    None of a kind that is owed for the document already: what is made later tells of what is right then.
    """
    first = document.replay_of or document.payload_id
    query = (
        sa.select(
            envelopes,
            answers.c.kind.label("answer_kind"),
            answers.c.status.label("answer_status"),
            answers.c.owed_at,
            answers.c.due_at,
        )
        .join_from(envelopes, answers)
        .join(payloads, payloads.c.id == envelopes.c.payload_id)
        .where(
            sa.or_(payloads.c.id == first, payloads.c.replay_of == first),
            answers.c.kind.in_(_TELLING),
            answers.c.status.in_((MADE, OWED)),
        )
        .order_by(answers.c.id)
    )
    made: dict[str, Any] = {}
    owed: set[str] = set()
    for row in connection.execute(query):
        envelope = facts(row.kind, row.facts)
        if not isinstance(envelope, WorkbookEnd) and not envelope.first <= document.ordinal <= envelope.last:
            continue  # a workbook goes back whole, and may have held no document at first
        if row.answer_status == OWED:
            owed.add(row.answer_kind)
        else:
            made.setdefault(row.answer_kind, row)
    return [row for kind, row in made.items() if kind not in owed]


def _owe(connection: Connection, document: Any, told: Any, now: datetime) -> None:
    """The same envelope once more, with this document alone in it; a workbook goes back whole."""
    kind = AGAIN.get(told.kind, told.kind)
    last = connection.scalar(
        sa.select(sa.func.max(envelopes.c.ordinal)).where(
            envelopes.c.payload_id == document.payload_id, envelopes.c.kind == kind
        )
    )
    copied = {name: value for name, value in told._mapping.items() if name in envelopes.c and name != "id"}
    row = copied | {
        "kind": kind,
        "payload_id": document.payload_id,
        "ordinal": (last or 0) + 1,
        "facts": storable(msgspec.json.encode(_alone(facts(told.kind, told.facts), document.ordinal)).decode()),
        "recorded_at": now,
    }
    id = connection.execute(envelopes.insert().returning(envelopes.c.id), row).scalar_one()
    within: timedelta = told.due_at - told.owed_at
    connection.execute(
        answers.insert(),
        {
            "envelope_id": id,
            "kind": told.answer_kind,
            "partner": told.partner,
            "status": OWED,
            "owed_at": now,
            "due_at": now + within,
            "status_at": now,
            "reason": "",
        },
    )


def _alone(envelope: EnvelopeEnd, ordinal: int) -> EnvelopeEnd:
    match envelope:
        case GroupEnd():
            return replace(envelope, first=ordinal, last=ordinal, declared=None)
        case InterchangeEnd():
            return replace(envelope, first=ordinal, last=ordinal)
        case _:
            return envelope
