"""Lines that several loops may hold, parents that are lines themselves, and conditions on any element."""

from __future__ import annotations

import msgspec
import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.lines import MOST_AROUND, Around, Scope
from connectors.formats.edi.paths import Place, read_place
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage

ORDER = ("BAK*00*AC*PO1*20260330",)
ANSWERS = (
    "PO1*1*25*EA***VN*A",
    "ACK*IA*20*EA*067*20260401",
    "ACK*IB*5*EA*068*20260501",
    "PO1*2*7*EA***VN*B",
    "REF*ZZ*late",
    "PO1*3*9*EA***VN*C",
    "SCH*4*EA***002*20260402",
    "SCH*5*EA***002*20260403",
    "PO1*4*6*EA***VN*D",
    "ACK*IR",
    "SCH*6*EA***002*20260404",
    "CTT*4",
)


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def plan(line: str, *paths: str, set_: str = "855"):
    return One(X12().compile(f"x12.{set_}", line, paths, {}))


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("times", [1, 40])
def test_the_loops_that_stand_first_make_the_lines_and_a_parent_without_any_is_one(wrap, read, learn, times) -> None:
    wanted = plan("PO1/ACK | PO1/SCH | PO1", "PO101", "ACK01", "ACK02", "SCH01", "REF[ZZ]02")
    found = read(wrap("855", *ORDER, *ANSWERS[:-1] * times, ANSWERS[-1]), plans=wanted, learn=learn)
    rows = found.lines.select("PO101", "ACK01", "ACK02", "SCH01", "REF[ZZ]02").rows()
    assert (
        rows
        == [
            ("1", "IA", "20", None, None),
            ("1", "IB", "5", None, None),
            ("2", None, None, None, "late"),
            ("3", None, None, "4", None),
            ("3", None, None, "5", None),
            ("4", "IR", None, None, None),
        ]
        * times
    )
    assert found.lines["_line"].to_list() == list(range(1, 6 * times + 1))


def test_a_parent_that_is_a_line_covers_all_its_bytes(wrap, read) -> None:
    payload = wrap("855", *ORDER, *ANSWERS)
    lines = read(payload, plans=plan("PO1/ACK | PO1", "PO101")).lines
    offset, length, at = lines.row(2, named=True)["_offset"], lines["_length"][2], lines["_at"][2]
    assert payload[offset : offset + length].decode().split("~\n") == ["PO1*2*7*EA***VN*B", "REF*ZZ*late", ""]
    assert at == "segment 6"


@pytest.mark.parametrize("learn", [True, False])
def test_one_kind_of_line_in_loops_of_different_depth(wrap, read, learn) -> None:
    rows = ["BFR*00*R1**DL*A*20260330**20260329"]
    for item in range(30):
        rows += [f"LIN**VN*I{item}", "UIT*EA", "FST*1*C*D*20260401", "FST*2*C*D*20260402"]
        rows += ["SDP*Y*Y", "FST*3*D*W*20260406", "SDP*Y*Z", "FST*4*D*W*20260413", "SHP*02*90*050*20260328"]
    wanted = plan("LIN/FST | LIN/SDP/FST", "LIN[VN]", "FST01", "SHP[02,03=050]02", "SHP[02,03=011]02", set_="830")
    found = read(wrap("830", *rows, "CTT*30"), plans=wanted, learn=learn)
    assert found.said("LIN[VN]", "FST01", "SHP[02,03=050]02", "SHP[02,03=011]02") == [
        (f"I{item}", str(number), "90", None) for item in range(30) for number in range(1, 5)
    ]


@pytest.mark.parametrize("learn", [True, False])
def test_a_date_goes_where_its_qualifier_says_wherever_that_stands(wrap, read, learn) -> None:
    wanted = plan("PO1/ACK | PO1/SCH | PO1", "ACK[04=067]05", "ACK[04=068]05", "SCH[05=002]06")
    found = read(wrap("855", *ORDER, *ANSWERS[:-1] * 30), plans=wanted, learn=learn).lines
    assert found.select("ACK[04=067]05", "ACK[04=068]05", "SCH[05=002]06").rows()[:6] == [
        ("20260401", None, None),
        (None, "20260501", None),
        (None, None, None),
        (None, None, "20260402"),
        (None, None, "20260403"),
        (None, None, None),
    ]
    assert found["ACK[04=067]05"].drop_nulls().to_list() == ["20260401"] * 30


def test_conditions_in_the_notation() -> None:
    assert read_place("ACK[04=067]05") == Place("ACK[04=067]05", (), "ACK", None, 5, 0, ((4, "067"),))
    assert read_place("SHP[02,03=050]02") == Place("SHP[02,03=050]02", (), "SHP", "02", 2, 0, ((3, "050"),))
    for text in ("ACK[04=067]", "ACK[A,B]05", "ACK[00=067]05", "ACK[04=]05"):
        assert read_place(text) is None


