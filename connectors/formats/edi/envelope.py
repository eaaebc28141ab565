"""Interchanges and functional groups of X12 while they are read, and what is wrong with their headers and trailers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.base import ReadItem
from connectors.formats.edi.delimiters import Header
from connectors.formats.edi.findings import is_count, syntax_finding
from connectors.formats.edi.grammar import BASE_VERSION, load_grammar, nearest_version
from connectors.formats.edi.judge import judge_segment
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.documents import Interchange as Facts
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
LONGEST = 80  #: characters of a control number or code that are kept; the longest allowed has 35
MOST_FINDINGS = 100  #: findings of an envelope kept for its end; an answer has room for five
ANSWERS = ("FA",)  #: functional groups of acknowledgments, which are never acknowledged


@dataclass(slots=True)
class Interchange:
    """An interchange being read."""

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
        if "TA105" in finding.standard and len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def take(self, acknowledgment: Sequence[str]) -> None:
        """Keep a TA1, whose id comes first, for its end."""
        if len(self.acknowledgments) < MOST_FINDINGS:
            self.acknowledgments.append(tuple(one[:LONGEST] for one in acknowledgment[1:LONGEST]))

    def facts(self) -> Facts:
        """What an answer needs to know of it."""
        delimiters = self.header.delimiters
        return Facts(
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
class Group:
    """A functional group being read; ``elements`` are those of its GS, id first."""

    elements: Sequence[str]
    offset: int
    number: int = 1
    first: int = 1  #: ordinal of its first document
    sets: int = 0
    controls: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def element(self, position: int) -> str:
        return element(self.elements, position)

    def noted(self, finding: Finding) -> Finding:
        """The finding, kept for the group's end."""
        self.findings.append(finding)
        return finding

    def end(self, interchange: Interchange, declared: str) -> GroupEnd:
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


