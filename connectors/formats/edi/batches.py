"""Batches: the runs that follow one another as one pattern, and what must hold of them.

In a large file thousands of items stand in a row, and most of the time goes into what is done for each of
them. A batch is one pattern for all runs that often follow each other: ``findall`` takes them apart at the speed
of C, into one row of groups a run, and everything else is then worked out for the whole table of rows at once
(see ``batched``): which run may follow which, how often each may stand there, codes, parents, lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import accumulate, compress
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.machine import Machine, Move, State

if TYPE_CHECKING:
    from connectors.formats.edi.runs import Learner, Run
    from connectors.formats.edi.tape import Tape

MOST_KINDS = 16  #: runs in one batch
OFTEN = 8  #: times a run was passed before it has its place in a batch
MOST_BUILT = 12  #: batches built for one machine
CALM = 64  #: runs passed one by one, and none of them new, before a batch is built
STILL = 8  #: the same before it is changed
_FIRST_LETTER = "A"

Row = Sequence[str]
_WHOLE = itemgetter(0)


class Role(Enum):
    """What the opening segment of a run begins. D is the depth of the chain of loops that ends with lines."""

    LEAF = "a line below the level it names"
    BRANCH = "a level with a number, around lines or other levels"
    LINE = "a line in the innermost loop around lines"
    LOOP = "a loop around lines (level D-1)"
    PART = "nothing: it is part of what is open at level D"
    AROUND = "nothing: it is part of the loop around lines (level D-1)"


class Step(NamedTuple):
    """How a run follows what stands before it."""

    again: bool  #: at the same place in its loop
    alone: bool  #: there is no other place further on
    always: bool = True  #: wherever the one before it ended


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One run in a batch, with the indices of its groups in a row of the batch."""

    run: Run
    role: Role
    letter: str
    tag: int  #: index of a group that is filled where a row is of this kind
    takes: tuple[tuple[int, int], ...]  #: (slot, index) of values wanted
    backwards: tuple[tuple[int, int], ...]  #: the same, so that the first of several is written last
    codes: tuple[tuple[int, frozenset[str]], ...]
    number: int  #: index of the level's number, -1 where there is none
    parent: int  #: index of the number of the level above
    states: tuple[State, ...]  #: where it may end
    opens: bool  #: it opens a loop; else it goes on with one that was left for a loop inside
    depth: int  #: of the place it uses
    limit: int  #: how often that may be used in a row

    @property
    def id(self) -> str:
        return self.run.profile.spec.id

    def values(self, row: Row) -> dict[int, str]:
        """What a row holds for each slot, the first of several."""
        values = {}
        for slot, index in self.backwards:
            if value := row[index].rstrip(" "):
                values[slot] = value
        return values

    def values_of(self, rows: Sequence[Row], *, padded: bool) -> Iterable[dict[int, str]]:
        """The same of many rows, in which blanks may end values or surely do not."""
        slots = [slot for slot, _ in self.takes]
        columns = [list(map(itemgetter(index), rows)) for _, index in self.takes]
        if not slots or padded or len(set(slots)) < len(slots):
            return map(self.values, rows)
        together = zip(*columns, strict=True)
        if any("" in column for column in columns):
            return (dict(compress(zip(slots, told, strict=True), told)) for told in together)
        return (dict(zip(slots, told, strict=True)) for told in together)

    def parent_of(self, row: Row) -> str:
        """The number of the level above, as a row names it."""
        return row[self.parent] if self.parent >= 0 else ""

    def columns(self, rows: Sequence[Row]) -> dict[int, Sequence[str]]:
        """What rows hold for each slot, the first of several; empty where there is nothing."""
        groups = list(zip(*rows, strict=True))
        columns: dict[int, Sequence[str]] = {}
        for slot, index in self.takes if rows else ():
            column = columns.get(slot)
            columns[slot] = groups[index] if column is None else _first_filled(column, groups[index])
        return columns

    def within(self, other: Kind) -> bool:
        """Whether it stands inside the loop that ``other`` opens."""
        frames, around = self.run.profile.frames, other.run.profile.frames
        inside = len(frames) - self.opens >= len(around) and frames[len(around) - 1].loop is around[-1].loop
        return inside and other.opens


