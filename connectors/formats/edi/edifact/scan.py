"""The bare segments of an EDIFACT payload, without any grammar: for looking, tracing and comparing."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.charsets import CHARSETS
from connectors.formats.edi.edifact.dialect import EdifactDialect
from connectors.formats.edi.edifact.service import LONGEST_HEAD, Head, find_head, read_head
from connectors.formats.edi.tape import BLOCK, Tape
from connectors.formats.edi.walking import next_segment, seek


@dataclass(frozen=True, slots=True)
class ScannedSegment:
    """One segment: its elements, each a tuple of components, after its tag; and its place without the terminator."""

    tag: str
    elements: tuple[tuple[str, ...], ...]
    offset: int
    length: int


def scan_edifact(stream: BinaryIO, block: int = BLOCK) -> Iterator[ScannedSegment]:
    """Every segment, UNB and UNZ included but not UNA; empty segments and text between are passed over."""
    tape = Tape(stream, block)
    while (head := _next_head(tape)) is not None:
        tape.shield(head.shield)
        tape.at += head.length
        yield from _segments(tape, head)


def scan_message(content: bytes, delimiters: Mapping[str, str], syntax: str) -> Iterator[ScannedSegment]:
    """The segments of the message that ``content`` begins with, from its UNH to what stands before its UNT.

    ``delimiters`` are those of ``schemas.documents.Interchange``, ``syntax`` is S001 0001.
    """
    names = ("element", "component", "segment", "repetition", "release")
    head = Head(Delimiters(*(delimiters.get(name, "") for name in names)))
    tape = Tape(io.BytesIO(content))
    tape.shield(head.shield)
    for segment in _segments(tape, head, CHARSETS.get(syntax, "ascii")):
        if segment.tag in ("UNT", "UNZ", "UNE"):
            return
        yield segment


def _next_head(tape: Tape) -> Head | None:
    """The next head whose service characters can be used; the tape is left at it."""
    while seek(tape, find_head, LONGEST_HEAD).found:
        while len(tape.text) - tape.at < LONGEST_HEAD and tape.more():
            pass
        head = read_head(tape.raw(LONGEST_HEAD))
        if head.problem != "unusable":
            return head
        tape.at += 3
    return None


def _segments(tape: Tape, head: Head, charset: str = "ascii") -> Iterator[ScannedSegment]:
    """What follows, to its UNZ, the next UNA or UNB, or the end."""
    marks = head.delimiters
    dialect = EdifactDialect(head.shield, charset)
    first = True
    while (found := next_segment(tape, marks, dialect.spell)) is not None:
        tag = found.elements[0]
        if not first and tag[:3] in ("UNA", "UNB"):
            tape.at = found.start
            return
        if found.empty:
            continue
        elements = [tuple(map(dialect.show, element.split(marks.component))) for element in found.elements]
        if first and tag == "UNB" and len(elements) > 1:
            dialect = EdifactDialect(head.shield, CHARSETS.get(elements[1][0], "ascii"))
        first = False
        yield ScannedSegment(elements[0][0], tuple(elements[1:]), found.offset, found.length)
        if tag == "UNZ":
            return
