"""TA1: what it says of an interchange."""

from __future__ import annotations

import pytest

from connectors.formats.edi.acknowledgments import acknowledge_interchange
from connectors.formats.edi.acknowledgments.referee import Referees
from schemas.documents import InterchangeEnd


def end(desk, *codes: str, documents: int = 1, **facts: object) -> InterchangeEnd:
    findings = tuple(desk.error(TA105=code) for code in codes)
    return InterchangeEnd(
        interchange=desk.interchange(**facts), groups=1, documents=documents, length=900, findings=findings
    )


@pytest.mark.parametrize(
    ("codes", "documents", "said"),
    [((), 3, "A*000"), (("021", "001"), 3, "E*021"), (("023",), 0, "R*023"), ((), 0, "A*000")],
)
def test_the_envelope_is_answered(desk, codes, documents: int, said: str, all_referees: Referees) -> None:
    answer = acknowledge_interchange(end(desk, *codes, documents=documents), desk.numbers, desk.at)
    assert answer.decode() == (
        "ISA*00*          *00*          *ZZ*RVMCROSSDOCK   *12*6125550100     *260301*1205*U*00401*000000007*0*P*:~"
        f"TA1*000000042*260301*1130*{said}~IEA*0*000000007~"
    )
    all_referees.judge(answer)


def test_what_was_no_number_date_or_time_can_be_answered_all_the_same(desk, all_referees: Referees) -> None:
    broken = end(desk, "014", control_number="4-2", date="261399", time="2460")
    answer = acknowledge_interchange(broken, desk.numbers, desk.at)
    assert b"~TA1*000000042*260301*1205*E*014~" in answer
    all_referees.judge(answer)


def test_a_test_is_answered_as_a_test_and_wants_no_answer(desk) -> None:
    answer = acknowledge_interchange(end(desk, test=True, answer_wanted=True), desk.numbers, desk.at)
    assert b"*0*T*:~TA1" in answer
