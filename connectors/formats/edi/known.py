"""The fast way through a set: run after run, as long as the text begins with one that is known.

Most of a large file passes here, nearly all of it in batches; between them run by run. The exact walk is told
where that stands only when it takes over.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.collector import no_collection
from connectors.formats.edi.batched import pass_batch
from connectors.formats.edi.lines import CHUNK_ROWS, MOST_ROWS, Row, Scope, Values
from connectors.formats.edi.machine import Move, Offer
from connectors.formats.edi.runs import Run
from schemas.documents import DocumentEnd, LineChunk
from schemas.findings import Finding

if TYPE_CHECKING:
    from connectors.formats.edi.body import Body


AHEAD = 1 << 13  #: characters there should be before runs are tried, so that none is cut short
LEAST, MOST = 1 << 11, 1 << 16  #: characters that are looked at for one batch
MANY = 16  #: runs that make a batch worth while
LATE = 128  #: most runs passed one by one between two batches


@dataclass(slots=True)
class Pace:
    """How much is looked at for the next batch, and when. What it does not pass was looked at in vain."""

    size: int = 1 << 13  #: characters
    wait: int = MANY  #: runs to pass one by one before it
    left: int = MANY  #: of these, those still to come

    def note(self, passed: int, characters: int, looked_at: int) -> None:
        """A batch passed so many runs and characters, of those that were looked at."""
        if passed < MANY:
            self.size, self.wait = max(self.size // 2, LEAST), min(max(2 * self.wait, 1), LATE)
        elif looked_at - characters > LEAST:  # what stands there now is nothing for a batch
            self.size, self.wait = min(max(2 * characters, LEAST), MOST), 1
        else:
            self.size, self.wait = min(2 * self.size, MOST), 0
        self.left = self.wait


def pass_known_runs(body: Body) -> Iterator[LineChunk | Finding | DocumentEnd]:
    """As many runs as the text begins with; the walk stands behind the last of them."""
    while True:
        with no_collection():
            _pass_batches(body)
        if not (yield from _pass_singly(body, body.pace)):
            return


def _pass_batches(body: Body) -> None:
    """Batch after batch, until runs are to be passed one by one."""
    tape, pace, batches = body.tape, body.pace, body.learner.batches
    while True:
        if len(tape.text) - tape.at < AHEAD:
            tape.more()
        if pace.left:
            return
        if (batch := batches.current(pace.wait)) is None:
            pace.left = pace.wait = MANY
            return
        size = min(pace.size, _with_room(body), len(tape.text) - tape.at)
        before = tape.at
        pace.note(pass_batch(body, batch, size) if size else 0, tape.at - before, size)


def _with_room(body: Body) -> int:
    """Characters in which there are about as many lines as still have room in the chunk, as they were so far."""
    offsets, most = body.lines.offsets, CHUNK_ROWS if body.deepest <= 2 else MOST_ROWS
    if len(offsets) >= most:
        return 0
    if len(offsets) < MANY:
        return MOST
    return (most - len(offsets)) * (offsets[-1] - offsets[0]) // (len(offsets) - 1) + LEAST


def _pass_singly(body: Body, pace: Pace) -> Generator[LineChunk | Finding | DocumentEnd, None, bool]:
    """Runs one by one, until a batch is due; False when none stands there."""
    stretch = _Stretch(body)
    while pace.left and (found := stretch.find()) is not None:
        offer, match, row = found
        if not stretch.take(offer.run, offer.move, row):
            stretch.stand()
            yield from _enter(body, offer.run, offer.move, row)
            stretch.resume()
        stretch.go_on(offer.run, match)
        pace.left -= 1
    stretch.stand()
    return not pace.left


class _Stretch:
    """Runs that are passed one by one, and where the walk stands among them: the body knows of it after ``stand``."""

    __slots__ = (
        "_at", "_base", "_body", "_kept", "_leaves", "_line_open", "_lines", "_most", "_number", "_own", "_parent",
        "_parent_id", "_plain", "_positions", "_profile", "_rows", "_state", "_terminator", "_text", "_uses",
    )  # fmt: skip

    def __init__(self, body: Body) -> None:
        self._body, self._lines, self._uses = body, body.lines, body.uses
        self._terminator = body.delimiters.segment
        self._text, self._at, self._base = body.tape.text, body.tape.at, body.tape.base
        self._plain = self._text.isascii()
        self._state, self._number, self._profile = body.state, body.number, body.profile
        self._leaves = not body.guarding and body.deepest == 1
        self._own = not body.guarding and body.deepest > 0 and not body.machine.plan.counts
        self._most = CHUNK_ROWS if body.deepest == 1 else MOST_ROWS
        self.resume()

    def resume(self) -> None:
        """The body has gone on in between: what was remembered of the lines may be over."""
        self._line_open = self._body.line_open
        self._kept: Run | None = None  #: whose rows these are
        self._positions, self._rows = self._body.lines.rows_of(None)
        self._parent_id: str | None = None
        self._parent: Scope | None = None  #: the level of this number

    def stand(self) -> None:
        """The body stands where the stretch does."""
        body = self._body
        body.state, body.number, body.line_open, body.tape.at = self._state, self._number, self._line_open, self._at
        body.profile = self._profile
        if self._line_open:
            body.line = body.lines.count

    def find(self) -> tuple[Offer, re.Match[str], Row] | None:
        """The run that stands there, where it is surely faultless and may stand there once more."""
        offered = self._state.offered
        for offer in offered:
            match = offer.run.match(self._text, self._at)
            if match is not None:
                break
        else:
            return None
        row = self._row(offer.run, match)
        uses, move = self._uses, offer.move
        if row is None or (move.again and uses[move.depth] >= move.limit):
            return None
        uses[move.depth] = uses[move.depth] + 1 if move.again else 1
        self._number += 1
        offer.used += 1
        if offer is not offered[0]:
            _promote(offered, offer)
        return offer, match, row

    def _row(self, run: Run, match: re.Match[str]) -> Row | None:
        """What a run holds; None where that would be a guess or a code stands in no list."""
        row: Row = match.groups()
        if not self._plain and not (passed := match[0]).isascii():
            if not self._body.certain(passed):
                return None
            row = tuple(self._body.spelled(row))
        if run.codes is not None:
            codes = run.codes(row)
            if codes not in run.sound and not run.codes_sound(codes):
                return None
        return row

    def go_on(self, run: Run, match: re.Match[str]) -> None:
        """Behind the run."""
        self._state, depth, self._uses[depth] = run.ends[match.lastindex]
        end = match.end()
        self._number += self._text.count(self._terminator, self._at, end) - 1
        self._at = end
        self._profile = run.profile

    def take(self, run: Run, move: Move, row: Row) -> bool:
        """A plain line, level or part of one; False where there is more to it than that."""
        if self._leaves and move.starts and (run.leaf or run.branch):
            return self._take_leaf(run, row) if run.leaf else self._take_branch(run, row)
        if not self._own:
            return False
        if move.starts:
            return self._take_line(run, move, row)
        return self._take_part(run, move, row)

    def _take_leaf(self, run: Run, row: Row) -> bool:
        """A line that is a leaf of the tree, below the level it names."""
        body = self._body
        if len(self._lines.offsets) >= CHUNK_ROWS:
            return False
        if row[run.parent] != self._parent_id:
            self._parent_id = row[run.parent]
            self._parent = body.hierarchy.parent(self._parent_id or "")
        if self._parent is None:
            return False
        body.scopes[1] = None
        self._begin(run, row, self._parent)
        return True

    def _take_branch(self, run: Run, row: Row) -> bool:
        """A level around lines or other levels."""
        body = self._body
        if len(body.lines.offsets) >= CHUNK_ROWS:
            return False
        scope = body.hierarchy.plain_level(row[run.id], row[run.parent], _values(run, row))
        if scope is None:
            return False
        self._end_line()
        self._line_open = body.header_open = False
        body.line, body.scopes[1] = None, scope
        self._parent_id, self._parent = row[run.id], scope
        return True

    def _take_line(self, run: Run, move: Move, row: Row) -> bool:
        """A line in the innermost loop around lines."""
        body = self._body
        if not run.is_line or run.level is not None or move.level != body.deepest:
            return False
        if len(body.lines.offsets) >= self._most or body.kind not in ("", run.profile.spec.id):
            return False
        parent = body.scopes[body.deepest - 1]
        assert parent is not None, "loops of the chain open in order"
        body.kind = run.profile.spec.id
        self._begin(run, row, parent)
        return True

    def _take_part(self, run: Run, move: Move, row: Row) -> bool:
        """What belongs to the open line, or to the loop around lines that has none yet."""
        body = self._body
        if self._line_open and move.level == body.deepest and body.scopes[body.deepest] is None:
            for slot, index in run.takes:
                if value := (row[index] or "").rstrip(" "):
                    body.lines.put(slot, value)
            return True
        if self._line_open or not 0 < move.level == body.deepest - 1:
            return False
        if (around := body.scopes[move.level]) is not None:
            for slot, value in _values(run, row).items():
                around.values.setdefault(slot, value)
        return True

    def _begin(self, run: Run, row: Row, parent: Scope) -> None:
        """A line begins, and the one before it ends."""
        self._end_line()
        lines = self._lines
        self._line_open, self._body.header_open = True, False
        if run is not self._kept:
            self._kept = run
            self._positions, self._rows = lines.rows_of(run)
        self._positions.append(len(lines.offsets))
        self._rows.append(row)
        lines.parents.append(parent)
        lines.segments.append(self._number)
        lines.offsets.append(self._base + self._at)

    def _end_line(self) -> None:
        if self._line_open:
            self._lines.ends.append(self._base + self._at)


def _promote(offered: list[Offer], offer: Offer) -> None:
    """Move an offer forward once it is used more often than the one before it."""
    index = offered.index(offer)
    if offer.used > offered[index - 1].used:
        offered[index - 1 : index + 1] = [offer, offered[index - 1]]


def _values(run: Run, row: Row) -> Values:
    """What a run's row holds for each slot, the first of several."""
    return {slot: value for slot, index in run.takes_backwards if (value := (row[index] or "").rstrip(" "))}