def _first_filled(column: Sequence[str], other: Sequence[str]) -> list[str]:
    return [mine if mine.strip(" ") else theirs for mine, theirs in zip(column, other, strict=True)]


class Batch:
    """A pattern of several kinds of runs. Rows are what its ``findall`` gives: groups that took no part are empty."""

    def __init__(self, machine: Machine, kinds: Sequence[Kind], delimiters: Delimiters, suffix: str) -> None:
        self.machine = machine
        self.runs = {kind.run for kind in kinds}
        self._terminator = delimiters.segment + suffix
        marks = {delimiters.segment[0], delimiters.element, delimiters.component} - {""}
        self.padding = re.compile(f" [{re.escape(''.join(sorted(marks)))}]")  #: a value that ends with blanks
        self.kinds = {kind.letter: kind for kind in kinds}
        runs = "|".join(dict.fromkeys(kind.run.batched.text for kind in kinds))
        self._pattern = re.compile(f"((?:{runs}))|[\\s\\S]++")
        tags = dict.fromkeys(kind.tag for kind in kinds)
        #: groups by which kinds are told, and the letters that each may stand for
        self.tags = {tag: "".join(kind.letter for kind in kinds if kind.tag == tag) for tag in tags}
        self._steps: dict[str, Step | None] = {}
        self._first_steps: dict[tuple[State, str], Step | None] = {}
        self._ends: dict[str, frozenset[int | None]] = {}
        self._next: dict[str, str] = {}
        self._too_many: dict[str, re.Pattern[str]] = {}

    def rows(self, tape: Tape, size: int) -> tuple[list[Row], list[int]]:
        """The runs that stand in the next ``size`` characters one behind the other, as far as it is certain that they
        are complete: behind the last of them stands a whole segment that it does not go on with. And the byte offset
        where each begins, and where the last one ends.
        """
        end = tape.at + size
        rows: list[Row] = self._pattern.findall(tape.text, tape.at, end)
        if rows and not rows[-1][0]:
            rows.pop()
        offsets = list(accumulate(map(len, map(_WHOLE, rows)), initial=tape.offset))
        if rows and tape.text.find(self._terminator, offsets[-1] - tape.base, end) < 0:
            rows.pop()
            offsets.pop()
        return rows, offsets

    def letters(self, *roles: Role) -> str:
        """The letters of these kinds, as they stand in a class of characters."""
        return "".join(kind.letter for kind in self.kinds.values() if kind.role in roles)

    @cached_property
    def starts(self) -> str:
        """Kinds that begin a line, a level or a loop around lines."""
        return self.letters(Role.LEAF, Role.BRANCH, Role.LINE, Role.LOOP)

    @cached_property
    def loops(self) -> str:
        """Kinds that begin a loop around lines."""
        return self.letters(Role.BRANCH, Role.LOOP)

    @cached_property
    def lines(self) -> str:
        """Kinds that begin a line."""
        return self.letters(Role.LEAF, Role.LINE)

    @cached_property
    def parts(self) -> str:
        """Kinds that are part of a line."""
        return self.letters(Role.PART)

    @cached_property
    def any_loop(self) -> re.Pattern[str]:
        """Rows that begin a loop around lines."""
        return _any(self.loops)

    @cached_property
    def closers(self) -> re.Pattern[str]:
        """Rows that no line goes on with."""
        return _any("".join(kind.letter for kind in self.kinds.values() if kind.role is not Role.PART))

    @cached_property
    def structure(self) -> re.Pattern[str]:
        """Rows that begin a loop around lines or belong to it, and hold something of use."""
        around = (kind for kind in self.kinds.values() if kind.role is Role.AROUND and kind.takes)
        return _any(self.loops + "".join(kind.letter for kind in around))

    @cached_property
    def branches(self) -> re.Pattern[str]:
        """Rows that are no leaves."""
        return _any("".join(kind.letter for kind in self.kinds.values() if kind.role is not Role.LEAF))

    @cached_property
    def tree(self) -> bool:
        """Whether lines are leaves of a tree of levels."""
        return any(kind.role is Role.LEAF for kind in self.kinds.values()) or any(
            kind.role is Role.BRANCH and kind.id == "HL" for kind in self.kinds.values()
        )

    @cached_property
    def contested(self) -> frozenset[int]:
        """Slots that several kinds inside a line may fill: which of them stands first decides."""
        parts = (kind for kind in self.kinds.values() if kind.role is Role.PART)
        counts = Counter(slot for kind in parts for slot in {slot for slot, _ in kind.takes})
        return frozenset(slot for slot, count in counts.items() if count > 1)

    @cached_property
    def empty_loops(self) -> re.Pattern[str]:
        """Loops around lines that another one follows before any line."""
        return re.compile(f"[{self.loops}](?=[^{self.starts}]*+[{self.loops}])") if self.loops else _NEVER

    def step(self, pair: str) -> Step | None:
        """How the second of two kinds follows the first; None where it may not."""
        if pair not in self._steps:
            self._steps[pair] = self._step(self.kinds[pair[0]].states, self.kinds[pair[1]])
        return self._steps[pair]

    def next_of(self, before: str, kinds: str) -> str:
        """Of kinds that look the same the one that may follow ``before``."""
        key = before + kinds
        if key not in self._next:
            self._next[key] = next((kind for kind in kinds if self.step(before + kind)), kinds[0])
        return self._next[key]

    def ends_before(self, pair: str) -> frozenset[int | None]:
        """The markers of the first of two kinds behind which the second may follow."""
        if pair not in self._ends:
            run, kind = self.kinds[pair[0]].run, self.kinds[pair[1]]
            fitting = (marker for marker, end in run.ends.items() if self._one_step(end[0], kind) is not None)
            self._ends[pair] = frozenset(fitting)
        return self._ends[pair]

    def again(self, pair: str) -> bool:
        """Whether the second of two kinds stands at the same place as the first."""
        step = self.step(pair)
        return step is not None and step.again

    def step_from(self, state: State, letter: str) -> Step | None:
        """The same for the first row."""
        key = state, letter
        if key not in self._first_steps:
            self._first_steps[key] = self._step((state,), self.kinds[letter])
        return self._first_steps[key]

    def _step(self, states: Sequence[State], kind: Kind) -> Step | None:
        steps = [step for state in states if (step := self._one_step(state, kind)) is not None]
        return steps[0]._replace(always=len(steps) == len(states)) if len(set(steps)) == 1 else None

    def _one_step(self, state: State, kind: Kind) -> Step | None:
        move = self.machine.step(state, kind.id)
        if move is None or move.missing or move.disorder or move.state.frames != kind.run.profile.frames:
            return None
        if move.again and not kind.opens:
            return None
        return Step(move.again, self.machine.alternative(state, kind.id, move) is None)

    def in_a_row(self, kind: Kind) -> str:
        """A pattern for one instance after another of this kind with what stands inside them."""
        inside = "".join(other.letter for other in self.kinds.values() if other.within(kind))
        return f"{kind.letter}[{inside}]*+" if inside else kind.letter

    def leading(self, kind: Kind, letters: str) -> int:
        """How many of the first rows belong to instances of this kind in a row."""
        inside = "".join(other.letter for other in self.kinds.values() if other.within(kind))
        found = re.match((f"[{inside}]*+" if inside else "") + f"(?:{self.in_a_row(kind)})*+", letters)
        return found.end() if found else 0

    def too_many(self, kind: Kind, letters: str, at: int) -> int:
        """Index of the first row from ``at`` on that is one too many of its kind in a row; -1 for none."""
        pattern = self._too_many.get(kind.letter)
        if pattern is None:
            text = f"(?:{self.in_a_row(kind)}){{{kind.limit}}}{kind.letter}"
            pattern = self._too_many[kind.letter] = re.compile(text)
        found = pattern.search(letters, at)
        return found.end() - 1 if found else -1


