"""The application advice 824 (X12.44): what master data and common sense had to say of documents.

Their syntax is the functional acknowledgment's matter; here the partner learns that an item is
unknown or a date cannot be, document by document, with the place and the value as sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from connectors.formats.edi.acknowledgments.envelope import Numbers, Row, Writer, release_of
from connectors.formats.edi.acknowledgments.verdicts import DocumentVerdict
from connectors.formats.edi.writer import dated
from schemas.documents import GroupEnd
from schemas.findings import Finding

MOST_ERRORS = 1000  #: TED of one document
_PLACE = re.compile(r"segment (\d{1,6})(?:, ([A-Z][A-Z0-9]{1,2})(?:-(\d\d))?)?")
#: element 647 by the last word of a finding's code; what has no word of its own is mutually defined
_CONDITIONS = {"missing": "007", "required": "007", "unknown": "848", "ambiguous": "848", "invalid": "848"}
_MUTUALLY_DEFINED = "ZZZ"
_LONGEST_TEXT = 60


def advise(group: GroupEnd, verdicts: Iterable[DocumentVerdict], numbers: Numbers, written_at: datetime) -> bytes:
    """The interchange that tells of the application errors in ``group``: an OTI for each document that has any.

    Where none has any, as when what was wrong has been put right since it was told, each is said to be accepted.
    """
    writer = Writer(group.interchange, numbers, written_at)
    date = dated(written_at, release_of(group))
    rows: list[Row] = [("BGN", "00", f"{numbers.set:04d}", date, f"{written_at:%H%M}")]
    told = list(verdicts)
    for verdict in [one for one in told if one.application_errors] or told:
        rows += _document(writer, group, verdict)
    return writer.interchange(writer.group("AG", group, [("824", rows)]))


def _document(writer: Writer, group: GroupEnd, verdict: DocumentVerdict) -> Iterator[Row]:
    """OTI, then a TED for each error; TE where the rest of the document was used, TR where nothing was, TA where
    nothing is wrong."""
    control = re.sub(r"[^A-Za-z0-9]", "", verdict.control_number)[:9].rjust(4, "0")
    group_control = re.sub(r"\D", "", group.control_number)[:9] or "0"
    set_id = re.sub(r"[^A-Z0-9]", "", verdict.set)[:3].ljust(3, "0")
    theirs, ours = writer.code(group.sender), writer.code(group.receiver)
    yield (
        *("OTI", _accepted(verdict), "TN", control, theirs, ours, "", ""),
        *(group_control, control, set_id, release_of(group)),
    )
    for finding in once(verdict.application_errors)[:MOST_ERRORS]:
        yield _error(writer, finding)


def _accepted(verdict: DocumentVerdict) -> str:
    if verdict.rejected:
        return "TR"
    return "TE" if verdict.application_errors else "TA"


def once(findings: Sequence[Finding]) -> list[Finding]:
    """Without what is said twice of one place."""
    told = {(finding.code, finding.location, finding.value): finding for finding in findings}
    return list(told.values())


def _error(writer: Writer, finding: Finding) -> Row:
    place = _PLACE.match(finding.location)
    position, segment, element = place.groups("") if place else ("", "", "")
    condition = _CONDITIONS.get(finding.code.rpartition(".")[2], _MUTUALLY_DEFINED)
    words = re.sub(r"[._]", " ", finding.code)
    text = writer.clean(finding.message, _LONGEST_TEXT) or writer.clean(words, _LONGEST_TEXT)
    value = writer.clean(finding.value, 99)
    return ("TED", condition, text, segment, position, str(int(element)) if element else "", "", value)
