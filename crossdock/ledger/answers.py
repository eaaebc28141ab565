"""Answers on their way out: made with the next control numbers, recorded, handed over.

Two that make answers for one partner at once both start from the same last numbers. Whoever records
first has them; the other's answer is not recorded, and is made again with the next. So a number is
given with the record of its answer or not at all, and nothing waits while an answer is written and judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger.answer_tables import answers, control_numbers, envelopes, transmissions
from crossdock.ledger.envelopes import AGAIN, INTERCHANGE, MADE, OWED, REFUSED, OwedAnswer, facts
from crossdock.ledger.tables import documents, findings
from crossdock.ledger.text import storable, texts
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.findings import Finding, Severity, Stage

SENT = "sent"
KINDS = ("interchange", "group", "set")
#: ISA13 and GS06 have nine digits, ST02 as many
LARGEST = 999_999_999
#: findings of one document that an answer tells of
MOST_FINDINGS = 10_000
_TOGETHER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlNumbers:
    """The last of our control numbers that a partner was given; 0 before the first."""

    interchange: int = 0
    group: int = 0
    set: int = 0

    def following(self, *, groups: int = 1, sets: int = 1) -> ControlNumbers:
        """The last ones given once another interchange of so many groups and sets is made."""
        return ControlNumbers(
            interchange=_next(self.interchange, 1), group=_next(self.group, groups), set=_next(self.set, sets)
        )


def _next(last: int, by: int) -> int:
    """After the largest comes 1."""
    return last + by if last + by <= LARGEST else by


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A document as it was judged, for an answer to tell of."""

    type: str
    control_number: str
    partner: str
    attributes: dict[str, str]
    status: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmission:
    """An outbound interchange, exactly as it leaves."""

    id: int
    partner: str
    kind: str
    name: str
    outlet: str
    content: bytes


def owed(connection: Connection, limit: int) -> list[OwedAnswer]:
    """Answers that are not made yet, the most urgent first."""
    query = (
        sa.select(answers, envelopes.c.payload_id, envelopes.c.kind.label("envelope_kind"), envelopes.c.facts)
        .join_from(answers, envelopes)
        .where(answers.c.status == OWED)
        .order_by(answers.c.due_at, answers.c.id)
        .limit(limit)
    )
    return [
        OwedAnswer(
            id=row.id,
            kind=row.kind,
            partner=row.partner,
            payload=row.payload_id,
            envelope=facts(row.envelope_kind, row.facts),
            owed_at=row.owed_at,
            due_at=row.due_at,
        )
        for row in connection.execute(query)
    ]


def is_owed(connection: Connection, answer: int) -> bool:
    return connection.scalar(sa.select(answers.c.status).where(answers.c.id == answer)) == OWED


def judged(connection: Connection, payload: int, first: int, last: int) -> Iterator[Judged]:
    """The documents of the payload from ``first`` to ``last``, in order, each with its errors."""
    for start in range(first, last + 1, _TOGETHER):
        here = documents.c.ordinal.between(start, min(start + _TOGETHER - 1, last))
        rows = connection.execute(
            sa.select(documents).where(documents.c.payload_id == payload, here).order_by(documents.c.ordinal)
        ).all()
        rows = _as_read_last(connection, rows)
        found = _errors(connection, [row.id for row in rows if row.errors])
        for row in rows:
            yield Judged(
                type=row.type,
                control_number=row.control_number,
                partner=row.partner,
                attributes=texts(row.attributes),
                status=row.status,
                findings=tuple(found.get(row.id, ())),
            )


