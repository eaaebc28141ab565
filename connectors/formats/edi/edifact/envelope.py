"""Interchanges and groups while they are read, and what is wrong with their headers and trailers.

``Finding.standard`` has ``0085`` and, in ``0013``, the service segment it concerns, with ``UCD0098`` for the element
(the tag is 1): what UCI and UCF of a CONTRL say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.base import ReadItem
from connectors.formats.edi.edifact.charsets import CHARSETS
from connectors.formats.edi.edifact.dialect import SYNTAX_ERRORS, UNSPECIFIED, EdifactDialect
from connectors.formats.edi.edifact.service import Head
from connectors.formats.edi.findings import is_count, syntax_finding
from connectors.formats.edi.grammar import EDIFACT, load_grammar
from connectors.formats.edi.judge import judge_segment
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.documents import Interchange as Facts
from schemas.findings import Finding, Severity

_MOST_FINDINGS = 100  #: findings of an envelope kept for its end
_ANSWERS = ("CONTRL",)  #: messages that are never acknowledged
_ENVELOPE = ("UNA", "UNB", "UNZ", "UNG", "UNE")


@dataclass
class Interchange:
    """An interchange being read. ``elements`` are those of its UNB, tag first; empty until it was read."""

    head: Head
    number: int
    offset: int
    first: int = 1  #: ordinal of its first document
    elements: Sequence[str] = ()
    bare: bool = False  #: its messages stand in no interchange
    groups: int = 0
    controls: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    loose: int = 0  #: messages outside any group
    only_answers: bool = True
    findings: list[Finding] = field(default_factory=list)
    dialect: EdifactDialect = field(init=False)  #: how its text is spelled

    def __post_init__(self) -> None:
        self.open(self.elements)

    def open(self, elements: Sequence[str]) -> None:
        """Its UNB has been read."""
        self.elements = elements
        self.dialect = EdifactDialect(self.head.shield, CHARSETS.get(self.syntax, "ascii"))

    def note(self, finding: Finding) -> None:
        """Keep a finding about the envelope for its end."""
        if finding.standard.get("0013") in _ENVELOPE and len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)

    def count(self, message: str, group: Group | None) -> None:
        """One more message, in ``group`` or in none."""
        self.only_answers &= message in _ANSWERS
        if group is None:
            self.loose += 1
        else:
            group.messages += 1

    def component(self, position: int, component: int) -> str:
        """A component of UNB, both counted from 1, as it is meant."""
        value = _component(self.elements, position, component, self.head.delimiters.component)
        shield = self.head.shield
        return value if shield is None else shield.show(value)

    @property
    def syntax(self) -> str:
        """S001 0001: UNOA, UNOB ..."""
        return self.component(1, 1)

    @property
    def syntax_version(self) -> str:
        """S001 0002: 1 to 4."""
        return self.component(1, 2)

    @property
    def sender(self) -> str:
        """``5412345000013:14``; the identification alone where it has no qualifier."""
        return f"{self.component(2, 1)}:{self.component(2, 2)}".rstrip(":")

    @property
    def receiver(self) -> str:
        """As ``sender``."""
        return f"{self.component(3, 1)}:{self.component(3, 2)}".rstrip(":")

    @property
    def control_number(self) -> str:
        """UNB 0020."""
        return self.component(5, 1)

    @property
    def where(self) -> str:
        return f"interchange {self.control_number or self.number}"

    def facts(self) -> Facts:
        """What an answer needs to know of it."""
        marks = self.head.delimiters
        return Facts(
            ordinal=self.number,
            format="edifact",
            sender=self.sender,
            receiver=self.receiver,
            control_number=self.control_number,
            version=f"{self.syntax}:{self.syntax_version}".strip(":"),
            date=self.component(4, 1),
            time=self.component(4, 2),
            test=self.component(11, 1) == "1",
            answer_wanted=self.component(9, 1) == "1",
            receipt_wanted=self.component(9, 1) == "2",
            reverse_routing=self.component(2, 3),
            delimiters={
                "element": marks.element,
                "component": marks.component,
                "segment": marks.segment,
                "repetition": marks.repetition,
                "release": marks.release,
                "decimal": marks.decimal[:1],
                "advice": self.head.advice,
            },
            offset=self.offset,
        )

    def end(self, last: int, offset: int) -> InterchangeEnd:
        """Its end at byte ``offset``, ``last`` being the ordinal of the newest document."""
        documents = last - self.first + 1
        return InterchangeEnd(
            interchange=self.facts(),
            groups=self.groups,
            documents=documents,
            length=offset - self.offset,
            only_answers=self.only_answers and documents > 0,
            findings=tuple(self.findings),
            first=self.first,
            last=last,
        )


@dataclass(slots=True)
class Group:
    """A group being read; ``elements`` are those of its UNG, tag first."""

    elements: Sequence[str]
    offset: int
    number: int
    first: int
    messages: int = 0
    component_mark: str = ":"
    findings: list[Finding] = field(default_factory=list)

    def component(self, position: int, component: int) -> str:
        return _component(self.elements, position, component, self.component_mark)

    @property
    def reference(self) -> str:
        """UNG 0048."""
        return self.component(5, 1)

    @property
    def where(self) -> str:
        return f"group {self.reference or self.number}"

    def noted(self, finding: Finding) -> Finding:
        """The finding, kept for the group's end."""
        self.findings.append(finding)
        return finding

    def end(self, interchange: Interchange, declared: str) -> GroupEnd:
        return GroupEnd(
            interchange=interchange.facts(),
            ordinal=self.number,
            type=self.component(1, 1),
            sender=self.component(2, 1),
            receiver=self.component(3, 1),
            control_number=self.reference,
            version=".".join(filter(None, (self.component(7, 1), self.component(7, 2)))),
            first=self.first,
            last=self.first + self.messages - 1,
            declared=int(declared) if is_count(declared) else None,
            findings=tuple(self.findings),
        )


