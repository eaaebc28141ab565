"""X12 interchanges as a stream of documents, line chunks and findings.

The envelope is walked here (X12.5, X12.6): ISA .. IEA, GS .. GE and ST .. SE with their counts and
control numbers, any number of each in one payload; what lies inside a set is ``body``'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.base import Plans, ReadItem
from connectors.formats.edi.body import Opening, read_body
from connectors.formats.edi.bounds import bounded
from connectors.formats.edi.delimiters import Delimiters, Header, begins_header, find_header, read_header
from connectors.formats.edi.dialect import X12Dialect
from connectors.formats.edi.findings import envelope_finding, is_count
from connectors.formats.edi.grammar import (
    BASE_VERSION,
    Grammar,
    Part,
    TransactionSet,
    load_grammar,
    nearest_version,
)
from connectors.formats.edi.judge import judge_segment
from connectors.formats.edi.machine import Machine, Plan
from connectors.formats.edi.paths import check_paths, find_loop
from connectors.formats.edi.runs import Learner
from connectors.formats.edi.tape import Tape, spell
from schemas.documents import DocumentStart, GroupEnd, Interchange, InterchangeEnd, LinePlan
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity

#: TA105 (element 618) for a bad ISA element
_TA105 = (
    "010",
    "011",
    "012",
    "013",
    "005",
    "006",
    "007",
    "008",
    "014",
    "015",
    "016",
    "017",
    "018",
    "019",
    "020",
    "027",
)
_REMEMBERED = 100_000  #: control numbers kept to notice doubles
_LONGEST = 80  #: characters of a control number or code that are kept; the longest allowed has 35
_MOST_LEARNERS = 100  #: kinds of sets of which is kept what was learned
_MOST_FINDINGS = 100  #: findings of an envelope kept for its end; an answer has room for five
_ANSWERS = ("FA",)  #: functional groups of acknowledgments, which are never acknowledged


@dataclass(slots=True)
class _Interchange:
    header: Header
    number: int
    offset: int
    first: int = 1  #: ordinal of its first document
    groups: int = 0
    controls: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    acknowledgments: list[tuple[str, ...]] = field(default_factory=list)
    only_answers: bool = True

    def note(self, finding: Finding) -> None:
        """Keep a finding about the envelope for its end."""
        if "TA105" in finding.standard and len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)

    def facts(self) -> Interchange:
        """What an answer needs to know of it."""
        delimiters = self.header.delimiters
        return Interchange(
            ordinal=self.number,
            format="x12",
            sender=f"{self.element(5)}:{self.element(6)}",
            receiver=f"{self.element(7)}:{self.element(8)}",
            control_number=self.control_number,
            version=self.element(12),
            date=self.element(9),
            time=self.element(10),
            test=self.element(15) == "T",
            answer_wanted=self.element(14) == "1",
            delimiters={
                "element": delimiters.element,
                "component": delimiters.component,
                "segment": delimiters.segment,
                "repetition": delimiters.repetition,
            },
            offset=self.offset,
        )

    def end(self, last: int, offset: int) -> InterchangeEnd:
        """Its end at byte ``offset``, ``last`` being the ordinal of the newest document."""
        return InterchangeEnd(
            interchange=self.facts(),
            groups=self.groups,
            documents=last - self.first + 1,
            length=offset - self.offset,
            acknowledgments=tuple(self.acknowledgments),
            only_answers=self.only_answers and bool(self.groups or self.acknowledgments),
            findings=tuple(self.findings),
        )

    @property
    def elements(self) -> tuple[str, ...]:
        return self.header.elements

    def element(self, position: int) -> str:
        return self.elements[position - 1].strip() if len(self.elements) >= position else ""

    @property
    def control_number(self) -> str:
        return self.element(13)

    @property
    def where(self) -> str:
        return f"interchange {self.control_number or self.number}"


@dataclass(slots=True)
class _Group:
    elements: Sequence[str]
    offset: int
    number: int = 1
    first: int = 1  #: ordinal of its first document
    sets: int = 0
    controls: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def element(self, position: int) -> str:
        return _element(self.elements, position)

    def noted(self, finding: Finding) -> Finding:
        """The finding, kept for the group's end."""
        self.findings.append(finding)
        return finding

    def end(self, interchange: _Interchange, declared: str) -> GroupEnd:
        return GroupEnd(
            interchange=interchange.facts(),
            ordinal=self.number,
            type=self.element(1),
            sender=self.element(2),
            receiver=self.element(3),
            control_number=self.element(6),
            version=self.element(8),
            first=self.first,
            last=self.first + self.sets - 1,
            declared=int(declared) if is_count(declared) else None,
            findings=tuple(self.findings),
        )

    @property
    def where(self) -> str:
        return f"group {self.element(6)}"


