"""Runs: stretches of segments that are recognised, judged and taken apart by one regular expression.

A file repeats itself: after a few thousand segments nothing about the next item is new but its
values. So whatever the exact walk has found faultless is learned as a *shape* (which elements are
filled, which qualifiers stand there), and the shapes of one loop instance become one pattern: the
segment that opens it, then each plain member met so far, optional, in the order of the grammar.
Where the pattern matches, those segments are faultless too, by the same rules, and the values
wanted are its groups. Where it does not, the exact walk takes over and may learn more.

Nothing is ever accepted by a run that the exact walk would object to: element patterns are those of
``patterns``, a set of filled positions was approved by the judge, order and maximum use are those of
the grammar, codes in long lists are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.grammar import Composite, Element, Segment
from connectors.formats.edi.machine import Capture, Frame, Machine, Move, Offer, State
from connectors.formats.edi.paths import qualifier_position
from connectors.formats.edi.patterns import SegmentCheck, element_pattern, long_codes

HEAT = 3  #: times a shape is met before it is compiled
PATIENCE = 12  #: segments between two compilations of one run
MOST_SHAPES = 8  #: of one segment at one place
MOST_REPEATS = 8  #: of one segment in a row within a run
MOST_OFFERED = 12  #: runs tried at one place
MOST_COMPILED = 60  #: patterns compiled for one machine
MOST_PROFILES = 400
_REMEMBERED_CODES = 20_000

_LEVEL_ELEMENTS = {0: 0, 1: 1, 3: 2}  #: HL01, HL02 and HL04

#: For each position: None where it is empty, a literal where the plan asks for that qualifier, else True;
#: for a composite a tuple of the same.
Shape = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A compiled pattern and what its groups mean. A row is ``match.groups()``, so its indices count from 0."""

    match: Callable[[str, int], re.Match[str] | None]
    profile: Profile
    takes: tuple[tuple[int, int], ...]  #: (slot, index) of values wanted
    takes_backwards: tuple[tuple[int, int], ...]  #: so that the first of several is written last
    guarded: tuple[
        tuple[int, int, tuple[tuple[int, int, str], ...]], ...
    ]  #: the same, if outer loops show these values
    codes: Callable[[Sequence[str | None]], tuple[str | None, ...]] | None  #: takes the codes to look up out of a row
    code_lists: tuple[frozenset[str], ...]
    ends: dict[int | None, tuple[State, int, int]]  #: by last marker group: state, depth of its place, its uses
    is_line: bool  #: the opening segment begins a line
    level: tuple[int, int, int] | None  #: of an HL the indices of HL01, HL02 and HL04; -1 for one not filled
    leaf: bool  #: an HL that begins a line, names a parent, and says that nothing lies below it
    branch: bool  #: an HL that is no line, has a number and names a parent, and may have levels below it
    id: int  #: index of its HL01
    parent: int  #: index of its HL02
    sound: set[tuple[str | None, ...]] = field(default_factory=set)

    def codes_sound(self, codes: tuple[str | None, ...]) -> bool:
        """Whether every code stands in its list; remembered."""
        for code, listed in zip(codes, self.code_lists, strict=True):
            if code is not None and code not in listed:
                return False
        if len(self.sound) < _REMEMBERED_CODES:
            self.sound.add(codes)
        return True


class Profile:
    """What has been seen of one kind of loop instance: its opening shape, and the shapes at each of its places."""

    def __init__(self, frames: tuple[Frame, ...], spec: Segment, shape: Shape) -> None:
        self.frames = frames
        self.spec = spec
        self.shape = shape
        self.opened = 0
        self.places: dict[int, dict[Shape, int]] = {}
        self.repeats: dict[int, int] = {}
        self.waiting = 0  #: segments met since something new became hot
        self.stale = False
        self.run: Run | None = None

    def meet(self) -> None:
        """The opening segment was met by the exact walk."""
        self.opened += 1
        if self.run is None and self.opened > HEAT:
            self.stale = True

    def learn(self, place: int, use: int, shape: Shape) -> None:
        """A faultless segment at ``place``, used for the ``use``-th time in a row."""
        shapes = self.places.setdefault(place, {})
        if shape not in shapes and len(shapes) >= MOST_SHAPES:
            return
        self.waiting += self.stale
        shapes[shape] = count = shapes.get(shape, 0) + 1
        if count == HEAT:
            self.stale = True
        if MOST_REPEATS >= use > self.repeats.get(place, 1):
            self.repeats[place] = use
            self.stale = True


