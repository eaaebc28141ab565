"""Findings within bounds: a file wrong throughout says so a thousand times, not ten million times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.base import ReadItem
from schemas.documents import DocumentEnd, DocumentStart
from schemas.findings import Finding, Severity, Stage

MOST_OF_DOCUMENT = 1_000  #: findings that concern one document as a whole
MOST_OF_LINE = 20  #: findings on one line; its first error is always among them
MOST_OF_PAYLOAD = 10_000  #: findings that belong to no document


@dataclass(slots=True)
class _Tally:
    """What was told about one document, or about no document, and what was left out of it."""

    most: int
    where: str = ""
    told: int = 0
    line: int | None = None
    told_of_line: int = 0
    line_is_wrong: bool = False
    left: int = 0
    errors: int = 0
    worst: Severity = Severity.INFO

    def admits(self, finding: Finding) -> bool:
        """Whether there is room for this finding; it is counted either way."""
        error = finding.severity is Severity.ERROR
        if finding.line is None:
            self.told += 1
            room = self.told <= self.most
        else:
            if finding.line != self.line:
                self.line, self.told_of_line, self.line_is_wrong = finding.line, 0, False
            self.told_of_line += 1
            room = self.told_of_line <= MOST_OF_LINE or (error and not self.line_is_wrong)
            self.line_is_wrong |= error
        if not room:
            self.left += 1
            self.errors += error
            if finding.line is None:
                self.worst = max(self.worst, finding.severity, key=lambda severity: severity.rank)
        return room

    def rest(self) -> Iterator[Finding]:
        """One finding for all that were left out, as grave as the gravest that concerned no line."""
        if self.left:
            yield Finding(
                code="findings.more",
                severity=self.worst,
                stage=Stage.SYNTAX,
                message=f"{self.left:,} more findings are not listed; {self.errors:,} of them are errors",
                location=self.where,
                value=str(self.left),
                expected=f"at most {self.most:,} findings, {MOST_OF_LINE} a line",
            )


def bounded(items: Iterable[ReadItem]) -> Iterator[ReadItem]:
    """``items`` with no more findings than anybody reads: what is left out is counted.

    The verdicts and the ends of groups and interchanges pass as they are: they know of every finding.
    """
    payload = _Tally(MOST_OF_PAYLOAD, "the payload")
    document: _Tally | None = None
    for item in items:
        if isinstance(item, Finding):
            if (document or payload).admits(item):
                yield item
            continue
        if isinstance(item, DocumentStart):
            document = _Tally(MOST_OF_DOCUMENT, item.location)
        elif isinstance(item, DocumentEnd) and document is not None:
            yield from document.rest()
            document = None
        yield item
    yield from payload.rest()
