"""Which documents to read again: any selection, payload by payload in the order in which they first came."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.formats.rows import ATTRIBUTE_KEYS
from crossdock.ledger.parked import WAITING
from crossdock.ledger.tables import documents, events, findings, parked_lines, payloads

_PAGE = 2_000
#: any reading of the document at hand
_CURRENT = documents.alias("current")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is chosen: documents that satisfy everything that is given.

    ``since`` and ``until`` are about when the document was received, the latter exclusive. ``code`` is that of
    a finding on its current reading; ``mapping_version`` and ``master_version`` are what it was last read with.
    ``last`` takes only the newest so many documents.
    """

    documents: tuple[str, ...] = ()
    partner: str = ""
    channel: str = ""
    type: str = ""
    since: datetime | None = None
    until: datetime | None = None
    code: str = ""
    mapping_version: str = ""
    last: int | None = None

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    def __str__(self) -> str:
        """``partner ACME, code item.unknown``: for reasons and headings."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        said = (f"{name.replace('_', ' ')} {_word(value)}" for name, value in given.items() if value)
        return ", ".join(said) or "everything"


def _word(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat(timespec="minutes")
        case tuple():
            return " ".join(map(str, value))
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The documents of one payload that are to be read again, by their deterministic ids."""

    payload: int
    documents: frozenset[str]


def select(connection: Connection, selection: Selection) -> Iterator[Chosen]:
    """The chosen documents. A document that came several times is read as it came first.

    Left out are those that were held back for their interchange's control number, and those that hold the keys of
    a source's rows: what they say is told by what stood at that time, and is no matter of mappings.
    """
    first = _first_rows().where(_is_current(_current(selection)))
    if selection.last is not None:
        newest = first.with_only_columns(documents.c.id).order_by(documents.c.id.desc()).limit(selection.last)
        first = _first_rows().where(documents.c.id.in_(newest))
    yield from _by_payload(connection, first)


def waiting(connection: Connection, tried: str, always: Collection[str]) -> Iterator[Chosen]:
    """Documents with lines that wait and were not yet read with the configuration called ``tried``; in any case those
    with lines that wait for one of the causes ``always``."""
    waits = (
        sa.select(sa.literal(1))
        .select_from(parked_lines)
        .where(
            parked_lines.c.document_id == _CURRENT.c.id,
            parked_lines.c.status == sa.literal_column(f"'{WAITING}'"),
            sa.or_(parked_lines.c.tried != tried, parked_lines.c.cause.in_(list(always))),
        )
    )
    yield from _by_payload(connection, _first_rows().where(_is_current(sa.select(_CURRENT.c.id).where(waits.exists()))))


def rejected(connection: Connection, chosen: Collection[Chosen]) -> Iterator[Chosen]:
    """Of these documents those that were rejected as a whole, and the neighbours that fell with their group."""
    fell = sa.select(findings.c.id).where(
        findings.c.payload_id == documents.c.payload_id,
        findings.c.document_id == documents.c.id,
        findings.c.code == "group.rejected",
    )
    for one in chosen:
        rows = connection.execute(
            sa.select(documents.c.document, fell.exists()).where(
                documents.c.payload_id == one.payload,
                documents.c.replaced_by.is_(None),
                documents.c.status == "rejected",
            )
        )
        if names := frozenset(name for name, with_group in rows if with_group or name in one.documents):
            yield Chosen(one.payload, names)


def unmapped(connection: Connection) -> Iterator[Chosen]:
    """Documents that were rejected because nobody knew whose they are, or how to read them."""
    chosen = sa.select(_CURRENT.c.id).where(
        _CURRENT.c.replaced_by.is_(None), _CURRENT.c.status == "rejected", _CURRENT.c.mapping.is_(None)
    )
    yield from _by_payload(connection, _first_rows().where(_is_current(chosen)))


def _first_rows() -> sa.Select[Any]:
    earlier = documents.alias("earlier")
    there = sa.select(earlier.c.id).where(
        earlier.c.document == documents.c.document,
        sa.or_(earlier.c.partner == documents.c.partner, earlier.c.partner == ""),
        earlier.c.id < documents.c.id,
    )
    held = sa.select(findings.c.id).where(
        findings.c.payload_id == documents.c.payload_id,
        findings.c.document_id == documents.c.id,
        findings.c.code.startswith("interchange."),
        findings.c.severity == "error",
    )
    keys = documents.c.attributes.contains(f'"{ATTRIBUTE_KEYS}"', autoescape=True)
    return sa.select(documents.c.id, documents.c.payload_id, documents.c.document).where(
        ~there.exists(), ~held.exists(), ~keys
    )


def _is_current(chosen: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Whether any row of the same document is among ``chosen`` (a selection of ids of the alias ``current``)."""
    return (
        chosen.with_only_columns(sa.literal(1))
        .where(
            _CURRENT.c.document == documents.c.document,
            sa.or_(_CURRENT.c.partner == documents.c.partner, documents.c.partner == ""),
        )
        .correlate(documents)
        .exists()
    )


def _current(selection: Selection) -> sa.Select[Any]:
    query = sa.select(_CURRENT.c.id).where(_CURRENT.c.replaced_by.is_(None))
    if selection.documents:
        query = query.where(_CURRENT.c.document.in_(selection.documents))
    if selection.partner:
        query = query.where(speaks_of(_CURRENT, selection.partner))
    for name in ("type", "mapping_version"):
        if wanted := getattr(selection, name):
            query = query.where(_CURRENT.c[name] == wanted)
    if selection.channel or selection.since or selection.until:
        query = query.join(payloads, payloads.c.id == _CURRENT.c.payload_id)
    if selection.channel:
        query = query.where(payloads.c.channel == selection.channel)
    if selection.since:
        query = query.where(payloads.c.received_at >= selection.since)
    if selection.until:
        query = query.where(payloads.c.received_at < selection.until)
    if selection.code:
        query = query.where(
            sa.select(findings.c.id)
            .where(
                findings.c.payload_id == _CURRENT.c.payload_id,
                findings.c.document_id == _CURRENT.c.id,
                findings.c.code == selection.code,
            )
            .exists()
        )
    return query


def speaks_of(rows: Any, partner: str) -> sa.ColumnElement[bool]:
    """Whether rows of ``documents`` are the partner's: sent by them, or with lines of theirs, as out of an ERP."""
    said = sa.select(events.c.position).where(
        events.c.position.between(rows.c.first_position, rows.c.last_position),
        events.c.document_id == rows.c.id,
        events.c.partner == partner,
    )
    waits = sa.select(parked_lines.c.id).where(
        parked_lines.c.document_id == rows.c.id,
        parked_lines.c.fields.contains(f'"partner":"{partner}"', autoescape=True),
    )
    return sa.or_(rows.c.partner == partner, sa.and_(rows.c.partner == "", sa.or_(said.exists(), waits.exists())))


def _by_payload(connection: Connection, first: sa.Select[Any]) -> Iterator[Chosen]:
    rows = connection.execution_options(yield_per=_PAGE).execute(first.order_by(documents.c.payload_id, documents.c.id))
    for payload, some in groupby(rows, key=lambda row: row.payload_id):
        yield Chosen(payload, frozenset(row.document for row in some))
