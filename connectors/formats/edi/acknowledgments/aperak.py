"""The application error and acknowledgement message APERAK: what master data and common sense had to say.

One message for each message with such errors, in the directory of the one it answers. Data element 9321 is nobody's
list but ours (agency ZZZ): MISSING, UNKNOWN, INVALID, OTHER.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from connectors.formats.edi.acknowledgments.application import once
from connectors.formats.edi.acknowledgments.edifact import EdifactWriter
from connectors.formats.edi.acknowledgments.envelope import Numbers
from connectors.formats.edi.acknowledgments.verdicts import DocumentVerdict
from connectors.formats.edi.edifact.writer import Element
from schemas.documents import InterchangeEnd
from schemas.findings import Finding

ERROR_REPORT = "APERAK"
MOST_ERRORS = 999  #: ERC of one message
_STATUS = "23"  #: data element 1001, status information
#: data element 1225: not accepted; accepted with amendment; accepted without amendment
_REFUSED, _TAKEN_IN_PART, _TAKEN = "27", "34", "29"
#: data element 9321 by the last word of a finding's code
_CONDITIONS = {
    "missing": "MISSING",
    "required": "MISSING",
    "unknown": "UNKNOWN",
    "ambiguous": "UNKNOWN",
    "invalid": "INVALID",
}
_DIRECTORY = re.compile(r"D:\d\d[AB]")
_SINCE = "D:95A"  #: directories before have no APERAK

Row = Sequence[Element]


def report_errors(
    end: InterchangeEnd, verdicts: Iterable[DocumentVerdict], numbers: Numbers, written_at: datetime
) -> bytes:
    """The interchange that tells of the application errors in ``end``; ``numbers.set`` is the last message's.

    It holds a message for each of ``reported(verdicts)``.
    """
    writer = EdifactWriter(end.interchange, numbers, written_at)
    told = reported(verdicts)
    first = numbers.set - len(told) + 1
    return writer.interchange(
        [
            (ERROR_REPORT, _version(verdict), list(_message(writer, end, verdict, number)))
            for number, verdict in enumerate(told, first)
        ]
    )


def reported(verdicts: Iterable[DocumentVerdict]) -> list[DocumentVerdict]:
    """The messages with errors to tell of; all, each as accepted, where what was told has been put right since."""
    every = list(verdicts)
    return [verdict for verdict in every if verdict.application_errors] or every


def _version(verdict: DocumentVerdict) -> str:
    """The directory of the message that is answered."""
    given = ":".join(verdict.identifier.split(":")[1:3])
    year = int(given[2:4]) if _DIRECTORY.fullmatch(given) else 0
    return f"{given}:UN" if _DIRECTORY.fullmatch(given) and (year < 90 or given >= _SINCE) else "D:96A:UN"


def _message(writer: EdifactWriter, end: InterchangeEnd, verdict: DocumentVerdict, number: int) -> Iterator[Row]:
    interchange = end.interchange
    yield ("BGM", _STATUS, f"{number:04d}", _response(verdict))
    yield ("DTM", ("137", f"{writer.at:%Y%m%d%H%M}", "203"))
    yield ("RFF", ("ACE", writer.echo(interchange.control_number, 35) or "0"))
    yield ("RFF", ("ACW", writer.echo(verdict.control_number, 35) or "0"))
    for role, party in zip(("MR", "MS"), writer.parties(), strict=True):
        if 1 <= len(party[0]) <= 17:
            yield ("NAD", role, (party[0], "", "9") if party[1:2] == ["14"] else (party[0],))
    for finding in once(verdict.application_errors)[:MOST_ERRORS]:
        yield ("ERC", (_CONDITIONS.get(finding.code.rpartition(".")[2], "OTHER"), "", "ZZZ"))
        yield ("FTX", "AAO", "", "", _texts(writer, finding))
        if finding.line is not None:
            yield ("RFF", ("LI", str(finding.line)))


def _response(verdict: DocumentVerdict) -> str:
    if verdict.rejected:
        return _REFUSED
    return _TAKEN_IN_PART if verdict.application_errors else _TAKEN


def _texts(writer: EdifactWriter, finding: Finding) -> list[str]:
    """What is wrong, the value as sent, and where it stands."""
    message = writer.text(finding.message, 70) or writer.text(finding.code.replace(".", " "), 70)
    told = (message, writer.echo(finding.value or "", 70), writer.text(finding.location, 70))
    return [text for text in told if text]
