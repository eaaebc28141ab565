"""Findings of the reader: where they stand, and the standard's own codes for them.

``Finding.standard`` carries what an acknowledgment says: the codes themselves (``AK304`` element 720,
``AK403`` element 723, ``AK502`` element 718 of a set, ``AK905`` element 716 of a group, ``TA105``
element 618 of an interchange) and the segment id, position and element they concern (``AK301``,
``AK302``, ``AK401``, ``AK402``), so that a 997 can be written from findings alone.
"""

from __future__ import annotations

from connectors.formats.edi.judge import Fault
from schemas.findings import Finding, Severity, Stage


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
        value=fault.value or None,
        expected=fault.expected or None,
        standard=standard,
        line=line,
        offset=offset,
        length=length,
    )


def segment_finding(
    code: str,
    ak304: str,
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
    if ak304:
        standard["AK304"] = ak304
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.STRUCTURE,
        message=message,
        location=f"segment {number}, {id_}" + (f"-{position:02d}" if position else ""),
        value=value,
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
        value=value,
        expected=expected,
        standard=standard,
        offset=offset,
        length=length,
    )
