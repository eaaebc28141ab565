"""The pure middle: a payload becomes lines, events and findings. No network, no database.

``crossdock check``, the golden tests, replay previews and production all run this very code::

    bytes -> format.read -> line chunks -> mappings.apply -> canonical lines
          -> mappings.normalise -> events        findings of every stage alongside
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.base import Format
from mappings.apply import UNKNOWN, Circumstances, apply
from mappings.library import IDENTITY_FORMATS, Compile, CompiledMapping, Library
from mappings.master_data import MasterData
from mappings.normalise import Origin, empty_events, normalise
from mappings.spec import Acknowledge, OnError, Partner
from mappings.values import instant_text, zone_of
from mappings.yaml_files import unknown
from schemas.documents import (
    ORDINAL,
    DocumentEnd,
    DocumentStart,
    EnvelopeEnd,
    GroupEnd,
    InterchangeEnd,
    LineChunk,
    LinePlan,
)
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage

HEAD = 4096  #: bytes by which a format is recognised
MARK = "decimal:"  #: prefix of a document's attributes: the decimal mark of the numbers at a path
CAUSE = "_cause"  #: column of parked lines: the code of the finding that parked them


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that translation needs to know; immutable, so that one serves many payloads and threads.

    ``lenient`` reads a file of an unknown sender with the standard mapping: what cannot be looked
    up is a warning, and the value as sent stands in for ours.
    """

    library: Library
    master: MasterData
    formats: Mapping[str, Format]
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One business document of a payload, with who sent it and how it is read.

    ``id`` is deterministic (payload SHA-256 and ordinal). ``partner`` is empty and
    ``mapping`` None where nothing fitted; its findings say why.
    """

    id: str
    payload: str  #: SHA-256
    start: DocumentStart
    partner: str
    mapping: str | None
    mapping_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOpened:
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLines:
    """Some lines of the open document and what became of them.

    ``lines``: canonical lines (columns of schemas.lines, then ``_line`` and the place columns).
    ``events``: columns ``schemas.events.EVENT_COLUMNS``. ``parked``: the lines that wait, with the
    columns of ``lines`` and ``_cause``, the code of the finding that parked them.
    """

    lines: pl.DataFrame
    events: pl.DataFrame
    parked: pl.DataFrame
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClosed:
    """The verdict. When ``status`` is ``rejected`` none of the document's events may be published."""

    document: Document
    status: str  #: ``accepted``, ``accepted_with_errors`` or ``rejected``
    lines: int
    events: int
    parked: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeClosed:
    """A functional group or an interchange is over, and whose it is: what an answer is made from.

    ``agreement`` is what the sender's partner file says of answers; None where nothing is owed.
    """

    envelope: EnvelopeEnd
    partner: str
    agreement: Acknowledge | None = None


Translated = DocumentOpened | DocumentLines | DocumentClosed | EnvelopeClosed | Finding


def translate_stream(
    stream: BinaryIO, *, payload: str, name: str, metadata: Mapping[str, str], context: Context
) -> Iterator[Translated]:
    """Translate a payload in bounded memory. ``payload`` is its SHA-256. A bare Finding concerns the payload.

    ``stream`` must be seekable. Of ``metadata`` these are looked at: ``format`` (else the payload is
    recognised), ``partner`` (who sent it, whatever the bytes say), ``channel_partner`` (who sent it where
    the bytes do not say), ``from`` (the mail's sender), ``timezone`` (of times written without one),
    ``received_at`` (ISO 8601; the business time of documents that name none).
    """
    format = _recognised(stream, name, metadata, context)
    if isinstance(format, Finding):
        yield format
        return
    desk = _Desk(format, payload, metadata, context)
    opened: _Open | None = None
    for item in format.read(stream, name=name, plans=desk, metadata=metadata):
        if desk.stranger is not None:
            break
        match item:
            case DocumentStart():
                if opened is not None:
                    yield from opened.break_off()
                opened = _Open(desk, item)
                yield DocumentOpened(document=opened.document)
            case GroupEnd() | InterchangeEnd():
                yield desk.closed(item)
            case _ if opened is None:
                if isinstance(item, Finding):
                    yield item
            case Finding():
                opened.note(item)
            case LineChunk():
                yield from opened.take(item)
            case DocumentEnd():
                yield from opened.close(item)
                opened = None
    if desk.stranger is not None:
        yield desk.stranger
    if opened is not None:
        yield from opened.break_off()


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
    for format in context.formats.values():
        if format.recognises(head, name):
            return format
    return Finding(
        code="payload.unrecognised",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message="no known format",
        location=name,
        value=head[:40].decode("ascii", "backslashreplace"),
        expected=", ".join(sorted(context.formats)),
    )


@dataclass(frozen=True, slots=True)
class _Decision:
    """Who sent a document, how it is read, and what stands against reading it."""

    partner: Partner | None
    name: str  #: the partner's id, also where it has no file; empty when nobody knows
    mapping: CompiledMapping | None
    findings: tuple[Finding, ...] = ()


