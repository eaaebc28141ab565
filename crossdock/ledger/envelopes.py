"""Ends of groups and interchanges, and the answers owed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.formats.edi.acknowledgments import edifact
from connectors.formats.edi.acknowledgments import envelope as x12
from crossdock.ledger import held_back
from crossdock.ledger.answer_tables import answers, envelopes, held_interchanges
from crossdock.ledger.resent import supersede_corrected
from crossdock.ledger.tables import documents, findings
from crossdock.ledger.tables import payloads as payload_table
from crossdock.ledger.text import storable
from crossdock.translation import EnvelopeClosed
from mappings.spec import Acknowledge
from schemas.documents import EnvelopeEnd, GroupEnd, Interchange, InterchangeEnd, WorkbookEnd
from schemas.findings import Severity, Stage

GROUP, INTERCHANGE, WORKBOOK = "group", "interchange", "workbook"
#: An interchange that is answered once more is kept apart: it did not come in a second time.
AGAIN = {INTERCHANGE: "interchange_again"}
OWED, MADE, REFUSED = "owed", "made", "refused"
ACKNOWLEDGMENTS = ("FA",)  #: functional groups of 997 and 999, which are never acknowledged
APPLICATION_ADVICE = ("AG",)  #: functional group of 824, which no 824 answers
APPLICATION = ("824", "APERAK")
_999_SINCE = "005010"
_ANSWERS: dict[object, str] = {997: "997", 999: "999", 824: "824"}

_LOOKED_AT = 50  #: interchanges of one sender that a new one is held against

_ENCODER = msgspec.json.Encoder()
_GROUP = msgspec.json.Decoder(GroupEnd)
_INTERCHANGE = msgspec.json.Decoder(InterchangeEnd)
_WORKBOOK = msgspec.json.Decoder(WorkbookEnd)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedAnswer:
    """An answer that a partner is promised and that is not made yet."""

    id: int
    kind: str
    partner: str
    payload: int
    envelope: EnvelopeEnd
    owed_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInterchange:
    """An interchange that came in before, and where its bytes stand in the archive."""

    sha256: str
    name: str  #: of its payload
    offset: int
    length: int


class Parties(NamedTuple):
    """Whose an interchange is, and from and to whom its envelope says it goes.

    What one partner hands over under the name of another counts for the one, not for the other.
    """

    partner: str
    sender: str
    receiver: str


def seen(connection: Connection, parties: Parties, control_number: str, payload: int) -> list[SeenInterchange]:
    """Interchanges of the same number in other payloads that were not held back, the first one first."""
    query = (
        sa.select(payload_table.c.sha256, payload_table.c.name, envelopes.c.byte_offset, envelopes.c.byte_length)
        .join_from(envelopes, payload_table)
        .outerjoin(held_interchanges, held_interchanges.c.envelope_id == envelopes.c.id)
        .where(
            *_between(parties, payload),
            envelopes.c.control_number == storable(control_number),
            sa.func.coalesce(held_interchanges.c.status, held_back.USED) == held_back.USED,
        )
        .order_by(envelopes.c.id)
        .limit(_LOOKED_AT)
    )
    return [
        SeenInterchange(sha256=row.sha256, name=row.name, offset=row.byte_offset, length=row.byte_length)
        for row in connection.execute(query)
    ]


def recent_numbers(connection: Connection, parties: Parties, payload: int) -> list[str]:
    """Control numbers of the interchanges that came last in other payloads, the newest first."""
    query = (
        sa.select(envelopes.c.control_number)
        .where(*_between(parties, payload))
        .order_by(envelopes.c.id.desc())
        .limit(_LOOKED_AT)
    )
    return list(connection.scalars(query))


def _between(parties: Parties, payload: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        envelopes.c.kind == INTERCHANGE,
        envelopes.c.partner == storable(parties.partner),
        envelopes.c.sender == storable(parties.sender),
        envelopes.c.receiver == storable(parties.receiver),
        envelopes.c.payload_id != payload,
    )


def write(connection: Connection, payload: int, closed: Sequence[EnvelopeClosed], now: datetime) -> None:
    """Note the envelopes that are not noted yet, with what is owed for each. Their documents have been written."""
    if not closed:
        return
    there = {
        (row.kind, row.ordinal)
        for row in connection.execute(
            sa.select(envelopes.c.kind, envelopes.c.ordinal).where(envelopes.c.payload_id == payload)
        )
    }
    taken_in = connection.scalar(sa.select(payload_table.c.recorded_at).where(payload_table.c.id == payload))
    for one in closed:
        row = _row(payload, one, now)
        if (row["kind"], row["ordinal"]) in there:
            continue
        id = connection.execute(envelopes.insert().returning(envelopes.c.id), row).scalar_one()
        if isinstance(one.envelope, InterchangeEnd):
            held_back.note(connection, id, one.envelope)
        _owe(connection, id, payload, one, since=taken_in or now, now=now)
        if isinstance(one.envelope, WorkbookEnd) and one.envelope.corrects and one.envelope.documents:
            supersede_corrected(connection, one.envelope.corrects, one.partner, now)


def owed_for(closed: EnvelopeClosed) -> tuple[str, ...]:
    """The kinds of answers that the sender is promised.

    X12: 997 or 999, and 824, for a group; TA1 for an interchange. EDIFACT: CONTRL and APERAK for an interchange.
    IDocs: STATUS and ALEAUD for those of one sender in a payload.
    An 824 or APERAK, and the correction of a workbook, is owed only if there is something to tell.
    Acknowledgments are never acknowledged, and nothing is owed to who does not say who they are.
    """
    agreement, envelope = closed.agreement, closed.envelope
    if agreement is None:
        return ()
    if isinstance(envelope, WorkbookEnd):
        return ("workbook",) if agreement.application == "workbook" else ()
    if envelope.interchange.format == "edifact":
        return _owed_for_edifact(envelope, agreement)
    if envelope.interchange.format == "idoc":
        return _owed_for_idocs(envelope.interchange, agreement)
    if not x12.addressable(envelope.interchange):
        return ()
    if isinstance(envelope, InterchangeEnd):
        wanted = envelope.interchange.answer_wanted or any(f.severity is Severity.ERROR for f in envelope.findings)
        return ("TA1",) if wanted and not envelope.only_answers else ()
    if envelope.type in ACKNOWLEDGMENTS:
        return ()
    functional = 997 if agreement.functional == 999 and envelope.version < _999_SINCE else agreement.functional
    application = None if envelope.type in APPLICATION_ADVICE else agreement.application
    return tuple(_ANSWERS[kind] for kind in (functional, application) if kind in _ANSWERS)


def _owed_for_edifact(envelope: GroupEnd | InterchangeEnd, agreement: Acknowledge) -> tuple[str, ...]:
    """A CONTRL that is not agreed on is owed to who asks for one in UNB; nothing to who does not say who they are."""
    head = envelope.interchange
    if not isinstance(envelope, InterchangeEnd) or envelope.only_answers or not edifact.addressable(head):
        return ()
    wanted = agreement.functional == "contrl" or head.answer_wanted or head.receipt_wanted
    return (*(("CONTRL",) if wanted else ()), *(("APERAK",) if agreement.application == "aperak" else ()))


def _owed_for_idocs(head: Interchange, agreement: Acknowledge) -> tuple[str, ...]:
    """Nothing to who does not say who they are."""
    status = ("STATUS",) if agreement.functional == "status" else ()
    audit = ("ALEAUD",) if agreement.application == "aleaud" else ()
    return (*status, *audit) if head.sender else ()


def groups(connection: Connection, payload: int, interchange: Interchange) -> list[GroupEnd]:
    """The groups of an interchange of the payload, in order."""
    query = (
        sa.select(envelopes.c.facts)
        .where(
            envelopes.c.payload_id == payload,
            envelopes.c.kind == GROUP,
            envelopes.c.byte_offset == interchange.offset,
        )
        .order_by(envelopes.c.ordinal)
    )
    return [_GROUP.decode(json) for json in connection.scalars(query)]


def facts(kind: str, json: str) -> EnvelopeEnd:
    match kind:
        case "group":
            return _GROUP.decode(json)
        case "interchange" | "interchange_again":
            return _INTERCHANGE.decode(json)
        case _:
            return _WORKBOOK.decode(json)


def _row(payload: int, closed: EnvelopeClosed, now: datetime) -> dict[str, Any]:
    envelope, head = closed.envelope, closed.envelope.interchange
    match envelope:
        case GroupEnd():
            own = {
                "kind": GROUP,
                "ordinal": envelope.ordinal,
                "control_number": storable(envelope.control_number),
                "type": storable(envelope.type),
                "byte_length": None,
            }
        case InterchangeEnd():
            own = {
                "kind": INTERCHANGE,
                "ordinal": head.ordinal,
                "control_number": storable(head.control_number),
                "type": "",
                "byte_length": envelope.length,
            }
        case WorkbookEnd():
            own = {
                "kind": WORKBOOK,
                "ordinal": head.ordinal,
                "control_number": storable(head.control_number),
                "type": "",
                "byte_length": None,
            }
    return own | {
        "payload_id": payload,
        "format": head.format,
        "partner": storable(closed.partner),
        "sender": storable(head.sender),
        "receiver": storable(head.receiver),
        "byte_offset": head.offset,
        "facts": storable(_ENCODER.encode(envelope).decode()),
        "recorded_at": now,
    }


def _owe(
    connection: Connection, id: int, payload: int, closed: EnvelopeClosed, *, since: datetime, now: datetime
) -> None:
    agreement = closed.agreement
    if agreement is None:
        return
    for kind in owed_for(closed):
        if kind in APPLICATION and not _has_application_errors(connection, payload, closed.envelope):
            continue
        if isinstance(closed.envelope, WorkbookEnd) and not _has_errors(connection, payload, closed.envelope):
            continue
        row = {
            "envelope_id": id,
            "kind": kind,
            "partner": storable(closed.partner),
            "status": OWED,
            "owed_at": now,
            "due_at": since + agreement.within,
            "status_at": now,
            "reason": "",
        }
        connection.execute(answers.insert(), row)


def _has_errors(connection: Connection, payload: int, envelope: WorkbookEnd) -> bool:
    """Whether anything in the workbook is wrong, be it the file as such."""
    if any(finding.severity is Severity.ERROR for finding in envelope.findings):
        return True
    query = (
        sa.select(documents.c.id)
        .where(documents.c.payload_id == payload, documents.c.errors + documents.c.parked > 0)
        .limit(1)
    )
    return connection.scalar(query) is not None


def _has_application_errors(connection: Connection, payload: int, envelope: EnvelopeEnd) -> bool:
    """Whether any document within has an error that only an application acknowledgment tells of."""
    if not isinstance(envelope, GroupEnd | InterchangeEnd):
        return False
    query = (
        sa.select(findings.c.id)
        .join_from(findings, documents, findings.c.document_id == documents.c.id)
        .where(
            documents.c.payload_id == payload,
            documents.c.ordinal.between(envelope.first, envelope.last),
            findings.c.severity == Severity.ERROR.value,
            findings.c.stage.in_([Stage.REFERENCE.value, Stage.BUSINESS.value]),
        )
        .limit(1)
    )
    return connection.scalar(query) is not None
