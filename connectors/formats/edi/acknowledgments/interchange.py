"""The interchange acknowledgment TA1 (X12.5): whether the envelope arrived whole.

It speaks of ISA and IEA only; what lies within is for the functional acknowledgments.
"""

from __future__ import annotations

from datetime import datetime

from connectors.formats.edi.acknowledgments.envelope import Numbers, Row, Writer
from connectors.formats.edi.judge import is_date
from schemas.documents import InterchangeEnd
from schemas.findings import Severity

NO_ERROR = "000"  #: element I18


def acknowledge_interchange(end: InterchangeEnd, numbers: Numbers, written_at: datetime) -> bytes:
    """The interchange that answers ``end``: one TA1 and no group."""
    writer = Writer(end.interchange, numbers, written_at)
    return writer.interchange(acknowledgments=[_segment(end, written_at)])


def interchange_code(end: InterchangeEnd) -> tuple[str, str]:
    """Elements I17 and I18: accepted (A), accepted with errors (E) or rejected (R), and the first error's code.

    What could be read was used, so that errors reject only an interchange of which nothing was read.
    """
    errors = [finding.standard.get("TA105", "024") for finding in end.findings if finding.severity is Severity.ERROR]
    if not errors:
        return "A", NO_ERROR
    return "E" if end.documents else "R", errors[0]


def _segment(end: InterchangeEnd, written_at: datetime) -> Row:
    head = end.interchange
    control = "".join(character for character in head.control_number if character.isdecimal())[:9].zfill(9)
    dated = len(head.date) == 6 and is_date(head.date)
    timed = len(head.time) == 4 and head.time.isdecimal() and head.time[:2] < "24" and head.time[2:] < "60"
    code, note = interchange_code(end)
    date = head.date if dated else f"{written_at:%y%m%d}"
    return ("TA1", control, date, head.time if timed else f"{written_at:%H%M}", code, note)