class _Desk:
    """Where a payload's documents are assigned: the ``Plans`` a format asks while it reads."""

    def __init__(self, format: Format, payload: str, metadata: Mapping[str, str], context: Context) -> None:
        self.format = format
        self.payload = payload
        self.metadata = metadata
        self.context = context
        #: set when the format asked what to look for in a payload of a sender whom nobody knows
        self.stranger: Finding | None = None
        self._decided: dict[int, _Decision] = {}
        self._plans: dict[str, LinePlan] = {}

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        mapping = self.decide(start).mapping
        return None if mapping is None else self._plan(mapping)

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        partner, name = self._partner(sender)
        if not name and not self.context.lenient:
            self.stranger = self._unknown(sender or self.metadata.get("from", ""), Severity.ERROR)
            return ()
        return [self._plan(mapping) for mapping in self.context.library.candidates(partner, self.format.name)]

    def decide(self, start: DocumentStart) -> _Decision:
        if start.ordinal not in self._decided:
            self._decided = {start.ordinal: self._decide(start)}
        return self._decided[start.ordinal]

    def closed(self, envelope: EnvelopeEnd) -> EnvelopeClosed:
        """The end of an envelope, with whose it is and what they are promised."""
        partner, name = self._partner(envelope.interchange.sender)
        agreement = None if partner is None else partner.acknowledge
        return EnvelopeClosed(envelope=envelope, partner=name, agreement=agreement)

    def _decide(self, start: DocumentStart) -> _Decision:
        partner, name = self._partner(start.sender)
        mapping = self.context.library.mapping_for(partner, start.type)
        if mapping is None:
            return _Decision(partner, name, None, (self._unmapped(start, partner),))
        if name or _names_partner(mapping):
            return _Decision(partner, name, mapping)
        stranger = start.sender or self.metadata.get("from", "")
        if self.context.lenient:
            return _Decision(None, stranger or UNKNOWN, mapping, (self._unknown(stranger, Severity.WARNING, start),))
        return _Decision(None, "", None, (self._unknown(stranger, Severity.ERROR, start),))

    def _partner(self, sender: str) -> tuple[Partner | None, str]:
        """The sender's partner file, and its id; an id named by the channel may have no file."""
        library = self.context.library
        if named := self.metadata.get("partner"):
            return library.partners.get(named), named
        for kind, identity in ((self.format.name, sender), ("email", sender or self.metadata.get("from", ""))):
            if identity and (partner := library.partner_of(kind, identity)) is not None:
                return partner, partner.partner
        named = "" if sender and self.format.name in IDENTITY_FORMATS else self.metadata.get("channel_partner", "")
        return library.partners.get(named), named

    def _plan(self, mapping: CompiledMapping) -> LinePlan:
        """The mapping's plan, compiled by the format if the library has not had that done."""
        if mapping.plan.compiled is not None:
            return mapping.plan
        if mapping.name not in self._plans:
            plan = mapping.plan
            self._plans[mapping.name] = self.format.compile(plan.type, plan.line, plan.paths, plan.options)
        return self._plans[mapping.name]

    def _unmapped(self, start: DocumentStart, partner: Partner | None) -> Finding:
        known = sorted(t for t in self.context.library.document_types if t.startswith(f"{self.format.name}."))
        whose = f" of {partner.partner}" if partner is not None else ""
        return Finding(
            code="document.unmapped",
            severity=Severity.ERROR,
            stage=Stage.STRUCTURE,
            message=f"there is no mapping for {start.type} documents{whose}; it is kept but not read",
            location=start.location,
            value=start.type,
            expected=", ".join(known),
            offset=start.offset,
        )

    def _unknown(self, sender: str, severity: Severity, start: DocumentStart | None = None) -> Finding:
        kind = self.format.name if self.format.name in IDENTITY_FORMATS else "email"
        return Finding(
            code="partner.unknown",
            severity=severity,
            stage=Stage.REFERENCE,
            message=f"no partner file claims the sender {sender!r}" if sender else "nothing says who sent this",
            location="" if start is None else start.location,
            value=sender or None,
            expected=f"an identity of a partner file (identities.{kind}), or a channel with a partner",
            offset=None if start is None else start.offset,
        )


def _names_partner(mapping: CompiledMapping) -> bool:
    """Whether the mapping says whose each line is, so that the document need not."""
    return "partner" in mapping.rules


