"""The rows that a batch found, as a table: which kind each one is, and how many of them are surely faultless."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, compress, product, repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from connectors.formats.edi.batches import Batch, Kind, Row
from connectors.formats.edi.machine import State

if TYPE_CHECKING:
    from connectors.formats.edi.body import Body


class Table:
    """The rows found, and how many of them are surely faultless. ``offsets`` are the bytes where each row begins (of
    rows that were left out as well), and where the last one ends."""

    def __init__(self, body: Body, batch: Batch, rows: list[Row], offsets: list[int]) -> None:
        self.body, self.batch, self.rows, self.offsets = body, batch, rows, offsets
        wholes = [row[0] for row in rows]
        terminator = body.delimiters.segment
        #: number of each row's first segment, and of the one behind the last
        self.numbers = list(accumulate(map(str.count, wholes, repeat(terminator)), initial=body.number + 1))
        #: the kind of each row
        self.letters = "".join(self._letters())
        self._where: dict[str, list[int]] = {}
        self.again = False  #: whether the first row stands at the same place as what came before it

    def where(self, letter: str) -> list[int]:
        """Indices of the rows of a kind."""
        if letter not in self._where:
            self._where[letter] = list(compress(range(len(self.rows)), map(letter.__eq__, self.letters)))
        return self._where[letter]

    def _letters(self) -> list[str]:
        """The kind of each row; where several look the same, the one that may follow the row before."""
        batch, rows = self.batch, self.rows
        first, *others = batch.tags.items()
        letters = [first[1][0]] * len(rows)
        alike: list[tuple[int, str]] = []
        for tag, kinds in others:
            for index in compress(range(len(rows)), [row[tag] for row in rows]):
                letters[index] = kinds[0]
                if len(kinds) > 1:
                    alike.append((index, kinds))
        if len(first[1]) > 1:
            alike += [(index, first[1]) for index, letter in enumerate(letters) if letter == first[1][0]]
        for index, kinds in sorted(alike):
            if index:
                letters[index] = batch.next_of(letters[index - 1], kinds)
            else:
                letters[0] = next((kind for kind in kinds if batch.step_from(self.body.state, kind)), kinds[0])
        return letters

    def at(self, index: int) -> int:
        """Where a row begins in the window."""
        return self.offsets[index] - self.body.tape.base

    def of(self, letter: str, size: int) -> tuple[list[int], list[Row]]:
        """Indices and rows of a kind among the first ``size``."""
        where = self.where(letter)
        if where and where[-1] >= size:
            where = where[: bisect_left(where, size)]
        return where, [self.rows[index] for index in where]

    def sound(self) -> int:
        """How many rows, from the first, follow each other as they may and hold nothing but known codes."""
        size = self._in_order()
        for kind in map(self.batch.kinds.__getitem__, set(self.letters)):
            if size and kind.opens:
                size = min(size, self._within_use(kind, size))
            if size and kind.codes:
                size = min(size, self._of_known_codes(kind, size))
        return size

    def _in_order(self) -> int:
        letters, batch = self.letters, self.batch
        first = batch.step_from(self.body.state, letters[0])
        if first is None:
            return 0
        self.again = first.again
        kind = batch.kinds[letters[0]]
        if first.again and not first.alone and self.body.uses[kind.depth] >= kind.limit:
            return 0
        steps = {pair: batch.step(pair) for pair in side_by_side(letters)}
        size = min((letters.find(pair) + 1 for pair, step in steps.items() if step is None), default=len(letters))
        for pair in (pair for pair, step in steps.items() if step and not step.always):
            size = self._where_it_may(pair, size)
        return size

    def _where_it_may(self, pair: str, size: int) -> int:
        """Rows before the first that follows where the one before it ended too late for it."""
        text, base, offsets = self.body.tape.text, self.body.tape.base, self.offsets
        match, allowed = self.batch.kinds[pair[0]].run.match, self.batch.ends_before(pair)
        index = self.letters.find(pair, 0, size)
        while index >= 0:
            found = match(text, offsets[index] - base, offsets[index + 1] - base)
            if found is None or found.lastindex not in allowed:
                return index + 1
            index = self.letters.find(pair, index + 1, size)
        return size

    def run_of(self, index: int) -> tuple[State, int, int]:
        """Where the run in a row ended, the depth of its last place and how often that was used."""
        run = self.batch.kinds[self.letters[index]].run
        found = run.match(self.body.tape.text, self.at(index), self.at(index + 1))
        assert found is not None, "what a batch matches its run matches too"
        return run.ends[found.lastindex]

    def _within_use(self, kind: Kind, size: int) -> int:
        """Rows before the one that is the first too many of its kind in a row."""
        letters, before = self.letters, self.body.uses[kind.depth]
        if letters[0] == kind.letter and not self.again:
            before = 0
        if before + letters.count(kind.letter) <= kind.limit:
            return size
        leading = self.batch.leading(kind, letters)
        count = letters.count(kind.letter, 0, leading)
        if count and before + count > kind.limit:
            if before <= kind.limit or letters[0] != kind.letter or not self._alone(kind):
                return self.where(kind.letter)[max(kind.limit - before, 0)]
        else:
            leading = 0
        first = self.batch.too_many(kind, letters, leading)
        return size if first < 0 else first

    def _alone(self, kind: Kind) -> bool:
        """Whether no other place further on may take what is too many here."""
        pairs = {pair for pair in side_by_side(self.letters) if pair[1] == kind.letter}
        first = self.batch.step_from(self.body.state, kind.letter)
        steps = [first, *map(self.batch.step, pairs)]
        return all(step is not None and (step.alone or not step.again) for step in steps)

    def _of_known_codes(self, kind: Kind, size: int) -> int:
        """Rows before the first of this kind that holds a code no list has."""
        where, rows = self.of(kind.letter, size)
        for index, listed in kind.codes:
            unknown = set(map(itemgetter(index), rows)) - listed - {""}
            if unknown:
                size = min(size, next(at for at, row in zip(where, rows, strict=True) if row[index] in unknown))
        return size


def side_by_side(letters: str) -> set[str]:
    """The kinds that stand side by side somewhere."""
    kinds = set(letters)
    return {pair for pair in map("".join, product(kinds, kinds)) if pair in letters}
