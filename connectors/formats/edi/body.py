"""One transaction set, from the segment after ST to its SE: judged, placed, and its lines taken.

There are two ways through a set. The exact walk takes one segment at a time and says all that is
wrong with it. Known runs (see ``runs``) pass whole stretches that are like what the exact walk has
found faultless before. Both leave the same traces.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from connectors.formats.edi.findings import element_finding, envelope_finding, segment_finding
from connectors.formats.edi.grammar import Segment
from connectors.formats.edi.hierarchy import Hierarchy
from connectors.formats.edi.judge import Fault, judge_segment
from connectors.formats.edi.lines import CHUNK_ROWS, Lines, Scope
from connectors.formats.edi.machine import Capture, Move, State
from connectors.formats.edi.paths import qualifier_position
from connectors.formats.edi.runs import Learner, Profile, Run
from connectors.formats.edi.tape import Tape, spell
from schemas.documents import DocumentEnd, LineChunk
from schemas.findings import Finding, Severity

#: segments that end a set although its SE has not come
ENVELOPE = ("ST", "GE", "GS", "IEA", "ISA")
LONGEST_SEGMENT = 1 << 20
_DEEPEST = 30  #: loops within loops; the standard's sets have at most five

_WITHOUT_BREAKS = {10: None, 13: None}

BodyItem = LineChunk | Finding | DocumentEnd


@dataclass(frozen=True, slots=True)
class Opening:
    """The ST a set began with."""

    ordinal: int
    control_number: str
    offset: int
    elements: tuple[str, ...]


def read_body(tape: Tape, learner: Learner, opening: Opening, early: Sequence[Finding] = ()) -> Iterator[BodyItem]:
    """The set's lines and findings, then its end. The tape is left after SE, or at what stands in its stead.

    ``early`` are findings about the ST itself; they count in the verdict.
    """
    return _Body(tape, learner, opening).run(early)


class _Body:
    """The walk through one set; lives as long as that set."""

    def __init__(self, tape: Tape, learner: Learner, opening: Opening) -> None:
        self.tape, self.learner, self.opening = tape, learner, opening
        self.machine, self.delimiters = learner.machine, learner.delimiters
        plan = self.machine.plan
        self.deepest = len(plan.chain) - 1
        self.qualifier = plan.qualifier
        self.state = self.machine.start
        self.guessed = False  #: whether bytes that are not UTF-8 were reported
        self.wrapped = False  #: whether a line break inside a segment was reported
        self.number = 1  #: segments so far, ST included
        self.errors = 0  #: error findings that concern the document as a whole
        self.uses = [1] * (_DEEPEST + 2)  #: by depth: how often the place was used in a row
        self.openers: list[Sequence[str]] = [opening.elements, *([()] * _DEEPEST)]

        header = Scope(None)
        self.lines = Lines(opening.ordinal, [place.text for place in plan.places], self.machine.decimals, header)
        self.scopes: list[Scope | None] = [header, *([None] * self.deepest)]
        self.hierarchy = Hierarchy(header)
        self.header_open = True  #: until the first line's loop: what comes later is no line's header
        self.line: int | None = None  #: the line that the segments of the innermost chain loop belong to
        self.line_open = False  #: whether that line's own loop is being read

        self.guarding = any(place.loops for place in plan.places)
        self.offered = self.state.offered
        self.profile: Profile | None = None
        self.enders = tuple(id_ + self.delimiters.element for id_ in ENVELOPE)

    def run(self, early: Sequence[Finding]) -> Iterator[BodyItem]:
        for finding in early:
            yield self._counted(finding)
        yield from self._judge(self.machine.segments["ST"], self.opening.elements, self.opening.offset, 0, None)
        tape, terminator, blanks = self.tape, self.delimiters.segment, self.delimiters.blanks
        suffix = self.learner.suffix
        while True:
            if self.offered:
                if suffix and tape.text.startswith(suffix, tape.at):
                    tape.at += len(suffix)
                yield from self._known_runs()
            end = tape.text.find(terminator, tape.at)
            if end < 0:
                if len(tape.text) - tape.at < LONGEST_SEGMENT and tape.more():
                    continue
                yield from self._cut_off()
                return
            raw = tape.text[tape.at : end].lstrip(blanks)
            start = end - len(raw)
            offset = tape.base + start
            if raw.startswith(self.enders):
                tape.at = start
                yield from self._end(offset, self._missing_trailer(offset))
                return
            tape.at = end + len(terminator)
            if not raw:
                yield from self._empty(offset)
                continue
            elements = yield from self._segment(raw, offset)
            if elements[0] == "SE":
                yield from self._end(tape.offset, self._trailer(elements, offset))
                return

    # The exact walk

    def _segment(self, raw: str, offset: int) -> Generator[BodyItem, None, Sequence[str]]:
        """One segment: its place in the set, its values, its faults."""
        self.number += 1
        separator = self.delimiters.element
        elements = raw.split(separator)
        if not raw.isascii():
            spelled = [spell(element) for element in elements]
            elements = [text for text, _ in spelled]
            if not self.guessed and not all(certain for _, certain in spelled):
                self.guessed = True
                yield self._guessed(offset, len(raw))
        if "\n" in raw or "\r" in raw:
            elements = [element.translate(_WITHOUT_BREAKS) for element in elements]
            if not self.wrapped:
                self.wrapped = True
                yield self._wrapped(offset, len(raw))
        state, length = self.state, len(raw)
        move = self.machine.step(state, elements[0])
        if move is None:
            self.profile = None
            yield from self._unplaced(elements[0], elements, offset, length)
            return elements
        if move.again and self.uses[move.depth] >= move.limit:
            move = self.machine.alternative(state, elements[0], move) or move
        self._count_use(move)
        yield from self._place(move, elements, offset)
        for wanted in move.captures:
            value = self._value(wanted, move.spec, elements).rstrip(" ")
            if value:
                self._put(move.level, wanted.slot, value)
        line = self.line if move.level == self.deepest else None
        sound = self.learner.accepts(move.spec, elements)
        if not sound:
            faults = list(judge_segment(move.spec, elements, self.delimiters))
            sound = not faults
            yield from self._element_findings(faults, move.spec.id, offset, length, line)
        yield from self._grammar_findings(move, offset, length, line)
        self.state = move.state
        self._learn(state, move, elements, sound=sound)
        self.offered = move.state.offered
        return elements

    def _count_use(self, move: Move) -> None:
        self.uses[move.depth] = self.uses[move.depth] + 1 if move.again else 1
        if move.opens:
            self.uses[move.depth + 1] = 1

    def _place(self, move: Move, elements: Sequence[str], offset: int) -> Iterator[BodyItem]:
        """Close the line that ends here, and open the loop and line that begin."""
        if move.starts or move.level < self.deepest:
            self._close_line(offset)
        if move.opens:
            self.openers[len(move.state.frames) - 1] = elements
        if not move.starts:
            return
        if move.level == 1 and len(self.lines.segments) >= CHUNK_ROWS:
            yield self.lines.flush()
        self.header_open = False
        position = qualifier_position(move.spec.id)
        is_line = move.level == self.deepest and (
            self.qualifier is None or (len(elements) > position and elements[position] == self.qualifier)
        )
        if move.spec.id == "HL":
            id_, parent_id, _, children = (*elements[1:5], "", "", "", "")[:4]
            finding = self._open_level(is_line, id_, parent_id, children, offset)
            if finding:
                yield self._counted(finding)
        else:
            self._open_loop(move.level, is_line, offset)

    def _close_line(self, offset: int) -> None:
        if self.line_open:
            self.lines.ends.append(offset)
            self.line_open = False

    def _open_loop(self, level: int, is_line: bool, offset: int) -> None:
        """A loop of the line's chain begins: a scope around lines, or a line."""
        parent = self.scopes[level - 1]
        assert parent is not None, "the loops of the chain open from the outside in"
        if is_line:
            self.line = self.lines.begin(parent, self.number, offset)
            self.line_open = True
            return
        self.line = None
        self.scopes[level] = Scope(parent)

    def _open_level(self, is_line: bool, id_: str, parent_id: str, children: str, offset: int) -> Finding | None:
        """An HL begins: a line, or a level that lines (or the carton of a line) hang from."""
        parent = self.hierarchy.parent(parent_id)
        known = parent is not None
        if parent is None:
            parent = self.hierarchy.header
        if is_line:
            self.line = self.lines.begin(parent, self.number, offset)
            self.line_open = True
        if is_line and children == "0":
            self.scopes[1] = None
            fresh = True
        else:
            scope = self.scopes[1] = Scope(parent)
            if is_line:
                scope.line = self.line
                self.lines.scopes[len(self.lines.segments) - 1] = scope
            else:
                scope.lend_to(parent)
                self.line = scope.line
            fresh = self.hierarchy.add(id_, scope)
        spot = {"id_": "HL", "number": self.number, "line": self.line, "offset": offset, "length": 0}
        if not known:
            message = f"HL02 names level {parent_id}, which has not come before"
            return segment_finding(
                "hl.parent",
                "",
                message,
                position=2,
                value=parent_id,
                expected="the HL01 of an earlier HL",
                **spot,  # type: ignore[arg-type]
            )
        if not fresh:
            return segment_finding(
                "hl.number",
                "",
                f"HL01 {id_} was used before",
                position=1,
                value=id_,
                severity=Severity.WARNING,
                **spot,  # type: ignore[arg-type]
            )
        return None

    def _put(self, level: int, slot: int, value: str) -> None:
        """Keep a value where it belongs; the first one in a loop instance counts."""
        if level == 0 and not self.header_open:
            return
        if level == self.deepest and self.line_open:
            self.lines.put(slot, value)
        scope = self.scopes[level]
        if scope is not None:
            scope.values.setdefault(slot, value)

    def _value(self, capture: Capture, spec: Segment, elements: Sequence[str]) -> str:
        """The value as it stands there; empty where there is none."""
        if not self._openers_show(capture.openers):
            return ""
        size = len(elements)
        if not capture.element:
            for qualifier in spec.pairs:
                if qualifier + 2 < size and elements[qualifier + 1] == capture.qualifier:
                    return elements[qualifier + 2]
            return ""
        if capture.qualifier is not None and (
            size <= capture.position or elements[capture.position] != capture.qualifier
        ):
            return ""
        value = elements[capture.element] if capture.element < size else ""
        if capture.component:
            pieces = value.split(self.delimiters.component) if self.delimiters.component else [value]
            value = pieces[capture.component - 1] if capture.component <= len(pieces) else ""
        return value

    def _openers_show(self, openers: Sequence[tuple[int, int, str]]) -> bool:
        """Whether the enclosing loops are those a path names."""
        for depth, position, wanted in openers:
            opener = self.openers[depth]
            if len(opener) <= position or opener[position] != wanted:
                return False
        return True

    def _learn(self, before: State, move: Move, elements: Sequence[str], *, sound: bool) -> None:
        """Remember the shape of a faultless segment in the profile of the loop it stands in."""
        if move.spec.id == "SE":
            return
        sound = sound and not move.missing and not move.disorder and self.uses[move.depth] <= move.limit
        if move.opens or before is self.machine.start:
            self.profile = self.learner.open(before, move, elements) if sound else None
            return
        profile = self.profile
        if profile is None:
            return
        frames = move.state.frames
        if not sound or len(frames) != len(profile.frames) or frames[-1].loop is not profile.frames[-1].loop:
            self.profile = None
            return
        self.learner.learn(profile, move, elements, self.uses[move.depth])

    # Known runs

    def _known_runs(self) -> Iterator[BodyItem]:
        """As many runs as the window begins with.

        Most of a large file passes through this loop, and most of that through its first branch.
        """
        tape, terminator, lines, uses = self.tape, self.delimiters.segment, self.lines, self.uses
        text, at, base = tape.text, tape.at, tape.base
        count, offsets, hierarchy = text.count, lines.offsets, self.hierarchy
        offered = self.offered
        while True:
            for run, move in offered:  # noqa: B007 - used after the loop, like match
                match = run.match(text, at)
                if match is not None:
                    break
            else:
                break
            row = match.groups()
            if run.codes is not None:
                codes = run.codes(row)
                if codes not in run.sound and not run.codes_sound(codes):
                    break
            if move.again and uses[move.depth] >= move.limit:
                break
            if offered[0][0] is not run:
                offered.insert(0, offered.pop(offered.index((run, move))))
            uses[move.depth] = uses[move.depth] + 1 if move.again else 1
            self.number += 1
            offset = base + at
            if run.level is None or not move.starts or self.guarding or len(offsets) >= CHUNK_ROWS:
                tape.at = at
                opener = text[at : text.find(terminator, at)].split(self.delimiters.element)
                yield from self._place(move, opener, offset)
                self._keep(run, row, move.level)
            else:
                if self.line_open:
                    lines.ends.append(offset)
                self.header_open = False
                of_parent = run.level[1]
                parent = hierarchy.parent((row[of_parent] or "") if of_parent >= 0 else "")
                if run.leaf and parent is not None:
                    positions, rows = lines.rows_of(run)
                    positions.append(len(offsets))
                    rows.append(row)
                    self.line = lines.begin(parent, self.number, offset)
                    self.line_open = True
                    self.scopes[1] = None
                else:
                    self.line_open = False
                    id_, parent_id, children = ((row[i] or "") if i >= 0 else "" for i in run.level)
                    finding = self._open_level(run.is_line, id_, parent_id, "0" if run.leaf else children, offset)
                    if finding is not None:
                        yield self._counted(finding)
                    self._keep(run, row, 1)
            self.state, depth, uses[depth] = run.ends[match.lastindex or 0]
            end = match.end()
            self.number += count(terminator, at, end) - 1
            at = end
            self.profile = run.profile
            offered = self.state.offered
        tape.at = at
        self.offered = offered

    def _keep(self, run: Run, row: Sequence[str | None], level: int) -> None:
        """The values of a run's row."""
        scope = self.scopes[level] if level or self.header_open else None
        in_line = level == self.deepest and self.line_open
        if in_line and run.is_line:
            positions, rows = self.lines.rows_of(run)
            positions.append(len(self.lines.segments) - 1)
            rows.append(row)
            in_line = False
        if in_line or scope is not None:
            for slot, index in run.takes:
                value = (row[index] or "").rstrip(" ")
                if value and in_line:
                    self.lines.put(slot, value)
                if value and scope is not None:
                    scope.values.setdefault(slot, value)
        if run.guarded:
            self._keep_guarded(run, row, level)

    def _keep_guarded(self, run: Run, row: Sequence[str | None], level: int) -> None:
        """Values of a run that count only inside the loops their paths name."""
        for slot, index, openers in run.guarded:
            value = (row[index] or "").rstrip(" ")
            if value and self._openers_show(openers):
                self._put(level, slot, value)

    # Findings

    def _counted(self, finding: Finding) -> Finding:
        if finding.severity is Severity.ERROR and finding.line is None:
            self.errors += 1
        return finding

    def _judge(
        self, spec: Segment, elements: Sequence[str], offset: int, length: int, line: int | None
    ) -> Iterator[Finding]:
        faults = list(judge_segment(spec, elements, self.delimiters))
        yield from self._element_findings(faults, spec.id, offset, length, line)

    def _element_findings(
        self, faults: Sequence[Fault], id_: str, offset: int, length: int, line: int | None
    ) -> Iterator[Finding]:
        for fault in faults:
            yield self._counted(
                element_finding(fault, id_=id_, number=self.number, line=line, offset=offset, length=length)
            )

    def _grammar_findings(self, move: Move, offset: int, length: int, line: int | None) -> Iterator[Finding]:
        id_ = move.spec.id
        spot = {"number": self.number, "line": line, "offset": offset, "length": length}
        for missing in move.missing:
            message = f"the mandatory segment {missing} is missing before {id_}"
            yield self._counted(
                segment_finding("segment.missing", "3", message, id_=missing, expected=missing, **spot)  # type: ignore[arg-type]
            )
        if move.disorder:
            yield self._counted(
                segment_finding("segment.order", "7", f"{id_} stands out of order", id_=id_, **spot)  # type: ignore[arg-type]
            )
        uses = self.uses[move.depth]
        if move.again and uses == move.limit + 1:
            code, ak304, what = ("loop.max_use", "4", "loop") if move.opens else ("segment.max_use", "5", "segment")
            message = f"the {what} {id_} stands more than {move.limit} times"
            expected = f"at most {move.limit}"
            yield self._counted(
                segment_finding(code, ak304, message, id_=id_, value=str(uses), expected=expected, **spot)  # type: ignore[arg-type]
            )

    def _unplaced(self, id_: str, elements: Sequence[str], offset: int, length: int) -> Iterator[Finding]:
        """A segment that stands nowhere in this set."""
        if not self.machine.plan.set.id:
            return
        line = self.line if self.line_open else None
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

    def _wrapped(self, offset: int, length: int) -> Finding:
        return envelope_finding(
            "text.wrapped", "line breaks stand inside segments and are left out", f"segment {self.number}", offset,
            severity=Severity.WARNING, length=length,
        )  # fmt: skip

    def _guessed(self, offset: int, length: int) -> Finding:
        return envelope_finding(
            "text.encoding", "bytes that are not UTF-8 are read as Windows-1252", f"segment {self.number}", offset,
            severity=Severity.WARNING, length=length,
        )  # fmt: skip

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

    def _cut_off(self) -> Iterator[BodyItem]:
        """The payload ends inside the set."""
        tape = self.tape
        rest = tape.text[tape.at :].lstrip(self.delimiters.blanks)
        offset = tape.base + len(tape.text) - len(rest)
        rest = rest.rstrip(self.delimiters.blanks)
        elements = rest.split(self.delimiters.element)
        self._close_line(offset)
        tape.at = len(tape.text)
        if elements[0] == "SE" and len(elements) > 2:
            self.number += 1
            yield from self._end(tape.offset, self._trailer(elements, offset))
            return
        lost = f"; {len(rest)} bytes of a broken segment are lost" if rest else ""
        finding = envelope_finding(
            "set.truncated", f"the payload ends inside set {self.opening.control_number}{lost}",
            f"after segment {self.number}", offset, value=rest[:80] or None, length=len(rest), expected="SE", AK502="2",
        )  # fmt: skip
        yield from self._end(tape.offset, iter((finding,)))

    def _end(self, offset: int, findings: Iterator[Finding]) -> Iterator[BodyItem]:
        self._close_line(offset)
        if self.lines.segments:
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