class Learner:
    """All profiles of one machine under one set of delimiters."""

    def __init__(self, machine: Machine, delimiters: Delimiters, suffix: str, *, enabled: bool = True) -> None:
        self.machine = machine
        self.enabled = enabled
        self.delimiters = delimiters
        self.suffix = suffix
        self._profiles: dict[tuple[tuple[Frame, ...], Shape], Profile] = {}
        self._literals: dict[str, Mapping[tuple[int, int], frozenset[str]]] = {}
        self._checks: dict[str, SegmentCheck] = {}
        self._compiled = 0

    def accepts(self, spec: Segment, elements: Sequence[str]) -> bool:
        """Whether a segment is surely faultless."""
        check = self._checks.get(spec.id)
        if check is None:
            check = self._checks[spec.id] = SegmentCheck(spec, self.delimiters)
        return check.accepts(elements)

    def open(self, state: State, move: Move, elements: Sequence[str]) -> Profile | None:
        """A loop opened (or a set began) faultlessly by the exact walk: its profile, compiled when it is ripe."""
        shape = self.shape(move.spec, elements) if self.enabled else None
        if shape is None:
            return None
        key = (move.state.frames, shape)
        profile = self._profiles.get(key)
        if profile is None:
            if len(self._profiles) >= MOST_PROFILES:
                return None
            profile = self._profiles[key] = Profile(move.state.frames, move.spec, shape)
        profile.meet()
        self._ripen(profile)
        run = profile.run
        if run is not None and not move.missing and not move.disorder:
            offered = state.offered
            if all(offer.run is not run or offer.move is not move for offer in offered):
                offered[:] = [Offer(run, move), *offered][:MOST_OFFERED]
        return profile

    def learn(self, profile: Profile, move: Move, elements: Sequence[str], use: int) -> None:
        """A plain segment of the profile's loop was found faultless, the ``use``-th in a row at its place."""
        shape = self.shape(move.spec, elements)
        if shape is not None:
            profile.learn(move.state.frames[-1].place, use, shape)
            if profile.run is not None:
                self._ripen(profile)

    def _ripen(self, profile: Profile) -> None:
        """Compile a profile that has learned enough since it was compiled last."""
        if profile.stale and (profile.run is None or profile.waiting >= PATIENCE) and self._compiled < MOST_COMPILED:
            self._compile(profile)

    def shape(self, spec: Segment, elements: Sequence[str]) -> Shape | None:
        """The shape of a segment; None for one that cannot be learned (repetitions)."""
        literals = self._literals.get(spec.id)
        if literals is None:
            literals = self._literals[spec.id] = self._wanted_literals(spec)
        shape: list[object] = []
        for i, value in enumerate(elements[1:]):
            if not value:
                shape.append(None)
                continue
            if self.delimiters.repetition and self.delimiters.repetition in value:
                return None
            element = spec.uses[i].element
            if isinstance(element, Composite):
                pieces = value.split(self.delimiters.component) if self.delimiters.component else [value]
                told = (literals.get((i, at), ()) for at in range(len(pieces)))
                shape.append(tuple(p if p in known else bool(p) for p, known in zip(pieces, told, strict=True)))
            else:
                shape.append(value if value in literals.get((i, 0), ()) else True)
        return tuple(shape)

    def _wanted_literals(self, spec: Segment) -> Mapping[tuple[int, int], frozenset[str]]:
        """For each position and component, both from 0, the values that decide what is taken."""
        plan = self.machine.plan
        wanted: dict[tuple[int, int], set[str]] = {}

        def want(index: int, code: str, component: int = 0) -> None:
            composite = index < len(spec.uses) and isinstance(spec.uses[index].element, Composite)
            if plan.grammar.standard.leading or not composite:
                wanted.setdefault((index, component), set()).add(code)

        position = qualifier_position(spec.id)
        for loop in (loop for place in plan.places for loop in place.loops if loop.id == spec.id and loop.qualifier):
            want(position - 1, loop.qualifier or "")
        if plan.qualifier and any(chain[-1].id == spec.id for chain in (plan.chain, *plan.others)):
            want(position - 1, plan.qualifier)
        if spec.id == "HL":
            want(3, "0")
        for place in (place for place in plan.places if place.id == spec.id):
            for at, code in place.when:
                want(at - 1, code)
            if place.qualifier is not None and place.element:
                want(position - 1, place.qualifier)
            elif place.qualifier is not None:
                for at in spec.pairs:
                    want(at, place.qualifier, 1 if plan.grammar.standard.leading else 0)
        return {place: frozenset(codes) for place, codes in wanted.items()}

    def _compile(self, profile: Profile) -> None:
        self._compiled += 1
        profile.stale = False
        profile.waiting = 0
        writer = _Writer(self, profile)
        old, profile.run = profile.run, writer.run()
        if old is not None:
            for state in self.machine.states():
                for offer in state.offered:
                    if offer.run is old:
                        offer.run = profile.run

    def literals(self, spec: Segment) -> Mapping[tuple[int, int], frozenset[str]]:
        """The qualifiers the plan looks for, by position and component."""
        return self._literals[spec.id]