_NEVER = re.compile("(?!)")


def _any(letters: str) -> re.Pattern[str]:
    return re.compile(f"[{letters}]") if letters else _NEVER


class Batches:
    """The batch of one machine, built anew as more is learned."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._built = 0
        self._compiled = 0  #: runs that had been compiled when it was looked at last
        self._missed = 0
        self._batch: Batch | None = None

    def current(self, missed: int) -> Batch | None:
        """The batch to use now; None while there is none. ``missed``: runs passed one by one since it was asked for."""
        if self._compiled != self._learner.compiled:
            self._compiled, self._missed = self._learner.compiled, STILL if self._is_outgrown else 0
        self._missed += missed
        if self._missed >= (STILL if self._batch else CALM) and self._built < MOST_BUILT:
            self._missed = 0
            chosen = choose_runs(self._learner)
            if chosen and (self._batch is None or {run for run, _, _ in chosen} != self._batch.runs):
                self._built += 1
                self._batch = build_batch(self._learner, chosen)
        return self._batch

    @property
    def _is_outgrown(self) -> bool:
        """Whether any of its runs has learned more since: what it learned would never be found by the batch."""
        return self._batch is not None and any(run.profile.run is not run for run in self._batch.runs)


Chosen = tuple["Run", "Role", "Move"]


def choose_runs(learner: Learner) -> list[Chosen]:
    """The runs passed most that have a place in a batch; none where there is nothing to gain."""
    machine = learner.machine
    if machine.plan.counts:
        return []
    used: Counter[Run] = Counter()
    moves: dict[Run, Move] = {}
    for state in machine.states():
        for offer in state.offered:
            used[offer.run] += offer.used
            moves[offer.run] = offer.move
    chosen: list[Chosen] = []
    line = ""
    for run, times in used.most_common():
        role = _role(machine, run, moves[run]) if times >= OFTEN and len(chosen) < MOST_KINDS else None
        if role is Role.LINE:
            line = line or run.profile.spec.id
            role = role if line == run.profile.spec.id else None
        if role is not None:
            chosen.append((run, role, moves[run]))
    return chosen


def build_batch(learner: Learner, chosen: Sequence[Chosen]) -> Batch:
    """A batch of these runs; what stands first is tried first. Runs of one text share its groups."""
    kinds = []
    firsts: dict[str, int] = {}
    first = 1
    for number, (run, role, move) in enumerate(chosen):
        text = run.batched.text
        if text not in firsts:
            firsts[text] = first
            first += run.batched.groups
        kinds.append(_kind(run, role, chr(ord(_FIRST_LETTER) + number), firsts[text], move))
    return Batch(learner.machine, kinds, learner.delimiters, learner.suffix)


def _kind(run: Run, role: Role, letter: str, first: int, move: Move) -> Kind:
    pattern = run.batched
    number, parent, _ = pattern.level or (-1, -1, -1)
    return Kind(
        run=run,
        role=role,
        letter=letter,
        tag=first,
        takes=tuple((slot, first + index) for slot, index in pattern.takes),
        backwards=tuple((slot, first + index) for slot, index in reversed(pattern.takes)),
        codes=tuple((first + index, listed) for index, listed in pattern.codes),
        number=first + number if number >= 0 else -1,
        parent=first + parent if parent >= 0 else -1,
        states=tuple(state for _, state, _, _ in pattern.ends),
        opens=move.opens,
        depth=move.depth,
        limit=move.limit,
    )


def _role(machine: Machine, run: Run, move: Move) -> Role | None:
    """What a run is in a batch; None where it has no place in one."""
    plan = machine.plan
    deepest = len(plan.chain) - 1
    named = {loop.id for place in plan.places for loop in place.loops}
    spec = run.profile.spec
    if run.guarded or spec.id in named or (not move.opens and len(run.profile.frames) < 2):
        return None
    if deepest == 0:
        return Role.PART
    if not move.starts:
        return Role.PART if move.level == deepest else Role.AROUND if move.level == deepest - 1 > 0 else None
    if run.level is not None:
        if run.leaf and deepest == 1:
            return Role.LEAF
        plain = not run.is_line and run.level[0] >= 0
        return Role.BRANCH if plain and (spec.id, deepest) in (("HL", 1), ("CPS", 2)) else None
    if run.is_line:
        return Role.LINE if move.level == deepest else None
    return Role.LOOP if move.level == deepest - 1 > 0 else None
