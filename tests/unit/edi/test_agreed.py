"""What a partner's file may say of the grammar: tighten, or, named as such, relax."""

from __future__ import annotations

import pytest

from connectors.formats.edi import X12
from schemas.errors import ConfigError

ORDER = ("BEG*00*SA*PO1**20260330", "PO1*1*5*EA***VN*A", "CTT*1")


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def x12(set_="850", line="PO1", **rows):
    return One(X12().compile(f"x12.{set_}", line, (), rows))


@pytest.mark.parametrize(
    ("row", "segments", "codes"),
    [
        ("need N1", ORDER, ["segment.missing"]),
        ("need BEG07", ORDER, ["element.missing"]),
        ("drop PO1/SDQ", (*ORDER[:2], "SDQ*EA**AA*5", ORDER[2]), ["segment.unexpected"]),
        ("max PO1/DTM 1", (*ORDER[:2], "DTM*002*20260401", "DTM*010*20260402", ORDER[2]), ["segment.max_use"]),
        ("length BEG03 2", ORDER, ["element.too_long"]),
        ("codes BEG01 01 05", ORDER, ["element.code"]),
        ("codes BEG02 SA NE", ORDER, []),
        ("need PO102", ORDER, []),
    ],
)
@pytest.mark.parametrize("release", ["003040", "004010", "005010"])
def test_a_document_is_judged_more_strictly_where_that_is_agreed(wrap, read, row, segments, codes, release) -> None:
    if release == "003040":
        segments = tuple(segment.replace("*2026", "*26") for segment in segments)
    payload = wrap("850", *segments, release=release)
    assert read(payload, plans=x12()).errors == []
    assert [error.code for error in read(payload, plans=x12(tighten=[row])).errors] == codes


@pytest.mark.parametrize(
    ("row", "segments", "code"),
    [
        ("free BEG03", ("BEG*00*SA***20260330", *ORDER[1:]), "element.missing"),
        ("free PO1", (ORDER[0], "CTT*0"), "segment.missing"),
        ("max CUR 2", (ORDER[0], "CUR*BY*USD", "CUR*SE*EUR", *ORDER[1:]), "segment.max_use"),
        ("length BEG03 40", ("BEG*00*SA*" + "9" * 40 + "**20260330", *ORDER[1:]), "element.too_long"),
        ("codes BEG01 99", ("BEG*99*SA*PO1**20260330", *ORDER[1:]), "element.code"),
        ("after BEG: NTE O 2", (ORDER[0], "NTE**please hurry", *ORDER[1:]), "segment.unexpected"),
        ("after PO1/PID: ZPL O", (*ORDER[:2], "ZPL*1**their own", ORDER[2]), "segment.unknown"),
        ("note PO1 P0607", (ORDER[0], "PO1*1*5*EA***VN", ORDER[2]), "element.condition"),
    ],
)
def test_what_a_partner_may_do_is_no_error(wrap, read, row, segments, code) -> None:
    payload = wrap("850", *segments)
    assert [error.code for error in read(payload, plans=x12()).errors] == [code]
    assert read(payload, plans=x12(relax=[row])).errors == []


def test_a_partners_own_segment_may_be_asked_for(wrap, read) -> None:
    plan = X12().compile("x12.850", "PO1", ("ZPL02",), {"relax": ["after PO1/PID: ZPL O"]})
    found = read(wrap("850", *ORDER[:2], "ZPL*1*theirs", ORDER[2]), plans=One(plan))
    assert found.lines["ZPL02"].to_list() == ["theirs"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"tighten": ["free BEG03"]}, "free would relax"),
        ({"tighten": ["max N1 500"]}, "the standard says 200: that would relax"),
        ({"tighten": ["length BEG03 30"]}, "that would relax"),
        ({"tighten": ["codes BEG01 00 XX"]}, "XX would relax"),
        ({"tighten": ["need BEG03"]}, "mandatory anyway"),
        ({"tighten": ["drop PO1"]}, "to leave it out would relax"),
        ({"relax": ["need N1"]}, "need would tighten"),
        ({"relax": ["max N1 5"]}, "that would tighten"),
        ({"relax": ["codes CUR02 XXX"]}, "allowed anyway"),
        ({"relax": ["after BEG: NTE M"]}, "write O"),
        ({"relax": ["after BEG: QQQ O"]}, "there is no segment QQQ"),
        ({"relax": ["note PO1 P0106"]}, "it has C0302"),
        ({"relax": ["free XYZ"]}, "850 has no XYZ"),
        ({"relax": ["length N199 5"]}, "there is no N199"),
        ({"relax": ["forget N1"]}, "write need, drop"),
        ({"tighten": ["need"]}, "write need, drop"),
    ],
)
def test_a_row_that_does_the_other_thing_or_nothing_is_a_config_error(rows, problem) -> None:
    with pytest.raises(ConfigError, match="wrong agreement") as raised:
        x12(**rows)
    assert problem in raised.value.problems[0]


def test_a_row_may_be_of_a_later_version(wrap, read) -> None:
    plan = x12(tighten=["drop PO1/MTX"])
    segments = (*ORDER[:2], "MTX**hurry", ORDER[2])
    assert [error.code for error in read(wrap("850", *segments, release="005010"), plans=plan).errors] == [
        "segment.unexpected"
    ]
    assert read(wrap("850", *ORDER), plans=plan).errors == []
