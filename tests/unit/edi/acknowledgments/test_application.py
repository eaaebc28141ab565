"""824: what it tells of each document, and where."""

from __future__ import annotations

from connectors.formats.edi.acknowledgments import advise
from connectors.formats.edi.acknowledgments.referee import Referees
from schemas.findings import Finding, Severity, Stage


def unknown(value: str, location: str, code: str = "item.unknown") -> Finding:
    return Finding(
        code=code,
        severity=Severity.ERROR,
        stage=Stage.REFERENCE,
        message=f"{code.partition('.')[0]} '{value}' is not known",
        location=location,
        value=value,
        line=1,
    )


def body(answer: bytes) -> list[str]:
    return [part for part in answer.decode().split("~") if part[:3] in ("BGN", "OTI", "TED")]


def test_each_document_with_errors_is_told_of(desk, all_referees: Referees) -> None:
    verdicts = [
        desk.verdict("0001"),
        desk.verdict("0002", unknown("P99", "segment 28, LIN-03"), unknown("QQ", "segment 32", "unit.unknown")),
        desk.verdict("0003", unknown("X1", "segment 5", "date.impossible"), rejected=True),
    ]
    answer = advise(desk.group(3), verdicts, desk.numbers, desk.at)
    assert body(answer) == [
        "BGN*00*0009*20260301*1205",
        "OTI*TE*TN*0002*ACME-SHIP*RVM***4711*0002*856*004010",
        "TED*848*item 'P99' is not known*LIN*28*3**P99",
        "TED*848*unit 'QQ' is not known**32***QQ",
        "OTI*TR*TN*0003*ACME-SHIP*RVM***4711*0003*856*004010",
        "TED*ZZZ*date 'X1' is not known**5***X1",
    ]
    assert b"~GS*AG*RVM*ACME-SHIP*" in answer
    all_referees.judge(answer)


def test_an_error_said_twice_of_one_place_is_told_once(desk, all_referees: Referees) -> None:
    twice = [unknown("P99", "segment 28")] * 2
    assert len(body(advise(desk.group(), [desk.verdict("0001", *twice)], desk.numbers, desk.at))) == 3


def test_text_that_would_break_the_segment_is_left_out(desk, all_referees: Referees) -> None:
    bad = unknown("A*B", "Sheet1!D17")
    answer = advise(desk.group(version="003040"), [desk.verdict("0001", bad)], desk.numbers, desk.at)
    assert body(answer)[-1] == "TED*848*item unknown"
    all_referees.judge(answer)
