"""The syntax and service report CONTRL (ISO 9735; ISO 9735-4 for syntax version 4).

It says of an interchange, its groups and its messages whether each is acknowledged (7) or rejected with all that lies
below it (4), and where it is wrong. An interchange whose sender wants no more than to hear that it arrived, and
which has no fault, is received (8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from connectors.formats.edi.acknowledgments.edifact import EdifactWriter
from connectors.formats.edi.acknowledgments.envelope import Numbers
from connectors.formats.edi.acknowledgments.verdicts import NOT_SUPPORTED, DocumentVerdict
from connectors.formats.edi.edifact.writer import Element
from schemas.documents import GroupEnd, InterchangeEnd
from schemas.findings import Finding, Severity

REJECTED, ACKNOWLEDGED, RECEIVED = "4", "7", "8"  #: data element 0083
SYNTAX_REPORT = "CONTRL"
MOST_SEGMENTS = 999  #: UCS of one message
MOST_ELEMENTS = 99  #: UCD of one UCS
MOST_MESSAGES = 999_999
_FURTHEST = 999_999  #: data element 0096 has six digits
_UNSPECIFIED, _NO_AGREEMENT = "18", "17"
_ENVELOPE = ("UNA", "UNB", "UNZ")  #: what UCI speaks of
_SERVICE = ("UNA", "UNB", "UNG", "UNE", "UNZ", "UNH", "UNT")

Row = Sequence[Element]


def report_syntax(
    end: InterchangeEnd,
    groups: Sequence[GroupEnd],
    verdicts: Iterable[DocumentVerdict],
    numbers: Numbers,
    written_at: datetime,
) -> bytes:
    """The interchange that answers ``end``: its ``groups``, and the ``verdicts`` on its messages, in order."""
    writer = EdifactWriter(end.interchange, numbers, written_at)
    version = "4:1:UN" if writer.syntax_version >= "4" else "D:3:UN"
    segments = list(_Report(writer, end, groups).segments(verdicts))
    return writer.interchange([(SYNTAX_REPORT, version, segments)])


def interchange_action(end: InterchangeEnd, faulty: bool) -> str:
    """UCI 0083. What could be read was used, so that errors of the envelope reject only what was not read at all.

    ``faulty``: whether there is anything to tell of what lies within.
    """
    if _envelope_errors(end):
        return ACKNOWLEDGED if end.documents else REJECTED
    return RECEIVED if end.interchange.receipt_wanted and not faulty else ACKNOWLEDGED


class _Report:
    """Writes the segments of one CONTRL."""

    def __init__(self, writer: EdifactWriter, end: InterchangeEnd, groups: Sequence[GroupEnd]) -> None:
        self.writer = writer
        self.end = end
        self.groups = groups

    def segments(self, verdicts: Iterable[DocumentVerdict]) -> Iterator[Row]:
        """UCI, then the messages in no group, then each group with its own; below an interchange that is rejected
        nothing, but where a fault within is what rejects it."""
        told = [
            (ordinal, verdict)
            for ordinal, verdict in enumerate(verdicts, self.end.first)
            if verdict.set != SYNTAX_REPORT
        ][:MOST_MESSAGES]
        faulty = any(verdict.syntax_errors for _, verdict in told) or any(
            _errors(group.findings) for group in self.groups
        )
        action = interchange_action(self.end, faulty)
        sender, receiver = self.writer.parties()
        reference = self.writer.echo(self.end.interchange.control_number, 14) or "0"
        yield ("UCI", reference, sender, receiver, action, *self._fault(_envelope_errors(self.end)))
        by_policy = any(finding.code == "interchange.rejected" for finding in self.end.findings)
        if action != ACKNOWLEDGED and not by_policy:
            return
        grouped = {ordinal for group in self.groups for ordinal in range(group.first, group.last + 1)}
        for ordinal, verdict in told:
            if ordinal not in grouped:
                yield from self._message(verdict)
        for group in self.groups:
            yield from self._group(group, [one for ordinal, one in told if group.first <= ordinal <= group.last])

    def _group(self, group: GroupEnd, verdicts: Sequence[DocumentVerdict]) -> Iterator[Row]:
        """UCF, rejected where none of its messages was taken."""
        echo = self.writer.echo
        taken = any(verdict.acknowledgment != "R" for verdict in verdicts)
        faults = _errors(group.findings)
        action = ACKNOWLEDGED if taken or not (verdicts or faults) else REJECTED
        sender, receiver = echo(group.sender, 35), echo(group.receiver, 35)
        fault = self._fault(faults)
        if action == REJECTED and not fault:
            fault = [_UNSPECIFIED]
        yield ("UCF", echo(group.control_number, 14) or "0", sender, receiver, action, *fault)
        for verdict in verdicts:
            yield from self._message(verdict)

    def _message(self, verdict: DocumentVerdict) -> Iterator[Row]:
        """UCM, then UCS and UCD; a fault of UNH or UNT stands in the UCM itself."""
        errors = verdict.syntax_errors
        service = [finding for finding in errors if _is_service(finding)]
        placed = [finding for finding in errors if finding not in service[:1] and _is_placed(finding)]
        echo = self.writer.echo
        rejected = verdict.acknowledgment == "R"
        fault = self._fault(service)
        if not fault and any(finding.code in NOT_SUPPORTED for finding in errors):
            fault = [_NO_AGREEMENT, "UNH", ("3",)]
        elif not fault and rejected and not placed:
            fault = [_UNSPECIFIED]
        action = REJECTED if rejected else ACKNOWLEDGED
        yield ("UCM", echo(verdict.control_number, 14) or "0", self._identifier(verdict), action, *fault)
        yield from self._notes(placed)

    def _identifier(self, verdict: DocumentVerdict) -> Sequence[str]:
        """S009 as sent; its mandatory components are never empty."""
        given = [*verdict.identifier.split(":"), *[""] * 5]
        fitted = [self.writer.echo(piece, most) for piece, most in zip(given, (6, 3, 3, 3, 6), strict=False)]
        return [*(piece or "0" for piece in fitted[:4]), fitted[4]]

    @staticmethod
    def _notes(findings: Sequence[Finding]) -> Iterator[Row]:
        """UCS in the order of the segments; what concerns an element is a UCD below it."""
        spots: dict[tuple[int, str], list[Finding]] = {}
        for finding in findings:
            spots.setdefault((_position(finding), _segment_code(finding)), []).append(finding)
        for position, code in sorted(spots)[:MOST_SEGMENTS]:
            yield ("UCS", str(position), code)
            if not code:
                some = spots[position, code]
                rows = [("UCD", finding.standard["0085"], _place(finding.standard)) for finding in some]
                yield from list(dict.fromkeys(rows))[:MOST_ELEMENTS]

    @staticmethod
    def _fault(findings: Sequence[Finding]) -> list[Element]:
        """0085, 0013 and S011 of the first that has a code."""
        for finding in findings:
            standard = finding.standard
            if code := standard.get("0085"):
                segment = standard.get("0013", "")
                place = _place(standard)
                return [code, segment, place] if place else [code, segment] if segment else [code]
        return []


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _envelope_errors(end: InterchangeEnd) -> list[Finding]:
    """Those of UNB and UNZ; what is wrong with a group is told there."""
    return [
        finding
        for finding in _errors(end.findings)
        if finding.standard.get("0013") in _ENVELOPE or finding.code == "interchange.rejected"
    ]


def _is_service(finding: Finding) -> bool:
    return finding.standard.get("0013", "") in _SERVICE


def _is_placed(finding: Finding) -> bool:
    return 1 <= _position(finding) <= _FURTHEST


def _position(finding: Finding) -> int:
    """UCS 0096; 0 where there is none."""
    position = finding.standard.get("UCS0096", "")
    return int(position) if position.isdecimal() else 0


def _segment_code(finding: Finding) -> str:
    """UCS 0085; empty where an element is wrong."""
    return "" if _place(finding.standard) else finding.standard.get("0085", _UNSPECIFIED)


def _place(standard: Mapping[str, str]) -> tuple[str, ...]:
    """S011: the element's position in the segment and the component's in the element."""
    element, component = standard.get("UCD0098", ""), standard.get("UCD0104", "")
    if not element:
        return ()
    return (element, component) if component else (element,)
