"""Acknowledgments that come in: what they say, as one word and its reasons."""

from __future__ import annotations

import pytest

from connectors.formats.edi.acknowledgments import acknowledge_group, advise
from connectors.formats.edi.acknowledgments.received import Received, read_interchange_acknowledgment, read_set


def segments(text: str) -> list[list[str]]:
    return [segment.split("*") for segment in text.split("~") if segment]


@pytest.mark.parametrize(
    ("text", "outcome", "detail"),
    [
        ("ST*997*1~AK1*AG*12~AK9*A*1*1*1~", "accepted", ""),
        ("ST*997*1~AK1*AG*12~AK2*824*0001~AK3*TED*4**8~AK4*1*647*7~AK5*E*5~AK9*E*1*1*1~", "accepted_with_errors",
         "set 0001: segment 4 TED (AK304 8)"),
        ("ST*997*1~AK1*AG*12~AK2*824*0001~AK5*R*4~AK9*P*2*2*1~", "partly_accepted", "set 0001: AK501 R 4"),
        ("ST*999*1~AK1*AG*12~AK9*R*1*1*0*5~", "rejected", "AK905 5"),
        ("ST*999*1~AK1*AG*12~AK2*824*0001~IK3*TED*4**8~CTX*SITUATIONAL TRIGGER*OTI*3~IK5*E*5~AK9*E*1*1*1~",
         "accepted_with_errors", "set 0001: segment 4 TED (IK304 8); set 0001: context SITUATIONAL TRIGGER OTI 3"),
        ("ST*997*1~AK1*AG*12~", "rejected", ""),
    ],
)  # fmt: skip
def test_a_functional_acknowledgment(text: str, outcome: str, detail: str) -> None:
    (received,) = read_set("997", segments(text))
    assert received == Received(kind="997", level="group", number=12, outcome=outcome, detail=detail)


def test_an_application_advice_gives_its_gravest_word(desk) -> None:
    text = "ST*824*1~BGN*00*1*20260301~OTI*TA*TN*1*****5*0001~OTI*TR*TN*2*****5*0002~TED*848*no such order~"
    (received,) = read_set("824", segments(text))
    assert received == Received(kind="824", level="group", number=5, outcome="rejected", detail="848 no such order")


def test_what_names_no_group_says_nothing() -> None:
    assert list(read_set("997", segments("ST*997*1~AK9*A*1*1*1~"))) == []
    assert list(read_set("824", segments("ST*824*1~OTI*TA*TN*1~"))) == []


@pytest.mark.parametrize(
    ("code", "outcome", "detail"), [("A*000", "accepted", ""), ("E*021", "accepted_with_errors", "TA105 021"),
                                    ("R*025", "rejected", "TA105 025"), ("", "rejected", "")],
)  # fmt: skip
def test_an_interchange_acknowledgment(code: str, outcome: str, detail: str) -> None:
    received = read_interchange_acknowledgment(f"000000007*260301*1200*{code}".split("*"))
    assert received == Received(kind="TA1", level="interchange", number=7, outcome=outcome, detail=detail)
    assert read_interchange_acknowledgment(["", "260301"]) is None


def test_our_own_answers_are_understood_by_ourselves(desk) -> None:
    group = desk.group(2)
    verdicts = [desk.verdict("0001"), desk.verdict("0002", desk.error(AK502="4"), rejected=True)]
    answer = acknowledge_group(group, verdicts, "997", desk.numbers, desk.at).decode()
    (received,) = read_set("997", segments(answer)[2:-3])
    assert (received.number, received.outcome) == (4711, "partly_accepted")
    for told, outcome in ((verdicts, "rejected"), (verdicts[:1], "accepted")):
        (received,) = read_set("824", segments(advise(group, told, desk.numbers, desk.at).decode())[2:-3])
        assert (received.number, received.outcome) == (4711, outcome)
