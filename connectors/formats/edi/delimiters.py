"""Which characters separate things in an X12 interchange, read from its ISA segment.

X12.5 fixes the ISA at 106 characters, so that every delimiter stands at a known place. Real files
lose blanks or gain line breaks on the way; then the sixteen elements are counted instead.

Everything here works on text decoded as Latin-1: one character a byte, so that positions in the
text are byte offsets and a multi-byte terminator is simply a string of several characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: where the element separator stands in a well-formed ISA
_SEPARATOR_PLACES = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_ISA_LENGTH = 106
LONGEST_MARK = 8  #: characters in which the start of an ISA is told
_LONGEST_ISA = 600  #: characters looked through for the end of a malformed ISA
#: "ISA", a separator, ISA01 of two characters, the separator again: prose does not look like that
_START = re.compile(r"ISA([^A-Za-z0-9 \r\n.,'\"()-])[A-Za-z0-9 ]{0,2}\1")
_SWALLOWED = re.compile(r"[^A-Za-z0-9 ]\s*(?:GS|TA1|IEA)$")  #: an element that holds the end of the ISA
_AFTER_ISA = re.compile(r"(GS|TA1|IEA|ISA|ISB|ISE)")
REPETITION_SINCE = "00402"  #: ISA12 from which on ISA11 separates repetitions


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The service characters of one interchange; ``repetition``, ``component`` and ``release`` may be empty.

    ``decimal`` holds every character that may be the decimal mark.
    """

    element: str
    component: str
    segment: str
    repetition: str = ""
    release: str = ""
    decimal: str = "."

    @property
    def blanks(self) -> str:
        """What may stand before a segment without belonging to it."""
        return "".join(c for c in "\r\n \t\0\x1a\x0c" if c not in (self.element, self.component, self.segment))


@dataclass(frozen=True, slots=True)
class Header:
    """An ISA as found: its sixteen elements, where it ends, and what is wrong with its layout.

    ``end`` is the index just past its terminator. ``problem`` is empty for a well-formed ISA,
    ``layout`` for one that was recovered, ``terminator`` for one after which nothing can be
    read because no segment terminator can be told, ``short`` for one of too few elements.
    """

    delimiters: Delimiters
    elements: tuple[str, ...]
    start: int
    end: int
    problem: str = ""

    @property
    def readable(self) -> bool:
        """Whether anything can be read of what follows."""
        return self.problem not in ("short", "terminator")


def find_header(text: str, at: int = 0) -> int:
    """Index of the next thing that looks like the start of an ISA, or -1."""
    match = _START.search(text, at)
    return match.start() if match else -1


def begins_header(text: str, at: int) -> bool:
    """Whether what stands there looks like the start of an ISA."""
    return _START.match(text, at) is not None


def read_header(text: str, at: int, *, complete: bool) -> Header | None:
    """The ISA that starts at ``at``; None when more text is needed (``complete`` says there is none)."""
    if len(text) - at < _LONGEST_ISA and not complete:
        return None
    separator = text[at + 3]
    if (
        all(text[at + place : at + place + 1] == separator for place in _SEPARATOR_PLACES)
        and len(text) - at >= _ISA_LENGTH - 1
    ):
        return _fixed(text, at, separator)
    return _recovered(text, at, separator)


def _fixed(text: str, at: int, separator: str) -> Header:
    body = text[at : at + _ISA_LENGTH - 1]
    elements = tuple(body.split(separator)[1:])
    component = elements[15]
    terminator = _terminator(text, at + _ISA_LENGTH - 1)
    problem = "" if terminator and not terminator.isalnum() and terminator != separator else "terminator"
    return Header(
        _delimiters(separator, component, terminator, elements), elements, at, at + len(body) + len(terminator), problem
    )


def _recovered(text: str, at: int, separator: str) -> Header:
    """Count sixteen separators; what stands between the last and the next segment are component and terminator."""
    window = text[at : at + _LONGEST_ISA]
    pieces = window.split(separator, 16)
    if len(pieces) < 17:
        delimiters = Delimiters(separator, "", "")
        return Header(delimiters, tuple(pieces[1:]), at, at + 4, "short")
    head, tail = pieces[1:16], pieces[16]
    begin = at + len(window) - len(tail)
    following = _AFTER_ISA.search(tail)
    between = tail[: following.start()] if following and following.start() <= 8 else tail[:2]
    component, terminator = _component_and_terminator(between, separator)
    elements = tuple(element.replace("\r", "").replace("\n", "") for element in head)
    problem = "layout" if terminator and not terminator.isalnum() else "terminator"
    if any(len(element) > 40 or _SWALLOWED.search(element) for element in elements):
        problem = "short"
    end = begin + between.find(terminator) + len(terminator) if terminator else begin
    return Header(
        _delimiters(separator, component, terminator, elements), (*elements, component), at, max(end, at + 4), problem
    )


def _component_and_terminator(between: str, separator: str) -> tuple[str, str]:
    visible = between.strip(" ") or between
    if len(visible) == 1 or visible in ("\r\n",):
        return "", visible[0] if visible != "\r\n" else "\r"
    if not visible:
        return "", ""
    component, rest = visible[0], visible[1:].lstrip(" ") or visible[1:]
    if component == separator:
        component = ""
    return component, _terminator(rest, 0)


def _terminator(text: str, at: int) -> str:
    """The terminator at ``at``: one byte, or all bytes of one UTF-8 character."""
    lead = text[at : at + 1]
    size = 2 if "\xc2" <= lead <= "\xdf" else 3 if "\xe0" <= lead <= "\xef" else 4 if "\xf0" <= lead <= "\xf4" else 1
    piece = text[at : at + size]
    if size > 1:
        try:
            piece.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return lead
    return piece


def _delimiters(separator: str, component: str, terminator: str, elements: tuple[str, ...]) -> Delimiters:
    """ISA11 separates repetitions only from version 00402 on; before, it named the standards body."""
    repetition = elements[10][:1] if len(elements) > 10 and elements[11].strip() >= REPETITION_SINCE else ""
    if repetition.isalnum() or repetition in ("", " ", separator, component, terminator):
        repetition = ""
    return Delimiters(separator, component, terminator, repetition)
