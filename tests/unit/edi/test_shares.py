"""Lines that are shared out among places by destination quantities."""

from __future__ import annotations

import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.shares import MOST_SHARES
from schemas.errors import ConfigError

ORDER = ("BEG*00*SA*PO1**20260330",)
SCHEDULE = ("BSS*00*S1*20260327*SH*20260330*20260410*R7***1*A",)
PLACES = [f"S{number}" for number in range(1, 12)]
SHARED = ("*".join(["SDQ*EA*92", *(f"S{number}*{number}" for number in range(1, 11))]), "SDQ*EA**S11*11")


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def order_plan(line: str = "PO1/SCH | PO1 by SDQ(03,04)"):
    return One(X12().compile("x12.850", line, ("PO101", "SDQ03", "SDQ04", "SDQ01", "SCH01", "REF[LT]02"), {}))


def schedule_plan():
    paths = ("LIN01", "FST01", "FST04", "SDQ03", "SDQ04", "SDQ01", "SHP[01]02")
    return One(X12().compile("x12.862", "LIN/FST by SDQ(03,04)", paths, {}))


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("line", ["PO1/SCH | PO1 by SDQ(03,04)", "PO1 by SDQ(03,04)"])
def test_each_place_is_a_line_that_is_like_the_whole_in_everything_else(wrap, read, learn, line) -> None:
    rows = [
        row
        for item in range(300)
        for row in (f"PO1*{item}*66*EA***VN*A", "REF*LT*L7", *(SHARED if item % 3 == 0 else ()), "DTM*002*20260401")
    ]
    found = read(wrap("850", *ORDER, *rows), plans=order_plan(line), learn=learn)
    wanted = [
        (str(item), place, quantity, unit, None, "L7")
        for item in range(300)
        for place, quantity, unit in (
            [*zip(PLACES, map(str, range(1, 12)), ["EA"] * 11, strict=True)] if item % 3 == 0 else [(None, None, None)]
        )
    ]
    lines = found.lines
    assert found.said("PO101", "SDQ03", "SDQ04", "SDQ01", "SCH01", "REF[LT]02") == wanted
    assert lines["_line"].to_list() == list(range(1, len(wanted) + 1))
    assert found.ends[0].lines == len(wanted)
    assert not found.errors


@pytest.mark.parametrize("learn", [True, False])
def test_lines_that_passed_in_a_batch_are_shared_out_too(wrap, read, learn) -> None:
    rows = ["LIN*1*VN*A", "UIT*EA"]
    for day in range(95):
        rows += [f"FST*{day}*C*D*20260401"]
        rows += ["SDQ*EA*92*XX*4*YY*6", "JIT*10*0700"] if day in (0, 40, 90, 94) else []
    rows += ["SHP*01*60*011*20260324"]
    found = read(wrap("862", *SCHEDULE, *rows), plans=schedule_plan(), learn=learn)
    pairs = [(place, quantity) for place, quantity in found.lines.select("SDQ03", "SDQ04").rows() if place]
    assert pairs == [("XX", "4"), ("YY", "6")] * 4
    by_day = found.lines["FST01"].to_list()
    assert by_day == [str(day) for day in range(95) for _ in range(2 if day in (0, 40, 90, 94) else 1)]
    assert set(found.lines["SHP[01]02"].to_list()) == {"60"}


def test_what_is_wrong_with_a_line_is_wrong_with_all_its_shares(wrap, read) -> None:
    rows = ("LIN*1*VN*A", "UIT*EA", "FST*1*C*D*2026O401", "SDQ*EA*92*XX*4*YY*6*ZZ", "FST*1*C*D*20260401")
    found = read(wrap("862", *SCHEDULE, *rows), plans=schedule_plan())
    assert [(error.code, error.line) for error in found.errors] == [
        ("element.date", 1), ("element.condition", 1), ("line.around", 2), ("line.around", 3),
    ]  # fmt: skip
    assert found.lines["SDQ03"].to_list() == ["XX", "YY", "ZZ", None]


def test_places_beside_schedules_are_an_error_of_their_line(wrap, read) -> None:
    rows = ("PO1*1*4*EA***VN*A", "SDQ*EA*92*XX*4", "SCH*4*EA***002*20260401", "PO1*2*5*EA***VN*A")
    found = read(wrap("850", *ORDER, *rows), plans=order_plan())
    assert [(error.line, error.code) for error in found.errors if error.code == "line.shares"] == [(1, "line.shares")]
    assert found.lines["PO101"].to_list() == ["1", "2"]


def test_a_line_is_shared_out_among_so_many_places_and_no_more(wrap, read) -> None:
    rows = ["SDQ*EA*92" + "*XX*1" * 10] * (MOST_SHARES // 10 + 1)
    found = read(wrap("862", *SCHEDULE, "LIN*1*VN*A", "UIT*EA", "FST*1*C*D*20260401", *rows), plans=schedule_plan())
    assert len(found.lines) == MOST_SHARES
    assert {error.code for error in found.errors} == {"line.shares", "line.around"}
    assert {error.line for error in found.errors} == set(range(1, MOST_SHARES + 1))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("PO1 by SDQ", "does not say by which elements"),
        ("PO1 by SDQ(03,05)", "does not say by which elements"),
        ("PO1 by HL(03,04)", "no HL stands in PO1"),
        ("PO1/SCH by SDQ(03,04)", "no SDQ stands in SCH"),
    ],
)
def test_a_line_that_cannot_be_shared_out_that_way_is_a_config_error(line, problem) -> None:
    with pytest.raises(ConfigError, match="wrong paths") as raised:
        X12().compile("x12.850", line, (), {})
    assert any(problem in one for one in raised.value.problems)


def test_edifact_has_no_such_segment() -> None:
    with pytest.raises(ConfigError, match="wrong paths"):
        Edifact().compile("edifact.ORDERS", "LIN by QTY(01,02)", (), {})
