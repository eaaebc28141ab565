"""The functional acknowledgments: 997 (X12.20) and, for 005010 and later, 999 (X12.20 with IK segments).

Both say of each set of a group whether it was accepted (A), accepted with errors noted (E) or
rejected (R), and where it is wrong, and then sum up the group: A, E, R, or P where only a part of it
was accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from connectors.formats.edi.acknowledgments.envelope import Numbers, Row, Writer, release_of
from connectors.formats.edi.acknowledgments.verdicts import NOT_SUPPORTED, DocumentVerdict
from connectors.formats.edi.grammar import Composite, Grammar, load_grammar, nearest_version
from schemas.documents import GroupEnd
from schemas.findings import Finding, Severity

Functional = Literal["997", "999"]

MOST_SEGMENTS = 10_000  #: AK3 of one set; who has more faults than that knows enough
MOST_ELEMENTS = 99  #: AK4 of one AK3 (X12.20)
MOST_CODES = 5  #: AK502 to AK506, AK905 to AK909
_FURTHEST = 999_999  #: element 719 has six digits up to 004030
_SEGMENT_ID = re.compile(r"[A-Z0-9]{2,3}")
_REPETITIONS = ("12", "13")  #: of element 723, since 005010; before, such an element is one too many


def acknowledge_group(
    group: GroupEnd, verdicts: Iterable[DocumentVerdict], kind: Functional, numbers: Numbers, written_at: datetime
) -> bytes:
    """The interchange that answers ``group``. ``verdicts`` are those of its sets, in order."""
    writer = Writer(group.interchange, numbers, written_at)
    acknowledgment = _Acknowledgment(writer, group, kind)
    return writer.interchange(writer.group("FA", group, [(kind, acknowledgment.segments(verdicts))]))


def group_code(group: GroupEnd, accepted: int, noted: int, received: int) -> str:
    """Element 715: ``accepted`` of ``received`` sets, ``noted`` of those with errors."""
    troubled = noted or any(finding.severity is Severity.ERROR for finding in group.findings)
    if not accepted:
        return "R"
    if accepted < received:
        return "P"
    return "E" if troubled else "A"


class _Acknowledgment:
    """Writes the segments of one 997 or 999."""

    def __init__(self, writer: Writer, group: GroupEnd, kind: Functional) -> None:
        self.writer = writer
        self.group = group
        self.words = _WORDS[kind]
        self.release = release_of(group)
        self.grammar: Grammar = load_grammar(nearest_version(self.release))

    def segments(self, verdicts: Iterable[DocumentVerdict]) -> list[Row]:
        """AK1 to AK9."""
        group = self.group
        rows: list[Row] = [self._fitted(("AK1", _id(group.type, 2), _digits(group.control_number, 9), self.release))]
        codes = []
        for verdict in verdicts:
            codes.append(verdict.acknowledgment)
            rows += self._set(verdict)
        received, accepted = len(codes), sum(code != "R" for code in codes)
        summary = group_code(group, accepted, codes.count("E"), received)
        declared = received if group.declared is None else min(group.declared, _FURTHEST)
        faults = _distinct(finding.standard.get("AK905") for finding in group.findings)
        rows.append(("AK9", summary, str(declared), str(received), str(accepted), *faults))
        return rows

    def _set(self, verdict: DocumentVerdict) -> Iterator[Row]:
        errors = verdict.syntax_errors
        notes = list(self._notes(errors))
        set_id, control = _id(verdict.set, 3), _control(verdict.control_number)
        yield self._fitted(("AK2", set_id, control, self.writer.clean(verdict.implementation, 35)))
        yield from notes
        codes = [finding.standard.get("AK502") for finding in errors]
        if any(finding.code in NOT_SUPPORTED for finding in errors):
            codes.append("1")
        if set_id != verdict.set:
            codes.append("6")
        if control != verdict.control_number:
            codes.append("7")
        if notes or not any(codes):
            codes.append("5" if errors else None)
        outcome = verdict.acknowledgment
        yield (self.words.outcome, outcome, *(_distinct(codes) if outcome != "A" else ()))

    def _notes(self, errors: Sequence[Finding]) -> Iterator[Row]:
        """AK3 and AK4 with its CTX, in the order of the set's segments; elements follow the AK3 that says 8."""
        placed = sorted((_place(finding), number) for number, finding in enumerate(errors) if _is_placed(finding))
        for place, some in groupby(placed[:MOST_SEGMENTS], key=lambda pair: pair[0]):
            yield (self.words.segment, place.id, str(place.position), "", place.code)
            faults = [errors[number] for _, number in some if place.code == "8"]
            elements = ((self._element(fault), self._context(fault)) for fault in faults)
            filled = [(row, context) for row, context in elements if row is not None]
            for row, context in filled[:MOST_ELEMENTS]:
                yield row
                yield from context

    def _element(self, finding: Finding) -> Row | None:
        """AK4 of a finding; None for one that names no element."""
        position = finding.standard.get("AK401", "").partition(":")[0]
        code = finding.standard.get("AK403", "")
        if not position.isdecimal() or not 1 <= int(position) <= 99 or not code:
            return None
        known = self._codes
        if known is not None and code not in known:
            code = "3" if code in _REPETITIONS else "7"
        composite = isinstance(self.grammar.segments[self.words.element].uses[0].element, Composite)
        spot = self._spot(finding.standard["AK401"]) if composite else position
        number = finding.standard.get("AK402", "")
        number = number if number.isdecimal() and len(number) <= 4 else ""
        return (self.words.element, spot, number, code, self.writer.clean(finding.value, 99))

    def _context(self, finding: Finding) -> Iterator[Row]:
        """CTX of a 999 (005010X231, element context): which element of the segment makes that one wrong."""
        standard = finding.standard
        if self.words.context and "CTX05" in standard:
            segment, position = standard["AK301"], standard["AK302"]
            yield ("CTX", "SITUATIONAL TRIGGER", segment, position, "", self._spot(standard["CTX05"]))

    def _spot(self, place: str) -> str:
        """C030: an element, and a component of it where there is a separator for them."""
        position, _, component = place.partition(":")
        separator = self.writer.delimiters.component
        return f"{position}{separator}{component}" if separator and component else position

    @property
    def _codes(self) -> frozenset[str] | None:
        """The codes this version has for what is wrong with an element."""
        element = self.grammar.segments[self.words.element].uses[2].element
        return None if isinstance(element, Composite) else element.codes

    def _fitted(self, row: Row) -> Row:
        """The segment with as many elements as it has in this version."""
        return row[: len(self.grammar.segments[row[0]].uses) + 1]


