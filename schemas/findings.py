"""Findings: what is wrong with data, said as values.

A finding never stops a program. It names the place a person can go to, the value that stands
there, what was expected, and the standard's own code where there is one, so that the same
finding can become a line on a screen, an AK403 in a 997 or a comment on cell D17.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How much a finding matters, mildest first."""

    INFO = "info"  #: worth knowing; changes nothing
    WARNING = "warning"  #: processed all the same; somebody should look
    ERROR = "error"  #: the line, document or interchange it stands on is held back

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error: to compare and to find the worst."""
        return ("info", "warning", "error").index(self.value)


class Stage(StrEnum):
    """Which check spoke."""

    TRANSPORT = "transport"  #: the bytes themselves: empty, unreadable, of no known format
    SYNTAX = "syntax"  #: delimiters, envelope, control numbers, counts
    STRUCTURE = "structure"  #: segments, elements, columns: order, presence, type, length, code
    REFERENCE = "reference"  #: partner, item, site, unit against master data
    BUSINESS = "business"  #: sense: dates, tolerances, open orders


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, where, and what was expected instead.

    ``code`` is ours, stable and dotted (``item.unknown``). ``standard`` holds the codes the
    document's own standard has for it, as ``{"AK304": "3"}`` (X12.20 data elements 720, 723 and
    so on) or ``{"0085": "16"}`` (EDIFACT service code list). ``offset`` and ``length`` are bytes
    in the payload, so the spot can be shown in the raw file. ``line`` is the ordinal, from 1, of
    the line within its document that the finding holds back; without it the finding concerns
    the document as a whole.
    """

    code: str
    severity: Severity
    stage: Stage
    message: str
    location: str = ""
    value: str | None = None
    expected: str | None = None
    standard: dict[str, str] = {}
    line: int | None = None
    offset: int | None = None
    length: int | None = None

    @property
    def near(self) -> tuple[str, ...]:
        """What may have been meant, best first: ``expected`` names it after ``near:``."""
        _, marked, some = (self.expected or "").rpartition("; near: ")
        return tuple(some.split(", ")) if marked else ()


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity among ``findings``; None when there are none."""
    return max((f.severity for f in findings), key=lambda s: s.rank, default=None)
