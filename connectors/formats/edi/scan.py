"""The bare segments of a payload, without any grammar: for looking, tracing and comparing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.formats.edi.delimiters import Delimiters, Header, begins_header, find_header, read_header
from connectors.formats.edi.tape import BLOCK, Tape, spell


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


def _next_interchange(tape: Tape) -> Header | None:
    """The next readable ISA; the tape is left at it."""
    while True:
        at = find_header(tape.text, tape.at)
        if at < 0:
            tape.at = max(tape.at, len(tape.text) - 8)
            if not tape.more():
                return None
            continue
        tape.at = at
        while (header := read_header(tape.text, tape.at, complete=tape.ended)) is None:
            tape.more()
        if header.readable:
            return header
        tape.at = header.end


def _segments(tape: Tape, delimiters: Delimiters) -> Iterator[Scanned]:
    """What follows an ISA, to its IEA, the next ISA or the end."""
    while True:
        end = tape.text.find(delimiters.segment, tape.at)
        if end < 0:
            if tape.more():
                continue
            end = len(tape.text)
        raw = tape.text[tape.at : end].lstrip(delimiters.blanks)
        start = end - len(raw)
        if not raw and end == len(tape.text):
            return
        if begins_header(tape.text, start):
            tape.at = start
            return
        tape.at = min(end + len(delimiters.segment), len(tape.text))
        if raw:
            elements = tuple(spell(element)[0] for element in raw.split(delimiters.element))
            yield Scanned(elements, tape.base + start, len(raw), delimiters)
            if elements[0] == "IEA":
                return