def _as_read_last(connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
    """Of each document its current reading: it may have been read again since it came."""
    newer = [row.replaced_by for row in rows if row.replaced_by is not None]
    if not newer:
        return rows
    found = {row.id: row for row in connection.execute(sa.select(documents).where(documents.c.id.in_(newer)))}
    return _as_read_last(connection, [found.get(row.replaced_by, row) for row in rows])


def _errors(connection: Connection, ids: Sequence[int]) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = {}
    if not ids:
        return found
    query = (
        sa.select(findings)
        .where(findings.c.document_id.in_(ids), findings.c.severity == Severity.ERROR.value)
        .order_by(findings.c.id)
    )
    for row in connection.execute(query):
        some = found.setdefault(row.document_id, [])
        if len(some) < MOST_FINDINGS:
            some.append(as_finding(row))
    return found


def as_finding(row: Any) -> Finding:
    """A row of ``findings`` as it was found."""
    return Finding(
        code=row.code,
        severity=Severity(row.severity),
        stage=Stage(row.stage),
        message=row.message,
        location=row.location,
        value=row.value,
        expected=row.expected,
        standard=texts(row.standard),
        line=row.line,
        offset=row.byte_offset,
        length=row.byte_length,
    )


# -- control numbers --------------------------------------------------------------------------------


def last_numbers(connection: Connection, partner: str) -> ControlNumbers:
    query = sa.select(control_numbers.c.kind, control_numbers.c.last).where(control_numbers.c.partner == partner)
    return ControlNumbers(**{row.kind: row.last for row in connection.execute(query)})


def _take(connection: Connection, partner: str, seen: ControlNumbers, given: ControlNumbers, now: datetime) -> bool:
    """Move the partner's numbers from those ``seen`` to those ``given``; False when somebody else has moved them."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"partner": partner, "kind": kind, "last": 0, "moved_at": now} for kind in KINDS]
    connection.execute(insert(control_numbers).on_conflict_do_nothing(), rows)
    for kind in KINDS:
        moved = connection.execute(
            control_numbers.update()
            .where(
                control_numbers.c.partner == partner,
                control_numbers.c.kind == kind,
                control_numbers.c.last == getattr(seen, kind),
            )
            .values(last=getattr(given, kind), moved_at=now)
        )
        if moved.rowcount != 1:
            return False
    return True


# -- recording --------------------------------------------------------------------------------------


class Overtaken(Exception):
    """Somebody else was first; the transaction is rolled back."""


def record(
    connection: Connection,
    answer: OwedAnswer,
    *,
    seen: ControlNumbers,
    given: ControlNumbers,
    name: str,
    content: bytes,
    outlet: str,
    answer_by: datetime | None,
    now: datetime,
) -> None:
    """The answer is made: its numbers are taken and its bytes kept. Raises ``Overtaken``."""
    if not _take(connection, answer.partner, seen, given, now):
        raise Overtaken
    head = answer.envelope.interchange
    row = {
        "partner": answer.partner,
        "kind": answer.kind,
        "format": head.format,
        "sender": storable(head.receiver),
        "receiver": storable(head.sender),
        "interchange_number": given.interchange,
        "group_number": given.group if given.group != seen.group else 0,
        "set_number": given.set if given.set != seen.set else 0,
        "name": name,
        "content": content,
        "outlet": outlet,
        "status": MADE,
        "made_at": now,
        "answer_by": answer_by,
        "answer": "",
        "answer_detail": "",
    }
    id = connection.execute(transmissions.insert().returning(transmissions.c.id), row).scalar_one()
    if not _settle(connection, answer.id, {"status": MADE, "status_at": now, "transmission_id": id}):
        raise Overtaken


def refuse(connection: Connection, answer: int, reason: str, now: datetime) -> None:
    """A referee does not let it leave."""
    _settle(connection, answer, {"status": REFUSED, "status_at": now, "reason": storable(reason)})


def _settle(connection: Connection, answer: int, values: dict[str, Any]) -> bool:
    done = connection.execute(answers.update().where(answers.c.id == answer, answers.c.status == OWED).values(values))
    return done.rowcount == 1


def owe_again(connection: Connection, now: datetime) -> int:
    """Let refused answers be made again; how many."""
    again = connection.execute(
        answers.update().where(answers.c.status == REFUSED).values(status=OWED, status_at=now, reason="")
    )
    return again.rowcount


# -- handing over -----------------------------------------------------------------------------------


def unsent(connection: Connection, limit: int, after: int) -> list[Transmission]:
    """Made but not known to be handed over, oldest first."""
    query = (
        sa.select(transmissions)
        .where(transmissions.c.status == MADE, transmissions.c.id > after)
        .order_by(transmissions.c.id)
        .limit(limit)
    )
    return [
        Transmission(
            id=row.id, partner=row.partner, kind=row.kind, name=row.name, outlet=row.outlet, content=row.content
        )
        for row in connection.execute(query)
    ]


def made_since(connection: Connection, partner: str, kind: str, since: datetime) -> int:
    """How many answers of this kind were made for the partner since then."""
    query = sa.select(sa.func.count()).where(
        answers.c.partner == partner, answers.c.kind == kind, answers.c.status == "made", answers.c.status_at >= since
    )
    return int(connection.execute(query).scalar_one())


def note_sent(connection: Connection, id: int, now: datetime) -> None:
    connection.execute(
        transmissions.update()
        .where(transmissions.c.id == id, transmissions.c.status == MADE)
        .values(status=SENT, sent_at=now)
    )


# -- looking ----------------------------------------------------------------------------------------


def states(now: datetime | None = None) -> dict[str, sa.ColumnElement[bool]]:
    """What an answer may be at this moment, as conditions over answers and transmissions; ``late`` ones were sent."""
    left = transmissions.c.status == SENT
    waiting = sa.or_(answers.c.status == OWED, sa.and_(answers.c.status == MADE, sa.not_(left)))
    return {
        "sent": left,
        "late": sa.and_(left, transmissions.c.sent_at > answers.c.due_at),
        "waiting": waiting,
        "overdue": sa.and_(waiting, answers.c.due_at < (now or datetime.now(UTC))),
        "refused": answers.c.status == REFUSED,
    }


def listed() -> sa.Select[Any]:
    """Answers with what they answer and how they left; see ``Ledger.answers``."""
    return sa.select(
        answers.c.id,
        answers.c.kind,
        answers.c.partner,
        answers.c.status,
        answers.c.reason,
        answers.c.owed_at,
        answers.c.due_at,
        envelopes.c.payload_id.label("payload"),
        envelopes.c.control_number.label("answers_number"),
        envelopes.c.type.label("answers_type"),
        transmissions.c.name,
        transmissions.c.outlet,
        transmissions.c.interchange_number,
        transmissions.c.status.label("transmission"),
        transmissions.c.made_at,
        transmissions.c.sent_at,
        transmissions.c.answer,
    ).select_from(answers.join(envelopes).outerjoin(transmissions, answers.c.transmission_id == transmissions.c.id))


def listing(connection: Connection, *, status: str | None, limit: int) -> list[dict[str, Any]]:
    """Answers, newest first."""
    query = listed().order_by(answers.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(answers.c.status == status)
    return [dict(row._mapping) for row in connection.execute(query)]


def of_document(connection: Connection, payload: int, group: str, ordinal: int) -> list[dict[str, Any]]:
    """What was answered to the group or interchange that the document came in: kind, file and the time it left."""
    query = (
        sa.select(
            answers.c.kind,
            answers.c.status,
            envelopes.c.kind.label("envelope_kind"),
            envelopes.c.facts,
            transmissions.c.name,
            transmissions.c.sent_at,
        )
        .join_from(answers, envelopes)
        .outerjoin(transmissions, answers.c.transmission_id == transmissions.c.id)
        .where(
            envelopes.c.payload_id == payload,
            sa.or_(envelopes.c.kind.in_((INTERCHANGE, *AGAIN.values())), envelopes.c.control_number == group),
        )
        .order_by(answers.c.id)
    )
    found = []
    for row in connection.execute(query):
        envelope = facts(row.envelope_kind, row.facts)
        if isinstance(envelope, GroupEnd | InterchangeEnd) and envelope.first <= ordinal <= envelope.last:
            found.append({"kind": row.kind, "status": row.status, "name": row.name, "sent_at": row.sent_at})
    return found


def summary(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """One row a partner and kind, see ``Ledger.answer_summary``."""

    def count(condition: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
        return sa.cast(sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0), sa.BigInteger).label(name)

    conditions = states(now)
    query = (
        sa.select(
            answers.c.partner,
            answers.c.kind,
            *(count(condition, name) for name, condition in conditions.items()),
            sa.func.min(sa.case((conditions["waiting"], answers.c.due_at))).label("next_due"),
            sa.func.max(transmissions.c.sent_at).label("newest"),
        )
        .join_from(answers, transmissions, answers.c.transmission_id == transmissions.c.id, isouter=True)
        .group_by(answers.c.partner, answers.c.kind)
        .order_by(answers.c.partner, answers.c.kind)
    )
    return [dict(row._mapping) for row in connection.execute(query)]
