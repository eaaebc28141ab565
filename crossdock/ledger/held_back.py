"""Interchanges that were held back for their control number, until a person says what becomes of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import audit
from crossdock.ledger import payloads as payload_rows
from crossdock.ledger.answer_tables import envelopes, held_interchanges
from crossdock.ledger.records import PayloadRecord
from crossdock.ledger.tables import payloads
from crossdock.ledger.text import storable
from schemas.documents import InterchangeEnd
from schemas.errors import PermanentError
from schemas.findings import Severity

HELD, USED, DROPPED = "held", "used", "dropped"
RELEASED = "released_interchange"  #: in a payload's metadata: it was held back once, and is used now
#: Codes of the findings that hold an interchange back.
CODES = ("interchange.altered", "interchange.gap", "interchange.out_of_order")


def note(connection: Connection, envelope: int, end: InterchangeEnd) -> None:
    """Note the interchange as held back, if a finding of it says so."""
    code = next((one.code for one in end.findings if one.code in CODES and one.severity is Severity.ERROR), None)
    if code is not None and not end.documents:
        row = {"envelope_id": envelope, "code": code, "status": HELD, "decided_at": None, "reason": ""}
        connection.execute(held_interchanges.insert(), row)


def listing(connection: Connection, *, status: str | None, limit: int) -> list[dict[str, Any]]:
    """Interchanges that were held back, the newest first; see ``Ledger.held_interchanges``."""
    query = _LISTED.order_by(held_interchanges.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(held_interchanges.c.status == status)
    return [dict(row._mapping) for row in connection.execute(query)]


def one(connection: Connection, id: int) -> dict[str, Any]:
    """One of them. Raises PermanentError where there is none, or where somebody has decided on it."""
    row = connection.execute(_LISTED.where(held_interchanges.c.id == id)).one_or_none()
    if row is None:
        raise PermanentError(f"no interchange {id} was ever held back", hint="`crossdock held` lists them")
    if row.status != HELD:
        raise PermanentError(f"interchange {id} was {row.status} already: {row.reason}")
    return dict(row._mapping)


def drop(connection: Connection, id: int, reason: str, now: datetime) -> None:
    """It will not be used. Raises PermanentError as ``one``."""
    found = one(connection, id)
    _decide(connection, found, DROPPED, reason, now)


def use(connection: Connection, id: int, reason: str, sha256: str, now: datetime) -> PayloadRecord:
    """It is used after all: a payload of its own, which waits for translation. Raises PermanentError as ``one``."""
    found = one(connection, id)
    first = payload_rows.one(connection, found["payload"])
    record = payload_rows.record(
        connection,
        sha256=sha256,
        size=found["length"],
        channel=first.channel,
        key=f"{first.key} (interchange {found['control_number']}, used after all: {id})",
        name=first.name,
        received_at=first.received_at,
        metadata={**first.metadata, RELEASED: str(id)},
        parent=first.id,
        status=payload_rows.RECEIVED,
    )
    _decide(connection, found, USED, reason, now)
    return record


def _decide(connection: Connection, found: dict[str, Any], status: str, reason: str, now: datetime) -> None:
    changed = connection.execute(
        held_interchanges.update()
        .where(held_interchanges.c.id == found["id"], held_interchanges.c.status == HELD)
        .values(status=status, decided_at=now, reason=storable(reason))
    )
    if changed.rowcount != 1:
        raise PermanentError(f"somebody else has just decided on interchange {found['id']}")
    what = f"interchange {found['control_number']} of {found['partner'] or found['sender']}"
    audit.note(connection, f"interchange.{status}", what, reason=reason, detail={"held": found["id"]})


_LISTED = sa.select(
    held_interchanges.c.id,
    held_interchanges.c.code,
    held_interchanges.c.status,
    held_interchanges.c.decided_at,
    held_interchanges.c.reason,
    envelopes.c.partner,
    envelopes.c.format,
    envelopes.c.sender,
    envelopes.c.receiver,
    envelopes.c.control_number,
    envelopes.c.byte_offset.label("offset"),
    envelopes.c.byte_length.label("length"),
    envelopes.c.recorded_at.label("held_at"),
    payloads.c.id.label("payload"),
    payloads.c.sha256,
    payloads.c.name,
    payloads.c.channel,
).select_from(held_interchanges.join(envelopes).join(payloads, envelopes.c.payload_id == payloads.c.id))
