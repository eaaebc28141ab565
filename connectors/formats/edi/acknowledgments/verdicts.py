"""What was decided about the documents of a group: the facts that acknowledgments are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.findings import Finding, Severity, Stage

#: codes a finding carries when the standard's functional acknowledgment can say it
FUNCTIONAL_CODES = ("AK304", "AK403", "AK502", "0085")
#: findings without such a code that still make a set one we do not take
NOT_SUPPORTED = ("document.unmapped",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVerdict:
    """One transaction set or message as it was judged.

    ``rejected`` says that nothing of it is used. ``findings`` may be of any severity and stage; each
    acknowledgment picks what it has words for.
    """

    set: str  #: ST01, UNH 0065
    control_number: str  #: ST02, UNH 0062
    implementation: str = ""  #: ST03
    identifier: str = ""  #: UNH S009 as sent, ``DESADV:D:96A:UN``
    rejected: bool = False
    findings: Sequence[Finding] = ()

    @property
    def syntax_errors(self) -> tuple[Finding, ...]:
        """The errors a functional acknowledgment tells of."""
        return tuple(finding for finding in self.findings if is_functional(finding))

    @property
    def application_errors(self) -> tuple[Finding, ...]:
        """The errors an application acknowledgment tells of: of master data and of sense."""
        return tuple(
            finding
            for finding in self.findings
            if finding.severity is Severity.ERROR and finding.stage in (Stage.REFERENCE, Stage.BUSINESS)
        )

    @property
    def acknowledgment(self) -> str:
        """Element 717 by syntax alone: A accepted, E accepted with errors noted, R rejected.

        An error of a line holds back that line; one of the document, or a document that is not used
        because of any such error, rejects it.
        """
        errors = self.syntax_errors
        if not errors:
            return "A"
        whole = any(finding.line is None for finding in errors)
        return "R" if whole or self.rejected else "E"


def is_functional(finding: Finding) -> bool:
    """Whether a functional acknowledgment tells of it: an error in syntax or structure."""
    if finding.severity is not Severity.ERROR:
        return False
    told = finding.standard.keys() & {*FUNCTIONAL_CODES, "AK301"}
    return bool(told) or finding.code in NOT_SUPPORTED
