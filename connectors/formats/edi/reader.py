"""X12 interchanges as a stream of documents, line chunks and findings.

The envelope is walked here (X12.5, X12.6): ISA .. IEA, GS .. GE and ST .. SE with their counts and
control numbers, any number of each in one payload; what lies inside a set is ``body``'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from connectors.base import Plans, ReadItem
from connectors.formats.edi.body import Opening, read_body
from connectors.formats.edi.bounds import bounded
from connectors.formats.edi.delimiters import Delimiters, Header, begins_header, find_header, read_header
from connectors.formats.edi.dialect import X12Dialect
from connectors.formats.edi.envelope import ANSWERS, LONGEST, MOST_FINDINGS, EnvelopeJudge, Group, Interchange, element
from connectors.formats.edi.findings import envelope_finding
from connectors.formats.edi.grammar import load_grammar, nearest_version
from connectors.formats.edi.plan import x12_plan
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape, spell
from connectors.formats.edi.walking import MOST_REMEMBERED, Learners, Passed, Remembered, next_segment, seek
from schemas.documents import DocumentStart, LinePlan
from schemas.findings import Finding, Severity

_LONGEST_MARK = 8  #: characters in which an ISA is told


def read_interchanges(tape: Tape, plans: Plans, *, learn: bool = True) -> Iterator[ReadItem]:
    """Everything in the payload, in order; findings within the bounds of ``bounds``."""
    return bounded(_Reader(tape, plans, learn=learn).run())


class _Reader:
    """The walk through one payload."""

    def __init__(self, tape: Tape, plans: Plans, *, learn: bool) -> None:
        self.tape = tape
        self.plans = plans
        self.documents = 0
        self.interchanges = 0
        self.groups = 0
        self.controls, self.warned = Remembered(), Remembered()
        self.learners = Learners(enabled=learn)

    def run(self) -> Iterator[ReadItem]:
        while True:
            header = yield from self._next_header()
            if header is None:
                break
            yield from self._interchange(header)
        if not self.interchanges:
            yield envelope_finding(
                "interchange.missing", "no ISA segment anywhere: this is no X12 interchange", "byte 0", 0,
                expected="ISA", TA105="022",
            )  # fmt: skip

    def _next_header(self) -> Generator[Finding, None, Header | None]:
        """Skip to the next ISA and read it; None at the end. What is skipped is said when it is not blank."""
        tape = self.tape
        passed = seek(tape, find_header, _LONGEST_MARK)
        if not passed.found:
            if self.interchanges or not passed.text:
                yield from self._skipped(passed, "text.after", "after the last interchange")
            return None
        place = "between interchanges" if self.interchanges else "before the first ISA"
        yield from self._skipped(passed, "text.before", place)
        while (header := read_header(tape.text, tape.at, complete=tape.ended)) is None:
            tape.more()
        return header

    @staticmethod
    def _skipped(passed: Passed, code: str, place: str) -> Iterator[Finding]:
        if passed.text:
            yield envelope_finding(
                code, f"text {place} is no part of any interchange", place, passed.offset,
                severity=Severity.WARNING, value=spell(passed.text)[0],
            )  # fmt: skip

    def _interchange(self, header: Header) -> Iterator[ReadItem]:
        """Everything from ISA to IEA, then its end."""
        self.interchanges += 1
        interchange = Interchange(header, self.interchanges, self.tape.offset, first=self.documents + 1)
        for item in self._walk(interchange, header):
            if isinstance(item, Finding):
                interchange.note(item)
            yield item
        yield interchange.end(self.documents, self.tape.offset)

    def _walk(self, interchange: Interchange, header: Header) -> Iterator[ReadItem]:
        tape = self.tape
        tape.at = header.end
        judge = EnvelopeJudge(interchange)
        unreadable = header.problem in ("short", "terminator")
        named = (interchange.element(6), interchange.element(8), interchange.control_number)
        yield from judge.header(doubled=not unreadable and self.controls.met(named))
        if unreadable:
            return
        group: Group | None = None
        while True:
            found = self._segment(header)
            if found is None:
                if group:
                    yield from judge.no_group_trailer(group, tape.offset)
                yield judge.no_trailer(tape.offset)
                return
            elements, offset, start, complete = found
            id_ = elements[0]
            if begins_header(tape.text, start):
                tape.at = start
                if group:
                    yield from judge.no_group_trailer(group, offset)
                yield judge.no_trailer(offset)
                return
            if id_ == "GS":
                if group:
                    yield from judge.no_group_trailer(group, offset)
                self.groups += 1
                group = Group(elements, offset, self.groups, first=self.documents + 1)
                interchange.groups += 1
                interchange.only_answers &= group.element(1) in ANSWERS
                yield from judge.group(group)
            elif id_ == "GE":
                yield from judge.group_trailer(group, elements, offset)
                group = None
            elif id_ == "IEA":
                if group:
                    yield from judge.no_group_trailer(group, offset)
                yield from judge.trailer(elements, offset)
                if not complete:
                    yield envelope_finding(
                        "interchange.terminator_missing", "the last segment has no terminator", interchange.where,
                        tape.offset, severity=Severity.WARNING,
                    )  # fmt: skip
                return
            elif id_ == "ST":
                if group:
                    group.sets += 1
                else:
                    yield envelope_finding(
                        "group.missing", "a transaction set stands outside any functional group", interchange.where,
                        offset, expected="GS", TA105="024",
                    )  # fmt: skip
                yield from self._set(elements, offset, group, interchange)
            elif id_ == "TA1":
                yield from judge.plain("TA1", elements, offset)
                if len(interchange.acknowledgments) < MOST_FINDINGS:
                    interchange.acknowledgments.append(tuple(element[:LONGEST] for element in elements[1:LONGEST]))
            elif id_ or len(elements) > 1:
                yield envelope_finding(
                    "segment.misplaced", f"segment '{id_[:20]}' stands outside any transaction set", interchange.where,
                    offset, value=header.delimiters.element.join(elements)[:80], TA105="022",
                )  # fmt: skip
            else:
                yield envelope_finding(
                    "segment.empty", "an empty segment", interchange.where, offset, severity=Severity.WARNING, length=0
                )

    def _segment(self, header: Header) -> tuple[list[str], int, int, bool] | None:
        """The next segment outside a set: elements, byte offset, index in the window, whether it was terminated."""
        found = next_segment(self.tape, header.delimiters)
        if found is None:
            return None
        text = found.raw.translate({13: None, 10: None}) if found.raw[:3] != "ISA" else found.raw
        elements = [spell(element)[0] for element in text.split(header.delimiters.element)]
        return elements, self.tape.base + found.start, found.start, found.complete

    def _set(
        self, elements: Sequence[str], offset: int, group: Group | None, interchange: Interchange
    ) -> Iterator[ReadItem]:
        self.documents += 1
        start = self._start(elements, offset, group, interchange)
        yield start
        early: list[Finding] = []
        version = nearest_version(start.version)
        if version != start.version[:6] and not self.warned.met(start.version):
            yield envelope_finding(
                "version.unknown", f"version {start.version or 'unknown'} is read by the tables of {version}",
                start.location, offset, severity=Severity.WARNING, value=start.version, expected=version,
            )  # fmt: skip
        wanted = self.plans.for_document(start)
        delimiters = interchange.header.delimiters
        learner = self._learner(version, start.attributes["set"], delimiters, wanted)
        plan = learner.machine.plan
        if group is not None:
            if start.control_number in group.controls:
                early.append(
                    envelope_finding(
                        "set.duplicate", f"set {start.control_number} stands twice in {group.where}", start.location,
                        offset, value=start.control_number, AK502="23",
                    )
                )  # fmt: skip
            if len(group.controls) < MOST_REMEMBERED:
                group.controls.add(start.control_number)
        if not plan.set.id:
            set_id = start.attributes["set"]
            early.append(
                envelope_finding(
                    "set.unknown", f"there is no table of transaction set '{set_id}'; it was counted but not judged",
                    start.location, offset, value=set_id or None, expected=", ".join(sorted(plan.grammar.sets)),
                    AK502="1" if set_id else "6",
                )
            )  # fmt: skip
        opening = Opening(self.documents, start.control_number, offset, tuple(elements))
        yield from read_body(self.tape, learner, X12Dialect(), opening, early)

    def _learner(self, version: str, set_id: str, delimiters: Delimiters, wanted: LinePlan | None) -> Learner:
        grammar = load_grammar(version)
        set_id = set_id if set_id in grammar.sets else ""
        return self.learners.of(
            (version, set_id), self.tape, delimiters, wanted, lambda: x12_plan(grammar, set_id, wanted)
        )

    def _start(
        self, elements: Sequence[str], offset: int, group: Group | None, interchange: Interchange
    ) -> DocumentStart:
        set_id, control_number, implementation = (element(elements, i) for i in (1, 2, 3))
        release = group.element(8) if group else ""
        stated = next((v for v in (release, implementation) if v[:6].isdigit() and len(v) >= 6), "")
        control = interchange.element(12)
        version = stated or (control + "0" if control.isdigit() else release)
        delimiters = interchange.header.delimiters
        attributes = {
            "set": set_id,
            "functional_group": group.element(1) if group else "",
            "application_sender": group.element(2) if group else "",
            "application_receiver": group.element(3) if group else "",
            "release": release,
            "implementation": implementation,
            "interchange_offset": str(interchange.offset),
            "interchange_version": control,
            "interchange_date": interchange.element(9),
            "interchange_time": interchange.element(10),
            "acknowledgment_requested": interchange.element(14),
            "delimiters": f"{delimiters.element}{delimiters.component}{delimiters.segment}{delimiters.repetition}",
        }
        return DocumentStart(
            ordinal=self.documents,
            type=f"x12.{set_id}",
            version=version,
            sender=f"{interchange.element(5)}:{interchange.element(6)}",
            receiver=f"{interchange.element(7)}:{interchange.element(8)}",
            control_number=control_number,
            interchange=interchange.control_number,
            group=group.element(6) if group else "",
            test=interchange.element(15) == "T",
            location=f"set {control_number}",
            offset=offset,
            attributes=attributes,
        )
