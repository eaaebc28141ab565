"""What differs between X12 and EDIFACT inside a document: how text is spelled, and how faults are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from connectors.formats.edi import findings
from connectors.formats.edi.delimiters import begins_header
from connectors.formats.edi.judge import Fault
from connectors.formats.edi.tape import spell
from schemas.findings import Finding, Severity


class Dialect(Protocol):
    """One of the two syntaxes, as the walk through a document needs it. See ``findings`` for what each finding is."""

    def spell(self, text: str, /) -> tuple[str, bool]:
        """What an element's Latin-1 text says, still without delimiters; whether that is certain."""
        ...

    def show(self, text: str, /) -> str:
        """A spelled value as it is meant."""
        ...

    def begins_interchange(self, text: str, at: int, /) -> bool:
        """Whether another interchange begins there, whatever its delimiters."""
        ...

    def element_finding(
        self, fault: Fault, *, id_: str, number: int, line: int | None, offset: int, length: int
    ) -> Finding: ...

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
    ) -> Finding: ...

    def trailer_findings(
        self, elements: Sequence[str], number: int, control_number: str, offset: int, /
    ) -> Iterator[Finding]: ...

    def no_trailer_finding(self, control_number: str, number: int, offset: int, /) -> Finding: ...

    def truncated_finding(self, control_number: str, number: int, offset: int, rest: str, /) -> Finding: ...

    def empty_finding(self, number: int, offset: int, /) -> Finding: ...

    def wrapped_finding(self, number: int, offset: int, length: int, /) -> Finding: ...

    def guessed_finding(self, number: int, offset: int, length: int, /) -> Finding: ...


class X12Dialect:
    """X12: text in UTF-8, faults as a 997 tells them."""

    spell = staticmethod(spell)
    show = staticmethod(str)
    begins_interchange = staticmethod(begins_header)
    element_finding = staticmethod(findings.element_finding)
    segment_finding = staticmethod(findings.segment_finding)
    trailer_findings = staticmethod(findings.trailer_findings)
    no_trailer_finding = staticmethod(findings.no_trailer_finding)
    truncated_finding = staticmethod(findings.truncated_finding)
    empty_finding = staticmethod(findings.empty_finding)
    wrapped_finding = staticmethod(findings.wrapped_finding)
    guessed_finding = staticmethod(findings.guessed_finding)
