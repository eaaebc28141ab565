"""The bare segments of a payload, without any grammar: for looking, tracing and comparing."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from connectors.formats.edi.delimiters import (
    LONGEST_MARK,
    Delimiters,
    Header,
    begins_header,
    find_header,
    read_header,
)
from connectors.formats.edi.tape import BLOCK, Tape, spell
from connectors.formats.edi.walking import next_segment, seek


@dataclass(frozen=True, slots=True)
class Scanned:
    """One segment: its elements with the id first, and its place in bytes without the terminator."""

    elements: tuple[str, ...]
    offset: int
    length: int
    delimiters: Delimiters


def scan(stream: BinaryIO, block: int = BLOCK) -> Iterator[Scanned]:
    """Every segment of every interchange, ISA and IEA included; empty segments and text between are passed over."""
    tape = Tape(stream, block)
    while (header := _next_interchange(tape)) is not None:
        elements = ("ISA", *header.elements)
        length = header.end - header.start - len(header.delimiters.segment)
        yield Scanned(elements, tape.offset, length, header.delimiters)
        tape.at = header.end
        yield from _segments(tape, header.delimiters)


def scan_set(content: bytes, delimiters: Mapping[str, str]) -> Iterator[Scanned]:
    """The segments of the set that ``content`` begins with, from its ST to what stands before its SE.

    ``delimiters`` are those of ``schemas.documents.Interchange``.
    """
    marks = Delimiters(*(delimiters.get(name, "") for name in ("element", "component", "segment", "repetition")))
    for segment in _segments(Tape(io.BytesIO(content)), marks):
        if segment.elements[0] in ("SE", "GE", "IEA"):
            return
        yield segment


def _next_interchange(tape: Tape) -> Header | None:
    """The next readable ISA; the tape is left at it."""
    while seek(tape, find_header, LONGEST_MARK).found:
        while (header := read_header(tape.text, tape.at, complete=tape.ended)) is None:
            tape.more()
        if header.readable:
            return header
        tape.at = header.end
    return None


def _segments(tape: Tape, delimiters: Delimiters) -> Iterator[Scanned]:
    """What follows an ISA, to its IEA, the next ISA or the end."""
    while (found := next_segment(tape, delimiters, spell)) is not None:
        if begins_header(tape.text, found.start):
            tape.at = found.start
            return
        if not found.empty:
            yield Scanned(tuple(found.elements), found.offset, found.length, delimiters)
        if found.elements[0] == "IEA":
            return
