"""Answers from partners, matched to what we sent, and the clock that runs until they come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger.answer_tables import received_answers, transmissions
from crossdock.ledger.text import storable
from crossdock.translation import AnswerReceived

#: An answer that is due within this time is worth a warning.
WARNING = timedelta(hours=1)
_COLUMNS = {"interchange": transmissions.c.interchange_number, "group": transmissions.c.group_number}
#: sets and messages that one interchange of ours holds at most
_MOST_SETS = 10_000


def transmission_of(connection: Connection, partner: str, level: str, number: int) -> int | None:
    """What we sent the partner under that control number, the latest if numbers came round again.

    Of several sets in one interchange the last one's number is kept: the others' come right before it.
    """
    if not number:
        return None
    query = sa.select(transmissions.c.id).where(transmissions.c.partner == partner)
    if level == "set":
        last = transmissions.c.set_number
        query = query.where(last.between(number, number + _MOST_SETS)).order_by(last, transmissions.c.id.desc())
    else:
        query = query.where(_COLUMNS[level] == number).order_by(transmissions.c.id.desc())
    return connection.scalar(query.limit(1))


def write(connection: Connection, payload: int, answers: Sequence[AnswerReceived], now: datetime) -> None:
    """Note them, each once, and what each says of what we sent. The last word counts."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for one in answers:
        row = {
            "payload_id": payload,
            "ordinal": one.ordinal,
            "partner": storable(one.partner),
            "kind": one.kind,
            "number": one.number,
            "outcome": one.outcome,
            "detail": storable(one.detail),
            "transmission_id": one.transmission,
            "recorded_at": now,
        }
        statement = insert(received_answers).values(row).on_conflict_do_nothing().returning(received_answers.c.id)
        if connection.scalar(statement) is not None and one.transmission is not None and _settles(one):
            connection.execute(
                transmissions.update()
                .where(transmissions.c.id == one.transmission)
                .values(answer=one.outcome, answer_detail=storable(one.detail), answered_at=now)
            )


def _settles(one: AnswerReceived) -> bool:
    """A TA1 that finds no fault says only that the envelope arrived; what lies within is still to be answered."""
    return one.kind != "TA1" or one.outcome == "rejected"


def expectations(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """One row a partner and kind of what we sent, see ``Ledger.expectations``."""

    def count(condition: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
        return sa.cast(sa.func.sum(sa.case((condition, 1), else_=0)), sa.BigInteger).label(name)

    sent = transmissions.c
    open_ = sa.and_(sent.answer == "", sent.answer_by.is_not(None))
    taken = sa.and_(sent.answer != "", sent.answer != "rejected")
    late = sa.and_(taken, sent.answered_at > sent.answer_by)
    query = (
        sa.select(
            sent.partner,
            sent.kind,
            count(sa.and_(open_, sent.answer_by >= now), "waiting"),
            count(sa.and_(open_, sent.answer_by >= now, sent.answer_by < now + WARNING), "due_soon"),
            count(sa.and_(open_, sent.answer_by < now), "overdue"),
            count(taken, "accepted"),
            count(late, "late"),
            count(sent.answer == "rejected", "rejected"),
            sa.func.min(sa.case((open_, sent.answer_by))).label("next_due"),
        )
        .where(sa.or_(sent.answer_by.is_not(None), sent.answer != ""))
        .group_by(sent.partner, sent.kind)
        .order_by(sent.partner, sent.kind)
    )
    return [dict(row._mapping) for row in connection.execute(query)]