def _enter(body: Body, run: Run, move: Move, row: Row) -> Iterator[LineChunk | Finding | DocumentEnd]:
    """What a run opens, other than a line that is a leaf of the tree; and its values."""
    tape = body.tape
    offset = tape.offset
    if run.level is None or not move.starts or body.guarding or len(body.lines.offsets) >= CHUNK_ROWS:
        opener = tape.text[tape.at : tape.text.find(body.delimiters.segment, tape.at)]
        yield from body.place(move, opener.split(body.delimiters.element), offset)
    else:
        body.close_line(offset)
        yield from body.settle(offset)
        body.header_open = False
        id_, parent_id, children = ((row[index] or "") if index >= 0 else "" for index in run.level)
        finding = body.open_level(
            run.is_line, id_, parent_id, "0" if run.leaf else children, offset, of=run.profile.spec.id
        )
        if finding is not None:
            yield body.counted(finding)
    _keep(body, run, row, move.level)


def _keep(body: Body, run: Run, row: Row, level: int) -> None:
    """The values of a run's row."""
    lines = body.lines
    scope = body.scopes[level] if level or body.header_open else None
    in_line = level == body.deepest and body.line_open
    if in_line and run.is_line and not body.goes_on:
        positions, rows = lines.rows_of(run)
        positions.append(len(lines.offsets) - 1)
        rows.append(row)
        in_line = False
    if in_line or scope is not None:
        for slot, index in run.takes:
            value = (row[index] or "").rstrip(" ")
            if value and in_line:
                lines.put(slot, value)
            if value and scope is not None:
                scope.values.setdefault(slot, value)
    for slot, index, openers in run.guarded:
        value = (row[index] or "").rstrip(" ")
        if value and body.openers_show(openers):
            body.put(level, slot, value)
