"""One transaction set, from the segment after ST to its SE: judged, placed, and its lines taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.findings import element_finding, envelope_finding, segment_finding
from connectors.formats.edi.grammar import Segment
from connectors.formats.edi.hierarchy import Hierarchy
from connectors.formats.edi.judge import judge_segment
from connectors.formats.edi.lines import CHUNK_ROWS, Lines, Scope
from connectors.formats.edi.machine import Capture, Machine, Move
from connectors.formats.edi.paths import qualifier_position
from connectors.formats.edi.tape import Tape, spell
from schemas.documents import DocumentEnd, LineChunk
from schemas.findings import Finding, Severity

#: segments that end a set although its SE has not come
ENVELOPE = frozenset({"ST", "GE", "GS", "IEA", "ISA"})
LONGEST_SEGMENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Opening:
    """The ST a set began with."""

    ordinal: int
    type: str
    control_number: str
    offset: int
    elements: tuple[str, ...]


def read_body(
    tape: Tape, delimiters: Delimiters, machine: Machine, opening: Opening, early: Sequence[Finding] = ()
) -> Iterator[LineChunk | Finding | DocumentEnd]:
    """The set's lines and findings, then its end. The tape is left after SE, or at what stands in its stead.

    ``early`` are findings about the ST itself; they count in the verdict.
    """
    return _Body(tape, delimiters, machine, opening).run(early)


class _Body:
    """The walk through one set; lives as long as that set."""

    def __init__(self, tape: Tape, delimiters: Delimiters, machine: Machine, opening: Opening) -> None:
        plan = machine.plan
        self.tape, self.delimiters, self.machine, self.opening = tape, delimiters, machine, opening
        self.slots = len(plan.places)
        self.chain = plan.chain
        self.deepest = len(plan.chain) - 1
        self.lines = Lines(opening.ordinal, [place.text for place in plan.places], machine.decimals)
        self.scopes: list[Scope] = [Scope(self.slots, None)] * (self.deepest + 1)
        self.line_open = False
        self.header_open = True
        self.hierarchy = Hierarchy(self.scopes[0])
        self.openers: list[Sequence[str]] = [opening.elements, *([()] * 30)]
        self.uses = [1] * 32
        self.number = 1  #: segments so far, ST included
        self.errors = 0  #: error findings that concern the document as a whole

    def run(self, early: Sequence[Finding]) -> Iterator[LineChunk | Finding | DocumentEnd]:
        for finding in early:
            yield self._counted(finding)
        tape, state, step = self.tape, self.machine.start, self.machine.step
        separator, terminator, blanks = self.delimiters.element, self.delimiters.segment, self.delimiters.blanks
        spec = self.machine.segments["ST"]
        yield from self._judge(spec, self.opening.elements, self.opening.offset, 0, None)
        while True:
            end = tape.text.find(terminator, tape.at)
            if end < 0:
                if len(tape.text) - tape.at < LONGEST_SEGMENT and tape.more():
                    continue
                yield from self._cut_off()
                return
            raw = tape.text[tape.at : end].lstrip(blanks)
            start = end - len(raw)
            offset = tape.base + start
            if not raw:
                yield from self._empty(offset)
                tape.at = end + len(terminator)
                continue
            elements = raw.split(separator)
            if not raw.isascii():
                elements = [spell(element)[0] for element in elements]
            id_ = elements[0]
            if id_ in ENVELOPE or (id_[:3] == "ISA" and len(raw) > 80):
                tape.at = start
                yield from self._end(offset, self._missing_trailer(offset))
                return
            tape.at = end + len(terminator)
            self.number += 1
            move = step(state, id_)
            if move is None:
                cleaned = id_.translate({13: None, 10: None})
                if cleaned != id_:
                    elements = raw.translate({13: None, 10: None}).split(separator)
                    id_ = elements[0]
                    move = step(state, id_)
            if move is None:
                yield from self._unplaced(id_, elements, offset, len(raw))
                continue
            if move.again:
                self.uses[move.depth] += 1
                if self.uses[move.depth] > move.limit:
                    move = self.machine.alternative(state, id_, move) or move
            if not move.again:
                self.uses[move.depth] = 1
            if move.opens:
                self.uses[move.depth + 1] = 1
            if len(self.lines.scopes) >= CHUNK_ROWS and move.starts and move.level == 1:
                self._close_line(offset)
                yield self.lines.flush()
            yield from self._place(move, elements, offset)
            line = self.scopes[move.level].line if move.level else None
            yield from self._grammar_findings(move, offset, len(raw), line)
            yield from self._judge(move.spec, elements, offset, len(raw), line)
            state = move.state
            if id_ == "SE":
                yield from self._end(tape.offset, self._trailer(elements, offset))
                return

    def _place(self, move: Move, elements: Sequence[str], offset: int) -> Iterator[Finding]:
        """Open scopes and lines, and take the values wanted."""
        if self.line_open and (move.starts or move.level < self.deepest):
            self._close_line(offset)
        if move.opens:
            self.openers[len(move.state.frames) - 1] = elements
        if move.starts:
            self.header_open = False
            yield from self._open_scope(move, elements, offset)
        if move.captures and (move.level or self.header_open):
            values = self.scopes[move.level].values
            for capture in move.captures:
                if values[capture.slot] is None:
                    values[capture.slot] = self._value(capture, move.spec, elements)

    def _open_scope(self, move: Move, elements: Sequence[str], offset: int) -> Iterator[Finding]:
        level, id_ = move.level, move.spec.id
        scope = Scope(self.slots, self.scopes[level - 1])
        position, qualifier = qualifier_position(id_), self.machine.plan.qualifier
        is_line = level == self.deepest and (
            qualifier is None or (len(elements) > position and elements[position] == qualifier)
        )
        if id_ == "HL":
            finding = self.hierarchy.enter(scope, elements, self.number, offset, is_line=is_line)
            if finding:
                yield self._counted(finding)
        self.scopes[level] = scope
        if is_line:
            self.lines.add(scope, self.number, offset)
            self.line_open = True

    def _close_line(self, offset: int) -> None:
        if self.line_open:
            self.lines.close(offset)
            self.line_open = False

    def _value(self, capture: Capture, spec: Segment, elements: Sequence[str]) -> str | None:
        for depth, position, wanted in capture.openers:
            opener = self.openers[depth]
            if len(opener) <= position or opener[position] != wanted:
                return None
        size = len(elements)
        if not capture.element:
            for qualifier in spec.pairs:
                if qualifier + 2 < size and elements[qualifier + 1] == capture.qualifier:
                    return elements[qualifier + 2] or None
            return None
        if capture.qualifier is not None and (
            size <= capture.position or elements[capture.position] != capture.qualifier
        ):
            return None
        value = elements[capture.element] if capture.element < size else ""
        if capture.component:
            pieces = value.split(self.delimiters.component) if self.delimiters.component else [value]
            value = pieces[capture.component - 1] if capture.component <= len(pieces) else ""
        return value or None

    def _counted(self, finding: Finding) -> Finding:
        if finding.severity is Severity.ERROR and finding.line is None:
            self.errors += 1
        return finding

    def _judge(
        self, spec: Segment, elements: Sequence[str], offset: int, length: int, line: int | None
    ) -> Iterator[Finding]:
        faults = list(judge_segment(spec, elements, self.delimiters))
        for fault in faults:
            yield self._counted(
                element_finding(fault, id_=spec.id, number=self.number, line=line, offset=offset, length=length)
            )

    def _grammar_findings(self, move: Move, offset: int, length: int, line: int | None) -> Iterator[Finding]:
        id_ = move.spec.id
        for missing in move.missing:
            yield self._counted(
                segment_finding(
                    "segment.missing", "3", f"the mandatory segment {missing} is missing before {id_}",
                    id_=missing, number=self.number, line=line, offset=offset, length=length, expected=missing,
                )
            )  # fmt: skip
        if move.disorder:
            yield self._counted(
                segment_finding(
                    "segment.order", "7", f"{id_} stands out of order",
                    id_=id_, number=self.number, line=line, offset=offset, length=length,
                )
            )  # fmt: skip
        uses = self.uses[move.depth]
        if move.again and uses > move.limit:
            code, ak304, what = ("loop.max_use", "4", "loop") if move.opens else ("segment.max_use", "5", "segment")
            yield self._counted(
                segment_finding(
                    code, ak304, f"the {what} {id_} stands more than {move.limit} times",
                    id_=id_, number=self.number, line=line, offset=offset, length=length,
                    value=str(uses), expected=f"at most {move.limit}",
                )
            )  # fmt: skip

    def _unplaced(self, id_: str, elements: Sequence[str], offset: int, length: int) -> Iterator[Finding]:
        """A segment that stands nowhere in this set."""
        if not self.machine.plan.set.id:
            return
        line = self.scopes[self.deepest].line if self.line_open else None
        known = self.machine.segments.get(id_)
        code, ak304, message = (
            ("segment.unexpected", "6", f"{id_} does not belong to set {self.machine.plan.set.id}")
            if known
            else ("segment.unknown", "1", f"there is no segment '{id_[:20]}'")
        )
        yield self._counted(
            segment_finding(
                code, ak304, message, id_=id_[:3], number=self.number, line=line, offset=offset, length=length,
                value=self.delimiters.element.join(elements)[:80],
            )
        )  # fmt: skip
        if known:
            yield from self._judge(known, elements, offset, length, line)

    def _empty(self, offset: int) -> Iterator[Finding]:
        yield envelope_finding(
            "segment.empty", "an empty segment", f"after segment {self.number}", offset,
            severity=Severity.WARNING, length=0, AK304="1",
        )  # fmt: skip

    def _trailer(self, elements: Sequence[str], offset: int) -> Iterator[Finding]:
        count = elements[1].strip() if len(elements) > 1 else ""
        control = elements[2].strip() if len(elements) > 2 else ""
        where = f"segment {self.number}, SE"
        if not count.isdigit() or int(count) != self.number:
            yield envelope_finding(
                "set.count", f"SE01 says {count or 'nothing'} segments, there are {self.number}", where + "-01", offset,
                value=count or None, expected=str(self.number), AK502="4",
            )  # fmt: skip
        if control != self.opening.control_number:
            yield envelope_finding(
                "set.control_number", f"SE02 is {control or 'empty'}, ST02 was {self.opening.control_number}",
                where + "-02", offset, value=control or None, expected=self.opening.control_number, AK502="3",
            )  # fmt: skip

    def _missing_trailer(self, offset: int) -> Iterator[Finding]:
        yield envelope_finding(
            "set.trailer_missing", f"set {self.opening.control_number} has no SE",
            f"after segment {self.number}", offset, expected="SE", AK502="2",
        )  # fmt: skip

    def _cut_off(self) -> Iterator[LineChunk | Finding | DocumentEnd]:
        """The payload ends inside the set."""
        tape = self.tape
        rest = tape.text[tape.at :].strip(self.delimiters.blanks)
        offset = tape.offset
        if rest.split(self.delimiters.element)[0] == "SE":
            elements = rest.split(self.delimiters.element)
            self.number += 1
            tape.at = len(tape.text)
            yield from self._end(tape.offset, self._trailer(elements, offset))
            return
        lost = f"; {len(rest)} bytes of a broken segment are lost" if rest else ""
        tape.at = len(tape.text)
        finding = envelope_finding(
            "set.truncated", f"the payload ends inside set {self.opening.control_number}{lost}",
            f"after segment {self.number}", offset, value=rest[:80] or None, length=len(rest), expected="SE", AK502="2",
        )  # fmt: skip
        yield from self._end(tape.offset, iter((finding,)))

    def _end(self, offset: int, findings: Iterator[Finding]) -> Iterator[LineChunk | Finding | DocumentEnd]:
        self._close_line(offset)
        if self.lines.scopes:
            yield self.lines.flush()
        for finding in findings:
            yield self._counted(finding)
        yield DocumentEnd(
            ordinal=self.opening.ordinal,
            lines=self.lines.count,
            accepted=not self.errors,
            offset=offset,
            segments=self.number,
        )
