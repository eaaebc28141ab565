"""Questions people ask of the ledger: how much, what is wrong, where does this come from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import answers, feed, held
from crossdock.ledger.columns import iso
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import cursors, deliveries, documents, events, findings, payloads
from crossdock.ledger.tables import feed as head
from crossdock.ledger.text import texts

_STREAMS = ("demand", "shipment", "inventory")
_SEVERITIES = {"info": "infos", "warning": "warnings", "error": "errors"}


def summary(connection: Connection, since: datetime | None) -> list[dict[str, Any]]:
    """One row a channel, see ``Ledger.summary``."""
    taken_in = () if since is None else (payloads.c.recorded_at >= since,)
    rows = {row.channel: _payload_counts(row) for row in connection.execute(_PAYLOADS.where(*taken_in))}
    for row in connection.execute(_DOCUMENTS.where(*taken_in)):
        if row.channel in rows:  # else all it has since then are readings of earlier files
            _add_documents(rows[row.channel], row)
    return [rows[channel] for channel in sorted(rows)]


def _sum(column: sa.ColumnElement[Any], name: str) -> sa.Label[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger).label(name)


def _count(condition: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
    return _sum(sa.case((condition, 1), else_=0), name)


_PAYLOADS = (
    sa.select(
        payloads.c.channel,
        sa.func.count().label("payloads"),
        *(
            _count(payloads.c.status == status, status)
            for status in ("received", "translated", "unpacked", "quarantined")
        ),
        _count(payloads.c.duplicate_of.is_not(None), "duplicates"),
        *(_sum(payloads.c[column], column) for column in _SEVERITIES.values()),
        sa.func.max(payloads.c.received_at).label("newest"),
    )
    .where(payloads.c.replay_of.is_(None))
    .group_by(payloads.c.channel)
)

#: A document that was read again counts as it was read last; its events are all there.
_IS_CURRENT = documents.c.replaced_by.is_(None)


def _if_current(column: sa.Column[int]) -> sa.ColumnElement[int]:
    return sa.case((_IS_CURRENT, column), else_=0)


_VERDICTS = ("accepted", "accepted_with_errors", "rejected")
_DOCUMENTS = (
    sa.select(
        payloads.c.channel,
        _count(_IS_CURRENT, "documents"),
        *(_count(_IS_CURRENT & (documents.c.status == status), status) for status in _VERDICTS),
        *(_sum(_if_current(documents.c[name]), name) for name in ("lines", "unchanged", "parked")),
        *(_sum(documents.c[name], name) for name in _STREAMS),
        *(_sum(_if_current(documents.c[column]), column) for column in _SEVERITIES.values()),
    )
    .join_from(documents, payloads)
    .group_by(payloads.c.channel)
)


def _payload_counts(row: Any) -> dict[str, Any]:
    return {
        "channel": row.channel,
        "payloads": row.payloads,
        "waiting": row.received,
        "unpacked": row.unpacked,
        "quarantined": row.quarantined,
        "duplicates": row.duplicates,
        "documents": 0,
        **dict.fromkeys(_VERDICTS, 0),
        "lines": 0,
        "unchanged": 0,
        "parked": 0,
        "events": dict.fromkeys(_STREAMS, 0),
        "findings": {severity: getattr(row, column) for severity, column in _SEVERITIES.items()},
        "newest": row.newest,
    }


def _add_documents(counts: dict[str, Any], row: Any) -> None:
    for name in ("documents", *_VERDICTS, "lines", "unchanged", "parked"):
        counts[name] = getattr(row, name)
    counts["events"] = {stream: getattr(row, stream) for stream in _STREAMS}
    for severity, column in _SEVERITIES.items():
        counts["findings"][severity] += getattr(row, column)


def problems(
    connection: Connection,
    *,
    severity: str | None,
    document: str | None,
    payload: int | None,
    limit: int,
    codes: Collection[str] = (),
    newest: bool = False,
) -> list[dict[str, Any]]:
    """Findings, oldest (or ``newest``) first, with where they stand; see ``Ledger.findings``."""
    query = (
        sa.select(
            findings,
            documents.c.document,
            documents.c.type,
            documents.c.partner,
            documents.c.control_number,
            documents.c.status,
            payloads.c.name,
            payloads.c.channel,
            payloads.c.status.label("payload_status"),
        )
        .join_from(findings, payloads, findings.c.payload_id == payloads.c.id)
        .outerjoin(documents, findings.c.document_id == documents.c.id)
        .where(documents.c.replaced_by.is_(None))
        .order_by(findings.c.id.desc() if newest else findings.c.id)
        .limit(limit)
    )
    if severity is not None:
        query = query.where(findings.c.severity == severity)
    if codes:
        query = query.where(findings.c.code.in_(codes))
    if payload is not None:
        query = query.where(sa.or_(findings.c.payload_id == payload, payloads.c.replay_of == payload))
    if document is not None:
        query = query.where(documents.c.document == document, findings.c.payload_id == documents.c.payload_id)
    return [_problem(row) for row in connection.execute(query)]


def _problem(row: Any) -> dict[str, Any]:
    return {
        "code": row.code,
        "severity": row.severity,
        "stage": row.stage,
        "message": row.message,
        "location": row.location,
        "value": row.value,
        "expected": row.expected,
        "standard": texts(row.standard),
        "line": row.line,
        "offset": row.byte_offset,
        "length": row.byte_length,
        "found_at": row.found_at,
        "payload": row.payload_id,
        "payload_status": row.payload_status,
        "name": row.name,
        "channel": row.channel,
        "document": row.document,
        "type": row.type,
        "partner": row.partner,
        "control_number": row.control_number,
        "status": row.status,
    }


def trace(connection: Connection, event_id: str) -> dict[str, Any] | None:
    """Where an event comes from and where it went; see ``Ledger.trace``."""
    event = feed.one(connection, event_id)
    if event is None:
        return None
    row = connection.execute(
        sa.select(events.c.line, events.c.document_id).where(events.c.position == event.position)
    ).one()
    document = connection.execute(sa.select(documents).where(documents.c.id == row.document_id)).one()
    payload = connection.execute(sa.select(payloads).where(payloads.c.id == document.payload_id)).one()
    data = msgspec.json.decode(event.data)
    fields = [name for name in event.__struct_fields__ if name != "data"]
    left = delivered(connection, event.position)
    answered = answers.of_document(connection, payload.id, document.functional_group, document.ordinal)
    return {
        "event": {name: getattr(event, name) for name in fields} | {"line": row.line, "data": data},
        "lineage": data.get("lineage", {}),
        "document": _plain(document, "attributes"),
        "payload": _plain(payload, "metadata"),
        "revisions": _revisions(connection, event),
        "findings": problems(connection, severity=None, document=document.document, payload=payload.id, limit=1000),
        "delivered": left,
        "answers": answered,
        "timeline": _timeline(payload, document, left, answered),
    }


def _plain(row: Any, json: str) -> dict[str, Any]:
    values = dict(row._mapping)
    return values | {json: texts(values[json])}


def _revisions(connection: Connection, event: StoredEvent) -> list[dict[str, Any]]:
    query = (
        sa.select(events.c.sequence, events.c.id, events.c.position, events.c.kind, documents.c.stored_at)
        .join_from(events, documents)
        .where(events.c.subject == event.subject, events.c.stream == event.stream)
        .order_by(events.c.sequence)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def delivered(connection: Connection, position: int) -> dict[str, datetime | None]:
    """When each sink got the event; None: not yet."""
    first = (
        sa.select(deliveries.c.delivered_at)
        .where(deliveries.c.sink == cursors.c.sink, deliveries.c.last_position >= position)
        .order_by(deliveries.c.last_position)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(sa.select(cursors.c.sink, first.label("at")).order_by(cursors.c.sink))
    return {row.sink: row.at for row in rows}


def _timeline(
    payload: Any, document: Any, delivered: dict[str, datetime | None], answered: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The steps of the document's life so far, each with its time."""
    steps = [
        ("received", payload.received_at),
        ("recorded", payload.recorded_at),
        ("read", document.read_at),
        (document.status, document.stored_at),
        *((f"{one['kind']} sent", one["sent_at"]) for one in answered if one["sent_at"] is not None),
        *((f"published to {sink}", at) for sink, at in sorted(delivered.items()) if at is not None),
    ]
    return [{"step": step, "at": iso(at)} for step, at in steps]