def read_interchanges(tape: Tape, plans: Plans, *, learn: bool = True) -> Iterator[ReadItem]:
    """Everything in the payload, in order; findings within the bounds of ``bounds``."""
    return bounded(_Reader(tape, plans, learn=learn).run())


class _Reader:
    """The walk through one payload."""

    def __init__(self, tape: Tape, plans: Plans, *, learn: bool) -> None:
        self.tape = tape
        self.learn = learn
        self.plans = plans
        self.documents = 0
        self.interchanges = 0
        self.groups = 0
        self.controls: set[tuple[str, str, str]] = set()
        self.warned: set[str] = set()
        self.learners: dict[tuple[str, str, Delimiters, str, int], tuple[Learner, LinePlan | None]] = {}

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
        begin, skipped = tape.offset, ""
        while True:
            at = find_header(tape.text, tape.at)
            if at >= 0:
                break
            keep = max(tape.at, len(tape.text) - 8)
            skipped = _sample(skipped, tape.text[tape.at : keep])
            tape.at = keep
            if not tape.more():
                skipped = _sample(skipped, tape.text[tape.at :])
                tape.at = len(tape.text)
                if self.interchanges or not skipped:
                    yield from self._skipped(begin, skipped, "text.after", "after the last interchange")
                return None
        skipped = _sample(skipped, tape.text[tape.at : at])
        tape.at = at
        place = "between interchanges" if self.interchanges else "before the first ISA"
        yield from self._skipped(begin, skipped, "text.before", place)
        while (header := read_header(tape.text, tape.at, complete=tape.ended)) is None:
            tape.more()
        return header

    def _skipped(self, offset: int, text: str, code: str, place: str) -> Iterator[Finding]:
        if text:
            yield envelope_finding(
                code, f"text {place} is no part of any interchange", place, offset,
                severity=Severity.WARNING, value=spell(text[:80])[0],
            )  # fmt: skip

    def _interchange(self, header: Header) -> Iterator[ReadItem]:
        """Everything from ISA to IEA, then its end."""
        self.interchanges += 1
        interchange = _Interchange(header, self.interchanges, self.tape.offset, first=self.documents + 1)
        for item in self._walk(interchange, header):
            if isinstance(item, Finding):
                interchange.note(item)
            yield item
        yield interchange.end(self.documents, self.tape.offset)

    def _walk(self, interchange: _Interchange, header: Header) -> Iterator[ReadItem]:
        tape = self.tape
        tape.at = header.end
        yield from self._judge_header(interchange)
        if header.problem in ("short", "terminator"):
            return
        group: _Group | None = None
        while True:
            found = self._segment(header)
            if found is None:
                if group:
                    yield from self._no_group_trailer(group, tape.offset, interchange)
                yield envelope_finding(
                    "interchange.trailer_missing", f"{interchange.where} has no IEA", interchange.where, tape.offset,
                    expected="IEA", TA105="023",
                )  # fmt: skip
                return
            elements, offset, start, complete = found
            id_ = elements[0]
            if begins_header(tape.text, start):
                tape.at = start
                if group:
                    yield from self._no_group_trailer(group, offset, interchange)
                yield envelope_finding(
                    "interchange.trailer_missing", f"{interchange.where} has no IEA", interchange.where, offset,
                    expected="IEA", TA105="023",
                )  # fmt: skip
                return
            if id_ == "GS":
                if group:
                    yield from self._no_group_trailer(group, offset, interchange)
                self.groups += 1
                group = _Group(elements, offset, self.groups, first=self.documents + 1)
                interchange.groups += 1
                interchange.only_answers &= group.element(1) in _ANSWERS
                yield from self._judge_group(group, interchange)
            elif id_ == "GE":
                yield from self._group_trailer(group, elements, offset, interchange)
                group = None
            elif id_ == "IEA":
                if group:
                    yield from self._no_group_trailer(group, offset, interchange)
                yield from self._trailer(interchange, elements, offset)
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
                yield from self._judge_plain("TA1", elements, offset, interchange)
                if len(interchange.acknowledgments) < _MOST_FINDINGS:
                    interchange.acknowledgments.append(tuple(element[:_LONGEST] for element in elements[1:_LONGEST]))
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
        tape, delimiters = self.tape, header.delimiters
        while (end := tape.text.find(delimiters.segment, tape.at)) < 0 and len(tape.text) - tape.at < 1 << 20:
            if not tape.more():
                break
        complete = end >= 0
        if not complete:
            end = len(tape.text)
        raw = tape.text[tape.at : end].lstrip(delimiters.blanks)
        start = end - len(raw)
        if not complete:
            raw = raw.rstrip(delimiters.blanks)
            if not raw:
                return None
        tape.at = end + len(delimiters.segment) if complete else end
        text = raw.translate({13: None, 10: None}) if raw[:3] != "ISA" else raw
        return [spell(element)[0] for element in text.split(delimiters.element)], tape.base + start, start, complete

    def _judge_header(self, interchange: _Interchange) -> Iterator[Finding]:
        header = interchange.header
        where, offset = interchange.where, interchange.offset
        if header.problem == "short":
            yield envelope_finding(
                "interchange.header", "the ISA has too few elements; the interchange cannot be read", where, offset,
                value=str(len(header.elements)), expected="16 elements", TA105="022",
            )  # fmt: skip
            return
        if header.problem == "terminator":
            yield envelope_finding(
                "interchange.terminator", "no segment terminator can be told; the interchange cannot be read", where,
                offset, value=header.delimiters.segment or None, expected="a terminator after ISA16", TA105="004",
            )  # fmt: skip
            return
        if header.problem == "layout":
            yield envelope_finding(
                "interchange.layout", "the ISA is not 106 characters long; read by counting its elements", where,
                offset, severity=Severity.WARNING, value=str(header.end - header.start), expected="106",
            )  # fmt: skip
        spec = load_grammar(BASE_VERSION).segments["ISA"]
        for fault in judge_segment(spec, ["ISA", *header.elements[:15], ":"], header.delimiters):
            if header.problem == "layout" and fault.ak403 in ("4", "5", "1"):
                continue
            yield envelope_finding(
                f"interchange.{fault.code}", f"ISA{fault.position:02d}: {fault.message}",
                f"{where}, ISA-{fault.position:02d}", offset, value=fault.value, expected=fault.expected,
                TA105=_TA105[fault.position - 1],
            )  # fmt: skip
        key = (interchange.element(6), interchange.element(8), interchange.control_number)
        if key in self.controls:
            yield envelope_finding(
                "interchange.duplicate", f"interchange {key[2]} stands twice in this payload", f"{where}, ISA-13",
                offset, value=key[2], TA105="025",
            )  # fmt: skip
        if len(self.controls) < _REMEMBERED:
            self.controls.add(key)

    def _judge_group(self, group: _Group, interchange: _Interchange) -> Iterator[Finding]:
        yield from self._judge_plain("GS", group.elements, group.offset, interchange)
        control = group.element(6)
        if control in interchange.controls:
            yield group.noted(envelope_finding(
                "group.duplicate", f"group {control} stands twice in {interchange.where}", f"{group.where}, GS-06",
                group.offset, value=control, AK905="19",
            ))  # fmt: skip
        if len(interchange.controls) < _REMEMBERED:
            interchange.controls.add(control)

    def _judge_plain(
        self, id_: str, elements: Sequence[str], offset: int, interchange: _Interchange
    ) -> Iterator[Finding]:
        grammar = load_grammar(nearest_version(elements[8] if id_ == "GS" and len(elements) > 8 else BASE_VERSION))
        for fault in judge_segment(grammar.segments[id_], elements, interchange.header.delimiters):
            lenient = fault.number == "373" and fault.ak403 in ("4", "5")
            yield envelope_finding(
                f"group.{fault.code}", f"{id_}{fault.position:02d}: {fault.message}",
                f"{interchange.where}, {id_}-{fault.position:02d}", offset, value=fault.value or None,
                expected=fault.expected, severity=Severity.WARNING if lenient else fault.severity, TA105="024",
            )  # fmt: skip

    def _no_group_trailer(self, group: _Group, offset: int, interchange: _Interchange) -> Iterator[ReadItem]:
        yield group.noted(envelope_finding(
            "group.trailer_missing", f"{group.where} has no GE", group.where, offset, expected="GE", AK905="3"
        ))  # fmt: skip
        yield group.end(interchange, declared="")

    def _group_trailer(
        self, group: _Group | None, elements: Sequence[str], offset: int, interchange: _Interchange
    ) -> Iterator[ReadItem]:
        if group is None:
            yield envelope_finding(
                "group.trailer_alone", "a GE without a GS", interchange.where, offset, expected="GS", TA105="024"
            )
            return
        count, control = (_element(elements, i) for i in (1, 2))
        if not is_count(count) or int(count) != group.sets:
            yield group.noted(envelope_finding(
                "group.count", f"GE01 says {count or 'nothing'} sets, there are {group.sets}", f"{group.where}, GE-01",
                offset, value=count or None, expected=str(group.sets), AK905="5",
            ))  # fmt: skip
        if _number(control) != _number(group.element(6)):
            yield group.noted(envelope_finding(
                "group.control_number", f"GE02 is {control or 'empty'}, GS06 was {group.element(6)}",
                f"{group.where}, GE-02", offset, value=control or None, expected=group.element(6), AK905="4",
            ))  # fmt: skip
        yield group.end(interchange, declared=count)

    def _trailer(self, interchange: _Interchange, elements: Sequence[str], offset: int) -> Iterator[Finding]:
        count, control = (_element(elements, i) for i in (1, 2))
        if not is_count(count) or int(count) != interchange.groups:
            yield envelope_finding(
                "interchange.count", f"IEA01 says {count or 'nothing'} groups, there are {interchange.groups}",
                f"{interchange.where}, IEA-01", offset, value=count or None, expected=str(interchange.groups),
                TA105="021",
            )  # fmt: skip
        if _number(control) != _number(interchange.control_number):
            yield envelope_finding(
                "interchange.control_number", f"IEA02 is {control or 'empty'}, ISA13 was {interchange.control_number}",
                f"{interchange.where}, IEA-02", offset, value=control or None, expected=interchange.control_number,
                TA105="001",
            )  # fmt: skip

    def _set(
        self, elements: Sequence[str], offset: int, group: _Group | None, interchange: _Interchange
    ) -> Iterator[ReadItem]:
        self.documents += 1
        start = self._start(elements, offset, group, interchange)
        yield start
        early: list[Finding] = []
        version = nearest_version(start.version)
        if version != start.version[:6]:
            key = f"version {start.version}"
            if key not in self.warned:
                if len(self.warned) < _REMEMBERED:
                    self.warned.add(key)
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
            if len(group.controls) < _REMEMBERED:
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
        """What was learned from one set serves the next of its kind in the payload."""
        suffix = self.tape.following("\r\n", 2) if delimiters.segment not in "\r\n" else ""
        grammar = load_grammar(version)
        set_id = set_id if set_id in grammar.sets else ""
        key = (version, set_id, delimiters, suffix, id(wanted))
        if key not in self.learners:
            if len(self.learners) >= _MOST_LEARNERS:
                del self.learners[next(iter(self.learners))]
            machine = Machine(_plan(grammar, set_id, wanted))
            self.learners[key] = Learner(machine, delimiters, suffix, enabled=self.learn), wanted
        return self.learners[key][0]

    def _start(
        self, elements: Sequence[str], offset: int, group: _Group | None, interchange: _Interchange
    ) -> DocumentStart:
        set_id, control_number, implementation = (_element(elements, i) for i in (1, 2, 3))
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


