"""What the walks through an X12 and an EDIFACT payload share: finding the next interchange, taking segments outside
documents, noticing doubles, and keeping what was learned; all in bounded memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from connectors.base import Plans, ReadItem
from connectors.formats.edi.body import LONGEST_SEGMENT
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.findings import syntax_finding
from connectors.formats.edi.machine import Machine, Plan
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape, spell
from schemas.documents import InterchangeEnd, LinePlan
from schemas.findings import Finding, Severity

MOST_REMEMBERED = 100_000  #: keys kept to notice doubles
MOST_LEARNERS = 100  #: kinds of documents of which is kept what was learned
_SHOWN = 80  #: characters of skipped text
_BLANK = "\xef\xbb\xbf \t\r\n\0\x1a\x0c"  #: nothing to speak of: a byte order mark, blanks, padding
_WITHOUT_BREAKS = {13: None, 10: None}


@dataclass(frozen=True, slots=True)
class Passed:
    """What was passed over on the way to the next interchange: where it began, and its first visible characters."""

    offset: int
    text: str
    found: bool  #: whether there is an interchange; the tape is left at it, else at the end


def seek(tape: Tape, find: Callable[[str, int], int], longest: int) -> Passed:
    """Go to what ``find`` finds, of which ``longest`` characters are enough to tell it."""
    begin, skipped = tape.offset, ""
    while (at := find(tape.text, tape.at)) < 0:
        skipped = _passed(tape, max(tape.at, len(tape.text) - longest), skipped)
        if not tape.more():
            return Passed(begin, _passed(tape, len(tape.text), skipped), found=False)
    return Passed(begin, _passed(tape, at, skipped), found=True)


def _passed(tape: Tape, to: int, so_far: str) -> str:
    text = tape.raw(to - tape.at) if len(so_far) < _SHOWN else ""
    tape.at = to
    return (so_far + text)[:_SHOWN] if so_far else text.lstrip(_BLANK)[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Loose:
    """A segment outside any document, or looked at by itself: its elements, tag first, its place in bytes without the
    terminator, where it begins in the window, and whether it was terminated."""

    elements: list[str]
    offset: int
    length: int
    start: int
    complete: bool

    @property
    def empty(self) -> bool:
        """Whether there is nothing but a terminator."""
        return self.elements == [""]


def next_segment(tape: Tape, delimiters: Delimiters, spell: Callable[[str], tuple[str, bool]]) -> Loose | None:
    """The next segment, without what may stand before it; None at the end. The tape is left behind it."""
    while (end := tape.text.find(delimiters.segment, tape.at)) < 0 and len(tape.text) - tape.at < LONGEST_SEGMENT:
        if not tape.more():
            break
    complete = end >= 0
    if not complete:
        end = len(tape.text)
    raw = tape.text[tape.at : end].lstrip(delimiters.blanks)
    start = end - len(raw)
    if not complete:
        raw = raw.rstrip(delimiters.blanks)
    tape.at = end + len(delimiters.segment) if complete else end
    if not raw and not complete:
        return None
    elements = [spell(element)[0] for element in raw.translate(_WITHOUT_BREAKS).split(delimiters.element)]
    return Loose(elements, tape.base + start, len(raw), start, complete)


class Remembered:
    """Keys that were met, as many as are kept."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()

    def met(self, key: Hashable) -> bool:
        """Whether the key was met before; from now on it was."""
        known = key in self._keys
        if len(self._keys) < MOST_REMEMBERED:
            self._keys.add(key)
        return known


class Learners:
    """What was learned from one document serves the next of its kind in the payload; the oldest kinds are forgotten."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._kept: dict[Hashable, tuple[Learner, LinePlan | None]] = {}

    def of(
        self, kind: Hashable, tape: Tape, delimiters: Delimiters, wanted: LinePlan | None, plan: Callable[[], Plan]
    ) -> Learner:
        """The learner of documents of this kind; ``plan`` makes theirs."""
        suffix = tape.following("\r\n", 2) if delimiters.segment not in "\r\n" else ""
        key = (kind, delimiters, suffix, id(wanted))
        if key not in self._kept:
            if len(self._kept) >= MOST_LEARNERS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = Learner(Machine(plan()), delimiters, suffix, enabled=self._enabled), wanted
        return self._kept[key][0]


class Open(Protocol):
    """An interchange that is being read."""

    def note(self, finding: Finding, /) -> None:
        """Keep a finding for its end, if it is about the envelope."""
        ...

    def end(self, last: int, offset: int, /) -> InterchangeEnd:
        """Its end at byte ``offset``, ``last`` being the ordinal of the newest document."""
        ...


Interchange = TypeVar("Interchange", bound=Open)


class PayloadReader(ABC, Generic[Interchange]):
    """The walk through one payload, from interchange to interchange; one of the two syntaxes fills in the rest."""

    opens: ClassVar[str]  #: the segment that begins an interchange
    longest: ClassVar[int]  #: characters that are enough to tell where one begins
    misplaced: ClassVar[Mapping[str, str]] = {}  #: the standard's own code for text that belongs to none

    def __init__(self, tape: Tape, plans: Plans, *, learn: bool) -> None:
        self.tape = tape
        self.plans = plans
        self.documents = 0
        self.interchanges = 0
        self.groups = 0
        self.controls, self.warned = Remembered(), Remembered()
        self.learners = Learners(enabled=learn)

    @abstractmethod
    def find(self, text: str, at: int, /) -> int:
        """Index of the next thing that looks like the start of an interchange, or -1."""

    @abstractmethod
    def begin(self) -> Interchange:
        """The interchange that the tape stands at, of which nothing has been read yet."""

    @abstractmethod
    def walk(self, interchange: Interchange) -> Iterator[ReadItem]:
        """Everything in it. The tape is left behind it, or at what stands in its stead."""

    @abstractmethod
    def nothing(self) -> Finding:
        """There was no interchange at all."""

    def run(self) -> Iterator[ReadItem]:
        """Everything in the payload, in order."""
        while (yield from self._seek()):
            self.interchanges += 1
            interchange = self.begin()
            for item in self.walk(interchange):
                if isinstance(item, Finding):
                    interchange.note(item)
                yield item
            yield interchange.end(self.documents, self.tape.offset)
        if not self.interchanges:
            yield self.nothing()

    def _seek(self) -> Generator[Finding, None, bool]:
        """Go to the next interchange, if there is one. What is passed over is said when it is not blank."""
        passed = seek(self.tape, self.find, self.longest)
        if passed.text and (passed.found or self.interchanges):
            before = "between interchanges" if self.interchanges else f"before the first {self.opens}"
            code, place = ("text.before", before) if passed.found else ("text.after", "after the last interchange")
            yield syntax_finding(
                code, f"text {place} is no part of any interchange", place, passed.offset, severity=Severity.WARNING,
                value=spell(passed.text)[0], standard=self.misplaced,
            )  # fmt: skip
        return passed.found
