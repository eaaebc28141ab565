"""EDIFACT interchanges as a stream of documents, line chunks and findings.

The envelope is walked here (ISO 9735): UNA, UNB .. UNZ, UNG .. UNE and UNH .. UNT with their counts and
references, any number of each in one payload, and messages that stand in no interchange at all.
What lies inside a message is ``body``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.base import Plans, ReadItem
from connectors.formats.edi.body import Opening, read_body
from connectors.formats.edi.bounds import bounded
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.charsets import foreign_characters
from connectors.formats.edi.edifact.directories import directory_for
from connectors.formats.edi.edifact.envelope import EnvelopeJudge, Group, Interchange
from connectors.formats.edi.edifact.plan import edifact_plan, layout_of
from connectors.formats.edi.edifact.service import LONGEST_HEAD, Head, find_head, read_head
from connectors.formats.edi.findings import syntax_finding
from connectors.formats.edi.grammar import EDIFACT, load_grammar
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape
from connectors.formats.edi.walking import MOST_REMEMBERED, Loose, PayloadReader, next_segment
from schemas.documents import DocumentStart, LinePlan
from schemas.findings import Finding, Severity


def read_edifact(tape: Tape, plans: Plans, *, learn: bool = True) -> Iterator[ReadItem]:
    """Everything in the payload, in order."""
    return bounded(_Reader(tape, plans, learn=learn).run())


class _Reader(PayloadReader[Interchange]):
    """The walk through one payload."""

    opens, longest = "UNB", LONGEST_HEAD
    misplaced = {"0085": "33"}
    find = staticmethod(find_head)
    head: Head | None = None  #: by which text is hidden that is no delimiter

    def nothing(self) -> Finding:
        return syntax_finding(
            "interchange.missing", "neither UNB nor UNH anywhere: this is no EDIFACT interchange", "byte 0", 0,
            expected="UNB", standard={"0085": "13", "0013": "UNB"},
        )  # fmt: skip

    def begin(self) -> Interchange:
        tape = self.tape
        tape.watch(None)
        while len(tape.text) - tape.at < LONGEST_HEAD and tape.more():
            pass
        head = read_head(tape.raw(LONGEST_HEAD))
        if self.head is None or (head.delimiters, head.advice) != (self.head.delimiters, self.head.advice):
            tape.shield(head.shield)
            self.head = head
        return Interchange(head, self.interchanges, tape.offset, first=self.documents + 1)

    def walk(self, interchange: Interchange) -> Iterator[ReadItem]:
        """From UNA or UNB to UNZ, or to what stands in its stead."""
        tape, head = self.tape, interchange.head
        judge = EnvelopeJudge(interchange)
        yield from judge.service_characters()
        tape.at += head.length
        if head.problem == "unusable":
            return
        group: Group | None = None
        while (found := self._segment(interchange)) is not None:
            id_, offset = found.elements[0], found.offset
            if id_ == "UNB" and not interchange.elements and not interchange.bare:
                yield from self._header(found, interchange, judge)
                continue
            if id_[:3] in ("UNA", "UNB"):
                tape.at = found.start
                break
            if group and id_ in ("UNG", "UNZ"):
                yield from judge.no_group_trailer(group, offset)
                group = None
            if id_ == "UNZ":
                yield from judge.trailer(found.elements, offset, complete=found.complete)
                yield from judge.repertoire(tape.seen, tape.offset)
                return
            if id_ == "UNG":
                self.groups += 1
                group = Group(found.elements, offset, self.groups, first=self.documents + 1)
                yield from judge.group(group)
            elif id_ == "UNE":
                yield from judge.group_trailer(group, found.elements, offset)
                group = None
            elif id_ == "UNH":
                yield from judge.bare(offset)
                yield from self._message(found.elements, offset, group, interchange)
            else:
                yield judge.misplaced(found.elements, offset)
        if group:
            yield from judge.no_group_trailer(group, tape.offset)
        if not interchange.bare:
            yield judge.no_trailer(tape.offset)
        yield from judge.repertoire(tape.seen, tape.offset)

    def _segment(self, interchange: Interchange) -> Loose | None:
        """The next segment outside a message; UNB tells how those after it are spelled."""
        return next_segment(self.tape, interchange.head.delimiters, interchange.dialect.spell)

    def _header(self, found: Loose, interchange: Interchange, judge: EnvelopeJudge) -> Iterator[Finding]:
        """UNB has been read."""
        interchange.open(found.elements)
        self.tape.watch(foreign_characters(interchange.syntax, interchange.head.delimiters))
        named = (interchange.sender, interchange.receiver, interchange.control_number)
        yield from judge.header(found.elements, found.offset, self.controls.met(named))

    def _message(
        self, elements: Sequence[str], offset: int, group: Group | None, interchange: Interchange
    ) -> Iterator[ReadItem]:
        self.documents += 1
        start = self._start(elements, offset, group, interchange)
        yield start
        message = start.attributes["message"]
        directory, near = directory_for(message, start.attributes["version"], start.attributes["release"])
        if not near and not self.warned.met(start.version):
            yield syntax_finding(
                "version.unknown", f"version {start.version or 'unknown'} is read by the tables of {directory}",
                start.location, offset, severity=Severity.WARNING, value=start.version, expected=directory,
                standard={"0085": "2"},
            )  # fmt: skip
        wanted = self.plans.for_document(start)
        learner = self._learner(directory, message, interchange.head.delimiters, wanted)
        early = list(self._early(start, learner, group, interchange))
        opening = Opening(self.documents, start.control_number, offset, tuple(elements))
        dialect = interchange.dialect.of_subset() if start.attributes["association"] else interchange.dialect
        yield from read_body(self.tape, learner, dialect, opening, early)

    @staticmethod
    def _early(
        start: DocumentStart, learner: Learner, group: Group | None, interchange: Interchange
    ) -> Iterator[Finding]:
        """What is wrong with a message as such."""
        message = start.attributes["message"]
        interchange.count(message, group)
        if start.control_number in interchange.messages:
            yield syntax_finding(
                "message.duplicate", f"message {start.control_number} stands twice in {interchange.where}",
                start.location, start.offset or 0, value=start.control_number, standard={"0085": "26", "0013": "UNH"},
            )  # fmt: skip
        if len(interchange.messages) < MOST_REMEMBERED:
            interchange.messages.add(start.control_number)
        plan = learner.machine.plan
        if group is not None and plan.set.id and group.component(1, 1) not in ("", message):
            yield syntax_finding(
                "message.group", f"{message} ({plan.set.name}) does not belong in a group {group.component(1, 1)}",
                start.location, start.offset or 0, severity=Severity.WARNING, value=group.component(1, 1),
                expected=message, standard={"0085": "15", "0013": "UNG", "UCD0098": "2"},
            )  # fmt: skip
        if not plan.set.id:
            yield syntax_finding(
                "message.unknown", f"there is no table of message '{message}'; it was counted but not judged",
                start.location, start.offset or 0, value=message or None,
                expected=", ".join(sorted(plan.grammar.sets)), standard={"0085": "12", "0013": "UNH", "UCD0098": "3"},
            )  # fmt: skip

    def _learner(self, directory: str, message: str, delimiters: Delimiters, wanted: LinePlan | None) -> Learner:
        grammar = load_grammar(directory, EDIFACT)
        message = message if message in grammar.sets else ""
        layout = layout_of(grammar, message, wanted, self.tape, delimiters)
        return self.learners.of(
            (directory, message, layout), self.tape, delimiters, wanted,
            lambda: edifact_plan(grammar, message, wanted, layout),
        )  # fmt: skip

    def _start(
        self, elements: Sequence[str], offset: int, group: Group | None, interchange: Interchange
    ) -> DocumentStart:
        component = interchange.head.delimiters.component
        reference = elements[1].strip() if len(elements) > 1 else ""
        kind = [*(part.strip() for part in (elements[2] if len(elements) > 2 else "").split(component)), *[""] * 5]
        message, version, release, agency, association = kind[:5]
        attributes = {
            "message": message,
            "version": version,
            "release": release,
            "agency": agency,
            "association": association,
            "access_reference": elements[3].strip() if len(elements) > 3 else "",
            "syntax": f"{interchange.syntax}:{interchange.syntax_version}",
            "interchange_date": interchange.component(4, 1),
            "interchange_time": interchange.component(4, 2),
            "interchange_offset": str(interchange.offset),
            "acknowledgment_requested": interchange.component(9, 1),
            "application_sender": group.component(2, 1) if group else "",
            "application_receiver": group.component(3, 1) if group else "",
        }
        return DocumentStart(
            ordinal=self.documents,
            type=f"edifact.{message}",
            version=f"{version}.{release}" if release else version,
            sender=interchange.sender,
            receiver=interchange.receiver,
            control_number=reference,
            interchange=interchange.control_number,
            group=group.reference if group else "",
            test=interchange.component(11, 1) == "1",
            location=f"message {reference}",
            offset=offset,
            attributes=attributes,
        )
