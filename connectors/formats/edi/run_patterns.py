"""The text of a run's pattern: which segments it recognises, and what its groups mean.

The pattern of a loop instance is the segment that opens it, then each plain member met so far, optional, in the
order of the grammar. It is written twice: once with an empty group behind each member, which tells where a run
ended; and once for batches, where runs stand side by side in one pattern and every group costs time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.grammar import Composite, Element, Segment
from connectors.formats.edi.machine import Capture, Frame, Machine, State
from connectors.formats.edi.patterns import element_pattern, long_codes, spelled

HEAT = 3  #: times a shape is met before it is compiled

#: HL01, HL02 and HL04; CPS01 and CPS02: of each element its place among number, parent and children
_CHILDREN = 2
_LEVEL_ELEMENTS = {"HL": {0: 0, 1: 1, 3: _CHILDREN}, "CPS": {0: 0, 1: 1}}

#: For each position: None where it is empty, a literal where the plan asks for that qualifier, else True;
#: for a composite a tuple of the same.
Shape = tuple[object, ...]

Guarded = tuple[int, int, tuple[tuple[int, int, str], ...]]


class Seen(Protocol):
    """What has been seen of one kind of loop instance."""

    frames: tuple[Frame, ...]
    spec: Segment
    shape: Shape
    places: dict[int, dict[Shape, int]]
    repeats: dict[int, int]

    def spelled(self, place: int, index: int, component: int) -> Set[str]:
        """The codes of a long list that were met there, while they are few; none where they are to be looked up."""
        ...


@dataclass(frozen=True, slots=True)
class RunPattern:
    """The text of a pattern, and its groups: their indices count from 0, as in ``match.groups()``."""

    text: str
    groups: int
    takes: tuple[tuple[int, int], ...]  #: (slot, index) of values wanted
    guarded: tuple[Guarded, ...]  #: the same, if outer loops show these values
    codes: tuple[tuple[int, frozenset[str]], ...]  #: index of a code, and the list to look it up in
    level: tuple[int, int, int] | None  #: of an HL or CPS the indices of number, parent and children; -1: not filled
    ends: tuple[tuple[int, State, int, int], ...]  #: number of the group behind it, state, depth of its place, its uses


class Terms(Protocol):
    """What patterns are written in terms of."""

    machine: Machine
    delimiters: Delimiters
    suffix: str  #: what follows every terminator

    def literals(self, spec: Segment) -> Mapping[tuple[int, int], frozenset[str]]:
        """The qualifiers the plan looks for, by position and component."""
        ...


class PatternWriter:
    """Writes one pattern.

    ``marked``: an empty group stands behind each member. Without, the first group is something of the opening segment,
    never empty, and members that the grammar demands are no longer optional.
    """

    def __init__(self, terms: Terms, profile: Seen, *, marked: bool) -> None:
        self.machine = terms.machine
        self.delimiters = terms.delimiters
        self.terms = terms
        self.profile = profile
        self.marked = marked
        self.terminator = re.escape(terms.delimiters.segment + terms.suffix)
        self.separator = re.escape(terms.delimiters.element)
        self.groups = 0
        self.takes: list[Guarded] = []
        self.codes: list[tuple[int, frozenset[str]]] = []
        self.ends: list[tuple[int, State, int, int]] = []
        self.level: list[int] | None = None

    def write(self) -> RunPattern:
        """The pattern of what has been seen so far."""
        profile = self.profile
        self.level = [-1, -1, -1] if profile.spec.id in _LEVEL_ELEMENTS else None
        frames = profile.frames
        depth = len(frames) - 1
        frame = frames[depth]
        start = self.machine.state(frames)
        text = self._segment(profile.spec, profile.shape, start, opening=True)
        if not (self.marked or self.groups):
            self.groups = 1
            text = f"({text[0]}){text[1:]}"
        text += self.terminator + self._marker(start, depth, 1)
        closing = ""
        for place in range(frame.place + 1, len(frame.loop.members) + 1):
            member = frame.loop.members[place - 1]
            if member.loop or member.id == self.machine.plan.grammar.standard.closes:
                if member.required:
                    break
                continue
            hot = [s for s, count in profile.places.get(place, {}).items() if count >= HEAT]
            if not hot:
                if member.required:
                    break
                continue
            state = self.machine.state((*frames[:depth], Frame(frame.loop, place, frame.strict)))
            repeats = min(profile.repeats.get(place, 1), member.most)
            for use in range(1, repeats + 1):
                shapes = "|".join(
                    self._segment(self.machine.segments[member.id], shape, state) for shape in sorted(hot, key=repr)
                )
                demanded = member.required and use == 1
                if demanded and not self.marked:
                    self.ends.clear()
                text += f"(?:(?:{shapes}){self.terminator}{self._marker(state, depth, use)}"
                if not demanded:
                    text += ")?+"
                elif self.marked:
                    closing += ")?+"
                else:
                    text += ")"
        return self._finished(text + closing)

    def _finished(self, text: str) -> RunPattern:
        return RunPattern(
            text=text,
            groups=self.groups,
            takes=tuple((slot, group - 1) for slot, group, openers in self.takes if not openers),
            guarded=tuple((slot, group - 1, openers) for slot, group, openers in self.takes if openers),
            codes=tuple((group - 1, listed) for group, listed in self.codes),
            level=(self.level[0], self.level[1], self.level[2]) if self.level else None,
            ends=tuple(self.ends),
        )

    def _marker(self, state: State, depth: int, use: int) -> str:
        self.groups += self.marked
        self.ends.append((self.groups, state, depth, use))
        return "()" if self.marked else ""

    def _segment(self, spec: Segment, shape: Shape, state: State, *, opening: bool = False) -> str:
        """A segment of this shape, up to but without its terminator."""
        captures = self.machine.captures(spec.id, state.frames)
        place = state.frames[-1].place
        wanted = {index: caps for index in range(len(shape)) if (caps := self._wanted(captures, spec, shape, index))}
        text = spec.id
        for index, what in enumerate(shape):
            text += self.separator
            if what is None:
                continue
            element = spec.uses[index].element
            if isinstance(element, Composite):
                text += self._composite(spec, (place, index), element, what, wanted.get(index, []))
                continue
            text += self._simple(spec, (place, index), element, what, wanted.get(index, []), opening=opening)
        return text

    def _wanted(self, captures: Sequence[Capture], spec: Segment, shape: Shape, index: int) -> list[Capture]:
        """The captures that take (something of) the element at ``index`` of a segment of this shape."""
        found = []
        for capture in captures:
            if not all(kind_of(shape, at) == code for at, code in capture.when):
                continue
            if not capture.element:
                if self._identified(capture.qualifier, spec, shape) == index:
                    found.append(capture)
            elif capture.element == index + 1 and capture.qualifier in (None, kind_of(shape, capture.position)):
                found.append(capture)
        return found

    def _identified(self, qualifier: str | None, spec: Segment, shape: Shape) -> int:
        """The index of the element that holds the id of this kind; -1 where there is none."""
        for at in spec.pairs:
            what = shape[at] if at < len(shape) else None
            if isinstance(what, tuple):
                if len(what) > 1 and what[1] == qualifier:
                    return at
            elif what == qualifier:
                return at + 1
        return -1

    def _simple(
        self,
        spec: Segment,
        at: tuple[int, int],
        element: Element,
        what: object,
        wanted: Sequence[Capture],
        *,
        opening: bool,
    ) -> str:
        text, codes = self._value(spec, (*at, 0), element, what)
        of_level = self._of_level(spec, at[1]) if opening else None
        takes = [capture for capture in wanted if capture.component <= 1]
        if not (takes or codes or of_level is not None):
            return text
        self.groups += 1
        group = self.groups
        if codes:
            self.codes.append((group, codes))
        if of_level is not None and self.level is not None:
            self.level[of_level] = group - 1
        for capture in takes:
            self.takes.append((capture.slot, group, capture.openers))
        return f"({text})"

    def _of_level(self, spec: Segment, index: int) -> int | None:
        """What an element of an opening segment says of its level; in batches whether there are levels below it is
        asked of nobody."""
        what = _LEVEL_ELEMENTS.get(spec.id, {}).get(index)
        return what if self.marked or what != _CHILDREN else None

    def _value(
        self, spec: Segment, at: tuple[int, int, int], element: Element, what: object
    ) -> tuple[str, frozenset[str] | None]:
        """One filled value: a qualifier that is looked for, or any other that the element may have; and the codes
        among which it is to be looked up. ``at``: place in the loop, index, component."""
        if isinstance(what, str):
            return re.escape(what), None
        codes = long_codes(element)
        if codes and (few := self.profile.spelled(*at)):
            return spelled(few), None
        text = element_pattern(element, self.delimiters)
        literals = self.terms.literals(spec).get(at[1:])
        if literals:
            marks = {self.delimiters.element, self.delimiters.segment, self.delimiters.component} - {""}
            end = "|".join(re.escape(mark) for mark in sorted(marks))
            text = f"(?!(?:{'|'.join(re.escape(v) for v in sorted(literals))})(?:{end}))" + text
        return text, codes

    def _composite(
        self, spec: Segment, at: tuple[int, int], composite: Composite, what: object, wanted: Sequence[Capture]
    ) -> str:
        pieces = what if isinstance(what, tuple) else (True,)
        whole = [capture for capture in wanted if not capture.component and capture.element]
        text = ""
        if whole:
            self.groups += 1
            self.takes += [(capture.slot, self.groups, capture.openers) for capture in whole]
        for index, filled in enumerate(pieces):
            text += re.escape(self.delimiters.component) if index else ""
            if not filled:
                continue
            element = composite.element(index, pieces)
            piece, codes = self._value(spec, (*at, index), element, filled)
            takes = [c for c in wanted if c.component == index + 1 or not (c.element or index)]
            if takes or codes:
                self.groups += 1
                self.takes += [(capture.slot, self.groups, capture.openers) for capture in takes]
                if codes:
                    self.codes.append((self.groups, codes))
                piece = f"({piece})"
            text += piece
        return f"({text})" if whole else text


def kind_of(shape: Shape, position: int) -> object:
    """What a shape says of the kind of its segment at ``position``, which counts from 1."""
    what = shape[position - 1] if position <= len(shape) else None
    return what[0] if isinstance(what, tuple) else what
