"""Flat IDoc files: a control record of 524 characters, then data records of 63 and the segment's own.

Records end with a line, or are all 1063 characters long. They are read as the XML they would be: each
segment an element, enclosed as its definition says; HLEVEL decides only for segments that are defined nowhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import BinaryIO

from lxml import etree

from connectors.base import Plans, ReadItem
from connectors.formats.idoc.definitions import (
    CONTROL,
    FRAME,
    Definition,
    Field,
    Segment,
    by_message,
    by_type,
    frame,
    internal,
)
from connectors.formats.idoc.dialect import DOCUMENT, IdocDialect
from connectors.formats.xml.documents import Documents
from schemas.findings import Finding, Severity, Stage

CONTROL_LENGTH = 524
FRAME_LENGTH = 63
RECORD_LENGTH = 1063
_LONGEST = 1 << 16  #: bytes a record may have
_TOGETHER = 256  #: records between two looks at what is complete
_MOST_HELD = 50_000  #: records an IDoc may have before its first line, or in one line


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its text, and where it stands."""

    number: int
    text: str
    offset: int
    length: int
    guessed: bool = False  #: it is not UTF-8, and was read as Latin-1


@dataclass(frozen=True, slots=True)
class _Span:
    name: str
    depth: int
    offset: int
    end: int


class _Spans:
    """connectors.formats.xml.documents.Spans over records."""

    def __init__(self) -> None:
        self._coming: deque[_Span] = deque()
        self._last: list[_Span] = []

    def add(self, span: _Span) -> None:
        self._coming.append(span)

    def start(self, name: str) -> int | None:
        return self._next(name)[0]

    def span(self, name: str) -> tuple[int | None, int | None]:
        return self._next(name)

    def spans_within(self, name: str) -> Iterator[tuple[int | None, int | None]]:
        spans = self._last
        for index, one in enumerate(spans):
            if one.name == name:
                inner = takewhile(lambda span, one=one: span.depth > one.depth, spans[index + 1 :])  # type: ignore[misc]
                end = max((span.end for span in inner), default=one.end)
                yield one.offset, end - one.offset

    def _next(self, name: str) -> tuple[int | None, int | None]:
        while self._coming:
            first = self._coming.popleft()
            if first.name == name:
                end, self._last = first.end, []
                while self._coming and self._coming[0].depth > first.depth and name != DOCUMENT:
                    self._last.append(self._coming.popleft())
                    end = self._last[-1].end
                return first.offset, end - first.offset
        return None, None


def looks_flat(head: bytes) -> bool:
    """Whether a payload begins with a control record."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(CONTROL.encode())


def read_flat(stream: BinaryIO, plans: Plans) -> Iterator[ReadItem]:
    """The payload's IDocs; see ``connectors.base.Format.read``."""
    spans = _Spans()
    documents = Documents(IdocDialect(), plans, spans)
    building: _Building | None = None
    held = 0
    guessed = False
    for record in _records(stream):
        if record.guessed and not guessed:
            guessed = True
            yield _charset_guessed(record)
        if record.text.startswith(CONTROL):
            yield from documents.finish()
            building, held = _Building(record), 0
            spans.add(_Span(DOCUMENT, 0, record.offset, record.offset + record.length))
            yield from documents.begin(building.root)
            yield from documents.advance()
            continue
        if building is None:
            yield _fault("idoc.control_missing", "the file does not begin with a control record", record, CONTROL)
            return
        before = documents.current.progress if documents.current else 0
        trouble = building.add(record, spans)
        if trouble is not None:
            yield trouble
        held += 1
        if held % _TOGETHER == 0:
            yield from documents.advance()
            held = 0 if documents.current and documents.current.progress != before else held
            if held > _MOST_HELD:
                yield from documents.broken(_fault("idoc.too_large", "the IDoc holds too much in one piece", record))
                return
    if building is None:
        yield Finding(
            code="idoc.control_missing",
            severity=Severity.ERROR,
            stage=Stage.SYNTAX,
            message="the file holds no record that can be read",
            expected=CONTROL,
        )
    yield from documents.finish()


