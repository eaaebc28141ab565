"""What must hold for any bytes at all: of the readers of X12 and EDIFACT, and of the whole way to events.

Each check raises AssertionError, saying what does not hold.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterable, Sequence

from connectors.base import Plans, ReadItem
from connectors.formats.edi import X12
from connectors.formats.edi.delimiters import begins_header
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.edifact.plan import Layouts
from connectors.formats.edi.machine import Plan
from connectors.formats.edi.scan import scan
from crossdock.translated import DocumentClosed, DocumentLines, DocumentOpened, EnvelopeClosed
from crossdock.translation import Context, standard_context, translate_stream
from schemas.documents import (
    LENGTH,
    LOCATION,
    OFFSET,
    ORDINAL,
    DocumentEnd,
    DocumentStart,
    GroupEnd,
    InterchangeEnd,
    LineChunk,
    LinePlan,
)
from schemas.findings import Finding, Severity

FINDINGS_PER_BYTE = 3  #: more than that is no message to anybody
ENVELOPE = ("GS", "GE", "IEA", "TA1")


class StandardPlans:
    """The shipped mappings' plans, whoever sent the document."""

    def __init__(self, context: Context) -> None:
        self._plans = {type_: mapping.plan for type_, mapping in context.library.standard.items()}

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return self._plans.get(start.type)

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return ()


def check_reading(payload: bytes, plans: Plans) -> None:
    """The reader, once in one piece and once in small ones and without learning."""
    items = read(X12(), payload, plans)
    block = 1 + zlib.crc32(payload) % 400
    check_same(items, read(X12(block, learn=False), payload, plans))
    check_items(items, payload, plans)
    check_segments(items, payload)


def check_edifact(payload: bytes, plans: Plans) -> None:
    """The same of the EDIFACT reader."""
    items = read(Edifact(), payload, plans)
    block = 1 + zlib.crc32(payload) % 400
    check_same(items, read(Edifact(block, learn=False), payload, plans))
    check_items(items, payload, plans)


def read(format_: X12 | Edifact, payload: bytes, plans: Plans) -> list[ReadItem]:
    return list(format_.read(io.BytesIO(payload), name="fuzz", plans=plans, metadata={}))


def check_same(whole: Sequence[ReadItem], pieces: Sequence[ReadItem]) -> None:
    """Neither the size of the pieces nor what was learned shows."""
    for one, other in zip(map(_plain, whole), map(_plain, pieces), strict=False):
        assert one == other, f"in one piece {one}, in small ones {other}"
    assert len(whole) == len(pieces), f"{len(whole)} items in one piece, {len(pieces)} in small ones"


def _plain(item: ReadItem) -> object:
    return (item.table.columns, item.table.rows()) if isinstance(item, LineChunk) else item


def check_items(items: Iterable[ReadItem], payload: bytes, plans: Plans) -> None:
    """Documents open and close in order, lines lie within them and do not overlap, findings have a place."""
    start: DocumentStart | None = None
    documents = groups = interchanges = lines = reached = told = envelope = 0
    of_lines: list[int] = []
    for item in items:
        match item:
            case DocumentStart():
                assert start is None, f"document {item.ordinal} begins within document {documents}"
                documents += 1
                assert item.ordinal == documents, f"document {item.ordinal} is the {documents}th"
                assert item.offset is not None
                assert item.offset >= reached, f"document {item.ordinal} begins before {reached}"
                start, lines, reached, of_lines = item, 0, item.offset, []
            case LineChunk():
                assert start is not None, "lines outside any document"
                assert item.ordinal == start.ordinal
                reached = check_lines(item, payload, opening_segments(plans.for_document(start)), lines, reached)
                lines += item.table.height
            case DocumentEnd():
                assert start is not None, "an end without a beginning"
                assert item.ordinal == start.ordinal
                assert item.lines == lines, f"{item.lines} lines said, {lines} seen"
                assert item.offset is not None
                assert reached <= item.offset <= len(payload), f"document ends at {item.offset}"
                assert all(1 <= line <= lines for line in of_lines), f"a finding on a line beyond {lines}"
                assert item.segments is not None
                assert item.segments >= 1
                start, reached = None, item.offset
            case GroupEnd():
                assert start is None, "a group ends within a document"
                groups += 1
                assert item.ordinal == groups
                assert item.last == documents
            case InterchangeEnd():
                assert start is None, "an interchange ends within a document"
                interchanges += 1
                assert item.interchange.ordinal == interchanges
                assert item.interchange.offset >= envelope, "interchanges overlap"
                envelope = item.interchange.offset + item.length
                assert item.length >= 0
                assert envelope <= len(payload), "an interchange ends behind the payload"
            case Finding():
                told += 1
                check_finding(item, len(payload))
                if item.line is not None:
                    assert start is not None, "a finding on a line of no document"
                    of_lines.append(item.line)
    assert start is None, f"document {documents} has no end"
    assert told or interchanges, "accepted in silence"
    assert told <= FINDINGS_PER_BYTE * len(payload) + 10, f"{told} findings about {len(payload)} bytes"