class _Writer:
    """Writes the pattern of one profile."""

    def __init__(self, learner: Learner, profile: Profile) -> None:
        self.machine = learner.machine
        self.delimiters = learner.delimiters
        self.learner = learner
        self.profile = profile
        self.terminator = re.escape(learner.delimiters.segment + learner.suffix)
        self.separator = re.escape(learner.delimiters.element)
        self.groups = 0
        self.takes: list[tuple[int, int, tuple[tuple[int, int, str], ...]]] = []
        self.codes: list[tuple[int, frozenset[str]]] = []
        self.ends: dict[int | None, tuple[State, int, int]] = {}
        shape, opens_level = profile.shape, profile.spec.id == "HL"
        self.leaf = opens_level and self._is_line() and shape[1] is True and shape[3:] == ("0",)
        self.level: list[int] | None = [-1, -1, -1] if opens_level else None

    def run(self) -> Run:
        profile = self.profile
        frames = profile.frames
        depth = len(frames) - 1
        frame = frames[depth]
        start = self.machine.state(frames)
        text = (
            self._segment(profile.spec, profile.shape, start, opening=True)
            + self.terminator
            + self._marker(start, depth, 1)
        )
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
                text += f"(?:(?:{shapes}){self.terminator}{self._marker(state, depth, use)}"
                if member.required and use == 1:
                    closing += ")?+"
                else:
                    text += ")?+"
        pattern = re.compile(text + closing)
        return self._finished(pattern)

    def _finished(self, pattern: re.Pattern[str]) -> Run:
        codes = self.codes if len(self.codes) != 1 else self.codes * 2
        return Run(
            match=pattern.match,
            profile=self.profile,
            takes=tuple((slot, group - 1) for slot, group, openers in self.takes if not openers),
            takes_backwards=tuple((slot, group - 1) for slot, group, openers in reversed(self.takes) if not openers),
            guarded=tuple((slot, group - 1, openers) for slot, group, openers in self.takes if openers),
            codes=itemgetter(*(group - 1 for group, _ in codes)) if codes else None,
            code_lists=tuple(listed for _, listed in codes),
            ends=self.ends,
            is_line=self._is_line(),
            leaf=self.leaf,
            id=self.level[0] if self.level else -1,
            parent=self.level[1] if self.level else -1,
            branch=self._is_branch(),
            level=(self.level[0], self.level[1], self.level[2]) if self.level else None,
        )

    def _is_line(self) -> bool:
        plan, frames = self.machine.plan, self.profile.frames
        if len(plan.chain) < 2 or not plan.begins_line(frames[-1].loop) or frames[-1].place:
            return False
        position = qualifier_position(self.profile.spec.id)
        return plan.qualifier in (None, _kind(self.profile.shape, position))

    def _is_branch(self) -> bool:
        shape = self.profile.shape
        plain = len(shape) > 2 and shape[0] is True and shape[1] is True
        return self.profile.spec.id == "HL" and plain and not self._is_line() and shape[3:] != ("0",)

    def _marker(self, state: State, depth: int, use: int) -> str:
        self.groups += 1
        self.ends[self.groups] = (state, depth, use)
        return "()"

    def _segment(self, spec: Segment, shape: Shape, state: State, *, opening: bool = False) -> str:
        """A segment of this shape, up to but without its terminator."""
        captures = self.machine.captures(spec.id, state.frames)
        wanted = {index: caps for index in range(len(shape)) if (caps := self._wanted(captures, spec, shape, index))}
        text = spec.id
        for index, what in enumerate(shape):
            text += self.separator
            if what is None:
                continue
            element = spec.uses[index].element
            if isinstance(element, Composite):
                text += self._composite(spec, index, element, what, wanted.get(index, []))
                continue
            text += self._simple(spec, index, element, what, wanted.get(index, []), opening=opening)
        return text

    def _wanted(self, captures: Sequence[Capture], spec: Segment, shape: Shape, index: int) -> list[Capture]:
        """The captures that take (something of) the element at ``index`` of a segment of this shape."""
        found = []
        for capture in captures:
            if not all(_kind(shape, at) == code for at, code in capture.when):
                continue
            if not capture.element:
                if self._identified(capture.qualifier, spec, shape) == index:
                    found.append(capture)
            elif capture.element == index + 1 and capture.qualifier in (None, _kind(shape, capture.position)):
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
        self, spec: Segment, index: int, element: Element, what: object, wanted: Sequence[Capture], *, opening: bool
    ) -> str:
        text = self._value(spec, (index, 0), element, what)
        of_level = _LEVEL_ELEMENTS.get(index) if opening and spec.id == "HL" else None
        codes = long_codes(element) if what is True else None
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

    def _value(self, spec: Segment, place: tuple[int, int], element: Element, what: object) -> str:
        """One filled value: a qualifier that is looked for, or any other that the element may have."""
        if isinstance(what, str):
            return re.escape(what)
        text = element_pattern(element, self.delimiters)
        literals = self.learner.literals(spec).get(place)
        if literals:
            marks = {self.delimiters.element, self.delimiters.segment, self.delimiters.component} - {""}
            end = "|".join(re.escape(mark) for mark in sorted(marks))
            text = f"(?!(?:{'|'.join(re.escape(v) for v in sorted(literals))})(?:{end}))" + text
        return text

    def _composite(
        self, spec: Segment, position: int, composite: Composite, what: object, wanted: Sequence[Capture]
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
            element = composite.uses[index].element
            assert isinstance(element, Element)
            piece = self._value(spec, (position, index), element, filled)
            takes = [c for c in wanted if c.component == index + 1 or not (c.element or index)]
            codes = long_codes(element) if filled is True else None
            if takes or codes:
                self.groups += 1
                self.takes += [(capture.slot, self.groups, capture.openers) for capture in takes]
                if codes:
                    self.codes.append((self.groups, codes))
                piece = f"({piece})"
            text += piece
        return f"({text})" if whole else text


def _kind(shape: Shape, position: int) -> object:
    """What a shape says of the kind of its segment at ``position``, which counts from 1."""
    what = shape[position - 1] if position <= len(shape) else None
    return what[0] if isinstance(what, tuple) else what