def listing(connection: Connection, *, status: str | None, channel: str | None, limit: int) -> list[dict[str, Any]]:
    """Payloads, newest first, as plain rows."""
    query = sa.select(payloads).where(payloads.c.replay_of.is_(None)).order_by(payloads.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(payloads.c.status == sa.literal(status, literal_execute=True))  # there is an index of some
    if channel is not None:
        query = query.where(payloads.c.channel == channel)
    return [_plain(row, "metadata") for row in connection.execute(query)]


def document_rows(
    connection: Connection, *, payload: int | None, status: str | None, limit: int
) -> list[dict[str, Any]]:
    """Documents, newest first, as plain rows with name and channel of their payloads."""
    query = (
        sa.select(documents, payloads.c.name, payloads.c.channel)
        .join_from(documents, payloads)
        .where(documents.c.replaced_by.is_(None))
        .order_by(documents.c.id.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(documents.c.status == sa.literal(status, literal_execute=True))  # there is an index of some
    if payload is not None:
        query = query.where(documents.c.payload_id == payload)
    return [_plain(row, "attributes") for row in connection.execute(query)]


def sinks(connection: Connection) -> list[dict[str, Any]]:
    """Each sink's cursor, how far it is behind the feed's end, how it does, and what it did not take."""
    newest = connection.scalar(sa.select(head.c.position)) or 0
    counted = held.counts(connection)
    query = sa.select(cursors).order_by(cursors.c.sink)
    return [
        dict(row._mapping) | {"behind": newest - row.position, "waiting": 0, "dead": 0} | counted.get(row.sink, {})
        for row in connection.execute(query)
    ]
