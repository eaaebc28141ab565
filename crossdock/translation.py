"""The pure middle: a payload becomes lines, events and findings. No network, no database.

``crossdock check``, the golden tests, replay previews and production all run this very code::

    bytes -> format.read -> line chunks -> mappings.apply -> canonical lines
          -> mappings.normalise -> events        findings of every stage alongside
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.base import Format, ReadItem
from connectors.formats.edi.unread import unread_format
from connectors.formats.xml.others import named_xml
from crossdock.desk import Desk
from crossdock.reading import CAUSE, Reading
from crossdock.translated import (
    AnswerReceived,
    Context,
    Document,
    DocumentClosed,
    DocumentLines,
    DocumentOpened,
    Drafted,
    DraftedLines,
    EnvelopeClosed,
    Translated,
    document_id,
)
from crossdock.whole import as_agreed
from mappings.frames import unframed
from mappings.library import Compile, Library
from mappings.master_data import MasterData
from mappings.normalise import empty_events
from mappings.values import instant_text, zone_of
from schemas.configuration import unknown
from schemas.documents import DocumentEnd, DocumentStart, GroupEnd, InterchangeEnd, LineChunk, LinePlan, WorkbookEnd
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage

__all__ = [
    "CAUSE",
    "AnswerReceived",
    "Context",
    "Document",
    "DocumentClosed",
    "DocumentLines",
    "DocumentOpened",
    "Drafted",
    "DraftedLines",
    "EnvelopeClosed",
    "Translated",
    "Translation",
    "compile_with",
    "document_id",
    "draft_stream",
    "gathered",
    "standard_context",
    "translate",
    "translate_stream",
    "written",
]

HEAD = 4096  #: bytes by which a format is recognised


def translate_stream(
    stream: BinaryIO, *, payload: str, name: str, metadata: Mapping[str, str], context: Context
) -> Generator[Translated]:
    """Translate a payload in bounded memory. ``payload`` is its SHA-256. A bare Finding concerns the payload.

    A partner whose errors bring down more than a document has groups or interchanges set aside until their end.

    ``stream`` must be seekable. Of ``metadata`` these are looked at: ``format`` (else the payload is
    recognised), ``partner`` (who sent it, whatever the bytes say), ``channel_partner`` (who sent it where
    the bytes do not say), ``from`` (the mail's sender), ``timezone`` (of times written without one),
    ``received_at`` (ISO 8601; the business time of documents that name none), ``doubt`` (why the mail is not
    believed to be from its sender; then nothing is read).
    """
    with closing(draft_stream(stream, payload=payload, name=name, metadata=metadata, context=context)) as drafted:
        yield from written(drafted, context)


def written(drafted: Iterable[Drafted], context: Context) -> Iterator[Translated]:
    """The translation that was drafted, which need not have been in this thread."""
    whole = (item.written() if isinstance(item, DraftedLines) else item for item in drafted)
    return as_agreed(whole, context.library)


def draft_stream(
    stream: BinaryIO, *, payload: str, name: str, metadata: Mapping[str, str], context: Context
) -> Generator[Drafted]:
    """The first half of ``translate_stream``: all that is to be known of a payload, before events are written."""
    if doubt := metadata.get("doubt"):
        yield _doubtful(doubt, metadata)
        return
    format = _recognised(stream, name, metadata, context)
    if isinstance(format, Finding):
        yield format
    else:
        yield from _read(format, stream, payload=payload, name=name, metadata=metadata, context=context)


def _read(
    format: Format, stream: BinaryIO, *, payload: str, name: str, metadata: Mapping[str, str], context: Context
) -> Iterator[Drafted]:
    desk = Desk(format, payload, metadata, context)
    reading = Reading(desk)
    with closing(_until_a_stranger(format.read(stream, name=name, plans=desk, metadata=metadata), desk)) as read:
        try:
            for item in read:
                match item:
                    case DocumentStart():
                        yield from reading.start(item)
                    case LineChunk():
                        yield from reading.take(item)
                    case Finding():
                        reading.note(item)
                    case DocumentEnd():
                        yield from reading.end(item)
                    case GroupEnd() | InterchangeEnd() | WorkbookEnd():
                        reading.envelope(desk.closed(item))
        except Exception:
            yield from reading.interrupted()
            raise
    yield from reading.break_off()
    yield from reading.release()
    if desk.stranger is not None:
        yield desk.stranger


def _until_a_stranger(items: Iterator[ReadItem], desk: Desk) -> Generator[ReadItem]:
    """What is read, until the format asks for somebody nobody knows."""
    for item in items:
        if desk.stranger is not None:
            return
        yield item


def _doubtful(doubt: str, metadata: Mapping[str, str]) -> Finding:
    return Finding(
        code="mail.sender_doubtful",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message=f"the mail may not be from who it says; nothing of it was read: {doubt}",
        location="mail",
        value=metadata.get("from") or None,
        expected="a mail that our own mail server has found to be from its sender",
    )


def _recognised(stream: BinaryIO, name: str, metadata: Mapping[str, str], context: Context) -> Format | Finding:
    head = stream.read(HEAD)
    stream.seek(0)
    if not head:
        return Finding(
            code="payload.empty",
            severity=Severity.ERROR,
            stage=Stage.TRANSPORT,
            message="the payload holds no bytes",
            location=name,
            expected="a document",
        )
    fixed = metadata.get("format", "")
    if fixed in context.formats:
        return context.formats[fixed]
    if unread := unread_format(head):
        return _unread(unread, name, context)
    for format in context.formats.values():
        if format.recognises(head, name):
            return format
    if named := named_xml(head):
        return _unread(named, name, context)
    return Finding(
        code="payload.unrecognised",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message="no known format",
        location=name,
        value=head[:40].decode("ascii", "backslashreplace"),
        expected=", ".join(sorted(context.formats)),
    )


def _unread(what: str, name: str, context: Context) -> Finding:
    return Finding(
        code="format.unread",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message=f"this is {what}: it is kept, but cannot be read yet",
        location=name,
        value=what,
        expected=", ".join(sorted(context.formats)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What ``translate`` gives: whole tables.

    ``documents``: one row a document (id, type, partner, control_number, status, lines, events,
    parked). ``lines``, ``events`` and ``findings`` carry a ``document`` column.
    """

    documents: pl.DataFrame
    lines: pl.DataFrame
    events: pl.DataFrame
    findings: pl.DataFrame


def translate(
    data: bytes | bytearray | memoryview | str | PathLike[str], *, name: str = "", partner: str = ""
) -> Translation:
    """Read ``data`` (bytes, or the path of a file) with the shipped mappings, without a ledger and without master data.

    Lenient: what cannot be looked up is a warning, and the value as sent stands in for ours.
    ``name`` helps to recognise the format (a file's own by default); ``partner`` says who sent it,
    where the bytes do not. A document that names no time is as of now. Nothing that the bytes hold
    raises; it stands in the findings.

    >>> from crossdock import translate
    >>> sheet = b"Item;Site;On hand;Unit;As of\\nP-1;PLANT-1;1.250,5;kg;2026-03-30\\n"
    >>> stock = translate(sheet, name="stock.csv", partner="ACME")
    >>> stock.documents.select("type", "status", "lines", "events").row(0)
    ('workbook.stock', 'accepted', 1, 1)
    >>> stock.events.select("kind", "subject", "time").row(0)
    ('on_hand', 'stock/ACME/PLANT-1//P-1', '2026-03-30T00:00:00Z')
    >>> stock.lines.select("quantity", "unit").row(0)
    ('1250.5', 'KGM')
    >>> stock.findings.select("severity", "code", "location", "value").rows()
    [('warning', 'item.unknown', 'A2', 'P-1'), ('warning', 'site.unknown', 'B2', 'PLANT-1')]
    """
    from datetime import UTC, datetime

    if isinstance(data, str | PathLike):
        content, name = Path(data).read_bytes(), name or Path(data).name
    else:
        content = bytes(memoryview(data))
    metadata = {"received_at": instant_text(datetime.now(UTC).replace(microsecond=0), zone_of("UTC"))}
    if partner:
        metadata["partner"] = partner
    context = standard_context(lenient=True)
    payload = hashlib.sha256(content).hexdigest()
    return gathered(
        translate_stream(io.BytesIO(content), payload=payload, name=name, metadata=metadata, context=context)
    )


def gathered(translated: Iterable[Translated]) -> Translation:
    """The whole stream as tables. Events of rejected documents are left out."""
    documents: list[dict[str, object]] = []
    findings: list[dict[str, object]] = []
    lines: list[pl.DataFrame] = []
    events: list[pl.DataFrame] = []
    pending: list[pl.DataFrame] = []
    current = ""
    for item in translated:
        match item:
            case Finding():
                findings.append({"document": ""} | _row(item))
            case DocumentOpened(document=document):
                current, pending = document.id, []
            case DocumentLines():
                lines.append(item.lines.insert_column(0, pl.lit(current).alias("document")))
                pending.append(unframed(item.events).insert_column(0, pl.lit(current).alias("document")))
                findings += [{"document": current} | _row(finding) for finding in item.findings]
            case DocumentClosed():
                findings += [{"document": current} | _row(finding) for finding in item.findings]
                events += pending if item.status != "rejected" else []
                documents.append(_document_row(item))
    return Translation(
        documents=pl.DataFrame(documents, schema=_DOCUMENT_COLUMNS),
        lines=pl.concat(lines, how="diagonal")
        if lines
        else pl.DataFrame({"document": []}, schema={"document": pl.String}),
        events=pl.concat([pl.DataFrame(schema={"document": pl.String, **empty_events().schema}), *events]),
        findings=pl.DataFrame(findings, schema=_FINDING_COLUMNS),
    )


_DOCUMENT_COLUMNS = {
    "id": pl.String,
    "type": pl.String,
    "partner": pl.String,
    "control_number": pl.String,
    "status": pl.String,
    "lines": pl.Int64,
    "events": pl.Int64,
    "parked": pl.Int64,
}
_FINDING_COLUMNS = {
    "document": pl.String,
    "code": pl.String,
    "severity": pl.String,
    "stage": pl.String,
    "message": pl.String,
    "location": pl.String,
    "value": pl.String,
    "expected": pl.String,
    "line": pl.Int64,
    "offset": pl.Int64,
    "length": pl.Int64,
}


def _document_row(closed: DocumentClosed) -> dict[str, object]:
    document = closed.document
    return {
        "id": document.id,
        "type": document.start.type,
        "partner": document.partner,
        "control_number": document.start.control_number,
        "status": closed.status,
        "lines": closed.lines,
        "events": closed.events if closed.status != "rejected" else 0,
        "parked": closed.parked,
    }


def _row(finding: Finding) -> dict[str, object]:
    return {name: getattr(finding, name) for name in _FINDING_COLUMNS if name != "document"} | {
        "severity": finding.severity.value,
        "stage": finding.stage.value,
    }


def compile_with(formats: Mapping[str, Format]) -> Compile:
    """How a library has its paths checked: by the format that a document type names."""

    def compile(type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        name = type.partition(".")[0]
        if name not in formats:
            raise ConfigError(unknown("format", name, formats))
        return formats[name].compile(type, line, paths, options)

    return compile


def standard_context(*, lenient: bool = False) -> Context:
    """The shipped mappings, formats and partner files, and no master data."""
    from connectors.registry import formats
    from crossdock.settings import Settings

    settings = Settings.from_environment({})
    library = Library.read(settings.mappings, settings.partners, compile=compile_with(formats()))
    return Context(library=library, master=MasterData.empty(), formats=formats(), lenient=lenient)