@pytest.mark.parametrize(
    ("line", "story"),
    [
        ("PO1/ACK | N1", "'N1' is no loop inside PO1, nor PO1 itself at the end"),
        ("PO1/ACK | PO1 | PO1/SCH", "'PO1/SCH' is no loop inside PO1"),
        ("PO1/ACK | PO1/SCK", "has no loop 'PO1/SCK'"),
        ("PO1 | PO1/ACK | BAK", "has no loop 'BAK'"),
    ],
)
def test_lines_that_cannot_stand_beside_each_other(line: str, story: str) -> None:
    with pytest.raises(ConfigError) as caught:
        X12().compile("x12.855", line, ["PO101", "UIT[03=C]01"], {})
    assert story in str(caught.value)


def test_a_condition_on_an_element_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="ACK40 is no simple element"):
        X12().compile("x12.855", "PO1/ACK", ["ACK[40=C]01"], {})


def test_a_fault_of_the_loop_around_lines_holds_back_its_lines_alone(wrap, read) -> None:
    rows = (*ORDER, "PO1*1*many*EA***VN*A", "ACK*IA*20*EA", "ACK*IB*5*EA", "PO1*2*7*EA***VN*B", "PO1*3*few*EA***VN*C")
    found = read(wrap("855", *rows, "CTT*3"), plans=plan("PO1/ACK | PO1", "PO101"))
    said = [(finding.code, finding.line, finding.standard.get("AK403")) for finding in found.findings]
    assert said == [("element.character", 1, "6"), ("line.around", 2, None), ("element.character", 4, "6")]
    assert found.ends[0].accepted


def test_a_fault_of_a_loop_without_lines_concerns_the_document(wrap, read) -> None:
    found = read(wrap("855", *ORDER, "PO1*1*many*EA***VN*A", "CTT*1"), plans=plan("PO1/ACK", "PO101"))
    assert [(finding.code, finding.line) for finding in found.findings] == [("element.character", None)]
    assert not found.ends[0].accepted


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("times", [1, 40])
def test_a_loop_without_a_quantity_says_more_of_the_line_before(wrap, read, learn, times) -> None:
    answers = [
        *("PO1*1*25*EA***VN*A", "ACK*IP", "ACK*DR***067*20260520", "ACK*IQ*20*EA", "ACK*IS*****REF"),
        *(
            "PO1*2*25*EA***VN*B",
            "ACK*IA*20*EA*067*20260401",
            "ACK*IB*5*EA",
            "DTM*010*20260501",
            "ACK*DR***068*20260601",
        ),
        *("PO1*3*25*EA***VN*C", "ACK*IR"),
        *("PO1*4*25*EA***VN*D", "ACK*IA*25*EA"),
    ]
    wanted = plan("PO1/ACK(02) | PO1", "PO101", "ACK01", "ACK02", "ACK[04=067]05", "ACK[04=068]05", "ACK06")
    payload = wrap("855", *ORDER, *answers * times, "CTT*4")
    lines = read(payload, plans=wanted, learn=learn).lines
    assert (
        lines.select("PO101", "ACK01", "ACK02", "ACK[04=067]05", "ACK[04=068]05", "ACK06").rows()
        == [
            ("1", "IP", "20", "20260520", None, "REF"),
            ("2", "IA", "20", "20260401", None, None),
            ("2", "IB", "5", None, "20260601", None),
            ("3", "IR", None, None, None, None),
            ("4", "IA", "25", None, None, None),
        ]
        * times
    )
    offset, length = lines["_offset"][0], lines["_length"][0]
    assert payload[offset : offset + length].decode().count("ACK*") == 4


@pytest.mark.parametrize("lines", [("ACK*IA*20*EA", "ACK*IB*5*EA"), ()], ids=["with lines", "without"])
def test_a_loop_wrong_throughout_keeps_no_more_findings_than_anybody_reads(wrap, read, lines) -> None:
    rows = (*ORDER, "PO1*1*25*EA***VN*A", *["REF*ZZ*" + "9" * 31] * (MOST_AROUND + 500), *lines, "CTT*1")
    found = read(wrap("855", *rows), plans=plan("PO1/ACK", "PO101"))
    assert len(found.findings) <= MOST_AROUND + 1
    assert found.ends[0].accepted is bool(lines)


def test_what_a_loop_left_out_is_counted() -> None:
    around = Around(3, 99, Scope(None), 1)
    warning = Finding(code="a", severity=Severity.WARNING, stage=Stage.STRUCTURE, message="")
    around.note([warning] * (MOST_AROUND + 7))
    around.note([msgspec.structs.replace(warning, severity=Severity.ERROR)])
    *kept, more = around.told()
    assert kept == [warning] * MOST_AROUND
    assert (more.code, more.severity, more.value, more.location) == ("findings.more", Severity.ERROR, "8", "segment 3")
