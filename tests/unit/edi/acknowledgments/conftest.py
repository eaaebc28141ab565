"""Groups and verdicts to answer, and referees that remember their maps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.formats.edi.acknowledgments import DocumentVerdict, Numbers, referees
from connectors.formats.edi.acknowledgments.referee import Referees
from schemas.documents import GroupEnd, Interchange
from schemas.findings import Finding, Severity, Stage

collect_ignore = [] if (Path(__file__).resolve().parents[5] / "shared").is_dir() else ["test_tables.py"]

AT = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
NUMBERS = Numbers(interchange=7, group=8, set=9)
COMMON = ("*", ":", "~", "^")


class Desk:
    """Short ways to say what is answered."""

    at = AT
    numbers = NUMBERS

    @staticmethod
    def interchange(version: str = "00401", marks: Sequence[str] = COMMON, **facts: object) -> Interchange:
        element, component, segment, repetition = marks
        given = {"element": element, "component": component, "segment": segment, "repetition": repetition}
        said = {
            "ordinal": 1,
            "format": "x12",
            "sender": "12:6125550100",
            "receiver": "ZZ:RVMCROSSDOCK",
            "control_number": "000000042",
            "version": version,
            "date": "260301",
            "time": "1130",
        }
        return Interchange(**(said | {"delimiters": given} | facts))  # type: ignore[arg-type]

    def group(self, sets: int = 1, version: str = "004010", **facts: object) -> GroupEnd:
        said = {
            "interchange": self.interchange(version[:5]),
            "ordinal": 1,
            "type": "SH",
            "sender": "ACME-SHIP",
            "receiver": "RVM",
            "control_number": "4711",
            "version": version,
            "first": 1,
            "last": sets,
            "declared": sets,
        }
        return GroupEnd(**(said | facts))  # type: ignore[arg-type]

    @staticmethod
    def error(line: int | None = None, value: str | None = None, code: str = "x", **standard: str) -> Finding:
        return Finding(
            code=code,
            severity=Severity.ERROR,
            stage=Stage.STRUCTURE,
            message="something is wrong",
            line=line,
            value=value,
            standard=standard,
        )

    @staticmethod
    def verdict(control: str = "0001", *findings: Finding, rejected: bool = False) -> DocumentVerdict:
        return DocumentVerdict(set="856", control_number=control, findings=findings, rejected=rejected)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="session")
def all_referees() -> Referees:
    return referees()
