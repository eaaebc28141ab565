"""What differs between X12 and EDIFACT inside a document: how text is spelled, and the codes of what is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from connectors.formats.edi.delimiters import LONGEST_MARK, begins_header
from connectors.formats.edi.findings import LONGEST_VALUE, Spot, is_count, syntax_finding
from connectors.formats.edi.judge import Fault
from connectors.formats.edi.tape import spell
from schemas.findings import Finding, Severity, Stage

_LONGEST_CONTROL = 80  #: characters of a trailer's elements that are looked at
_SHOWN = 80  #: characters of a broken segment that are told
#: element 720 for what is wrong with a segment as a whole
_AK304 = {
    "segment.unknown": "1",
    "segment.missing": "3",
    "loop.max_use": "4",
    "segment.max_use": "5",
    "segment.unexpected": "6",
    "segment.order": "7",
}
#: element 718 for what is wrong with SE, element 720 for how a segment is written
_SYNTAX = {
    "count": {"AK502": "4"},
    "control_number": {"AK502": "3"},
    "trailer_missing": {"AK502": "2"},
    "truncated": {"AK502": "2"},
    "empty": {"AK304": "1"},
}


class Dialect(ABC):
    """One of the two syntaxes, as the walk through a document needs it.

    What may be wrong, and the words for it, are the same in both. A dialect knows the standard's own codes: what
    ``Finding.standard`` says.
    """

    document: ClassVar[str]  #: what a document is called; the codes of findings on its trailer begin with it
    named: ClassVar[str]  #: the element that holds its control number
    closes: ClassVar[str]  #: its trailer
    unforgiven: ClassVar[tuple[str, ...]] = ()  #: faults that the judge only warns of, and that are errors here
    forgiven: tuple[str, ...] = ()  #: faults that the judge calls errors, and that are only told here

    @abstractmethod
    def spell(self, text: str, /) -> tuple[str, bool]:
        """What an element's Latin-1 text says, still without delimiters; whether that is certain."""

    @abstractmethod
    def begins_interchange(self, text: str, at: int, /) -> bool:
        """Whether another interchange begins there, whatever its delimiters."""

    def sees_enough(self, text: str, at: int, /) -> bool:  # noqa: ARG002
        """Whether ``begins_interchange`` can tell by so much text."""
        return True

    def show(self, text: str, /) -> str:
        """A spelled value as it is meant."""
        return text

    @property
    @abstractmethod
    def guess(self) -> str:
        """What is said of bytes that are not what they should be."""

    @abstractmethod
    def codes_of_element(self, fault: Fault, id_: str, number: int) -> dict[str, str]:
        """For a fault of segment ``number``."""

    @abstractmethod
    def codes_of_segment(self, code: str, id_: str, number: int, position: int) -> dict[str, str]:
        """For segment ``number`` as a whole, or for what it says at ``position``; ``code`` is the finding's."""

    @abstractmethod
    def codes_of_syntax(self, what: str, number: int) -> dict[str, str]:
        """For a trailer (``count``, ``control_number``, ``trailer_missing``, ``truncated``) or for how segment
        ``number`` is written (``empty``, ``wrapped``, ``encoding``)."""

    def element_finding(self, fault: Fault, id_: str, spot: Spot) -> Finding:
        """A fault of one segment."""
        place = f"{fault.position:02d}" + (f"-{fault.component}" if fault.component else "")
        return Finding(
            code=fault.code,
            severity=self._severity(fault),
            stage=Stage.STRUCTURE,
            message=f"{id_}{place}: {fault.message}",
            location=f"segment {spot.number}, {id_}-{place}",
            value=self.show(fault.value[:LONGEST_VALUE]) or None,
            expected=fault.expected or None,
            standard=self.codes_of_element(fault, id_, spot.number),
            line=spot.line,
            offset=spot.offset,
            length=spot.length,
        )

    def _severity(self, fault: Fault) -> Severity:
        if fault.code in self.forgiven:
            return Severity.WARNING
        return Severity.ERROR if fault.code in self.unforgiven else fault.severity

    def segment_finding(
        self,
        code: str,
        message: str,
        id_: str,
        spot: Spot,
        *,
        position: int = 0,
        value: str | None = None,
        expected: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        """Something wrong with a segment as a whole, or with what it says at ``position``."""
        return Finding(
            code=code,
            severity=severity,
            stage=Stage.STRUCTURE,
            message=message,
            location=f"segment {spot.number}, {id_}" + (f"-{position:02d}" if position else ""),
            value=None if value is None else self.show(value[:LONGEST_VALUE]),
            expected=expected,
            standard=self.codes_of_segment(code, id_, spot.number, position),
            line=spot.line,
            offset=spot.offset,
            length=spot.length,
        )

    def trailer_findings(
        self, elements: Sequence[str], number: int, control_number: str, offset: int
    ) -> Iterator[Finding]:
        """What is wrong with the trailer that is segment ``number`` of the document ``control_number``."""
        count, control = (elements[i][:_LONGEST_CONTROL].strip() if len(elements) > i else "" for i in (1, 2))
        where = f"segment {number}, {self.closes}"
        if not is_count(count) or int(count) != number:
            yield syntax_finding(
                f"{self.document}.count",
                f"{self.closes}01 says {count[:20] or 'nothing'} segments, there are {number}", where + "-01", offset,
                value=count or None, expected=str(number), standard=self.codes_of_syntax("count", number),
            )  # fmt: skip
        if control != control_number:
            yield syntax_finding(
                f"{self.document}.control_number",
                f"{self.closes}02 is {control or 'empty'}, {self.named} was {control_number}", where + "-02", offset,
                value=control or None, expected=control_number, standard=self.codes_of_syntax("control_number", number),
            )  # fmt: skip

    def no_trailer_finding(self, control_number: str, number: int, offset: int) -> Finding:
        """Something else stands where the trailer should."""
        return syntax_finding(
            f"{self.document}.trailer_missing", f"{self.document} {control_number} has no {self.closes}",
            f"after segment {number}", offset, expected=self.closes,
            standard=self.codes_of_syntax("trailer_missing", number),
        )  # fmt: skip

    def truncated_finding(self, control_number: str, number: int, offset: int, rest: str) -> Finding:
        """The payload ends inside a document; ``rest`` is what there is of its last segment."""
        lost = f"; {len(rest)} bytes of a broken segment are lost" if rest else ""
        return syntax_finding(
            f"{self.document}.truncated", f"the payload ends inside {self.document} {control_number}{lost}",
            f"after segment {number}", offset, value=self.show(self.spell(rest[:_SHOWN])[0]) or None, length=len(rest),
            expected=self.closes, standard=self.codes_of_syntax("truncated", number),
        )  # fmt: skip

    def empty_finding(self, number: int, offset: int) -> Finding:
        """Two terminators with nothing between them."""
        return syntax_finding(
            "segment.empty", "an empty segment", f"after segment {number}", offset, severity=Severity.WARNING,
            length=0, standard=self.codes_of_syntax("empty", number),
        )  # fmt: skip

    def wrapped_finding(self, number: int, offset: int, length: int) -> Finding:
        """Line breaks inside segments; said once a document."""
        return syntax_finding(
            "text.wrapped", "line breaks stand inside segments and are left out", f"segment {number}", offset,
            severity=Severity.WARNING, length=length, standard=self.codes_of_syntax("wrapped", number),
        )  # fmt: skip

    def guessed_finding(self, number: int, offset: int, length: int) -> Finding:
        """Bytes that are not what they should be; said once a document."""
        return syntax_finding(
            "text.encoding", self.guess, f"segment {number}", offset, severity=Severity.WARNING, length=length,
            standard=self.codes_of_syntax("encoding", number),
        )  # fmt: skip


class X12Dialect(Dialect):
    """X12: text in UTF-8, faults as a 997 tells them.

    ``Finding.standard`` holds the codes themselves (``AK304`` element 720, ``AK403`` element 723, ``AK502`` element 718
    of a set, ``AK905`` element 716 of a group, ``TA105`` element 618 of an interchange) and the segment id, position
    and element they concern (``AK301``, ``AK302``, ``AK401``, ``AK402``), and the element of that segment whose value
    makes it so, where a syntax note does (``CTX05``).
    """

    document, named, closes = "set", "ST02", "SE"
    guess = "bytes that are not UTF-8 are read as Windows-1252"
    spell = staticmethod(spell)
    begins_interchange = staticmethod(begins_header)

    def sees_enough(self, text: str, at: int, /) -> bool:
        """An ISA is told by its second separator, which may stand behind a terminator."""
        return not text.startswith("ISA", at) or len(text) - at >= LONGEST_MARK

    def codes_of_element(self, fault: Fault, id_: str, number: int) -> dict[str, str]:
        standard = {
            "AK301": id_,
            "AK302": str(number),
            "AK304": "8",
            "AK401": f"{fault.position}:{fault.component}" if fault.component else str(fault.position),
            "AK403": fault.ak403,
        }
        if fault.number:
            standard["AK402"] = fault.number
        if fault.trigger:
            standard["CTX05"] = f"{fault.position}:{fault.trigger}" if fault.component else str(fault.trigger)
        return standard

    def codes_of_segment(self, code: str, id_: str, number: int, position: int) -> dict[str, str]:  # noqa: ARG002
        standard = {"AK301": id_[:3], "AK302": str(number)}
        return standard | {"AK304": _AK304[code]} if code in _AK304 else standard

    def codes_of_syntax(self, what: str, number: int) -> dict[str, str]:  # noqa: ARG002
        return dict(_SYNTAX.get(what, {}))
