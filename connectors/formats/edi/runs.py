"""Runs: stretches of segments that are recognised, judged and taken apart by one regular expression.

A file repeats itself: after a few thousand segments nothing about the next item is new but its
values. So whatever the exact walk has found faultless is learned as a *shape* (which elements are
filled, which qualifiers stand there), and the shapes of one loop instance become one pattern: the
segment that opens it, then each plain member met so far, optional, in the order of the grammar.
Where the pattern matches, those segments are faultless too, by the same rules, and the values
wanted are its groups. Where it does not, the exact walk takes over and may learn more.

Nothing is ever accepted by a run that the exact walk would object to: element patterns are those of
``patterns``, a set of filled positions was approved by the judge, order and maximum use are those of
the grammar, codes of long lists are spelled out while few were met, else looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import itemgetter

from connectors.formats.edi.batches import Batches
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.grammar import Composite, Element, Segment
from connectors.formats.edi.machine import Frame, Machine, Move, Offer, State
from connectors.formats.edi.met_codes import MetCodes
from connectors.formats.edi.paths import qualifier_position
from connectors.formats.edi.patterns import SegmentCheck, long_codes
from connectors.formats.edi.run_patterns import HEAT, Guarded, PatternWriter, RunPattern, Shape, kind_of

PATIENCE = 12  #: segments between two compilations of one run
MOST_SHAPES = 8  #: of one segment at one place
MOST_REPEATS = 8  #: of one segment in a row within a run
MOST_OFFERED = 12  #: runs tried at one place
MOST_COMPILED = 60  #: patterns compiled for one machine
MOST_PROFILES = 400
_REMEMBERED_CODES = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A compiled pattern and what its groups mean. A row is ``match.groups()``, so its indices count from 0."""

    match: Callable[..., re.Match[str] | None]  #: of text, from an index on, to another
    profile: Profile
    takes: tuple[tuple[int, int], ...]  #: (slot, index) of values wanted
    takes_backwards: tuple[tuple[int, int], ...]  #: so that the first of several is written last
    guarded: tuple[Guarded, ...]  #: the same, if outer loops show these values
    codes: Callable[[Sequence[str | None]], tuple[str | None, ...]] | None  #: takes the codes to look up out of a row
    code_lists: tuple[frozenset[str], ...]
    ends: dict[int | None, tuple[State, int, int]]  #: by last marker group: state, depth of its place, its uses
    is_line: bool  #: the opening segment begins a line
    level: tuple[int, int, int] | None  #: of an HL or CPS the indices of number, parent and children; -1: not filled
    leaf: bool  #: an HL that begins a line, names a parent, and says that nothing lies below it
    branch: bool  #: an HL that is no line, has a number and names a parent, and may have levels below it
    id: int  #: index of its HL01
    parent: int  #: index of its HL02
    batched: RunPattern  #: the same pattern as it stands in batches
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
        self._codes: dict[tuple[int, int, int], MetCodes] = {}
        self.waiting = 0  #: segments met since something new became hot
        self.stale = False
        self.run: Run | None = None

    def meet(self) -> None:
        """The opening segment was met by the exact walk."""
        self.opened += 1
        self.waiting += self.stale
        if self.run is None and self.opened > HEAT:
            self.stale = True

    def meet_codes(self, place: int, codes: Iterable[tuple[int, int, str]]) -> None:
        """Codes of long lists stood in a faultless segment at ``place``: index of each, component and code."""
        for index, component, code in codes:
            met = self._codes.setdefault((place, index, component), MetCodes())
            self.stale |= met.meet(code, HEAT)

    def spelled(self, place: int, index: int, component: int) -> Set[str]:
        """The codes of a long list that were met there, while they are few; none where they are to be looked up."""
        met = self._codes.get((place, index, component))
        return met.spell() if met is not None else frozenset()

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
        self.batches = Batches(self)
        self._profiles: dict[tuple[tuple[Frame, ...], Shape], Profile] = {}
        self._literals: dict[str, Mapping[tuple[int, int], frozenset[str]]] = {}
        self._checks: dict[str, SegmentCheck] = {}
        self._coded: dict[str, tuple[int, ...]] = {}
        self.compiled = 0  #: patterns so far

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
        profile.meet_codes(move.state.frames[-1].place, self._codes(move.spec, elements, shape))
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
            place = move.state.frames[-1].place
            profile.learn(place, use, shape)
            profile.meet_codes(place, self._codes(move.spec, elements, shape))
            if profile.run is not None:
                self._ripen(profile)

    def _ripen(self, profile: Profile) -> None:
        """Compile a profile that has learned enough since it was compiled last."""
        if profile.stale and (profile.run is None or profile.waiting >= PATIENCE) and self.compiled < MOST_COMPILED:
            self._compile(profile)

    def shape(self, spec: Segment, elements: Sequence[str]) -> Shape | None:
        """The shape of a segment; None for one that cannot be learned (repetitions, shares)."""
        sharing = self.machine.plan.shares
        if sharing is not None and spec.id == sharing.id:
            return None
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
                pieces = self._pieces(value)
                told = (literals.get((i, at), ()) for at in range(len(pieces)))
                shape.append(tuple(p if p in known else bool(p) for p, known in zip(pieces, told, strict=True)))
            else:
                shape.append(value if value in literals.get((i, 0), ()) else True)
        return tuple(shape)

    def _pieces(self, value: str) -> list[str]:
        return value.split(self.delimiters.component) if self.delimiters.component else [value]

    def _codes(self, spec: Segment, elements: Sequence[str], shape: Shape) -> Iterator[tuple[int, int, str]]:
        """The codes of long lists in a segment of this shape: index, component, code. Not those the plan asks for."""
        coded = self._coded.get(spec.id)
        if coded is None:
            coded = self._coded[spec.id] = tuple(i for i, use in enumerate(spec.uses) if _has_codes(use.element))
        for i in coded:
            what, element = shape[i] if i < len(shape) else None, spec.uses[i].element
            if isinstance(element, Composite) and isinstance(what, tuple):
                for at, (piece, filled) in enumerate(zip(self._pieces(elements[i + 1]), what, strict=True)):
                    if filled is True and long_codes(element.element(at, what)):
                        yield i, at, piece
            elif what is True:
                yield i, 0, elements[i + 1]

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
        self.compiled += 1
        profile.stale = False
        profile.waiting = 0
        old, profile.run = profile.run, self._run(profile)
        if old is not None:
            for state in self.machine.states():
                for offer in state.offered:
                    if offer.run is old:
                        offer.run = profile.run

    def _run(self, profile: Profile) -> Run:
        """A profile's pattern as it is now."""
        written = PatternWriter(self, profile, marked=True).write()
        codes = written.codes if len(written.codes) != 1 else written.codes * 2
        is_line, level = self._is_line(profile), written.level
        shape, opens_level = profile.shape, profile.spec.id == "HL"
        plain = opens_level and len(shape) > 2 and shape[0] is True and shape[1] is True
        return Run(
            match=re.compile(written.text).match,
            profile=profile,
            takes=written.takes,
            takes_backwards=written.takes[::-1],
            guarded=written.guarded,
            codes=itemgetter(*(index for index, _ in codes)) if codes else None,
            code_lists=tuple(listed for _, listed in codes),
            ends={group: (state, depth, uses) for group, state, depth, uses in written.ends},
            is_line=is_line,
            leaf=opens_level and is_line and shape[1] is True and shape[3:] == ("0",),
            id=level[0] if level else -1,
            parent=level[1] if level else -1,
            branch=plain and not is_line and shape[3:] != ("0",),
            level=level,
            batched=PatternWriter(self, profile, marked=False).write(),
        )

    def _is_line(self, profile: Profile) -> bool:
        plan, frames = self.machine.plan, profile.frames
        if len(plan.chain) < 2 or not plan.begins_line(frames[-1].loop) or frames[-1].place:
            return False
        position = qualifier_position(profile.spec.id)
        return plan.qualifier in (None, kind_of(profile.shape, position))

    def literals(self, spec: Segment) -> Mapping[tuple[int, int], frozenset[str]]:
        """The qualifiers the plan looks for, by position and component."""
        return self._literals[spec.id]


def _has_codes(element: Element | Composite) -> bool:
    """Whether an element, or a component of it, has a long list of codes."""
    if isinstance(element, Composite):
        return any(_has_codes(use.element) for use in element.uses)
    return long_codes(element) is not None