def _element(elements: Sequence[str], position: int) -> str:
    """An element of an envelope's segment without padding; empty where there is none, cut where it is absurd."""
    return elements[position][:_LONGEST].strip() if len(elements) > position else ""


def _sample(so_far: str, text: str) -> str:
    """The first visible characters of skipped text."""
    return (so_far + text)[:80] if so_far else text.lstrip("\xef\xbb\xbf \t\r\n\0\x1a\x0c")[:80]


def _number(control: str) -> str:
    """Control numbers are compared without leading zeroes."""
    return control.lstrip("0")


#: the grammar of a set nobody has described: nothing but its envelope
_ANY = TransactionSet("", "", "", Part("ST", True, 1, True, (Part("SE", True, 1),)))


def _plan(grammar: Grammar, set_id: str, wanted: LinePlan | None) -> Plan:
    """The plan against this version's grammar; a plan for anything at all when the set is unknown.

    A path that this version has no place for stays in the plan and finds nothing.
    """
    set_ = grammar.sets.get(set_id)
    if set_ is None:
        return Plan(grammar, _ANY, (_ANY.root,), None, ())
    compiled = wanted.compiled if wanted else None
    if not isinstance(compiled, Plan):
        return Plan(grammar, set_, (set_.root,), None, ())
    chain, *others = (find_loop(set_, tuple(part.id for part in one[1:])) for one in (compiled.chain, *compiled.others))
    if chain is None:
        return Plan(grammar, set_, (set_.root,), None, compiled.places)
    beside = tuple(other for other in others if other is not None and other[: len(chain) - 1] == chain[:-1])
    return Plan(grammar, set_, chain, compiled.qualifier, compiled.places, beside, compiled.bare, compiled.counts)


def compile_plan(type_: str, line: str, paths: Sequence[str]) -> Plan:
    """A plan against the base version. Raises ConfigError with every bad path."""
    grammar = load_grammar(BASE_VERSION)
    set_ = grammar.sets.get(type_.partition(".")[2])
    if set_ is None:
        raise ConfigError(
            f"{type_}: there is no such transaction set", hint=f"known: {', '.join(sorted(grammar.sets))}"
        )
    loops, places = check_paths(grammar, set_, line, paths)
    return Plan(grammar, set_, loops.chain, loops.qualifier, places, loops.others, loops.bare, loops.counts)
