"""EDIFACT inside a message: how text is spelled, and faults as a CONTRL tells them."""

from __future__ import annotations

import re

from connectors.formats.edi.dialect import Dialect
from connectors.formats.edi.edifact.charsets import decode
from connectors.formats.edi.edifact.service import LONGEST_HEAD, begins_head
from connectors.formats.edi.judge import Fault
from connectors.formats.edi.tape import Shield

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
_ADVICE, _TAG = 9, 3  #: characters of a UNA and of the tag behind it
UNSPECIFIED = "18"  #: service code list 0085, unspecified error
_STAND_INS = re.compile("([\ufdd0-\ufdef])")


class EdifactDialect(Dialect):
    """The dialect of one interchange: its release character and charset.

    ``Finding.standard`` holds ``0085`` (syntax error), and where it stands: ``UCS0096`` the segment's position in the
    message (UNH is 1), ``UCD0098`` the data element's position in the segment (the tag is 1, as data element 0098
    counts), ``UCD0104`` the component's; ``0013`` names a service segment.
    """

    document, named, closes = "message", "UNH01", "UNT"
    unforgiven = ("element.component_separator",)
    begins_interchange = staticmethod(begins_head)

    def sees_enough(self, text: str, at: int, /) -> bool:
        """A UNA begins an interchange by what follows it, with any blanks between."""
        return not text.startswith("UNA", at) or len(text[at + _ADVICE : at + LONGEST_HEAD].lstrip()) >= _TAG

    def __init__(self, shield: Shield | None, charset: str) -> None:
        self._shield = shield
        self._charset = charset

    def of_subset(self) -> EdifactDialect:
        """The dialect of a message by a subset (UNH 0057), whose association adds codes of its own to the lists."""
        dialect = EdifactDialect(self._shield, self._charset)
        dialect.forgiven = ("element.code",)
        return dialect

    def spell(self, text: str, /) -> tuple[str, bool]:
        if self._shield is not None:
            text = self._shield.without_fillers(text)
        if text.isascii():
            return text, True
        pieces = _STAND_INS.split(text)
        told = [(piece, True) if at % 2 else self._decoded(piece) for at, piece in enumerate(pieces)]
        return "".join(piece for piece, _ in told), all(certain for _, certain in told)

    def _decoded(self, text: str) -> tuple[str, bool]:
        return (text, True) if text.isascii() else decode(text.encode("latin-1"), self._charset)

    def show(self, text: str, /) -> str:
        return text if self._shield is None else self._shield.show(text)

    @property
    def guess(self) -> str:
        return f"bytes are not {self._charset}, as UNB says; read as UTF-8 or Windows-1252"

    def codes_of_element(self, fault: Fault, id_: str, number: int) -> dict[str, str]:  # noqa: ARG002
        standard = {
            "0085": SYNTAX_ERRORS.get(fault.code, UNSPECIFIED),
            "UCS0096": str(number),
            "UCD0098": str(fault.position + 1),
        }
        return standard | {"UCD0104": str(fault.component)} if fault.component else standard

    def codes_of_segment(self, code: str, id_: str, number: int, position: int) -> dict[str, str]:  # noqa: ARG002
        last = number - 1 if code == "segment.missing" else number  # what is missing is told of the one before (0096)
        standard = {"0085": SYNTAX_ERRORS.get(code, UNSPECIFIED), "UCS0096": str(last)}
        return standard | {"UCD0098": str(position + 1)} if position else standard

    def codes_of_syntax(self, what: str, number: int) -> dict[str, str]:
        match what:
            case "count":
                return {"0085": "29", "0013": "UNT", "UCS0096": str(number), "UCD0098": "2"}
            case "control_number":
                return {"0085": "28", "0013": "UNT", "UCS0096": str(number), "UCD0098": "3"}
            case "empty":
                return {"0085": "13", "UCS0096": str(number + 1)}
            case "wrapped" | "encoding":
                return {"0085": "21", "UCS0096": str(number)}
        return {"0085": "13", "0013": "UNT"}