class Trailer(NamedTuple):
    """A UNE or UNZ: its tag, what it closes, how that is named, and its byte offset."""

    id: str
    of: str
    where: str
    offset: int


class EnvelopeJudge:
    """What is wrong with the envelope of one interchange."""

    def __init__(self, interchange: Interchange) -> None:
        self.interchange = interchange
        self.marks = interchange.head.delimiters

    def service_characters(self) -> Iterator[Finding]:
        """About UNA, or its absence."""
        interchange, problem = self.interchange, self.interchange.head.problem
        where = f"interchange {interchange.number}, UNA"
        shown = interchange.head.advice or self.marks.element + self.marks.component + self.marks.segment
        if problem == "unusable":
            yield syntax_finding(
                "interchange.service_characters", "the service characters cannot be told apart; nothing can be read",
                where, interchange.offset, value=shown, expected="six different characters, as in UNA:+.? '",
                standard={"0085": "20", "0013": "UNA"},
            )  # fmt: skip
        elif problem:
            what = "UNA lacks its reserved blank" if problem == "short" else "other service characters than the usual"
            yield syntax_finding(
                f"interchange.advice_{problem}", f"{what}{'' if problem == 'short' else ', and no UNA names them'}",
                where, interchange.offset, value=shown, severity=Severity.WARNING,
                standard={"0085": "22", "0013": "UNA"},
            )  # fmt: skip

    def header(self, elements: Sequence[str], offset: int, doubled: bool) -> Iterator[Finding]:
        """About UNB."""
        interchange = self.interchange
        yield from self._plain("UNB", elements, offset, "interchange")
        if interchange.syntax.startswith("UNO") and interchange.syntax not in CHARSETS:
            yield syntax_finding(
                "interchange.charset", f"there is no syntax identifier {interchange.syntax}",
                f"{interchange.where}, UNB-01", offset, value=interchange.syntax, expected=", ".join(CHARSETS),
                severity=Severity.WARNING,
                standard={"0085": "46", "0013": "UNB", "UCD0098": "2", "UCD0104": "1"},
            )  # fmt: skip
        if interchange.syntax_version not in ("1", "2", "3", "4"):
            yield syntax_finding(
                "interchange.syntax_version", f"syntax version {interchange.syntax_version or 'none'} is not known",
                f"{interchange.where}, UNB-01", offset, value=interchange.syntax_version or None, expected="1, 2, 3, 4",
                severity=Severity.WARNING, standard={"0085": "2", "0013": "UNB", "UCD0098": "2", "UCD0104": "2"},
            )  # fmt: skip
        if doubled:
            yield syntax_finding(
                "interchange.duplicate", f"interchange {interchange.control_number} stands twice in this payload",
                f"{interchange.where}, UNB-05", offset, value=interchange.control_number,
                standard={"0085": "26", "0013": "UNB", "UCD0098": "6"},
            )  # fmt: skip

    def _plain(self, id_: str, elements: Sequence[str], offset: int, of: str) -> Iterator[Finding]:
        spec = load_grammar(EDIFACT.base, EDIFACT).segments[id_]
        for fault in judge_segment(spec, elements, self.marks):
            component = {"UCD0104": str(fault.component)} if fault.component else {}
            lenient = fault.number in ("0017", "0019") or not fault.number
            yield syntax_finding(
                f"{of}.{fault.code}", f"{id_}{fault.position:02d}: {fault.message}",
                f"{self.interchange.where}, {id_}-{fault.position:02d}", offset,
                value=self.interchange.dialect.show(fault.value) or None, expected=fault.expected or None,
                severity=Severity.WARNING if lenient else fault.severity,
                standard={
                    "0085": SYNTAX_ERRORS.get(fault.code, UNSPECIFIED), "0013": id_, "UCD0098": str(fault.position + 1),
                    **component,
                },
            )  # fmt: skip

    def bare(self, offset: int) -> Iterator[Finding]:
        """A message: does it stand in an interchange?"""
        interchange = self.interchange
        if not interchange.elements and not interchange.bare:
            interchange.bare = True
            yield syntax_finding(
                "interchange.header_missing", "messages stand in no interchange: there is no UNB", interchange.where,
                offset, expected="UNB", standard={"0085": "13", "0013": "UNB"},
            )  # fmt: skip

    def misplaced(self, elements: Sequence[str], offset: int) -> Finding:
        """Something else stands between messages."""
        if not elements[0]:
            return syntax_finding(
                "segment.empty", "an empty segment", self.interchange.where, offset, severity=Severity.WARNING,
                length=0, standard={"0085": "13"},
            )  # fmt: skip
        show = self.interchange.dialect.show
        return syntax_finding(
            "segment.misplaced", f"segment {elements[0][:20]} stands outside any message", self.interchange.where,
            offset, value=show(self.marks.element.join(elements)[:80]), standard={"0085": "33"},
        )  # fmt: skip

    def group(self, group: Group) -> Iterator[Finding]:
        """About UNG."""
        interchange = self.interchange
        interchange.groups += 1
        group.component_mark = self.marks.component
        for finding in self._plain("UNG", group.elements, group.offset, "group"):
            yield group.noted(finding)
        if group.reference in interchange.controls:
            yield group.noted(syntax_finding(
                "group.duplicate", f"group {group.reference} stands twice in {interchange.where}",
                f"{group.where}, UNG-05", group.offset, value=group.reference,
                standard={"0085": "26", "0013": "UNG", "UCD0098": "6"},
            ))  # fmt: skip
        interchange.controls.add(group.reference)

    def no_group_trailer(self, group: Group, offset: int) -> Iterator[ReadItem]:
        yield group.noted(syntax_finding(
            "group.trailer_missing", f"{group.where} has no UNE", group.where, offset, expected="UNE",
            standard={"0085": "13", "0013": "UNE"},
        ))  # fmt: skip
        yield group.end(self.interchange, declared="")

    def group_trailer(self, group: Group | None, elements: Sequence[str], offset: int) -> Iterator[ReadItem]:
        """About UNE; ``group`` is the one it closes."""
        if group is None:
            yield syntax_finding(
                "group.trailer_alone", "a UNE without a UNG", self.interchange.where, offset, expected="UNG",
                standard={"0085": "13", "0013": "UNG"},
            )  # fmt: skip
            return
        count, reference = (elements[i].strip() if len(elements) > i else "" for i in (1, 2))
        at = Trailer("UNE", "group", group.where, offset)
        yield from map(group.noted, self._counted(at, count, group.messages, "messages"))
        yield from map(group.noted, self._referred(at, reference, group.reference))
        yield group.end(self.interchange, declared=count)

    def trailer(self, elements: Sequence[str], offset: int, *, complete: bool) -> Iterator[Finding]:
        """About UNZ."""
        interchange = self.interchange
        count, reference = (elements[i].strip() if len(elements) > i else "" for i in (1, 2))
        there, what = (interchange.groups, "groups") if interchange.groups else (interchange.loose, "messages")
        at = Trailer("UNZ", "interchange", interchange.where, offset)
        yield from self._counted(at, count, there, what)
        if interchange.elements:
            yield from self._referred(at, reference, interchange.control_number)
        else:
            yield from self.bare(offset)
        if interchange.groups and interchange.loose:
            yield syntax_finding(
                "interchange.mixed", "messages stand beside groups", interchange.where, offset,
                severity=Severity.WARNING, standard={"0085": "30", "0013": "UNB"},
            )  # fmt: skip
        if not complete:
            yield syntax_finding(
                "interchange.terminator_missing", "the last segment has no terminator", interchange.where, offset,
                severity=Severity.WARNING, standard={"0085": "13", "0013": "UNZ"},
            )  # fmt: skip

    def no_trailer(self, offset: int) -> Finding:
        where = self.interchange.where
        return syntax_finding(
            "interchange.trailer_missing", f"{where} has no UNZ", where, offset, expected="UNZ",
            standard={"0085": "13", "0013": "UNZ"},
        )  # fmt: skip

    def repertoire(self, seen: int | None, end: int) -> Iterator[Finding]:
        """``seen``: where the first character stands that the syntax identifier does not allow."""
        if seen is not None and seen < end:
            syntax = self.interchange.syntax
            yield syntax_finding(
                "text.charset", f"characters that {syntax} does not have; the first of them stands at byte {seen}",
                self.interchange.where, seen, length=1, severity=Severity.WARNING,
                standard={"0085": "21", "0013": "UNB", "UCD0098": "2", "UCD0104": "1"},
            )  # fmt: skip

    @staticmethod
    def _counted(at: Trailer, count: str, there: int, what: str) -> Iterator[Finding]:
        if not is_count(count) or int(count) != there:
            yield syntax_finding(
                f"{at.of}.count", f"{at.id}01 says {count[:20] or 'nothing'} {what}, there are {there}",
                f"{at.where}, {at.id}-01", at.offset, value=count or None, expected=str(there),
                standard={"0085": "29", "0013": at.id, "UCD0098": "2"},
            )  # fmt: skip

    @staticmethod
    def _referred(at: Trailer, reference: str, wanted: str) -> Iterator[Finding]:
        if reference != wanted:
            yield syntax_finding(
                f"{at.of}.control_number", f"{at.id}02 is {reference or 'empty'}, the header says {wanted}",
                f"{at.where}, {at.id}-02", at.offset, value=reference or None, expected=wanted,
                standard={"0085": "28", "0013": at.id, "UCD0098": "3"},
            )  # fmt: skip


def _component(elements: Sequence[str], position: int, component: int, mark: str) -> str:
    value = elements[position] if position < len(elements) else ""
    pieces = value.split(mark)
    return pieces[component - 1].strip() if component <= len(pieces) else ""
