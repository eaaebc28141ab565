"""One transaction set, from the segment after ST to its SE: judged, placed, and its lines taken.

There are two ways through a set. The exact walk takes one segment at a time and says all that is
wrong with it. Known runs (see ``runs``) pass whole stretches that are like what the exact walk has
found faultless before. Both leave the same traces.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.formats.edi.dialect import Dialect
from connectors.formats.edi.findings import Spot, shared_findings
from connectors.formats.edi.grammar import Segment
from connectors.formats.edi.hierarchy import Hierarchy
from connectors.formats.edi.judge import judge_segment
from connectors.formats.edi.known import Pace, pass_known_runs
from connectors.formats.edi.lines import CHUNK_ROWS, MOST_ROWS, Around, Lines, Scope
from connectors.formats.edi.machine import Capture, Move, State
from connectors.formats.edi.paths import qualifier_position
from connectors.formats.edi.runs import Learner, Profile
from connectors.formats.edi.shares import Shares, beside
from connectors.formats.edi.tape import Tape
from schemas.documents import DocumentEnd, LineChunk
from schemas.findings import Finding, Severity

LONGEST_SEGMENT = 1 << 20
_DEEPEST = 30  #: loops within loops; the standard's sets have at most five

_WITHOUT_BREAKS = {10: None, 13: None}

BodyItem = LineChunk | Finding | DocumentEnd


@dataclass(frozen=True, slots=True)
class Opening:
    """The ST or UNH a document began with."""

    ordinal: int
    control_number: str
    offset: int
    elements: tuple[str, ...]


def read_body(
    tape: Tape, learner: Learner, dialect: Dialect, opening: Opening, early: Sequence[Finding] = ()
) -> Iterator[BodyItem]:
    """The set's lines and findings, then its end. The tape is left after SE, or at what stands in its stead.

    ``early`` are findings about the ST itself; they count in the verdict. For a message of EDIFACT the same
    holds of UNH and UNT.
    """
    return Body(tape, learner, dialect, opening).run(early)


class Body:
    """The exact walk through one set, and where it stands; lives as long as that set."""

    def __init__(self, tape: Tape, learner: Learner, dialect: Dialect, opening: Opening) -> None:
        self.tape, self.learner, self.dialect, self.opening = tape, learner, dialect, opening
        self.machine, self.delimiters = learner.machine, learner.delimiters
        plan = self.machine.plan
        self.standard = plan.grammar.standard
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
        self.kind = ""  #: the segment that opened the lines of the innermost loop around lines
        self.around: Around | None = None  #: that loop
        self.goes_on = False  #: whether the loop met last says more of the open line
        self.counted_out = False  #: whether the open line has the element that tells lines apart

        self.shares = Shares()

        self.guarding = any(place.loops for place in plan.places)
        self.profile: Profile | None = None
        self.pace = Pace()
        self.enders = tuple(id_ + self.delimiters.element for id_ in self.standard.enders)

    def run(self, early: Sequence[Finding]) -> Iterator[BodyItem]:
        for finding in early:
            yield self.counted(finding)
        opener = self.machine.segments[self.standard.opens]
        yield from self._judge(opener, self.opening.elements, Spot(1, self.opening.offset))
        tape, terminator, blanks = self.tape, self.delimiters.segment, self.delimiters.blanks
        suffix, dialect = self.learner.suffix, self.dialect
        while True:
            if self.state.offered and not self.shares.waiting:
                if suffix and tape.text.startswith(suffix, tape.at):
                    tape.at += len(suffix)
                yield from pass_known_runs(self)
            end = tape.text.find(terminator, tape.at)
            complete = end >= 0
            if not complete:
                if len(tape.text) - tape.at < LONGEST_SEGMENT and tape.more():
                    continue
                end = len(tape.text)
            raw = tape.text[tape.at : end].lstrip(blanks)
            start = end - len(raw)
            if not dialect.sees_enough(tape.text, start) and tape.more():
                continue
            offset = tape.base + start
            if (complete and raw.startswith(self.enders)) or dialect.begins_interchange(tape.text, start):
                tape.at = start
                yield from self._end(
                    offset, [self.dialect.no_trailer_finding(self.opening.control_number, self.number, offset)]
                )
                return
            if not complete:
                yield from self._cut_off()
                return
            tape.at = end + len(terminator)
            if not raw:
                yield self.dialect.empty_finding(self.number, offset)
                continue
            elements = yield from self._segment(raw, offset)
            if elements[0] == self.standard.closes:
                yield from self._end(
                    tape.offset,
                    self.dialect.trailer_findings(elements, self.number, self.opening.control_number, offset),
                )
                return

    def _segment(self, raw: str, offset: int) -> Generator[BodyItem, None, Sequence[str]]:
        """One segment: its place in the set, its values, its faults."""
        self.number += 1
        separator = self.delimiters.element
        elements = raw.split(separator)
        if not raw.isascii():
            spelled = [self.dialect.spell(element) for element in elements]
            elements = [text for text, _ in spelled]
            if not self.guessed and not all(certain for _, certain in spelled):
                self.guessed = True
                yield self.dialect.guessed_finding(self.number, offset, len(raw))
        if "\n" in raw or "\r" in raw:
            elements = [element.translate(_WITHOUT_BREAKS) for element in elements]
            if not self.wrapped:
                self.wrapped = True
                yield self.dialect.wrapped_finding(self.number, offset, len(raw))
        state = self.state
        move = self.machine.step(state, elements[0])
        if move is None:
            self.profile = None
            line = self.line if self.line_open else None
            yield from self._unplaced(elements, Spot(self.number, offset, len(raw), line))
            return elements
        if move.again and self.uses[move.depth] >= move.limit:
            move = self.machine.alternative(state, elements[0], move) or move
        self._count_use(move)
        yield from self.place(move, elements, offset)
        line = self.line if move.level == self.deepest else None
        sharing = self.machine.plan.shares
        found: list[Finding] = []
        if sharing is not None and move.spec.id == sharing.id:
            found += self.shares.take(self, move, elements, offset, len(raw))
        else:
            for wanted in move.captures:
                value = self.value_of(wanted, move.spec, elements).rstrip(" ")
                if value:
                    self.put(move.level, wanted.slot, value)
        sound = self.learner.accepts(move.spec, elements)
        if not sound or move.missing or move.disorder or self.uses[move.depth] > move.limit:
            spot = Spot(self.number, offset, len(raw), line)
            if not sound:
                faults = self._element_findings(move.spec, elements, spot)
                sound = not faults
                found += faults
            found += self._grammar_findings(move, spot)
        if self.around is not None and move.level == self.deepest - 1:
            self.around.note(found)
        else:
            if sharing is not None and line is not None and self.line_open:
                self.shares.note(found)
            yield from map(self.counted, found)
        self.state = move.state
        self._learn(state, move, elements, sound=sound)
        return elements

    def _count_use(self, move: Move) -> None:
        self.uses[move.depth] = self.uses[move.depth] + 1 if move.again else 1
        if move.opens:
            self.uses[move.depth + 1] = 1

    def place(self, move: Move, elements: Sequence[str], offset: int) -> Iterator[BodyItem]:
        """Close the line that ends here, and open the loop and line that begin."""
        self.goes_on = move.starts and self.machine.plan.counts > 0 and self._goes_on(move, elements)
        if (move.starts and not self.goes_on) or move.level < self.deepest:
            yield from self.close_line(offset)
        if self.around is not None and move.level < self.deepest - (0 if move.starts else 1):
            yield from self.settle(offset)
        if move.opens:
            self.openers[len(move.state.frames) - 1] = elements
        if not move.starts or self.goes_on:
            return
        if len(self.lines.segments) >= (CHUNK_ROWS if move.level == 1 else MOST_ROWS):
            yield self.lines.flush()
        self.header_open = False
        position = qualifier_position(move.spec.id)
        is_line = (
            move.level == self.deepest
            and self.qualifier in (None, self._kind(elements, position))
            and self.kind in ("", move.spec.id)
        )
        if is_line:
            self.kind = move.spec.id
            sharing = self.machine.plan.shares
            if self.shares.waiting and sharing is not None and self.around is not None:
                self.around.note([beside(self, sharing.id, offset, 0)])
                self.shares.waiting.clear()
            self.counted_out = self._filled(elements, self.machine.plan.counts)
        if move.spec.id in ("HL", "CPS"):
            id_, parent_id, _, children = (*elements[1:5], "", "", "", "")[:4]
            finding = self.open_level(is_line, id_, parent_id, children, offset, of=move.spec.id)
            if finding:
                yield self.counted(finding)
        else:
            self._open_loop(move.level, is_line, offset)

    def _goes_on(self, move: Move, elements: Sequence[str]) -> bool:
        """Whether a loop that makes lines says more of the open one: one of the two has no quantity."""
        if not self.line_open or move.level != self.deepest or self.kind != move.spec.id:
            return False
        filled = self._filled(elements, self.machine.plan.counts)
        if filled and self.counted_out:
            return False
        self.counted_out = self.counted_out or filled
        return True

    @staticmethod
    def _filled(elements: Sequence[str], position: int) -> bool:
        return len(elements) > position > 0 and elements[position].strip() != ""

    def close_line(self, offset: int) -> Sequence[Finding]:
        """The open line, if there is one, ends before byte ``offset``; what is wrong with its shares."""
        if not self.line_open:
            return ()
        self.lines.ends.append(offset)
        self.line_open = False
        return self.shares.end_line(self.lines) if self.machine.plan.shares is not None else ()

    def _open_loop(self, level: int, is_line: bool, offset: int) -> None:
        """A loop of the line's chain begins: a scope around lines, or a line."""
        parent = self.scopes[level - 1]
        assert parent is not None, "the loops of the chain open from the outside in"
        if is_line:
            self.line = self.lines.begin(parent, self.number, offset)
            self.line_open = True
            return
        self.line = None
        scope = self.scopes[level] = Scope(parent)
        if level == self.deepest - 1:
            self.kind = ""
            if level:
                self.around = Around(self.number, offset, scope, self.lines.count + 1)

    def settle(self, offset: int) -> Iterator[Finding]:
        """The loop around lines has ended: where it held none it may be one itself, and its faults are theirs."""
        around, self.around = self.around, None
        if around is None:
            return
        if self.machine.plan.bare and not self.kind:
            self.shares.begin(self.lines, around.scope, around.number, around.offset, offset)
        yield from map(self.counted, shared_findings(around.told(), around.first, self.lines.count))

    def open_level(
        self, is_line: bool, id_: str, parent_id: str, children: str, offset: int, *, of: str = "HL"
    ) -> Finding | None:
        """An HL or CPS begins: a line, or a level that lines (or the carton of a line) hang from."""
        self.kind = ""
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
            if of == "CPS" and self.deepest == 2:
                self.around = Around(self.number, offset, scope, self.lines.count + 1)
        return self._level_finding(of, id_, parent_id, offset, known=known, fresh=fresh, is_line=is_line)

    def _level_finding(
        self, of: str, id_: str, parent_id: str, offset: int, *, known: bool, fresh: bool, is_line: bool
    ) -> Finding | None:
        """What is wrong with where a level hangs: its parent is ``known``, its number ``fresh``."""
        spot, told = Spot(self.number, offset, 0, self.line), self.dialect.segment_finding
        if not known:
            message = f"{of}02 names level {parent_id}, which has not come before"
            expected = f"the {of}01 of an earlier {of}"
            return told(f"{of.lower()}.parent", message, of, spot, position=2, value=parent_id, expected=expected)
        if not fresh:
            message = f"{of}01 {id_} was used before"
            return told(f"{of.lower()}.number", message, of, spot, position=1, value=id_, severity=Severity.WARNING)
        if not is_line and self.line is not None and self.line <= self.lines.done:
            message = f"line {self.line} was handed on before this level below it came: its values are not the line's"
            return told(f"{of.lower()}.late", message, of, spot, position=2, value=parent_id, severity=Severity.WARNING)
        return None

    def certain(self, text: str) -> bool:
        """Whether what foreign characters in whole segments say is no guess that nobody was told of yet, and is the
        same for each component as for all of them."""
        marks, spell = self.delimiters, self.dialect.spell
        for element in text.replace(marks.segment, marks.element).split(marks.element):
            if element.isascii():
                continue
            whole, certain = spell(element)
            if not (certain or self.guessed):
                return False
            pieces = element.split(marks.component) if marks.component else [element]
            if len(pieces) > 1 and [spell(piece)[0] for piece in pieces] != whole.split(marks.component):
                return False
        return True

    def spelled(self, row: Sequence[str | None]) -> list[str | None]:
        """What a run's row says, of which it is ``certain``."""
        spell = self.dialect.spell
        return [value if not value or value.isascii() else spell(value)[0] for value in row]

    def put(self, level: int, slot: int, value: str) -> None:
        """Keep a value where it belongs; the first one in a loop instance counts."""
        if level == 0 and not self.header_open:
            return
        if level == self.deepest and self.line_open:
            self.lines.put(slot, value)
        scope = self.scopes[level]
        if scope is not None:
            scope.values.setdefault(slot, value)

    def value_of(self, capture: Capture, spec: Segment, elements: Sequence[str]) -> str:
        """The value as it stands there; empty where there is none."""
        if not self.openers_show(capture.openers):
            return ""
        for position, wanted in capture.when:
            if self._kind(elements, position) != wanted:
                return ""
        if not capture.element:
            return self.dialect.show(self._identified(capture.qualifier, spec, elements))
        if capture.qualifier not in (None, self._kind(elements, capture.position)):
            return ""
        value = elements[capture.element] if capture.element < len(elements) else ""
        if capture.component:
            pieces = value.split(self.delimiters.component) if self.delimiters.component else [value]
            value = pieces[capture.component - 1] if capture.component <= len(pieces) else ""
        return self.dialect.show(value)

    def _identified(self, qualifier: str | None, spec: Segment, elements: Sequence[str]) -> str:
        """The id whose kind ``qualifier`` names."""
        for index in spec.pairs:
            if index + 1 >= len(elements):
                break
            if self.standard.leading:
                id_, _, rest = elements[index + 1].partition(self.delimiters.component)
                if rest.partition(self.delimiters.component)[0] == qualifier:
                    return id_
            elif elements[index + 1] == qualifier and index + 2 < len(elements):
                return elements[index + 2]
        return ""

    def _kind(self, elements: Sequence[str], position: int) -> str:
        """What names a segment's kind at this position; empty where there is nothing."""
        value = elements[position] if position < len(elements) else ""
        return value.partition(self.delimiters.component)[0] if self.standard.leading else value

    def openers_show(self, openers: Sequence[tuple[int, int, str]]) -> bool:
        """Whether the enclosing loops are those a path names."""
        return all(self._kind(self.openers[depth], position) == wanted for depth, position, wanted in openers)

    def _learn(self, before: State, move: Move, elements: Sequence[str], *, sound: bool) -> None:
        """Remember the shape of a faultless segment in the profile of the loop it stands in."""
        if move.spec.id == self.standard.closes:
            return
        sound = sound and not move.missing and not move.disorder and self.uses[move.depth] <= move.limit
        frames = move.state.frames
        goes_on = len(frames) < len(before.frames)  # with a loop that was left for one inside it
        if move.opens or goes_on or before is self.machine.start:
            self.profile = self.learner.open(before, move, elements) if sound else None
            return
        profile = self.profile
        if profile is None:
            return
        if not sound or len(frames) != len(profile.frames) or frames[-1].loop is not profile.frames[-1].loop:
            self.profile = None
            return
        self.learner.learn(profile, move, elements, self.uses[move.depth])

    def counted(self, finding: Finding) -> Finding:
        """The finding, with its weight in the verdict."""
        if finding.severity is Severity.ERROR and finding.line is None:
            self.errors += 1
        return finding

    def _judge(self, spec: Segment, elements: Sequence[str], spot: Spot) -> Iterator[Finding]:
        return map(self.counted, self._element_findings(spec, elements, spot))

    def _element_findings(self, spec: Segment, elements: Sequence[str], spot: Spot) -> list[Finding]:
        faults = judge_segment(spec, elements, self.delimiters)
        return [self.dialect.element_finding(fault, spec.id, spot) for fault in faults]

    def _grammar_findings(self, move: Move, spot: Spot) -> Iterator[Finding]:
        """What is wrong with where a segment stands."""
        id_, told = move.spec.id, self.dialect.segment_finding
        for missing in move.missing:
            message = f"the mandatory segment {missing} is missing before {id_}"
            yield told("segment.missing", message, missing, spot, expected=missing)
        if move.disorder:
            yield told("segment.order", f"{id_} stands out of order", id_, spot)
        uses = self.uses[move.depth]
        if move.again and uses == move.limit + 1:
            code, what = ("loop.max_use", "loop") if move.opens else ("segment.max_use", "segment")
            message, expected = f"the {what} {id_} stands more than {move.limit} times", f"at most {move.limit}"
            yield told(code, message, id_, spot, value=str(uses), expected=expected)

    def _unplaced(self, elements: Sequence[str], spot: Spot) -> Iterator[Finding]:
        """A segment that stands nowhere in this set."""
        set_id, id_ = self.machine.plan.set.id, elements[0]
        if not set_id:
            return
        known = self.machine.segments.get(id_)
        code, message = (
            ("segment.unexpected", f"{id_} does not belong to set {set_id}")
            if known
            else ("segment.unknown", f"there is no segment '{id_[:20]}'")
        )
        value = self.delimiters.element.join(elements)[:80]
        yield self.counted(self.dialect.segment_finding(code, message, id_[:3], spot, value=value))
        if known:
            yield from self._judge(known, elements, spot)

    def _cut_off(self) -> Iterator[BodyItem]:
        """The payload ends inside the set."""
        tape = self.tape
        rest = tape.text[tape.at :].lstrip(self.delimiters.blanks)
        offset = tape.base + len(tape.text) - len(rest)
        rest = rest.rstrip(self.delimiters.blanks)
        elements = rest.split(self.delimiters.element)
        yield from self.close_line(offset)
        tape.at = len(tape.text)
        if elements[0] == self.standard.closes and len(elements) > 2:
            self.number += 1
            yield from self._end(
                tape.offset, self.dialect.trailer_findings(elements, self.number, self.opening.control_number, offset)
            )
            return
        finding = self.dialect.truncated_finding(self.opening.control_number, self.number, offset, rest)
        yield from self._end(tape.offset, [finding])

    def _end(self, offset: int, findings: Iterable[Finding]) -> Iterator[BodyItem]:
        yield from self.close_line(offset)
        yield from self.settle(offset)
        if self.lines.segments:
            yield self.lines.flush()
        for finding in findings:
            yield self.counted(finding)
        yield DocumentEnd(
            ordinal=self.opening.ordinal,
            lines=self.lines.count,
            accepted=not self.errors,
            offset=offset,
            segments=self.number,
            head={self.lines.paths[slot]: text for slot, text in self.lines.header.values.items()},
        )
