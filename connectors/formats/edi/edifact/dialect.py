"""EDIFACT inside a message: how text is spelled, and faults as a CONTRL tells them.

``Finding.standard`` holds ``0085`` (syntax error), and where it stands: ``UCS0096`` the segment's position in the
message (UNH is 1), ``UCD0098`` the data element's position in the segment (the tag is 1, as data element 0098
counts), ``UCD0104`` the component's; ``0013`` names a service segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from connectors.formats.edi.edifact.charsets import decode
from connectors.formats.edi.edifact.service import begins_head
from connectors.formats.edi.findings import LONGEST_VALUE, is_count
from connectors.formats.edi.judge import Fault
from connectors.formats.edi.tape import Shield
from schemas.findings import Finding, Severity, Stage

#: our codes -> service code list 0085
SYNTAX_ERRORS = {
    "element.missing": "13",
    "element.too_many": "16",
    "element.too_many_components": "16",
    "element.component_separator": "16",
    "element.too_many_repetitions": "35",
    "element.too_long": "39",
    "element.too_short": "40",
    "element.character": "37",
    "element.decimal": "19",
    "element.code": "12",
    "segment.missing": "13",
    "segment.max_use": "35",
    "loop.max_use": "36",
    "segment.order": "15",
    "segment.unexpected": "15",
    "segment.unknown": "15",
    "cps.parent": "12",
    "cps.number": "12",
}
_STAND_INS = re.compile("([\ufdd0-\ufdef])")


def syntax_finding(
    code: str,
    message: str,
    location: str,
    offset: int,
    *,
    standard: Mapping[str, str],
    severity: Severity = Severity.ERROR,
    length: int | None = None,
    value: str | None = None,
    expected: str | None = None,
) -> Finding:
    """Something wrong with service characters, an envelope or a trailer."""
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.SYNTAX,
        message=message,
        location=location,
        value=value and value[:LONGEST_VALUE],
        expected=expected,
        standard=dict(standard),
        offset=offset,
        length=length,
    )


class EdifactDialect:
    """The dialect of one interchange: its release character and charset."""

    def __init__(self, shield: Shield | None, charset: str) -> None:
        self._shield = shield
        self._charset = charset

    def spell(self, text: str) -> tuple[str, bool]:
        if self._shield is not None:
            text = self._shield.without_fillers(text)
        if text.isascii():
            return text, True
        pieces = _STAND_INS.split(text)
        told = [(piece, True) if at % 2 else self._decoded(piece) for at, piece in enumerate(pieces)]
        return "".join(piece for piece, _ in told), all(certain for _, certain in told)

    def _decoded(self, text: str) -> tuple[str, bool]:
        return (text, True) if text.isascii() else decode(text.encode("latin-1"), self._charset)

    def show(self, text: str) -> str:
        return text if self._shield is None else self._shield.show(text)

    @staticmethod
    def begins_interchange(text: str, at: int) -> bool:
        return begins_head(text, at)

    def element_finding(
        self, fault: Fault, *, id_: str, number: int, line: int | None, offset: int, length: int
    ) -> Finding:
        component = f"-{fault.component}" if fault.component else ""
        standard = {
            "0085": SYNTAX_ERRORS.get(fault.code, "18"),
            "UCS0096": str(number),
            "UCD0098": str(fault.position + 1),
        }
        if fault.component:
            standard["UCD0104"] = str(fault.component)
        return Finding(
            code=fault.code,
            severity=Severity.ERROR if fault.code == "element.component_separator" else fault.severity,
            stage=Stage.STRUCTURE,
            message=f"{id_}{fault.position:02d}{component}: {fault.message}",
            location=f"segment {number}, {id_}-{fault.position:02d}{component}",
            value=self.show(fault.value[:LONGEST_VALUE]) or None,
            expected=fault.expected or None,
            standard=standard,
            line=line,
            offset=offset,
            length=length,
        )

    def segment_finding(
        self,
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
        last = number - 1 if code == "segment.missing" else number  # what is missing is told of the one before (0096)
        standard = {"0085": SYNTAX_ERRORS.get(code, "18"), "UCS0096": str(last)}
        if position:
            standard["UCD0098"] = str(position + 1)
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.STRUCTURE,
            message=message,
            location=f"segment {number}, {id_}" + (f"-{position:02d}" if position else ""),
            value=None if value is None else self.show(value[:LONGEST_VALUE]),
            expected=expected,
            standard=standard,
            line=line,
            offset=offset,
            length=length,
        )

    def trailer_findings(
        self, elements: Sequence[str], number: int, control_number: str, offset: int
    ) -> Iterator[Finding]:
        count, control = (elements[i].strip() if len(elements) > i else "" for i in (1, 2))
        where = f"segment {number}, UNT"
        if not is_count(count) or int(count) != number:
            yield syntax_finding(
                "message.count", f"UNT01 says {count[:20] or 'nothing'} segments, there are {number}", where + "-01",
                offset, value=count or None, expected=str(number),
                standard={"0085": "29", "0013": "UNT", "UCS0096": str(number), "UCD0098": "2"},
            )  # fmt: skip
        if control != control_number:
            yield syntax_finding(
                "message.control_number", f"UNT02 is {control or 'empty'}, UNH01 was {control_number}", where + "-02",
                offset, value=control or None, expected=control_number,
                standard={"0085": "28", "0013": "UNT", "UCS0096": str(number), "UCD0098": "3"},
            )  # fmt: skip

    def no_trailer_finding(self, control_number: str, number: int, offset: int) -> Finding:
        return syntax_finding(
            "message.trailer_missing", f"message {control_number} has no UNT", f"after segment {number}", offset,
            expected="UNT", standard={"0085": "13", "0013": "UNT"},
        )  # fmt: skip

    def truncated_finding(self, control_number: str, number: int, offset: int, rest: str) -> Finding:
        lost = f"; {len(rest)} bytes of a broken segment are lost" if rest else ""
        return syntax_finding(
            "message.truncated", f"the payload ends inside message {control_number}{lost}", f"after segment {number}",
            offset, value=self.spell(rest[:80])[0] or None, length=len(rest), expected="UNT",
            standard={"0085": "13", "0013": "UNT"},
        )  # fmt: skip

    def empty_finding(self, number: int, offset: int) -> Finding:
        return syntax_finding(
            "segment.empty", "an empty segment", f"after segment {number}", offset, severity=Severity.WARNING,
            length=0, standard={"0085": "13", "UCS0096": str(number + 1)},
        )  # fmt: skip

    def wrapped_finding(self, number: int, offset: int, length: int) -> Finding:
        return syntax_finding(
            "text.wrapped", "line breaks stand inside segments and are left out", f"segment {number}", offset,
            severity=Severity.WARNING, length=length, standard={"0085": "21", "UCS0096": str(number)},
        )  # fmt: skip

    def guessed_finding(self, number: int, offset: int, length: int) -> Finding:
        return syntax_finding(
            "text.encoding", f"bytes are not {self._charset}, as UNB says; read as UTF-8 or Windows-1252",
            f"segment {number}", offset, severity=Severity.WARNING, length=length,
            standard={"0085": "21", "UCS0096": str(number)},
        )  # fmt: skip
