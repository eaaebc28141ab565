"""Lines that wait: where each stands, what they wait for together, and when another takes their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.tables import documents, findings, parked_lines, payloads
from crossdock.ledger.text import texts

_TOGETHER = 500
WAITING = "waiting"
RELEASED = "released"  #: what it waited for came, and it was published
REJECTED = "rejected"  #: a person gave it back to whoever sent it
SUPERSEDED = "superseded"  #: the same document came once more, and its newest copy speaks for it


def supersede(connection: Connection, copies: Collection[tuple[str, str]], *, before: int, now: datetime) -> None:
    """Lines of earlier copies of these documents (id and partner) wait no longer; ``before`` is the first new row.

    A file that is sent again byte for byte holds the same documents: its bad lines wait once, and
    not at all where they are good by now.
    """
    query = sa.select(documents.c.id, documents.c.document, documents.c.partner).where(
        documents.c.document.in_([document for document, _ in copies]),
        documents.c.id < before,
        documents.c.parked > 0,
    )
    older = [id for id, document, partner in connection.execute(query) if (document, partner) in copies]
    if older:
        connection.execute(
            parked_lines.update()
            .where(parked_lines.c.document_id.in_(older), parked_lines.c.status == WAITING)
            .values(status=SUPERSEDED, status_at=now)
        )


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An error on a line that waits: ``document`` and ``line`` say which, ``partner`` whose code ``value`` is."""

    document: str
    line: int
    code: str
    stage: str
    partner: str
    value: str | None
    mapping_version: str


def obstacles(connection: Connection, names: Sequence[str]) -> Iterator[Obstacle]:
    """What stands in the way of each waiting line of these documents; a line may have several obstacles."""
    for at in range(0, len(names), _TOGETHER):
        here = (documents.c.document.in_(names[at : at + _TOGETHER]), parked_lines.c.status == WAITING)
        held = sa.select(documents.c.id).join_from(parked_lines, documents).where(*here).distinct()
        for document in connection.execute(sa.select(documents).where(documents.c.id.in_(held))).all():
            yield from _obstacles_of(connection, document)


def _obstacles_of(connection: Connection, document: Any) -> Iterator[Obstacle]:
    """Lines and findings are asked for apart: together the database would compare each with each."""
    waits = sa.select(parked_lines.c.line, _partner(connection)).join_from(parked_lines, documents)
    waits = waits.where(parked_lines.c.document_id == document.id, parked_lines.c.status == WAITING)
    partners: dict[int, str] = {row[0]: row[1] for row in connection.execute(waits)}
    found = sa.select(findings.c.line, findings.c.code, findings.c.stage, findings.c.value).where(
        findings.c.payload_id == document.payload_id,
        findings.c.document_id == document.id,
        findings.c.severity == "error",
    )
    for line, code, stage, value in connection.execute(found):
        if line in partners:
            yield Obstacle(document.document, line, code, stage, partners[line], value, document.mapping_version)


def note_tried(connection: Connection, names: Sequence[str], tried: str) -> None:
    """The waiting lines of these documents were read with that configuration in vain."""
    for at in range(0, len(names), _TOGETHER):
        rows = sa.select(documents.c.id).where(documents.c.document.in_(names[at : at + _TOGETHER]))
        connection.execute(
            parked_lines.update()
            .where(parked_lines.c.document_id.in_(rows), parked_lines.c.status == WAITING)
            .values(tried=tried)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Which waiting lines are meant: those that satisfy everything that is given. ``value`` is of a finding on them."""

    partner: str = ""
    code: str = ""
    value: str = ""
    channel: str = ""
    document: str = ""
    before: datetime | None = None  #: parked earlier than that

    def conditions(self, connection: Connection) -> list[sa.ColumnElement[bool]]:
        """For a query over parked lines, documents and payloads."""
        told: list[sa.ColumnElement[bool]] = [parked_lines.c.status == WAITING]
        if self.partner:
            told.append(_partner(connection) == self.partner)
        if self.channel:
            told.append(payloads.c.channel == self.channel)
        if self.document:
            told.append(documents.c.document == self.document)
        if self.before is not None:
            told.append(parked_lines.c.parked_at < self.before)
        if self.code or self.value:
            told.append(self._finding())
        return told

    def _finding(self) -> sa.ColumnElement[bool]:
        found = findings.alias("found")
        query = sa.select(found.c.id).where(
            found.c.document_id == parked_lines.c.document_id,
            found.c.payload_id == documents.c.payload_id,
            found.c.line == parked_lines.c.line,
            found.c.severity == "error",
        )
        for name in ("code", "value"):
            if wanted := getattr(self, name):
                query = query.where(found.c[name] == wanted)
        return query.exists()


def lines(connection: Connection, limit: int, only: Waiting) -> list[dict[str, Any]]:
    """Waiting lines, oldest first, with the canonical fields as far as they were filled."""
    query = (
        sa.select(
            parked_lines,
            documents.c.document,
            documents.c.type,
            documents.c.partner,
            documents.c.control_number,
            payloads.c.name,
            payloads.c.channel,
        )
        .join_from(parked_lines, documents, parked_lines.c.document_id == documents.c.id)
        .join(payloads, documents.c.payload_id == payloads.c.id)
        .where(*only.conditions(connection))
        .order_by(parked_lines.c.id)
        .limit(limit)
    )
    return [_line(row) for row in connection.execute(query)]


def causes(connection: Connection, limit: int, only: Waiting) -> list[dict[str, Any]]:
    """What lines wait for: one row for each code, partner of the line, and value, the most frequent first.

    A line that two things are wrong with waits for both.
    """
    partner = _partner(connection).label("partner")
    line = sa.cast(parked_lines.c.document_id, sa.Text) + ":" + sa.cast(parked_lines.c.line, sa.Text)
    count = sa.func.count(sa.distinct(line)).label("lines")
    same_line = (findings.c.document_id == parked_lines.c.document_id) & (findings.c.line == parked_lines.c.line)
    query = (
        sa.select(
            findings.c.code,
            partner,
            findings.c.value,
            count,
            sa.func.min(findings.c.message).label("message"),
            sa.func.min(findings.c.expected).label("expected"),
            sa.func.min(parked_lines.c.parked_at).label("since"),
        )
        .join_from(parked_lines, findings, same_line)
        .join(documents, documents.c.id == parked_lines.c.document_id)
        .join(payloads, documents.c.payload_id == payloads.c.id)
        .where(*only.conditions(connection), findings.c.severity == "error")
        .group_by(findings.c.code, partner, findings.c.value)
        .order_by(count.desc(), findings.c.code, partner, findings.c.value)
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _partner(connection: Connection) -> sa.ColumnElement[str]:
    """The partner that the line itself names, who need not have sent the document; else the sender."""
    fields: sa.ColumnElement[Any] = parked_lines.c.fields
    postgres = connection.dialect.name == "postgresql"
    json = sa.cast(fields, sa.JSON) if postgres else sa.type_coerce(fields, sa.JSON)
    return sa.func.coalesce(json["partner"].as_string(), documents.c.partner)


def _line(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "cause": row.cause,
        "line": row.line,
        "location": row.location,
        "offset": row.byte_offset,
        "length": row.byte_length,
        "fields": texts(row.fields),
        "parked_at": row.parked_at,
        "document": row.document,
        "type": row.type,
        "partner": row.partner,
        "control_number": row.control_number,
        "name": row.name,
        "channel": row.channel,
    }
