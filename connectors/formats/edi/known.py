"""The fast way through a set: run after run, as long as the text begins with one that is known.

Most of a large file passes through one loop here, so it is written for speed: what it uses often it
holds in local names, and it tells the exact walk where it stands only when it hands over.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.collector import no_collection
from connectors.formats.edi.batched import pass_batch
from connectors.formats.edi.lines import CHUNK_ROWS, MOST_ROWS, Row, Values
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
    tape, lines, uses = body.tape, body.lines, body.uses
    text, at, base = tape.text, tape.at, tape.base
    terminator, count, known_parent = body.delimiters.segment, text.count, body.hierarchy.parent
    parents, segments, offsets, ends = lines.parents, lines.segments, lines.offsets, lines.ends
    plain_level = body.hierarchy.plain_level
    deepest = body.deepest
    leaves = not body.guarding and deepest == 1
    own = not body.guarding and deepest > 0 and not body.machine.plan.counts
    most = CHUNK_ROWS if deepest == 1 else MOST_ROWS
    state, number, line_open, profile = body.state, body.number, body.line_open, body.profile
    plain = text.isascii()
    kept = parent_id = parent = None
    positions, rows = lines.rows_of(None)
    left = pace.left
    while left:
        offered = state.offered
        for offer in offered:
            run = offer.run
            match = run.match(text, at)
            if match is not None:
                break
        else:
            break
        row, move = match.groups(), offer.move
        if not plain and not (passed := text[at : match.end()]).isascii():
            if not body.certain(passed):
                break
            row = tuple(body.spelled(row))
        if run.codes is not None:
            codes = run.codes(row)
            if codes not in run.sound and not run.codes_sound(codes):
                break
        depth = move.depth
        if not move.again:
            uses[depth] = 1
        elif uses[depth] < move.limit:
            uses[depth] += 1
        else:
            break
        offer.used += 1
        if offer is not offered[0]:
            _promote(offered, offer)
        number += 1
        if leaves and run.leaf and len(offsets) < CHUNK_ROWS and move.starts:
            if row[run.parent] != parent_id:
                parent_id = row[run.parent]
                parent = known_parent(parent_id or "")
            leaf = parent is not None
        else:
            leaf = False
        if leaf:
            if line_open:
                ends.append(base + at)
            if run is not kept or not line_open:
                kept, line_open = run, True
                positions, rows = lines.rows_of(run)
                body.header_open, body.scopes[1] = False, None
            positions.append(len(offsets))
            rows.append(row)
            parents.append(parent)  # type: ignore[arg-type]  # a leaf has one
            segments.append(number)
            offsets.append(base + at)
        elif (
            leaves and run.branch and move.starts and len(offsets) < CHUNK_ROWS
            and (scope := plain_level(row[run.id], row[run.parent], _values(run, row)))
        ):  # fmt: skip
            if line_open:
                ends.append(base + at)
            line_open = body.header_open = False
            body.line, body.scopes[1] = None, scope
            parent_id, parent = row[run.id], scope
        elif (
            own and run.is_line and move.starts and move.level == deepest and run.level is None
            and len(offsets) < most and body.kind in ("", run.profile.spec.id)
        ):  # fmt: skip
            if line_open:
                ends.append(base + at)
            body.header_open, body.kind, line_open = False, run.profile.spec.id, True
            if run is not kept:
                kept = run
                positions, rows = lines.rows_of(run)
            positions.append(len(offsets))
            rows.append(row)
            parents.append(body.scopes[deepest - 1])  # type: ignore[arg-type]  # loops of the chain open in order
            segments.append(number)
            offsets.append(base + at)
        elif own and line_open and move.level == deepest and not move.starts and body.scopes[deepest] is None:
            for slot, index in run.takes:
                value = row[index]
                if value and (value := value.rstrip(" ")):
                    lines.put(slot, value)
        elif own and not line_open and 0 < move.level == deepest - 1 and not move.starts:
            if (around := body.scopes[move.level]) is not None:
                for slot, value in _values(run, row).items():
                    around.values.setdefault(slot, value)
        else:
            body.state, body.number, body.line_open, tape.at = state, number, line_open, at
            if line_open:
                body.line = lines.count
            yield from _enter(body, run, move, row)
            line_open, kept, parent_id, parent = body.line_open, None, None, None
        state, depth, uses[depth] = run.ends[match.lastindex]
        end = match.end()
        number += count(terminator, at, end) - 1
        at = end
        profile = run.profile
        left -= 1
    pace.left = left
    body.state, body.number, body.line_open, tape.at = state, number, line_open, at
    body.profile = profile
    if line_open:
        body.line = lines.count
    return not left


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