class EnvelopeJudge:
    """What is wrong with the envelope of one interchange."""

    def __init__(self, interchange: Interchange) -> None:
        self.interchange = interchange

    def header(self, *, doubled: bool) -> Iterator[Finding]:
        """About ISA; ``doubled``: it stood in the payload before."""
        interchange, header = self.interchange, self.interchange.header
        where, offset = interchange.where, interchange.offset
        if header.problem == "short":
            yield syntax_finding(
                "interchange.header", "the ISA has too few elements; the interchange cannot be read", where, offset,
                value=str(len(header.elements)), expected="16 elements", standard={"TA105": "022"},
            )  # fmt: skip
            return
        if header.problem == "terminator":
            yield syntax_finding(
                "interchange.terminator", "no segment terminator can be told; the interchange cannot be read", where,
                offset, value=header.delimiters.segment or None, expected="a terminator after ISA16",
                standard={"TA105": "004"},
            )  # fmt: skip
            return
        if header.problem == "layout":
            yield syntax_finding(
                "interchange.layout", "the ISA is not 106 characters long; read by counting its elements", where,
                offset, severity=Severity.WARNING, value=str(header.end - header.start), expected="106",
            )  # fmt: skip
        spec = load_grammar(BASE_VERSION).segments["ISA"]
        for fault in judge_segment(spec, ["ISA", *header.elements[:15], ":"], header.delimiters):
            if header.problem == "layout" and fault.ak403 in ("4", "5", "1"):
                continue
            yield syntax_finding(
                f"interchange.{fault.code}", f"ISA{fault.position:02d}: {fault.message}",
                f"{where}, ISA-{fault.position:02d}", offset, value=fault.value, expected=fault.expected,
                standard={"TA105": _TA105[fault.position - 1]},
            )  # fmt: skip
        if doubled:
            control = interchange.control_number
            yield syntax_finding(
                "interchange.duplicate", f"interchange {control} stands twice in this payload", f"{where}, ISA-13",
                offset, value=control, standard={"TA105": "025"},
            )  # fmt: skip

    def group(self, group: Group) -> Iterator[Finding]:
        """About GS."""
        interchange = self.interchange
        yield from self.plain("GS", group.elements, group.offset)
        control = group.element(6)
        if control in interchange.controls:
            yield group.noted(syntax_finding(
                "group.duplicate", f"group {control} stands twice in {interchange.where}", f"{group.where}, GS-06",
                group.offset, value=control, standard={"AK905": "19"},
            ))  # fmt: skip
        if len(interchange.controls) < _REMEMBERED:
            interchange.controls.add(control)

    def plain(self, id_: str, elements: Sequence[str], offset: int) -> Iterator[Finding]:
        """About a segment outside any set."""
        interchange = self.interchange
        grammar = load_grammar(nearest_version(elements[8] if id_ == "GS" and len(elements) > 8 else BASE_VERSION))
        for fault in judge_segment(grammar.segments[id_], elements, interchange.header.delimiters):
            lenient = fault.number == "373" and fault.ak403 in ("4", "5")
            yield syntax_finding(
                f"group.{fault.code}", f"{id_}{fault.position:02d}: {fault.message}",
                f"{interchange.where}, {id_}-{fault.position:02d}", offset, value=fault.value or None,
                expected=fault.expected, severity=Severity.WARNING if lenient else fault.severity,
                standard={"TA105": "024"},
            )  # fmt: skip

    def no_group_trailer(self, group: Group, offset: int) -> Iterator[ReadItem]:
        """A group ends without a GE."""
        yield group.noted(syntax_finding(
            "group.trailer_missing", f"{group.where} has no GE", group.where, offset, expected="GE",
            standard={"AK905": "3"},
        ))  # fmt: skip
        yield group.end(self.interchange, declared="")

    def group_trailer(self, group: Group | None, elements: Sequence[str], offset: int) -> Iterator[ReadItem]:
        """About GE; ``group`` is the one it closes."""
        if group is None:
            yield syntax_finding(
                "group.trailer_alone",
                "a GE without a GS",
                self.interchange.where,
                offset,
                expected="GS",
                standard={"TA105": "024"},
            )
            return
        count, control = (element(elements, i) for i in (1, 2))
        if not is_count(count) or int(count) != group.sets:
            yield group.noted(syntax_finding(
                "group.count", f"GE01 says {count or 'nothing'} sets, there are {group.sets}", f"{group.where}, GE-01",
                offset, value=count or None, expected=str(group.sets), standard={"AK905": "5"},
            ))  # fmt: skip
        if _number(control) != _number(group.element(6)):
            yield group.noted(syntax_finding(
                "group.control_number", f"GE02 is {control or 'empty'}, GS06 was {group.element(6)}",
                f"{group.where}, GE-02", offset, value=control or None, expected=group.element(6),
                standard={"AK905": "4"},
            ))  # fmt: skip
        yield group.end(self.interchange, declared=count)

    def outside_group(self, offset: int) -> Finding:
        """An ST without a GS."""
        return syntax_finding(
            "group.missing", "a transaction set stands outside any functional group", self.interchange.where, offset,
            expected="GS", standard={"TA105": "024"},
        )  # fmt: skip

    def misplaced(self, elements: Sequence[str], offset: int) -> Finding:
        """Something else stands between sets."""
        where, mark = self.interchange.where, self.interchange.header.delimiters.element
        if elements == [""]:
            return syntax_finding(
                "segment.empty", "an empty segment", where, offset, severity=Severity.WARNING, length=0
            )
        return syntax_finding(
            "segment.misplaced", f"segment '{elements[0][:20]}' stands outside any transaction set", where, offset,
            value=mark.join(elements)[:80], standard={"TA105": "022"},
        )  # fmt: skip

    def trailer(self, elements: Sequence[str], offset: int, *, complete: bool) -> Iterator[Finding]:
        """About IEA; ``complete``: it has a terminator."""
        interchange = self.interchange
        count, control = (element(elements, i) for i in (1, 2))
        if not is_count(count) or int(count) != interchange.groups:
            yield syntax_finding(
                "interchange.count", f"IEA01 says {count or 'nothing'} groups, there are {interchange.groups}",
                f"{interchange.where}, IEA-01", offset, value=count or None, expected=str(interchange.groups),
                standard={"TA105": "021"},
            )  # fmt: skip
        if _number(control) != _number(interchange.control_number):
            yield syntax_finding(
                "interchange.control_number", f"IEA02 is {control or 'empty'}, ISA13 was {interchange.control_number}",
                f"{interchange.where}, IEA-02", offset, value=control or None, expected=interchange.control_number,
                standard={"TA105": "001"},
            )  # fmt: skip
        if not complete:
            yield syntax_finding(
                "interchange.terminator_missing", "the last segment has no terminator", interchange.where, offset,
                severity=Severity.WARNING,
            )  # fmt: skip

    def no_trailer(self, offset: int) -> Finding:
        """It ends without an IEA."""
        where = self.interchange.where
        return syntax_finding(
            "interchange.trailer_missing",
            f"{where} has no IEA",
            where,
            offset,
            expected="IEA",
            standard={"TA105": "023"},
        )


def element(elements: Sequence[str], position: int) -> str:
    """An element of an envelope's segment without padding; empty where there is none, cut where it is absurd."""
    return elements[position][:LONGEST].strip() if len(elements) > position else ""


def _number(control: str) -> str:
    """Control numbers are compared without leading zeroes."""
    return control.lstrip("0")
