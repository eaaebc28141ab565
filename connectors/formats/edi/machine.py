"""A transaction set's grammar and one plan, as a machine that is stepped segment by segment.

A ``State`` is a place in the tree of loops; a ``Move`` says what a segment met there does: where it
leads, which mandatory segments were passed over, which loop it opens and which values the plan
wants of it. Moves are worked out the first time they are needed and remembered, so that reading is
a walk along dictionary entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connectors.formats.edi.agreed import Agreed
from connectors.formats.edi.grammar import Composite, Element, Grammar, Part, Segment, TransactionSet
from connectors.formats.edi.paths import Place, Sharing, find_loop, qualifier_position

if TYPE_CHECKING:
    from connectors.formats.edi.runs import Run

COMMA = -1  #: in place of implied decimals: a comma may stand for the decimal point


class Frame(NamedTuple):
    """An open loop and the place in it last used: 0 its first segment, n its n-th member.

    ``strict`` is False once segments of this loop came out of order: what is missing then cannot be told.
    """

    loop: Part
    place: int
    strict: bool = True


class Capture(NamedTuple):
    """A value the plan wants of a segment."""

    slot: int
    qualifier: str | None
    position: int  #: of the element that must equal the qualifier
    element: int  #: 0: the id after the pair qualifier
    component: int  #: 0: the whole element
    openers: tuple[tuple[int, int, str], ...]  #: (depth of frame, element, value) the enclosing loops must show
    when: tuple[tuple[int, str], ...] = ()  #: (element, value) the segment itself must show besides


@dataclass(slots=True, eq=False)
class Offer:
    """A run that may begin in a state by a move; ``used`` counts how often it did."""

    run: Run
    move: Move
    used: int = 0


@dataclass(slots=True, eq=False)
class State:
    """A place in the set: the open loops, outermost first."""

    frames: tuple[Frame, ...]
    moves: dict[str, Move | None] = field(default_factory=dict)
    offered: list[Offer] = field(default_factory=list)  #: runs that may begin here, the most used first


@dataclass(slots=True, eq=False)
class Move:
    """What a segment does in a state."""

    state: State
    spec: Segment
    depth: int  #: index of the frame whose place is used; a loop's own frame lies one deeper
    limit: int  #: how often the place may be used in a row
    again: bool  #: the same place as before
    opens: bool  #: the segment opens a loop
    missing: tuple[str, ...]  #: mandatory segments passed over
    disorder: bool  #: the segment stands before its turn or after it
    level: int  #: how many loops of the line's chain enclose the segment
    starts: bool  #: opens the loop of that level
    captures: tuple[Capture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The compiled form of a LinePlan: the chain of loops down to the line's, and the places wanted.

    ``others``, ``bare``, ``counts`` and ``shares`` as in ``paths.LineLoops``; ``agreed`` is what the partner's file
    says of the grammar.
    """

    grammar: Grammar
    set: TransactionSet
    chain: tuple[Part, ...]
    qualifier: str | None
    places: tuple[Place, ...]
    others: tuple[tuple[Part, ...], ...] = ()
    bare: bool = False
    counts: int = 0
    shares: Sharing | None = None
    agreed: Agreed | None = None

    def loops_in(self, set_: TransactionSet) -> tuple[tuple[Part, ...] | None, tuple[tuple[Part, ...], ...]]:
        """``chain`` and ``others`` as another version has them; None where it has no such loop."""
        chains = (find_loop(set_, tuple(part.id for part in one[1:])) for one in (self.chain, *self.others))
        chain, *others = chains
        if chain is None:
            return None, ()
        return chain, tuple(one for one in others if one is not None and one[: len(chain) - 1] == chain[:-1])

    def begins_line(self, loop: Part) -> bool:
        """Whether this loop is one that makes lines."""
        return loop is self.chain[-1] or any(loop is other[-1] for other in self.others)