class _Open:
    """The document being read. One chunk is held back, because a reader's finding may follow its line."""

    def __init__(self, desk: _Desk, start: DocumentStart) -> None:
        self.start = start
        decision = desk.decide(start)
        self.mapping = decision.mapping
        self.document = Document(
            id=document_id(desk.payload, start.ordinal),
            payload=desk.payload,
            start=start,
            partner=decision.name,
            mapping=None if decision.mapping is None else decision.mapping.name,
            mapping_version="" if decision.mapping is None else decision.mapping.version,
        )
        self.findings: list[Finding] = list(decision.findings)
        self.lines = self.events = self.parked = 0
        self.failed = False
        self._held: LineChunk | None = None
        self._master = desk.context.master
        zone = desk.metadata.get("timezone") or (decision.partner.timezone if decision.partner else "UTC")
        self._given = Circumstances(
            partner=decision.name,
            master=desk.context.master,
            zone=zone_of(zone),
            marks={name.removeprefix(MARK): mark for name, mark in start.attributes.items() if name.startswith(MARK)},
            lenient=desk.context.lenient,
        )
        self._origin = Origin(
            payload=desk.payload,
            document=self.document.id,
            received=desk.metadata.get("received_at"),
            lenient=desk.context.lenient,
        )

    def note(self, finding: Finding) -> None:
        self.findings.append(finding)

    def take(self, chunk: LineChunk) -> Iterator[DocumentLines]:
        yield from self._release()
        self._held = chunk

    def break_off(self) -> Iterator[Translated]:
        """Close a document whose end never came."""
        self.note(
            Finding(
                code="document.unfinished",
                severity=Severity.ERROR,
                stage=Stage.STRUCTURE,
                message="the payload ends, or another document begins, within this document",
                location=self.start.location,
                offset=self.start.offset,
            )
        )
        yield from self.close(DocumentEnd(ordinal=self.start.ordinal, lines=self.lines, accepted=False))

    def close(self, end: DocumentEnd) -> Iterator[Translated]:
        """The chunk held back, then the verdict."""
        yield from self._release()
        grave = any(finding.severity is Severity.ERROR for finding in self.findings)
        strict = self.mapping is not None and self.mapping.on_error is OnError.REJECT_DOCUMENT
        if not end.accepted or self.mapping is None or (strict and (grave or self.failed)):
            status = "rejected"
        else:
            status = "accepted_with_errors" if grave or self.failed else "accepted"
        yield DocumentClosed(
            document=self.document,
            status=status,
            lines=self.lines or end.lines,
            events=0 if status == "rejected" else self.events,
            parked=self.parked,
            findings=tuple(self.findings),
        )

    def _release(self) -> Iterator[DocumentLines]:
        chunk, self._held = self._held, None
        if chunk is None or self.mapping is None:
            return
        theirs = self._findings_on(chunk)
        lines, found = apply(chunk.table, self.mapping, self._given)
        said = {(finding.line, finding.value) for finding in theirs if finding.value is not None}
        found = [finding for finding in found if (finding.line, finding.value) not in said]
        causes = _causes((*theirs, *found))
        sound = lines.filter(~pl.col(ORDINAL).is_in(list(causes)))
        events, broken = normalise(sound, self.mapping, self._master, self._origin)
        causes = _causes(broken) | causes
        parked = lines.filter(pl.col(ORDINAL).is_in(list(causes))).with_columns(
            pl.col(ORDINAL).replace_strict(causes, default=None, return_dtype=pl.String).alias(CAUSE)
        )
        self.lines += lines.height
        self.events += events.height
        self.parked += parked.height
        self.failed = self.failed or parked.height > 0
        findings = sorted((*theirs, *found, *broken), key=lambda finding: finding.line or 0)
        yield DocumentLines(lines=lines, events=events, parked=parked, findings=tuple(findings))

    def _findings_on(self, chunk: LineChunk) -> tuple[Finding, ...]:
        """The reader's findings on lines of this chunk, taken out of the document's."""
        ordinals = set(chunk.table.get_column(ORDINAL))
        on_lines = tuple(finding for finding in self.findings if finding.line in ordinals)
        if on_lines:
            self.findings = [finding for finding in self.findings if finding.line not in ordinals]
        return on_lines


def _causes(findings: Iterable[Finding]) -> dict[int, str]:
    """Of each line that an error holds back, the code of the first one."""
    causes: dict[int, str] = {}
    for finding in findings:
        if finding.severity is Severity.ERROR and finding.line is not None:
            causes.setdefault(finding.line, finding.code)
    return causes


def document_id(payload: str, ordinal: int) -> str:
    """``doc-`` and 20 hex digits: the same for the same document of the same bytes."""
    return "doc-" + hashlib.blake2b(f"{payload}:{ordinal}".encode(), digest_size=10).hexdigest()


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


def translate(data: bytes | Path, *, name: str = "", partner: str = "") -> Translation:
    """Read ``data`` with the shipped mappings, without a ledger and without master data.

    Lenient: what cannot be looked up is a warning, and the value as sent stands in for ours.
    ``name`` helps to recognise the format (a file's own by default); ``partner`` says who sent it,
    where the bytes do not. A document that names no time is as of now.

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

    content = data.read_bytes() if isinstance(data, Path) else data
    name = name or (data.name if isinstance(data, Path) else "")
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
                pending.append(item.events.insert_column(0, pl.lit(current).alias("document")))
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
        "events": closed.events,
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
