"""Where an EDIFACT interchange begins, and which characters separate things in it (ISO 9735).

The service string advice (UNA) says so where there is one; else the characters are those of the standard, or
those that UNB itself shows. Text is Latin-1, one character a byte, so that positions are byte offsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.tape import Shield

STANDARD = Delimiters("+", ":", "'", "", "?", ",.")
LONGEST_HEAD = 400  #: characters looked at to tell the service characters
_REPETITION = "*"
#: UNA with its six characters, or five where the reserved blank is lost; UNB with its syntax; UNH of a bare message
_START = re.compile(
    r"UNA(?:.{4}[^ \t\r\n]|.{6})[ \t\r\n]*(?=UN[BGH])"
    r"|(?<![A-Za-z0-9])UNB(?P<element>[^A-Za-z0-9 \t\r\n])[A-Z]{3,4}(?P<component>[^A-Za-z0-9 \t\r\n])[0-9A-Z]"
    r"|(?<![A-Za-z0-9])UNH\+[^+\r\n]{1,35}\+[A-Z]{6}:",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an interchange: its service characters, and how many of them UNA takes.

    ``problem`` is ``short`` for a UNA without its reserved blank, ``guessed`` where no UNA says what UNB
    shows, ``unusable`` where two service characters are the same or a letter is one.
    """

    delimiters: Delimiters
    advice: str = ""  #: the UNA as it stands there, without line breaks behind it
    length: int = 0  #: of the UNA with the blanks behind it
    problem: str = ""

    @property
    def shield(self) -> Shield | None:
        """What hides released characters; None where nothing can be released."""
        marks = self.delimiters
        if not marks.release:
            return None
        service = (marks.element, marks.component, marks.segment, marks.repetition or _REPETITION, marks.release)
        return Shield(marks.release, "".join(dict.fromkeys(service)))


def find_head(text: str, at: int = 0) -> int:
    """Index of the next thing that looks like the start of an interchange or a bare message, or -1."""
    match = _START.search(text, at)
    return match.start() if match else -1


def begins_head(text: str, at: int) -> bool:
    """Whether an interchange, rather than a bare message, seems to begin there."""
    return _START.match(text, at) is not None and not text.startswith("UNH", at)


def read_head(text: str) -> Head:
    """The head that ``text`` begins with, as ``find_head`` found it; LONGEST_HEAD characters are enough."""
    match = _START.match(text)
    advised = match is not None and text.startswith("UNA")
    length = match.end() if match and advised else 0
    syntax = _syntax_version(text[length:])
    if advised:
        return _advised(text[:length], text[length:], syntax)
    element, component = (match["element"], match["component"]) if match and match["element"] else ("+", ":")
    component = ":" if component == element else component
    segment, release = ("\x1c", "") if element == "\x1d" else ("'", "?")
    first_line, broken, _ = text[length:].partition("\n")
    if segment == "'" and broken and "'" not in first_line:
        segment = "\n"
    marks = Delimiters(element, component, segment, _REPETITION if syntax >= "4" else "", release, ",.")
    usual = replace(STANDARD, repetition=marks.repetition)
    return Head(marks, problem="" if marks == usual else "guessed")


def _advised(advice: str, following: str, syntax: str) -> Head:
    """Positions 1 to 6: component, element, decimal mark, release, repetition (from version 4), terminator.

    Before a line break the fifth is the terminator if it ends a segment on the next line.
    """
    component, element, decimal, release, repetition, segment = tuple(advice[3:9].ljust(6))
    broken = not advice[8:].strip("\r\n ")
    short = broken and repetition not in (" ", _REPETITION) and repetition in following.partition("\n")[0]
    if short:
        repetition, segment = " ", repetition
    said = advice[: 8 if short else 9]
    marks = Delimiters(
        element,
        component,
        segment,
        repetition.strip(" ") if syntax >= "4" else "",
        release.strip(" "),
        ",." if syntax >= "4" or decimal not in (",", ".") else decimal,
    )
    separators = [marks.element, marks.component, marks.segment, *filter(None, (marks.repetition, marks.release))]
    unusable = len(set(separators)) < len(separators) or any(mark.isalnum() for mark in separators)
    return Head(marks, said, len(advice), "unusable" if unusable else "short" if short else "")


def _syntax_version(text: str) -> str:
    """S001 0002 of the UNB that follows; 3 where there is none."""
    match = re.match(r"UNB[^A-Za-z0-9][A-Z]{3,4}[^A-Za-z0-9](\d)", text)
    return match[1] if match else "3"
