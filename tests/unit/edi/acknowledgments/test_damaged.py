"""Whatever became of an X12 interchange on its way: its answers can leave, or are not owed."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.formats.edi import X12
from connectors.formats.edi.acknowledgments import DocumentVerdict, acknowledge_group, acknowledge_interchange
from connectors.formats.edi.acknowledgments.referee import Referees
from crossdock.ledger.envelopes import owed_for
from crossdock.translation import EnvelopeClosed
from mappings.spec import Acknowledge
from schemas.documents import DocumentEnd, DocumentStart, GroupEnd, InterchangeEnd
from schemas.findings import Finding
from tests.unit.edi.conftest import Wanted

AGREED = Acknowledge(functional=999)
SOUND = ("BSN*00*S1*20260301*1130", "HL*1**S", "HL*2*1*O", "PRF*45", "HL*3*2*I", "LIN**BP*P-1", "SN1**5*EA", "CTT*1")
SENDER, RECEIVER, COMPONENT, TERMINATOR = 35, 54, 104, 105  #: places in the ISA


def sent(version: str = "00401", release: str = "004010") -> bytes:
    """A ship notice as it should be, and one with a quantity in words; a TA1 is asked for."""
    sets = [
        f"ST*856*{control}~{'~'.join(rows)}~SE*10*{control}~"
        for control, rows in (("0001", SOUND), ("0002", [row.replace("**5*", "**FIVE*") for row in SOUND]))
    ]
    return (
        "ISA*00*          *00*          *12*6125550100     *ZZ*RVMCROSSDOCK   *260301*1130*U*"
        f"{version}*000000042*1*P*:~"
        f"GS*SH*ACME-SHIP*RVM*20260301*1130*4711*X*{release}~{''.join(sets)}GE*2*4711~IEA*1*000000042~"
    ).encode()


def read(payload: bytes) -> tuple[list[GroupEnd | InterchangeEnd], list[DocumentVerdict]]:
    ends: list[GroupEnd | InterchangeEnd] = []
    verdicts: list[DocumentVerdict] = []
    findings: list[Finding] = []
    for item in X12().read(io.BytesIO(payload), name="", plans=Wanted(()), metadata={}):
        match item:
            case DocumentStart():
                start, findings = item, []
            case Finding():
                findings.append(item)
            case DocumentEnd(accepted=accepted):
                verdicts.append(
                    DocumentVerdict(
                        set=start.attributes["set"], control_number=start.control_number, rejected=not accepted,
                        findings=tuple(findings),
                    )
                )  # fmt: skip
            case GroupEnd() | InterchangeEnd():
                ends.append(item)
    return ends, verdicts


def answers(desk, payload: bytes) -> dict[str, bytes]:
    """What is owed, by kind."""
    ends, verdicts = read(payload)
    written: dict[str, bytes] = {}
    for end in ends:
        for kind in owed_for(EnvelopeClosed(envelope=end, partner="ACME", agreement=AGREED)):
            if isinstance(end, InterchangeEnd):
                written[kind] = acknowledge_interchange(end, desk.numbers, desk.at)
            else:
                judged = verdicts[end.first - 1 : end.last]
                written[kind] = acknowledge_group(end, judged, kind, desk.numbers, desk.at)  # type: ignore[arg-type]
    return written


def damaged(at: int, dirt: bytes, instead_of: int = 0) -> bytes:
    payload = sent()
    return payload[:at] + dirt + payload[at + instead_of :]


def test_unharmed_it_is_answered(desk) -> None:
    assert list(answers(desk, sent())) == ["997", "TA1"]
    assert list(answers(desk, sent("00501", "005010"))) == ["999", "TA1"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dirt=st.binary(max_size=40),
    at=st.integers(0, 420),
    instead_of=st.integers(0, 20),
    versions=st.sampled_from([("00200", "002000"), ("00304", "003040"), ("00401", "004010"), ("00501", "005010")]),
)
@example(b"\xee", SENDER + 3, 1, ("00401", "004010"))
@example(b"T", TERMINATOR, 1, ("00401", "004010"))
@example(b"4", TERMINATOR, 1, ("00501", "005010"))
@example(b"\x04", COMPONENT, 1, ("00401", "004010"))
def test_whatever_was_sent_the_answer_can_leave_or_is_not_owed(
    desk, all_referees: Referees, dirt: bytes, at: int, instead_of: int, versions: tuple[str, str]
) -> None:
    payload = sent(*versions)
    for answer in answers(desk, payload[:at] + dirt + payload[at + instead_of :]).values():
        all_referees.judge(answer)


@pytest.mark.parametrize(
    "payload",
    [
        damaged(SENDER, b" " * 15, 15),
        damaged(SENDER + 3, b"\xee", 1),
        damaged(SENDER - 3, b"??", 2),
        damaged(RECEIVER + 1, b"\x0c", 1),
        damaged(RECEIVER + 2, b":", 1),
    ],
    ids=["no sender", "no X12 character", "no qualifier", "a control character", "the component separator"],
)
def test_nothing_is_owed_to_who_cannot_be_named(desk, payload: bytes) -> None:
    assert answers(desk, payload) == {}


def test_a_qualifier_that_no_list_has_is_repeated(desk, all_referees: Referees) -> None:
    written = answers(desk, damaged(RECEIVER - 3, b"1B", 2))
    assert list(written) == ["997", "TA1"]
    for answer in written.values():
        assert b"*1B*RVMCROSSDOCK   *12*6125550100     *" in answer
        all_referees.judge(answer)
    assert b"*E*007~" in written["TA1"]


@pytest.mark.parametrize("mark", [b"G", b"T", b"4"])
def test_an_interchange_without_a_terminator_is_answered_with_the_usual_one(
    desk, all_referees: Referees, mark: bytes
) -> None:
    (answer,) = answers(desk, damaged(TERMINATOR, mark, 1)).values()
    assert answer.endswith(b"TA1*000000042*260301*1130*R*004~IEA*0*000000007~")
    all_referees.judge(answer)
