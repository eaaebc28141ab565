"""997 and 999: what they say of a group, its sets and their faults, and that both referees agree to it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.formats.edi.acknowledgments import DocumentVerdict, acknowledge_group
from connectors.formats.edi.acknowledgments.referee import Referees
from schemas.findings import Finding, Severity, Stage

HEAD = "ISA*00*          *00*          *ZZ*RVMCROSSDOCK   *12*6125550100     *260301*1205*U*00401*000000007*0*P*:~"
GROUP = "GS*FA*RVM*ACME-SHIP*20260301*1205*8*X*004010~"


def body(answer: bytes) -> list[str]:
    """The segments from AK1 to AK9."""
    segments = answer.decode().split("~")
    first = next(i for i, segment in enumerate(segments) if segment.startswith("AK1"))
    return segments[first : next(i for i, segment in enumerate(segments) if segment.startswith("AK9")) + 1]


def test_an_accepted_group(desk, all_referees: Referees) -> None:
    answer = acknowledge_group(desk.group(), [desk.verdict()], "997", desk.numbers, desk.at)
    assert answer.decode() == (
        f"{HEAD}{GROUP}ST*997*0009~AK1*SH*4711~AK2*856*0001~AK5*A~AK9*A*1*1*1~SE*6*0009~GE*1*8~IEA*1*000000007~"
    )
    all_referees.judge(answer)


def test_a_line_in_error_is_noted_and_its_set_accepted(desk, all_referees: Referees) -> None:
    bad = desk.error(line=2, value="XX", AK301="LIN", AK302="12", AK304="8", AK401="2", AK402="235", AK403="7")
    answer = acknowledge_group(desk.group(), [desk.verdict("0001", bad)], "997", desk.numbers, desk.at)
    assert body(answer) == [
        "AK1*SH*4711", "AK2*856*0001", "AK3*LIN*12**8", "AK4*2*235*7*XX", "AK5*E*5", "AK9*E*1*1*1",
    ]  # fmt: skip
    all_referees.judge(answer)


def test_the_same_line_rejects_a_document_that_is_not_used_because_of_it(desk) -> None:
    bad = desk.error(line=2, AK301="LIN", AK302="12", AK304="8", AK401="2", AK402="235", AK403="7")
    answer = acknowledge_group(desk.group(), [desk.verdict("0001", bad, rejected=True)], "997", desk.numbers, desk.at)
    assert body(answer)[-2:] == ["AK5*R*5", "AK9*R*1*1*0"]


def test_a_group_accepted_in_part_counts_what_it_took(desk, all_referees: Referees) -> None:
    verdicts = [
        desk.verdict("0001"),
        desk.verdict("0002", desk.error(AK502="4"), desk.error(AK301="BSN", AK302="2", AK304="3"), rejected=True),
        desk.verdict("0003", desk.error(line=1, AK301="SN1", AK302="9", AK304="8", AK401="2", AK402="382", AK403="1")),
    ]
    answer = acknowledge_group(desk.group(3, declared=4), verdicts, "997", desk.numbers, desk.at)
    assert body(answer) == [
        "AK1*SH*4711",
        "AK2*856*0001", "AK5*A",
        "AK2*856*0002", "AK3*BSN*2**3", "AK5*R*4*5",
        "AK2*856*0003", "AK3*SN1*9**8", "AK4*2*382*1", "AK5*E*5",
        "AK9*P*4*3*2",
    ]  # fmt: skip
    all_referees.judge(answer)


def test_a_rejected_group_with_its_own_faults(desk, all_referees: Referees) -> None:
    group = desk.group(findings=(desk.error(AK905="4"), desk.error(AK905="5"), desk.error(AK905="4")))
    verdicts = [desk.verdict("0001", desk.error(AK502="2"), rejected=True)]
    answer = acknowledge_group(group, verdicts, "997", desk.numbers, desk.at)
    assert body(answer)[-2:] == ["AK5*R*2", "AK9*R*1*1*0*4*5"]
    all_referees.judge(answer)


def test_a_group_with_faults_and_sound_sets_is_accepted_with_errors(desk) -> None:
    group = desk.group(findings=(desk.error(AK905="5"),))
    answer = acknowledge_group(group, [desk.verdict()], "997", desk.numbers, desk.at)
    assert body(answer)[-1] == "AK9*E*1*1*1*5"


def test_a_group_without_sets_is_rejected(desk, all_referees: Referees) -> None:
    answer = acknowledge_group(desk.group(0), [], "997", desk.numbers, desk.at)
    assert body(answer) == ["AK1*SH*4711", "AK9*R*0*0*0"]
    all_referees.judge(answer)


def test_faults_of_one_segment_stand_together_in_the_order_of_the_set(desk) -> None:
    late = desk.error(line=2, AK301="LIN", AK302="30", AK304="8", AK401="2", AK402="235", AK403="7")
    early = [
        desk.error(line=1, AK301="SN1", AK302="9", AK304="8", AK401=position, AK402="382", AK403="1")
        for position in ("2", "3")
    ]
    order = desk.error(line=1, AK301="SN1", AK302="9", AK304="7")
    answer = acknowledge_group(desk.group(), [desk.verdict("0001", late, *early, order)], "997", desk.numbers, desk.at)
    assert body(answer)[2:8] == [
        "AK3*SN1*9**7", "AK3*SN1*9**8", "AK4*2*382*1", "AK4*3*382*1", "AK3*LIN*30**8", "AK4*2*235*7",
    ]  # fmt: skip


def test_a_component_is_named_in_the_separator_of_the_partner(desk, all_referees: Referees) -> None:
    group = desk.group(interchange=desk.interchange(marks=("|", "^", "'", "")))
    bad = desk.error(line=1, value="5^7", AK301="MEA", AK302="6", AK304="8", AK401="4:1", AK402="355", AK403="7")
    answer = acknowledge_group(group, [desk.verdict("0001", bad)], "997", desk.numbers, desk.at)
    assert b"'AK4|4^1|355|7'" in answer
    all_referees.judge(answer)


def test_a_set_without_a_mapping_is_not_supported(desk) -> None:
    unmapped = desk.error(code="document.unmapped")
    answer = acknowledge_group(
        desk.group(), [desk.verdict("0001", unmapped, rejected=True)], "997", desk.numbers, desk.at
    )
    assert body(answer)[-2:] == ["AK5*R*1", "AK9*R*1*1*0"]


@pytest.mark.parametrize("stage", [Stage.REFERENCE, Stage.BUSINESS])
def test_what_only_master_data_can_tell_is_no_matter_of_syntax(desk, stage: Stage) -> None:
    unknown = Finding(code="item.unknown", severity=Severity.ERROR, stage=stage, message="no such item", line=1)
    answer = acknowledge_group(desk.group(), [desk.verdict("0001", unknown)], "997", desk.numbers, desk.at)
    assert body(answer) == ["AK1*SH*4711", "AK2*856*0001", "AK5*A", "AK9*A*1*1*1"]


def test_warnings_are_not_told(desk) -> None:
    mild = msgspec.structs.replace(desk.error(AK301="LIN", AK302="3", AK304="1"), severity=Severity.WARNING)
    answer = acknowledge_group(desk.group(), [desk.verdict("0001", mild)], "997", desk.numbers, desk.at)
    assert body(answer)[1:3] == ["AK2*856*0001", "AK5*A"]


def test_what_was_no_number_or_identifier_can_be_answered_all_the_same(desk, all_referees: Referees) -> None:
    group = desk.group(type="?", control_number="A1-2", sender="X", receiver="", version="?")
    verdicts = [DocumentVerdict(set="", control_number="1", rejected=True, findings=[desk.error(AK502="6")])]
    answer = acknowledge_group(group, verdicts, "997", desk.numbers, desk.at)
    assert body(answer) == ["AK1*00*12", "AK2*000*0001", "AK5*R*6*7", "AK9*R*1*1*0"]
    assert b"~GS*FA*RVMCROSSDOCK*6125550100*20260301*1205*8*X*004010~" in answer
    all_referees.judge(answer)


def test_005010_is_answered_by_a_999_that_names_release_and_guide(desk, all_referees: Referees) -> None:
    bad = desk.error(line=2, value="XX", AK301="LIN", AK302="12", AK304="8", AK401="2", AK402="235", AK403="7")
    verdict = replace(desk.verdict("0001", bad), implementation="005010VICS")
    answer = acknowledge_group(desk.group(version="005010"), [verdict], "999", desk.numbers, desk.at)
    assert body(answer) == [
        "AK1*SH*4711*005010", "AK2*856*0001*005010VICS", "IK3*LIN*12**8", "IK4*2*235*7*XX", "IK5*E*5", "AK9*E*1*1*1",
    ]  # fmt: skip
    assert b"*^*00501*" in answer
    all_referees.judge(answer)


@pytest.mark.parametrize(
    ("kind", "version", "notes"),
    [
        ("997", "004010", ["AK3*N1*4**8", "AK4*4*67*2", "AK3*SN1*9**8", "AK4*3*355*7*QQ", "AK4*6:2*355*2"]),
        ("999", "005010", [
            "IK3*N1*4**8", "IK4*4*67*2", "CTX*SITUATIONAL TRIGGER*N1*4**3",
            "IK3*SN1*9**8", "IK4*3*355*7*QQ", "IK4*6:2*355*2", "CTX*SITUATIONAL TRIGGER*SN1*9**6:1",
        ]),
    ],
)  # fmt: skip
def test_a_999_says_which_element_makes_another_one_wrong(kind, version, notes, desk, all_referees: Referees) -> None:
    errors = [
        desk.error(AK301="N1", AK302="4", AK304="8", AK401="4", AK402="67", AK403="2", CTX05="3"),
        desk.error(value="QQ", AK301="SN1", AK302="9", AK304="8", AK401="3", AK402="355", AK403="7"),
        desk.error(AK301="SN1", AK302="9", AK304="8", AK401="6:2", AK402="355", AK403="2", CTX05="6:1"),
    ]
    verdict = desk.verdict("0001", *errors)
    answer = acknowledge_group(desk.group(version=version), [verdict], kind, desk.numbers, desk.at)
    assert [row for row in body(answer) if row[:3] in ("AK3", "AK4", "IK3", "IK4", "CTX")] == notes
    all_referees.judge(answer)


def test_before_004010_the_year_has_two_digits(desk, all_referees: Referees) -> None:
    answer = acknowledge_group(desk.group(version="003040"), [desk.verdict()], "997", desk.numbers, desk.at)
    assert b"~GS*FA*RVM*ACME-SHIP*260301*1205*8*X*003040~" in answer
    all_referees.judge(answer)


@pytest.mark.parametrize(
    "marks",
    [
        ("*", ":", "~", ""), ("|", ">", "\r", ""), ("^", "<", "\n", ""), ("\x1d", "\x1f", "\x1c", ""),
        ("\t", ":", "\x15", ""), ("*", "", "~", ""), ("*", "*", "~", ""), ("+", "\\", "!", ""),
        ("*", ":", "\xc2\xa7", ""),
    ],
)  # fmt: skip
def test_every_kind_of_delimiters(desk, marks: tuple[str, str, str, str], all_referees: Referees) -> None:
    bad = desk.error(line=2, value="X*:~|Y", AK301="LIN", AK302="12", AK304="8", AK401="2:1", AK402="235", AK403="7")
    group = desk.group(interchange=desk.interchange(marks=marks))
    answer = acknowledge_group(group, [desk.verdict("0001", bad)], "997", desk.numbers, desk.at)
    assert answer.count(marks[2].encode("latin-1")) == 12
    all_referees.judge(answer)


code = st.text(st.characters(codec="latin-1"), max_size=12)
number = st.one_of(st.integers(0, 2_000_000).map(str), code)
findings = st.builds(
    Finding,
    code=st.sampled_from(["element.code", "set.count", "document.unmapped"]),
    severity=st.sampled_from(Severity),
    stage=st.sampled_from(Stage),
    message=st.just("wrong"),
    value=st.none() | st.text(max_size=120),
    line=st.none() | st.integers(1, 9),
    standard=st.fixed_dictionaries(
        {},
        optional={
            "AK301": st.sampled_from(["LIN", "N1", "ZZZ", "ST", "", "?"]) | code,
            "AK302": number,
            "AK304": st.sampled_from("12345678"),
            "AK401": st.sampled_from(["1", "2:1", "99", "100", "0", ""]),
            "AK402": st.sampled_from(["235", "C001", "I05", ""]),
            "AK403": st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13"]),
            "AK502": st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "23"]),
        },
    ),
)
verdicts = st.builds(
    DocumentVerdict,
    set=st.sampled_from(["856", "850", "", "99999"]),
    control_number=number,
    rejected=st.booleans(),
    findings=st.lists(findings, max_size=6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some=st.lists(verdicts, max_size=4),
    of_group=st.lists(st.sampled_from(["3", "4", "5", "6", "19"]), max_size=6),
    declared=st.none() | st.integers(0, 10_000_000),
    control=number,
    type_=st.sampled_from(["SH", "PO", "", "TOOLONG"]),
    release=st.sampled_from(["004010", "004010VICS", "004010AIAG", "003040", "005010"]),
    marks=st.sampled_from([("*", ":", "~", "^"), ("|", "^", "!", ">"), ("\x1d", "\x1f", "\x1c", "\x1e")]),
)
def test_whatever_was_found_both_referees_accept_the_997(
    desk, all_referees: Referees, some, of_group, declared, control, type_, release, marks
) -> None:
    group = desk.group(
        len(some), release, declared=declared, control_number=control, type=type_,
        interchange=desk.interchange(release[:5], marks), findings=tuple(desk.error(AK905=code) for code in of_group),
    )  # fmt: skip
    all_referees.judge(acknowledge_group(group, some, "997", desk.numbers, desk.at))
