"""X12 interchanges as a stream of documents, line chunks and findings.

The envelope is walked here (X12.5, X12.6): ISA .. IEA, GS .. GE and ST .. SE with their counts and
control numbers, any number of each in one payload; what lies inside a set is ``body``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.base import Plans, ReadItem
from connectors.formats.edi.body import Opening, read_body
from connectors.formats.edi.bounds import bounded
from connectors.formats.edi.delimiters import LONGEST_MARK, Delimiters, begins_header, find_header, read_header
from connectors.formats.edi.dialect import X12Dialect
from connectors.formats.edi.envelope import ANSWERS, EnvelopeJudge, Group, Interchange, element
from connectors.formats.edi.findings import syntax_finding
from connectors.formats.edi.grammar import load_grammar, nearest_version
from connectors.formats.edi.plan import x12_plan
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape, spell
from connectors.formats.edi.walking import MOST_REMEMBERED, Loose, PayloadReader, next_segment
from schemas.documents import DocumentStart, LinePlan
from schemas.findings import Finding, Severity


def read_interchanges(tape: Tape, plans: Plans, *, learn: bool = True) -> Iterator[ReadItem]:
    """Everything in the payload, in order; findings within the bounds of ``bounds``."""
    return bounded(_Reader(tape, plans, learn=learn).run())


class _Reader(PayloadReader[Interchange]):
    """The walk through one payload."""

    opens, longest = "ISA", LONGEST_MARK
    find = staticmethod(find_header)

    def nothing(self) -> Finding:
        return syntax_finding(
            "interchange.missing", "no ISA segment anywhere: this is no X12 interchange", "byte 0", 0, expected="ISA",
            standard={"TA105": "022"},
        )  # fmt: skip

    def begin(self) -> Interchange:
        tape = self.tape
        while (header := read_header(tape.text, tape.at, complete=tape.ended)) is None:
            tape.more()
        return Interchange(header, self.interchanges, tape.offset, first=self.documents + 1)

    def walk(self, interchange: Interchange) -> Iterator[ReadItem]:
        """From ISA to IEA."""
        tape, header = self.tape, interchange.header
        tape.at = header.end
        judge = EnvelopeJudge(interchange)
        named = (interchange.element(6), interchange.element(8), interchange.control_number)
        yield from judge.header(doubled=header.readable and self.controls.met(named))
        group: Group | None = None
        while header.readable and (found := next_segment(tape, header.delimiters, spell)) is not None:
            id_, offset = found.elements[0], found.offset
            if begins_header(tape.text, found.start):
                tape.at = found.start
                break
            if group and id_ in ("GS", "IEA"):
                yield from judge.no_group_trailer(group, offset)
                group = None
            if id_ == "IEA":
                yield from judge.trailer(found.elements, offset, complete=found.complete)
                return
            if id_ == "GS":
                group = self._group(found, interchange)
                yield from judge.group(group)
            elif id_ == "GE":
                yield from judge.group_trailer(group, found.elements, offset)
                group = None
            elif id_ == "ST":
                if not group:
                    yield judge.outside_group(offset)
                yield from self._set(found.elements, offset, group, interchange)
            elif id_ == "TA1":
                yield from judge.plain("TA1", found.elements, offset)
                interchange.take(found.elements)
            else:
                yield judge.misplaced(found.elements, offset)
        if group:
            yield from judge.no_group_trailer(group, tape.offset)
        if header.readable:
            yield judge.no_trailer(tape.offset)

    def _group(self, found: Loose, interchange: Interchange) -> Group:
        """The group that a GS opens."""
        self.groups += 1
        group = Group(found.elements, found.offset, self.groups, first=self.documents + 1)
        interchange.groups += 1
        interchange.only_answers &= group.element(1) in ANSWERS
        return group

    def _set(
        self, elements: Sequence[str], offset: int, group: Group | None, interchange: Interchange
    ) -> Iterator[ReadItem]:
        self.documents += 1
        if group is not None:
            group.sets += 1
        start = self._start(elements, offset, group, interchange)
        yield start
        version = nearest_version(start.version)
        if version != start.version[:6] and not self.warned.met(start.version):
            yield syntax_finding(
                "version.unknown", f"version {start.version or 'unknown'} is read by the tables of {version}",
                start.location, offset, severity=Severity.WARNING, value=start.version, expected=version,
            )  # fmt: skip
        wanted = self.plans.for_document(start)
        learner = self._learner(version, start.attributes["set"], interchange.header.delimiters, wanted)
        early = list(self._early(start, learner, group))
        opening = Opening(self.documents, start.control_number, offset, tuple(elements))
        yield from read_body(self.tape, learner, X12Dialect(), opening, early)

    @staticmethod
    def _early(start: DocumentStart, learner: Learner, group: Group | None) -> Iterator[Finding]:
        """What is wrong with a set as such."""
        if group is not None:
            if start.control_number in group.controls:
                yield syntax_finding(
                    "set.duplicate", f"set {start.control_number} stands twice in {group.where}", start.location,
                    start.offset or 0, value=start.control_number, standard={"AK502": "23"},
                )  # fmt: skip
            if len(group.controls) < MOST_REMEMBERED:
                group.controls.add(start.control_number)
        plan = learner.machine.plan
        if group is not None and plan.set.group not in ("", group.element(1)):
            yield syntax_finding(
                "set.group", f"{plan.set.id} ({plan.set.name}) does not belong in a group {group.element(1)}",
                start.location, start.offset or 0, severity=Severity.WARNING, value=group.element(1) or None,
                expected=plan.set.group,
            )  # fmt: skip
        if not plan.set.id:
            set_id = start.attributes["set"]
            yield syntax_finding(
                "set.unknown", f"there is no table of transaction set '{set_id}'; it was counted but not judged",
                start.location, start.offset or 0, value=set_id or None, expected=", ".join(sorted(plan.grammar.sets)),
                standard={"AK502": "1" if set_id else "6"},
            )  # fmt: skip

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
