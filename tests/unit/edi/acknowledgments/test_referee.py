"""The referees: what they let pass, and that they do refuse."""

from __future__ import annotations

import pickle

import pytest

from connectors.formats.edi.acknowledgments import Refused, acknowledge_group, acknowledge_interchange
from connectors.formats.edi.acknowledgments.referee import OurReader, Pyx12
from schemas.documents import InterchangeEnd


@pytest.fixture
def sound(desk) -> bytes:
    return acknowledge_group(desk.group(), [desk.verdict()], "997", desk.numbers, desk.at)


@pytest.fixture(scope="module")
def pyx12() -> Pyx12:
    return Pyx12()


FAULTS = {
    "a code nobody has": (b"AK5*A~", b"AK5*Z~"),
    "a missing mandatory element": (b"AK2*856*0001~", b"AK2*856~"),
    "a segment out of place": (b"AK5*A~AK9", b"AK9*A*1*1*1~AK5*A~AK9"),
    "a count that is off": (b"SE*6*", b"SE*7*"),
    "a number for a word": (b"AK9*A*1*1*1~", b"AK9*A*X*1*1~"),
    "another control number": (b"GE*1*8~", b"GE*1*9~"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("referee", ["ours", "pyx12"])
def test_a_faulty_answer_is_refused(referee: str, fault: str, sound: bytes, pyx12: Pyx12) -> None:
    right, wrong = FAULTS[fault]
    assert right in sound
    with pytest.raises(Refused) as refused:
        (OurReader() if referee == "ours" else pyx12).judge(sound.replace(right, wrong))
    assert refused.value.complaints


def test_pyx12_knows_any_industrys_suffix_and_any_group_and_set(desk, pyx12: Pyx12) -> None:
    for suffix in ("", "VICS", "UCS", "AIAG"):
        group = desk.group(version=f"004010{suffix}", type="PO")
        pyx12.judge(acknowledge_group(group, [desk.verdict()], "997", desk.numbers, desk.at))


def test_pyx12_passes_by_what_it_has_no_map_for(desk, pyx12: Pyx12) -> None:
    answer = acknowledge_group(desk.group(version="003040"), [desk.verdict()], "997", desk.numbers, desk.at)
    pyx12.judge(answer.replace(b"AK5*A~", b"AK5*Z~"))


def test_bytes_after_the_interchange_are_refused(sound: bytes) -> None:
    with pytest.raises(Refused, match="not one interchange"):
        OurReader().judge(sound + sound.replace(b"000000007", b"000000008"))


def test_pyx12_says_nothing_on_the_terminal(sound: bytes, pyx12: Pyx12, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused):
        pyx12.judge(sound.replace(b"AK5*A~", b"AK5*Z~"))
    assert capfd.readouterr() == ("", "")


def test_a_refusal_survives_the_way_between_processes(sound: bytes) -> None:
    with pytest.raises(Refused) as refused:
        OurReader().judge(sound.replace(b"AK5*A~", b"AK5*Z~"))
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(again), again.complaints) == (str(refused.value), refused.value.complaints)


IMPLEMENTATION_FAULTS = {
    "a code nobody has": (b"IK5*E*5~", b"IK5*Z*5~"),
    "a missing mandatory element": (b"AK2*856*0001~", b"AK2*856~"),
    "a segment out of place": (b"IK5*E*5~AK9", b"AK9*E*1*1*1~IK5*E*5~AK9"),
    "a count that is off": (b"SE*8*", b"SE*9*"),
}


@pytest.fixture
def implementation(desk) -> bytes:
    bad = desk.error(line=2, value="XX", AK301="LIN", AK302="12", AK304="8", AK401="2", AK402="235", AK403="7")
    return acknowledge_group(desk.group(version="005010"), [desk.verdict("0001", bad)], "999", desk.numbers, desk.at)


@pytest.mark.parametrize("fault", IMPLEMENTATION_FAULTS)
def test_a_faulty_999_is_refused_by_pyx12_too(fault: str, implementation: bytes, pyx12: Pyx12) -> None:
    pyx12.judge(implementation)
    right, wrong = IMPLEMENTATION_FAULTS[fault]
    assert right in implementation
    with pytest.raises(Refused, match="pyx12"):
        pyx12.judge(implementation.replace(right, wrong))


@pytest.mark.parametrize("suffix", ["", "VICS", "UCS", "X231A1"])
def test_pyx12_knows_a_999_of_any_guide_accepted_rejected_or_in_part(desk, pyx12: Pyx12, suffix: str) -> None:
    component = desk.error(line=1, AK301="RCD", AK302="4", AK304="8", AK401="3:1", AK402="355", AK403="7")
    verdicts = [
        desk.verdict("0001"),
        desk.verdict("0002", component),
        desk.verdict("0003", desk.error(AK502="4"), rejected=True),
    ]
    for some in (verdicts[:1], verdicts[2:], verdicts):
        group = desk.group(len(some), version=f"005010{suffix}", type="RC")
        pyx12.judge(acknowledge_group(group, some, "999", desk.numbers, desk.at))


def envelope(desk, version: str = "00401", *errors: str, documents: int = 1) -> bytes:
    """The TA1 of an interchange with these errors."""
    findings = tuple(desk.error(TA105=code) for code in errors)
    interchange = desk.interchange(version)
    end = InterchangeEnd(interchange=interchange, groups=1, documents=documents, length=900, findings=findings)
    return acknowledge_interchange(end, desk.numbers, desk.at)


@pytest.mark.parametrize("version", ["00401", "00501"])
def test_pyx12_knows_a_ta1(version: str, desk, pyx12: Pyx12) -> None:
    for answer, said in (
        (envelope(desk, version), b"*A*000~"),
        (envelope(desk, version, "021", "001"), b"*E*021~"),
        (envelope(desk, version, "023", documents=0), b"*R*023~"),
    ):
        assert said in answer
        pyx12.judge(answer)


@pytest.mark.parametrize("wrong", [b"*Q*000~", b"*A*999~", b"*A~", b"*A*000*1~"])
def test_a_faulty_ta1_is_refused_by_pyx12_too(wrong: bytes, desk, pyx12: Pyx12) -> None:
    with pytest.raises(Refused, match="pyx12"):
        pyx12.judge(envelope(desk).replace(b"*A*000~", wrong))
