"""Findings of the reader: where they stand, and the standard's own codes for them.

``Finding.standard`` carries what an acknowledgment says: the codes themselves (``AK304`` element 720,
``AK403`` element 723, ``AK502`` element 718 of a set, ``AK905`` element 716 of a group, ``TA105``
element 618 of an interchange) and the segment id, position and element they concern (``AK301``,
``AK302``, ``AK401``, ``AK402``), so that a 997 can be written from findings alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from connectors.formats.edi.judge import Fault
from schemas.findings import Finding, Severity, Stage

LONGEST_VALUE = 512  #: characters of what stands there that a finding repeats

#: element 720 for what is wrong with a segment as a whole
_AK304 = {
    "segment.unknown": "1",
    "segment.missing": "3",
    "loop.max_use": "4",
    "segment.max_use": "5",
    "segment.unexpected": "6",
    "segment.order": "7",
}


def element_finding(fault: Fault, *, id_: str, number: int, line: int | None, offset: int, length: int) -> Finding:
    """A fault of segment ``number`` of its set (ST is 1), as a finding."""
    place = "" if not fault.position else f"-{fault.position:02d}"
    component = f"-{fault.component}" if fault.component else ""
    standard = {
        "AK301": id_,
        "AK302": str(number),
        "AK304": "8",
        "AK401": f"{fault.position}:{fault.component}" if fault.component else str(fault.position),
        "AK403": fault.ak403,
    }
    if fault.number:
        standard["AK402"] = fault.number
    return Finding(
        code=fault.code,
        severity=fault.severity,
        stage=Stage.STRUCTURE,
        message=f"{id_}{fault.position:02d}{component}: {fault.message}",
        location=f"segment {number}, {id_}{place}{component}",
        value=fault.value[:LONGEST_VALUE] or None,
        expected=fault.expected or None,
        standard=standard,
        line=line,
        offset=offset,
        length=length,
    )


def shared_findings(findings: Sequence[Finding], first: int, last: int) -> Iterator[Finding]:
    """Findings on a loop around the lines ``first`` to ``last``.

    They are told once, of the first line, or of the document where there is no line; what is an
    error holds back the other lines too, each by a finding that points there.
    """
    for finding in findings:
        yield finding if last < first else msgspec.structs.replace(finding, line=first)
    grave = next((finding for finding in findings if finding.severity is Severity.ERROR), None)
    if grave is not None:
        for line in range(first + 1, last + 1):
            yield msgspec.structs.replace(
                grave, code="line.around", message=f"the loop around this line is wrong: {grave.message}",
                standard={}, line=line,
            )  # fmt: skip


def segment_finding(
    code: str,
    message: str,
    *,
    id_: str,
    number: int,
    line: int | None,
    offset: int,
    length: int,
    position: int = 0,
    value: str | None = None,
    expected: str | None = None,
    severity: Severity = Severity.ERROR,
) -> Finding:
    """Something wrong with a segment as a whole."""
    standard = {"AK301": id_[:3], "AK302": str(number)}
    if code in _AK304:
        standard["AK304"] = _AK304[code]
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.STRUCTURE,
        message=message,
        location=f"segment {number}, {id_}" + (f"-{position:02d}" if position else ""),
        value=value and value[:LONGEST_VALUE],
        expected=expected,
        standard=standard,
        line=line,
        offset=offset,
        length=length,
    )


def envelope_finding(
    code: str,
    message: str,
    location: str,
    offset: int,
    *,
    severity: Severity = Severity.ERROR,
    length: int | None = None,
    value: str | None = None,
    expected: str | None = None,
    **standard: str,
) -> Finding:
    """Something wrong with delimiters, ISA, GS, ST or their trailers; ``standard`` as in ``TA105="021"``."""
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.SYNTAX,
        message=message,
        location=location,
        value=value and value[:LONGEST_VALUE],
        expected=expected,
        standard=standard,
        offset=offset,
        length=length,
    )


def is_count(text: str) -> bool:
    """Whether this is a plain number of a size that a count may have."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def trailer_findings(elements: Sequence[str], number: int, control_number: str, offset: int) -> Iterator[Finding]:
    """What is wrong with the SE that is segment ``number`` of the set ``control_number``."""
    count, control = (elements[i][:80].strip() if len(elements) > i else "" for i in (1, 2))
    where = f"segment {number}, SE"
    if not is_count(count) or int(count) != number:
        yield envelope_finding(
            "set.count", f"SE01 says {count[:20] or 'nothing'} segments, there are {number}", where + "-01", offset,
            value=count or None, expected=str(number), AK502="4",
        )  # fmt: skip
    if control != control_number:
        yield envelope_finding(
            "set.control_number", f"SE02 is {control or 'empty'}, ST02 was {control_number}", where + "-02", offset,
            value=control or None, expected=control_number, AK502="3",
        )  # fmt: skip


def no_trailer_finding(control_number: str, number: int, offset: int) -> Finding:
    """Something else stands where SE should."""
    return envelope_finding(
        "set.trailer_missing", f"set {control_number} has no SE", f"after segment {number}", offset, expected="SE",
        AK502="2",
    )  # fmt: skip


def truncated_finding(control_number: str, number: int, offset: int, rest: str) -> Finding:
    """The payload ends inside a set; ``rest`` is what there is of its last segment."""
    lost = f"; {len(rest)} bytes of a broken segment are lost" if rest else ""
    return envelope_finding(
        "set.truncated", f"the payload ends inside set {control_number}{lost}", f"after segment {number}", offset,
        value=rest[:80] or None, length=len(rest), expected="SE", AK502="2",
    )  # fmt: skip


def empty_finding(number: int, offset: int) -> Finding:
    """Two terminators with nothing between them."""
    return envelope_finding(
        "segment.empty", "an empty segment", f"after segment {number}", offset, severity=Severity.WARNING, length=0,
        AK304="1",
    )  # fmt: skip


def wrapped_finding(number: int, offset: int, length: int) -> Finding:
    """Line breaks inside segments; said once a set."""
    return envelope_finding(
        "text.wrapped", "line breaks stand inside segments and are left out", f"segment {number}", offset,
        severity=Severity.WARNING, length=length,
    )  # fmt: skip


def guessed_finding(number: int, offset: int, length: int) -> Finding:
    """Bytes that are not UTF-8; said once a set."""
    return envelope_finding(
        "text.encoding", "bytes that are not UTF-8 are read as Windows-1252", f"segment {number}", offset,
        severity=Severity.WARNING, length=length,
    )  # fmt: skip