class _Building:
    """An IDoc on its way from records to elements."""

    def __init__(self, record: Record) -> None:
        control = etree.Element(CONTROL)
        said = _fill(control, record.text, frame(CONTROL), 0)
        self.root = etree.SubElement(etree.Element(element_name(said.get("IDOCTYP", ""))), DOCUMENT)
        self.root.append(control)
        etree.SubElement(self.root, FRAME)  # what follows the control record, so that it is known to be complete
        self.definition: Definition | None = by_message(said.get("MESTYP", "")) or by_type(said.get("IDOCTYP", ""))
        self._open: list[tuple[str, int, etree._Element]] = [("", 0, self.root)]
        self._undefined: set[str] = set()

    def add(self, record: Record, spans: _Spans) -> Finding | None:
        """Put the record's segment where it belongs; what is wrong with it."""
        name = record.text[:30].strip()
        if len(record.text) < FRAME_LENGTH or not name.isascii() or not name:
            return _fault("idoc.record_unreadable", "the record is shorter than its frame or names no segment", record)
        segment = self.definition.segment(name) if self.definition else None
        level = record.text[61:63].strip()
        depth = self._enclose(segment, int(level) if level.isascii() and level.isdigit() else 1)
        trouble = None
        if self.definition is not None and (segment is None or not segment.fields):
            known = segment.name if segment else _versionless(internal(name))
            if known not in self._undefined:
                self._undefined.add(known)
                trouble = _undefined(known, record)
        inner = segment.name if segment else _versionless(internal(name))
        try:
            element = etree.SubElement(self._open[-1][2], inner)
        except ValueError:
            return _fault("idoc.record_unreadable", f"{name!r} cannot be the name of a segment", record)
        if segment is not None:
            _fill(element, record.text, segment.fields, FRAME_LENGTH)
        self._open.append((inner, depth, element))
        spans.add(_Span(inner, len(self._open), record.offset, record.offset + record.length))
        return trouble

    def _enclose(self, segment: Segment | None, level: int) -> int:
        """Close what does not enclose the new segment, and say how deep that lies."""
        if segment is None:
            while len(self._open) > 1 and self._open[-1][1] >= level:
                self._open.pop()
            return level
        parents = [index for index, (name, _, _) in enumerate(self._open) if name == segment.parent]
        del self._open[(parents[-1] if parents else 0) + 1 :]
        return max(level, self._open[-1][1] + 1)


def _fill(element: etree._Element, text: str, fields: tuple[Field, ...], start: int) -> dict[str, str]:
    said = {}
    for field in fields:
        value = text[start + field.start : start + field.start + field.length].strip()
        if value:
            said[field.name] = value
            try:
                etree.SubElement(element, field.name).text = value
            except ValueError:  # a control character, which XML does not have
                element[-1].text = "".join(letter for letter in value if letter >= " ")
    return said


def _records(stream: BinaryIO) -> Iterator[Record]:
    """Records by lines, or by length where the control record is not followed by the end of a line."""
    first = stream.readline(_LONGEST)
    offset = 3 if first.startswith(b"\xef\xbb\xbf") else 0
    first = first[offset:]
    number = 0
    if not first.endswith(b"\n") and len(first) > RECORD_LENGTH:
        rest = first
        size = CONTROL_LENGTH
        while rest:
            if len(rest) < size:
                rest += stream.read(_LONGEST)
            raw, rest = rest[:size], rest[size:]
            number += 1
            yield _record(number, raw, offset)
            offset += len(raw)
            if len(rest) < RECORD_LENGTH:
                rest += stream.read(_LONGEST)
            size = CONTROL_LENGTH if rest.startswith(CONTROL.encode()) else RECORD_LENGTH
        return
    line = first
    while line:
        if line.strip():
            number += 1
            yield _record(number, line, offset)
        offset += len(line)
        line = stream.readline(_LONGEST)


def _record(number: int, raw: bytes, offset: int) -> Record:
    content = raw.rstrip(b"\r\n")
    try:
        return Record(number, content.decode("utf-8"), offset, len(content))
    except UnicodeDecodeError:
        return Record(number, content.decode("latin-1"), offset, len(content), guessed=True)


def element_name(basic_type: str) -> str:
    """What the root element is called in XML."""
    return basic_type if basic_type.isidentifier() and basic_type.isascii() else "IDOCS"


def _versionless(name: str) -> str:
    return name[:-3] if len(name) > 6 and name[-3:].isdigit() else name


def _undefined(name: str, record: Record) -> Finding:
    return Finding(
        code="idoc.segment_undefined",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"where the fields of segment {name} begin is not known, so that it is passed over",
        location=f"record {record.number}",
        value=name,
        expected="a segment whose layout stands in schemas/idoc",
        offset=record.offset,
        length=record.length,
    )


def _charset_guessed(record: Record) -> Finding:
    return Finding(
        code="idoc.charset_guessed",
        severity=Severity.WARNING,
        stage=Stage.SYNTAX,
        message="the file is not UTF-8; it is read as ISO 8859-1",
        location=f"record {record.number}",
        expected="UTF-8",
        offset=record.offset,
        length=record.length,
    )


def _fault(code: str, message: str, record: Record, expected: str | None = None) -> Finding:
    return Finding(
        code=code,
        severity=Severity.ERROR,
        stage=Stage.SYNTAX,
        message=message,
        location=f"record {record.number}",
        value=record.text[:40] or None,
        expected=expected,
        offset=record.offset,
        length=record.length,
    )
