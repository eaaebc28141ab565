"""What cannot be opened at all, as a finding that says why."""

from __future__ import annotations

from schemas.findings import Finding, Severity, Stage

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"


class Unreadable(Exception):
    """The bytes cannot be opened as what they claim to be; carries the finding that says why."""

    def __init__(self, code: str, message: str, *, expected: str | None = None, location: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(
            code=code,
            severity=Severity.ERROR,
            stage=Stage.TRANSPORT,
            message=message,
            expected=expected,
            location=location,
        )


def damaged(error: BaseException) -> Unreadable:
    return Unreadable("workbook.damaged", f"the workbook is damaged: {error}", expected="a file that Excel opens")


def encrypted() -> Unreadable:
    return Unreadable(
        "workbook.encrypted", "the workbook is protected by a password", expected="a workbook that opens without one"
    )
