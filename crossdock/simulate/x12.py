"""X12 as a sender writes it: segments as tuples of elements, joined by whatever delimiters the partner uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crossdock.simulate.plan import Effect

Segment = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a partner writes X12: its delimiters, and whether it pads the ISA as the standard wants (X12.5)."""

    element: str = "*"
    component: str = ">"
    terminator: str = "~\n"
    padded: bool = True

    def encode(self, segment: Segment) -> bytes:
        """One segment with its terminator; trailing empty elements are left out, as X12.6 asks."""
        end = len(segment)
        while segment[end - 1] == "":
            end -= 1
        return (self.element.join(segment[:end]) + self.terminator).encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something wrong on purpose in one segment of a set: ``segment`` counts from the ST as 1.

    ``location`` is what the finding names: the element itself, or the segment its line begins with.
    """

    segment: int
    element: str
    location: str
    name: str
    value: str
    code: str
    effect: Effect
    story: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSet:
    """One set: its code, the segments between ST and SE, its lines, what is wrong, and by how much SE01 lies."""

    code: str
    body: tuple[Segment, ...]
    lines: int
    marks: tuple[Mark, ...] = ()
    miscount: int = 0

    @property
    def held_back(self) -> int:
        """Lines that must give no event."""
        rejected = any(mark.effect is Effect.DOCUMENT_REJECTED for mark in self.marks)
        parked = sum(mark.count for mark in self.marks if mark.effect is Effect.LINE_PARKED)
        return self.lines if rejected else parked

    def miscounted(self, by: int) -> TransactionSet:
        """The same set with an SE01 that does not fit."""
        count = len(self.body) + 2
        mark = Mark(
            segment=count,
            element="SE-01",
            location=f"segment {count}, SE-01",
            name="segment count in the trailer is wrong",
            value=str(count + by),
            code="set.count",
            effect=Effect.DOCUMENT_REJECTED,
            story=f"the set holds {count} segments",
            count=self.lines,
        )
        return replace(self, miscount=by, marks=(*self.marks, mark))

    def segments(self, number: int) -> Iterator[Segment]:
        """ST, body, SE; ``number`` is the set's control number in its group."""
        control = f"{number:04d}"
        yield ("ST", self.code, control)
        yield from self.body
        yield ("SE", str(len(self.body) + 2 + self.miscount), control)


_FUNCTIONAL = {"850": "PO", "856": "SH", "861": "RC"}  # GS01, data element 479


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who writes to whom, when, and under which version; ``control`` is ISA13."""

    sender: str
    receiver: str
    made_at: datetime
    control: int
    version: str = "004010"

    def interchange(self, dialect: Dialect, groups: Iterable[Sequence[TransactionSet]]) -> Iterator[Segment]:
        """ISA, the groups of sets, IEA. A group holds sets of one code."""
        yield self.header(dialect)
        count = 0
        for count, sets in enumerate(groups, start=1):
            yield self.group_header(_FUNCTIONAL[sets[0].code], count)
            for number, one in enumerate(sets, start=1):
                yield from one.segments(number)
            yield self.group_trailer(count, len(sets))
        yield self.trailer(count)

    def header(self, dialect: Dialect) -> Segment:
        """ISA."""
        width = 15 if dialect.padded else 0
        nothing = " " * (10 if dialect.padded else 0)
        who = (self.sender.ljust(width), "ZZ", self.receiver.ljust(width))
        made = (self.made_at.strftime("%y%m%d"), self.made_at.strftime("%H%M"))
        what = ("U", self.version[:5], f"{self.control:09d}", "0", "P", dialect.component)
        return ("ISA", "00", nothing, "00", nothing, "ZZ", *who, *made, *what)

    def trailer(self, groups: int) -> Segment:
        """IEA."""
        return ("IEA", str(groups), f"{self.control:09d}")

    def group_header(self, functional: str, group: int) -> Segment:
        """GS of the interchange's ``group``-th group; ``functional`` is GS01."""
        who = (functional, self.sender, self.receiver)
        made = (self.made_at.strftime("%Y%m%d"), self.made_at.strftime("%H%M"))
        return ("GS", *who, *made, self._group_control(group), "X", self.version)

    def group_trailer(self, group: int, sets: int) -> Segment:
        """GE."""
        return ("GE", str(sets), self._group_control(group))

    def _group_control(self, group: int) -> str:
        return str(self.control * 10 + group)
