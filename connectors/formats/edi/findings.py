"""Findings of the readers: where they stand, and which lines they hold back.

``Finding.standard`` carries what an acknowledgment says, by the names of the standard's own elements, so that a 997
or a CONTRL can be written from findings alone: see ``dialect.X12Dialect`` and ``edifact.dialect.EdifactDialect``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.findings import Finding, Severity, Stage

LONGEST_VALUE = 512  #: characters of what stands there that a finding repeats


class Spot(NamedTuple):
    """Where a segment stands: its number in the document (ST and UNH are 1), its bytes, and the line it is part of."""

    number: int
    offset: int
    length: int = 0
    line: int | None = None


def syntax_finding(
    code: str,
    message: str,
    location: str,
    offset: int,
    *,
    severity: Severity = Severity.ERROR,
    length: int | None = None,
    value: str | None = None,
    expected: str | None = None,
    standard: Mapping[str, str] | None = None,
) -> Finding:
    """Something wrong with service characters, charset, an envelope, a header or a trailer."""
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.SYNTAX,
        message=message,
        location=location,
        value=value and value[:LONGEST_VALUE],
        expected=expected,
        standard=dict(standard or {}),
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


def is_count(text: str) -> bool:
    """Whether this is a plain number of a size that a count may have."""
    return text.isascii() and text.isdigit() and len(text) <= 18
