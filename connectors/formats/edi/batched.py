"""A batch is passed: what must hold of its rows, and the lines and levels that they make.

Rows are passed up to the first that is not surely faultless, or that takes more than a look at the table; the
walk goes on from there. What is left behind is what the walk one by one would have left.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, compress, islice, pairwise, repeat
from operator import ne
from typing import TYPE_CHECKING

from connectors.formats.edi.batch_table import Table, side_by_side
from connectors.formats.edi.batches import Batch, Kind, Role, Row
from connectors.formats.edi.lines import CHUNK_ROWS, MOST_ROWS, Around, Scope, Values

if TYPE_CHECKING:
    from connectors.formats.edi.body import Body

_MANY = 8  #: levels side by side that are opened as one

Columns = dict[int, Sequence[str]]  #: by slot; empty text where there is nothing


def pass_batch(body: Body, batch: Batch, size: int) -> int:
    """Pass what stands in the next ``size`` characters as far as it is sure; how many runs were passed.

    The walk stands behind the last of them, with everything that the body knows about it.
    """
    if body.around is not None and body.around.findings:
        return 0
    tape = body.tape
    rows, offsets = batch.rows(tape, size)
    if not tape.text.isascii():
        rows = list(_spelled(body, rows))
    table = Table(body, batch, rows, offsets) if rows else None
    sound = table.sound() if table else 0
    return _Passage(body, batch, table, sound).run() if table and sound else 0


def _spelled(body: Body, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows as they are meant, up to the first that would be a guess; the text of each stays as it stands there."""
    for row in rows:
        if row[0].isascii():
            yield row
        elif body.certain(row[0]):
            yield [row[0], *(value or "" for value in body.spelled(row[1:]))]
        else:
            return


def _values(columns: Columns, begin: int, end: int) -> Iterator[Values]:
    """What stands in these rows of the columns, row by row."""
    for at in range(begin, end):
        yield {slot: text for slot, column in columns.items() if (text := column[at])}