@dataclass(frozen=True, slots=True)
class _Words:
    """The segments that differ between 997 and 999."""

    segment: str
    element: str
    outcome: str
    context: bool  #: whether CTX may follow


_WORDS = {"997": _Words("AK3", "AK4", "AK5", False), "999": _Words("IK3", "IK4", "IK5", True)}


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """What an AK3 says; ordered as segments come."""

    position: int
    id: str
    code: str


def _is_placed(finding: Finding) -> bool:
    id_, position = finding.standard.get("AK301", ""), finding.standard.get("AK302", "")
    return bool(_SEGMENT_ID.fullmatch(id_)) and position.isdecimal() and 1 <= int(position) <= _FURTHEST


def _place(finding: Finding) -> _Place:
    standard = finding.standard
    return _Place(int(standard["AK302"]), standard["AK301"], standard.get("AK304", "8"))


def _distinct(codes: Iterable[str | None]) -> tuple[str, ...]:
    """Each code once, in order, as many as there is room for."""
    return tuple(dict.fromkeys(code for code in codes if code))[:MOST_CODES]


def _id(text: str, size: int) -> str:
    """An identifier code of ``size`` characters, also of what was none."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())[:size].ljust(size, "0")


def _digits(text: str, most: int) -> str:
    return re.sub(r"\D", "", text)[:most] or "0"


def _control(text: str) -> str:
    """Element 329 has four to nine characters."""
    return re.sub(r"[^A-Za-z0-9]", "", text)[:9].rjust(4, "0")