class Machine:
    """The states of one transaction set under one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.segments = plan.grammar.segments
        self._states: dict[tuple[Frame, ...], State] = {}
        self.start = self.state((Frame(plan.set.root, 0),))
        self.decimals = tuple(_decimals(plan.grammar, place) for place in plan.places)

    def step(self, state: State, id_: str) -> Move | None:
        """The move a segment makes; None when it stands nowhere in the set."""
        try:
            return state.moves[id_]
        except KeyError:
            move = next(self._forward(state, id_), None) or self._backward(state, id_)
            if len(state.moves) < 1000:
                state.moves[id_] = move
            return move

    def alternative(self, state: State, id_: str, taken: Move) -> Move | None:
        """Another place further on for a segment whose place ``taken`` is used up."""
        for move in self._forward(state, id_):
            if (move.depth, move.state.frames) != (taken.depth, taken.state.frames):
                return move
        return None

    def state(self, frames: tuple[Frame, ...]) -> State:
        """The one state with these frames."""
        return self._states.setdefault(frames, State(frames))

    def states(self) -> Iterable[State]:
        """All states met so far."""
        return self._states.values()

    def _forward(self, state: State, id_: str) -> Iterator[Move]:
        """Places from here on, innermost loop first, in order."""
        missing: list[str] = []
        for depth in range(len(state.frames) - 1, -1, -1):
            loop, index, strict = state.frames[depth]
            for i in range(max(index, 1), len(loop.members) + 1):
                member = loop.members[i - 1]
                if member.id == id_:
                    yield self._move(state, depth, i, tuple(missing))
                if member.required and i > index and strict:
                    missing.append(member.id)

    def _backward(self, state: State, id_: str) -> Move | None:
        """A place that should have come earlier, innermost loop first."""
        for depth in range(len(state.frames) - 1, -1, -1):
            loop, index, _ = state.frames[depth]
            for i in range(1, min(index, len(loop.members) + 1)):
                if loop.members[i - 1].id == id_:
                    return self._move(state, depth, i, (), disorder=True)
        return None

    def _move(self, state: State, depth: int, index: int, missing: tuple[str, ...], *, disorder: bool = False) -> Move:
        outer = state.frames[: depth + 1]
        loop, before, strict = outer[-1]
        member = loop.members[index - 1]
        if disorder and not member.loop:
            frames = (*outer[:-1], Frame(loop, before, False), *state.frames[depth + 1 :])
        else:
            frames = (*outer[:-1], Frame(loop, index, strict and not disorder))
        if member.loop:
            frames = (*frames, Frame(member, 0))
        level = self._level(frames)
        return Move(
            state=self.state(frames),
            spec=self.segments[member.id],
            depth=depth,
            limit=member.most,
            again=index == before and not disorder,
            opens=member.loop,
            missing=missing,
            disorder=disorder,
            level=level,
            starts=member.loop and level > 0 and self._starts(member, level, len(frames)),
            captures=self.captures(member.id, frames),
        )

    def _starts(self, loop: Part, level: int, depth: int) -> bool:
        if loop is self.plan.chain[level]:
            return depth == level + 1
        return self.plan.begins_line(loop)

    def _level(self, frames: tuple[Frame, ...]) -> int:
        level = 0
        for frame, part in zip(frames[1:], self.plan.chain[1:], strict=False):
            if frame.loop is not part:
                break
            level += 1
        inner = frames[level + 1 :]
        if level == len(self.plan.chain) - 2 and any(self.plan.begins_line(frame.loop) for frame in inner):
            level += 1
        return level

    def captures(self, id_: str, frames: tuple[Frame, ...]) -> tuple[Capture, ...]:
        """What the plan wants of a segment that stands in these frames."""
        ids = [frame.loop.id for frame in frames]
        found = []
        for slot, place in enumerate(self.plan.places):
            if place.id != id_:
                continue
            openers = self._openers(place, ids)
            if openers is not None:
                position = qualifier_position(id_)
                found.append(
                    Capture(slot, place.qualifier, position, place.element, place.component, tuple(openers), place.when)
                )
        return tuple(found)

    @staticmethod
    def _openers(place: Place, ids: list[str]) -> list[tuple[int, int, str]] | None:
        """Depths of the loops a path names, innermost last; None when the segment is not inside them."""
        found: list[tuple[int, int, str]] = []
        depth = len(ids)
        for loop in reversed(place.loops):
            depth = next((d for d in range(depth - 1, -1, -1) if ids[d] == loop.id), -1)
            if depth < 0:
                return None
            if loop.qualifier is not None:
                found.append((depth, qualifier_position(loop.id), loop.qualifier))
        return found


def _decimals(grammar: Grammar, place: Place) -> int:
    """Implied decimals of the element a path leads to; COMMA for a number of EDIFACT."""
    segment = grammar.segments.get(place.id)
    if segment is None or not place.element or place.element > len(segment.uses):
        return 0
    element = segment.uses[place.element - 1].element
    if isinstance(element, Composite):
        uses = element.uses[place.component - 1 : place.component] if place.component else ()
        element = uses[0].element if uses else element
    elif place.component and not grammar.standard.leading:
        return 0
    if not isinstance(element, Element):
        return 0
    return COMMA if element.type == "n" else element.decimals