class _Passage:
    """Rows of a table are passed, as many as are sound and have room."""

    def __init__(self, body: Body, batch: Batch, table: Table, size: int) -> None:
        self.body, self.batch, self.table, self.size = body, batch, table, size
        self.pending = 0  #: lines that wait in the body
        self.lines: list[int] = []  #: the rows that are lines
        self.bare: list[int] = []  #: those of them that are loops around lines
        self.parents: list[Scope] = []  #: of each line
        self.late: list[tuple[int, int, str]] = []  #: position of a line, slot, value: found behind its opening
        self.line_open = body.line_open  #: whether a line was open when the first row came

    def run(self) -> int:
        """Pass them; how many were passed."""
        body = self.body
        if body.deepest:
            if body.machine.plan.bare and body.around is not None and not body.kind:
                if self.table.letters[0] not in self.batch.loops:
                    return 0
                assert not list(body.settle(body.tape.offset)), "nothing is wrong with the loop before"
            self.pending = len(body.lines.offsets)
            self._find_lines()
            self.size = self._with_room()
            self._find_lines()
            self.size = self._tree() if self.batch.tree else self._loops()
            self._find_lines()
            if self.size:
                self._close_lines()
                self._keep_lines()
        if self.size:
            self._stand_behind()
        return self.size

    def _find_lines(self) -> None:
        """Which rows are lines: those that open one, and loops around lines that hold none."""
        table, batch = self.table, self.batch
        own = [index for letter in batch.lines for index in table.where(letter)]
        if self.body.machine.plan.bare:
            self.bare = [found.start() for found in batch.empty_loops.finditer(table.letters, 0, self.size)]
            own += self.bare
        if len(batch.lines) > 1 or self.bare:
            own.sort()
        self.lines = own[: bisect_left(own, self.size)]

    def _with_room(self) -> int:
        """Rows before the one that begins something when as many lines wait as may."""
        size, deepest, batch = self.size, self.body.deepest, self.batch
        outer, inner = (batch.starts, "") if deepest == 1 else (batch.loops, batch.lines)
        for letters, most in ((outer, CHUNK_ROWS if deepest <= 2 else MOST_ROWS), (inner, MOST_ROWS)):
            room = most - self.pending
            if room <= len(self.lines):
                size = min(size, self._next(letters, self.lines[room - 1] + 1 if room > 0 else 0))
        return size

    def _next(self, letters: str, at: int) -> int:
        """Index of the next row of these kinds from ``at`` on; the size where there is none."""
        found = (self.table.letters.find(letter, at, self.size) for letter in letters)
        return min((index for index in found if index >= 0), default=self.size)

    def _tree(self) -> int:
        """Open the levels, and find those that lines name; rows before one that is not as plain as that."""
        body, kinds, rows, letters = self.body, self.batch.kinds, self.table.rows, self.table.letters
        owner, at, size = body.scopes[1], 0, self.size
        if body.line_open and owner is not None:
            size = self._next(self.batch.parts, 0)
        named = self._named()
        branches = _where(self.batch.branches, letters, size)
        level: Scope | None = None
        for place, index in enumerate((*branches, size)):
            if index < at:
                continue
            if at < index:
                lines = len(self.parents)
                known = self._name_parents(named[lines : lines + index - at])
                owner = None if known else owner
                at += known
            if at < index or index == size:
                break
            kind, row = kinds[letters[index]], rows[index]
            if kind.role is Role.BRANCH:
                if level is None and (opened := self._open_levels(branches[place:], named[len(self.parents) :], size)):
                    level, end = opened[-1], place + len(opened)
                    at = branches[end] if end < len(branches) else size
                    owner = None if at > branches[end - 1] + 1 else level
                    continue
                if level is not None:
                    level.let_go()
                level = body.hierarchy.plain_level(row[kind.number], kind.parent_of(row), kind.values(row))
                if level is None:
                    break
                owner = level
            elif kind.takes:
                self._take(kind, row, owner)
            at = index + 1
        body.scopes[1] = owner
        return at

    def _open_levels(self, branches: Sequence[int], named: Sequence[str], size: int) -> list[Scope]:
        """Levels that begin at these rows, if nothing else stands there than each one's lines right behind it.

        They are opened as far as they are plain, and their lines are below them. None where a line names another level.
        """
        kinds = [self.batch.kinds[self.table.letters[index]] for index in branches]
        if any(kind.role is not Role.BRANCH for kind in set(kinds)):
            return []
        rows = [self.table.rows[index] for index in branches]
        numbers = [row[kind.number] for kind, row in zip(kinds, rows, strict=True)]
        lines = [behind - index - 1 for index, behind in pairwise((*branches, size))]
        if named != list(chain.from_iterable(map(repeat, numbers, lines))):
            return []
        parents = [kind.parent_of(row) for kind, row in zip(kinds, rows, strict=True)]
        if kinds.count(kinds[0]) == len(kinds):
            opened = self._open_alike(numbers, parents, kinds[0].columns(rows))
        else:
            opened = self.body.hierarchy.plain_levels(numbers, parents, self._values(kinds, rows))
        for level in opened[:-1]:
            level.let_go()
        self.parents += chain.from_iterable(map(repeat, opened, lines))
        return opened

    def _open_alike(self, numbers: Sequence[str], parents: Sequence[str], columns: Columns) -> list[Scope]:
        """Levels of one kind, as far as they are plain; many below the same one are opened as one."""
        if self.padded:
            columns = {slot: [value.rstrip(" ") for value in column] for slot, column in columns.items()}
        hierarchy, size = self.body.hierarchy, len(numbers)
        opened: list[Scope] = []
        cuts = [0, *compress(range(1, size), map(ne, parents, islice(parents, 1, None))), size]
        for begin, end in pairwise(cuts):
            own: Sequence[Scope] = ()
            if end - begin >= _MANY:
                own = hierarchy.siblings(numbers[begin:end], parents[begin], columns, begin)
            if not own:
                own = hierarchy.plain_levels(numbers[begin:end], parents[begin:end], _values(columns, begin, end))
            opened += own
            if len(own) < end - begin:
                break
        return opened

    def _values(self, kinds: Sequence[Kind], rows: Sequence[Row]) -> list[Values]:
        """What each row holds for each slot, as ``Kind.values``."""
        told: dict[Kind, Iterator[Values]] = {}
        for kind in set(kinds):
            own = [row for one, row in zip(kinds, rows, strict=True) if one is kind]
            told[kind] = iter(kind.values_of(own, padded=self.padded))
        return [next(told[kind]) for kind in kinds]

    @cached_property
    def padded(self) -> bool:
        """Whether any value in the table may end with blanks."""
        table = self.table
        return self.batch.padding.search(self.body.tape.text, table.at(0), table.at(len(table.rows))) is not None

    def _named(self) -> list[str]:
        """The numbers of the levels that lines name."""
        kinds, letters, rows = self.batch.kinds, self.table.letters, self.table.rows
        indices = {kinds[letter].parent for letter in self.batch.lines}
        if len(indices) == 1:
            index = indices.pop()
            return [rows[line][index] for line in self.lines]
        return [rows[line][kinds[letters[line]].parent] for line in self.lines]

    def _name_parents(self, named: Sequence[str]) -> int:
        """The levels that consecutive lines name are their parents; how many of them are known."""
        find = self.body.hierarchy.parent
        if named.count(named[0]) == len(named):
            parent = find(named[0])
            if parent is None:
                return 0
            self.parents += [parent] * len(named)
            return len(named)
        for count, name in enumerate(named):
            parent = find(name)
            if parent is None:
                return count
            self.parents.append(parent)
        return len(named)

    def _loops(self) -> int:
        """Open the loops around lines, and take what belongs to them; rows before one that is not as plain as that."""
        body, kinds, table, level = self.body, self.batch.kinds, self.table, self.body.deepest - 1
        scope, at, bare = body.scopes[level], 0, set(self.bare)
        for index in (*_where(self.batch.structure, table.letters, self.size), self.size):
            if index > at and (count := bisect_left(self.lines, index) - bisect_left(self.lines, at)):
                assert scope is not None, "the loops of the chain open from the outside in"
                self.parents += [scope] * count
            if index == self.size:
                at = index
                break
            kind, row = kinds[table.letters[index]], table.rows[index]
            at = index + 1
            if kind.role is Role.AROUND:
                if kind.takes:
                    self._take(kind, row, scope)
                continue
            outer = body.scopes[level - 1]
            assert outer is not None, "the loops of the chain open from the outside in"
            if index in bare:
                scope = None
                self.parents.append(outer)
                continue
            if kind.role is Role.BRANCH:
                scope = body.hierarchy.plain_level(row[kind.number], kind.parent_of(row), kind.values(row))
                if scope is None:
                    at = index
                    break
            else:
                scope = Scope(outer, kind.values(row))
            body.scopes[level], body.kind = scope, ""
            first = body.lines.done + self.pending + len(self.parents) + 1
            body.around = Around(table.numbers[index], table.offsets[index], scope, first)
        return at

    def _take(self, kind: Kind, row: Row, scope: Scope | None) -> None:
        """The values of a part belong to this scope, or else to the line begun last."""
        position = self.pending + len(self.parents) - 1
        for slot, index in kind.takes:
            if value := row[index].rstrip(" "):
                if scope is None:
                    self.late.append((position, slot, value))
                else:
                    scope.values.setdefault(slot, value)

    def _close_lines(self) -> None:
        """Each line ends where the next row begins that is no part of it; the last one may stay open."""
        body, table, batch, size = self.body, self.table, self.batch, self.size
        offsets, letters = table.offsets, table.letters
        closers = _where(batch.closers, letters, size) if batch.parts else range(size)
        if not closers:
            return
        if body.line_open:
            body.lines.ends.append(offsets[closers[0]])
        if not (batch.parts or self.bare):
            body.lines.ends += [offsets[index + 1] for index in self.lines if index + 1 < size]
        elif self.bare:
            behind = dict(pairwise(closers))
            behind.update(pairwise(_where(batch.any_loop, letters, size)))
            body.lines.ends += [offsets[behind[index]] for index in self.lines if index in behind]
        else:
            lines = batch.lines
            body.lines.ends += [offsets[behind] for index, behind in pairwise(closers) if letters[index] in lines]
        body.line_open = bool(self.lines) and self.lines[-1] == closers[-1]

    def _keep_lines(self) -> None:
        """The lines' rows and what was found behind them, as columns."""
        table, lines, batch, own = self.table, self.body.lines, self.batch, self.lines
        lines.parents += self.parents
        lines.segments += map(table.numbers.__getitem__, own)
        lines.offsets += map(table.offsets.__getitem__, own)
        columns = self._opened()
        if batch.parts and not batch.tree:
            self._take_parts(columns)
        for position, slot, value in self.late:
            if position < self.pending:
                lines.put_at(position, slot, value)
            else:
                _put(columns, slot, len(own), ((position - self.pending, value),))
        lines.keep(self.pending, columns, padded=self.padded)

    def _opened(self) -> Columns:
        """What the lines' opening rows hold."""
        table, batch, own = self.table, self.batch, self.lines
        columns: Columns = {}
        bare = set(self.bare)
        for letter in batch.lines if not bare else batch.lines + batch.loops:
            where, rows = table.of(letter, self.size)
            if letter in batch.loops:
                rows = [row for index, row in zip(where, rows, strict=True) if index in bare]
                where = [index for index in where if index in bare]
            found = batch.kinds[letter].columns(rows)
            if len(rows) == len(own):
                return found
            places = [bisect_left(own, index) for index in where]
            for slot, column in found.items():
                _put(columns, slot, len(own), zip(places, column, strict=True))
        return columns

    def _take_parts(self, columns: Columns) -> None:
        """What stands in the parts of lines; where several kinds may fill a slot, in the order of the rows."""
        table, batch, size = self.table, self.batch, len(self.lines)
        begun = list(accumulate(map(set(self.lines).__contains__, range(self.size))))
        contested: list[tuple[int, int, int, str]] = []
        for letter in batch.parts:
            kind = batch.kinds[letter]
            where, rows = table.of(letter, self.size) if kind.takes else ([], [])
            places = [begun[index] - 1 for index in where]
            first = bisect_left(places, 0)  # rows before it belong to the line that was open before
            for slot, column in kind.columns(rows).items():
                if slot in batch.contested:
                    contested += zip(where, places, repeat(slot), column, strict=False)
                    continue
                _put(columns, slot, size, zip(places[first:], column[first:], strict=True))
                contested += zip(where[:first], places, repeat(slot), column, strict=False)
        for _, place, slot, value in sorted(contested):
            if place >= 0:
                _put(columns, slot, size, ((place, value),))
            elif self.line_open and (text := value.rstrip(" ")):
                self.body.lines.put_at(self.pending - 1, slot, text)

    def _stand_behind(self) -> None:
        """The walk stands behind the last row that was passed."""
        body, batch, table, size = self.body, self.batch, self.table, self.size
        self._count_uses()
        last = batch.kinds[table.letters[size - 1]]
        body.state, depth, uses = table.run_of(size - 1)
        body.uses[depth] = uses
        body.profile = last.run.profile
        body.number = table.numbers[size] - 1
        begun = [index for letter in batch.starts if (index := table.letters.rfind(letter, 0, size)) >= 0]
        if begun:
            body.header_open = False
            opener = batch.kinds[table.letters[max(begun)]]
            opens_line = opener.role in (Role.LINE, Role.LEAF)
            body.line = body.lines.count if opens_line else None
            body.kind = opener.id if opener.role is Role.LINE else ""
        body.tape.at = table.at(size)

    def _count_uses(self) -> None:
        """How often the places used last were used in a row."""
        letters, batch, size, uses = self.table.letters, self.batch, self.size, self.body.uses
        pairs = side_by_side(letters[:size])
        for depth in {batch.kinds[letter].depth for letter in set(letters)}:
            mine = [letter for letter, kind in batch.kinds.items() if kind.depth == depth]
            fresh = [pair for pair in pairs if pair[1] in mine and not batch.again(pair)]
            first = max((letters.rfind(pair, 0, size) + 1 for pair in fresh), default=0)
            if not first and (letters[0] not in mine or self.table.again):
                uses[depth] += sum(letters.count(letter, 0, size) for letter in mine)
            else:
                uses[depth] = sum(letters.count(letter, first, size) for letter in mine)


def _put(columns: Columns, slot: int, size: int, values: Iterable[tuple[int, str]]) -> None:
    """Put values at their places in a column where nothing stands there yet."""
    column = columns.get(slot)
    if not isinstance(column, list):
        column = columns[slot] = [""] * size if column is None else list(column)
    for place, value in values:
        if value and not column[place].strip(" "):
            column[place] = value


def _where(pattern: re.Pattern[str], letters: str, size: int) -> list[int]:
    """Where the rows of some kinds stand."""
    return [found.start() for found in pattern.finditer(letters, 0, size)]