def opening_segments(plan: LinePlan | None) -> tuple[bytes, ...]:
    """The ids of segments that may begin a line."""
    if plan is None:
        return ()
    compiled = plan.compiled.plans if isinstance(plan.compiled, Layouts) else (plan.compiled,)
    loops = []
    for one in (one for one in compiled if isinstance(one, Plan)):
        loops += [chain[-1].id for chain in (one.chain, *one.others)]
        loops += [one.chain[-2].id] if one.bare else []
    return tuple(id_.encode() for id_ in loops)


def check_lines(chunk: LineChunk, payload: bytes, openings: tuple[bytes, ...], before: int, reached: int) -> int:
    """Lines are numbered through, stand where they are said to, one behind the other; how far they reach.

    Lines that one is shared out among stand where that one does.
    """
    shared = (-1, -1)
    for ordinal, offset, length, where in chunk.table.select(ORDINAL, OFFSET, LENGTH, LOCATION).iter_rows():
        before += 1
        assert ordinal == before, f"line {ordinal} is the {before}th"
        assert where.startswith("segment "), where
        assert offset >= reached or (offset, length) == shared, (
            f"line {ordinal} begins at {offset}, the one before ends at {reached}"
        )
        assert length >= 0
        reached, shared = offset + length, (offset, length)
        assert reached <= len(payload), f"line {ordinal} ends behind the payload"
        found = payload[offset : offset + 4].replace(b"\r", b"").replace(b"\n", b"")
        assert found.startswith(openings), f"line {ordinal} begins with {found!r}, not with one of {openings}"
    return reached


def check_finding(finding: Finding, size: int) -> None:
    """A finding names its place, within the payload."""
    assert finding.code
    assert finding.message
    assert finding.location, f"{finding.code} has no location"
    assert finding.offset is None or 0 <= finding.offset <= size, f"{finding.code} at byte {finding.offset} of {size}"
    assert finding.offset is None or finding.offset + (finding.length or 0) <= size, (
        f"{finding.code} ends beyond {size}"
    )
    assert finding.value is None or len(finding.value) <= 512, f"{finding.code} repeats {len(finding.value)} characters"


def check_segments(items: Sequence[ReadItem], payload: bytes) -> None:
    """Every segment that stands there is counted in a document, or told of as misplaced or broken."""
    counted = sum(item.segments or 0 for item in items if isinstance(item, DocumentEnd))
    codes = [item.code for item in items if isinstance(item, Finding) and item.value is not None]
    misplaced, broken = codes.count("segment.misplaced"), codes.count("set.truncated")
    text = payload.decode("latin-1")
    ids = [
        segment.elements[0]
        for segment in scan(io.BytesIO(payload))
        if not (segment.elements[0] == "ISA" and begins_header(text, segment.offset))
    ]
    inside = sum(id_ not in ENVELOPE for id_ in ids)
    told = counted + misplaced + broken
    assert told >= inside, (
        f"of {inside} segments {counted} are counted, {misplaced} told as misplaced, {broken} as broken"
    )


def check_translation(payload: bytes, context: Context) -> None:
    """The whole way, lenient and without master data: documents close, and counts are what came."""
    open_: str | None = None
    lines = events = parked = 0
    told = False
    translated = translate_stream(
        io.BytesIO(payload),
        payload=hashlib.sha256(payload).hexdigest(),
        name="fuzz",
        metadata={"format": "x12", "received_at": "2026-11-22T03:00:00+00:00"},
        context=context,
    )
    for item in translated:
        told = True
        match item:
            case DocumentOpened():
                assert open_ is None, "a document opens within another"
                open_, lines, events, parked = item.document.id, 0, 0, 0
            case DocumentLines():
                assert open_ is not None, "lines outside any document"
                lines, parked = lines + item.lines.height, parked + item.parked.height
                events += item.events.height
                assert set(item.parked.get_column(ORDINAL)) <= set(item.lines.get_column(ORDINAL))
                wrong = {finding.line for finding in item.findings if finding.severity is Severity.ERROR}
                assert wrong - {None} <= set(item.parked.get_column(ORDINAL)), "a faulty line was not held back"
            case DocumentClosed():
                assert open_ == item.document.id
                open_ = None
                assert item.parked == parked
                assert lines in (0, item.lines)
                assert item.events == (0 if item.status == "rejected" else events)
            case EnvelopeClosed():
                assert open_ is None, "an envelope ends within a document"
            case Finding():
                assert item.message
    assert open_ is None, "a document has no end"
    assert told or not payload, "accepted in silence"


def lenient() -> Context:
    """The shipped mappings, as ``crossdock.translate`` uses them."""
    return standard_context(lenient=True)
