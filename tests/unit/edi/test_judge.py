"""Element rules, and that the quick patterns never say more than the judge."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.dialect import X12Dialect
from connectors.formats.edi.grammar import Element, load_grammar
from connectors.formats.edi.judge import judge_segment, judge_value
from connectors.formats.edi.patterns import SegmentCheck, element_pattern, long_codes
from schemas.findings import Severity

STARS = Delimiters("*", ">", "~", "^")


def faults(text: str, version: str = "004010") -> list[tuple[str, str, int, int]]:
    elements = text.split("*")
    spec = load_grammar(version).segments[elements[0]]
    found = list(judge_segment(spec, elements, STARS))
    assert SegmentCheck(spec, STARS).accepts(elements) <= (not found)
    return [(fault.code, fault.ak403, fault.position, fault.component) for fault in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PO1*1*10*EA*2.5*PE*BP*X1", []),
        ("PO1*1**EA", [("element.condition", "2", 2, 0)]),
        ("PO1*1*10*EA**PE", [("element.condition", "2", 4, 0)]),
        ("PO1*1*10*EA*2.5*PE*BP", [("element.condition", "2", 7, 0)]),
        ("PO1*1*ten*EA", [("element.character", "6", 2, 0)]),
        ("PO1*1*1234567890123456*EA", [("element.too_long", "5", 2, 0)]),
        ("PO1*1*-1.50*EA", []),
        ("PO1*1*1E-3*EA", []),
        ("PO1*1*+1*EA", [("element.character", "6", 2, 0)]),
        ("PO1*1*10*E", [("element.too_short", "4", 3, 0)]),
        ("BEG*00*SA**", [("element.missing", "1", 3, 0), ("element.missing", "1", 5, 0)]),
        ("BEG*00*SA*PO1**20260230", [("element.date", "8", 5, 0)]),
        ("BEG*00*SA*PO1**20240229", []),
        ("BEG*00*SA*PO1**260101", [("element.too_short", "4", 5, 0)]),
        ("BEG*99*SA*PO1**20260101", [("element.code", "7", 1, 0)]),
        ("PO1*1*10*QQ", [("element.code", "7", 3, 0)]),
        ("REF*LT*L1", []),
        ("REF*QQQ*L1", [("element.code", "7", 1, 0)]),
        ("N1*ST*A*QQ*11", [("element.code", "7", 3, 0)]),
        ("N1*QQQ*A*92*11", [("element.code", "7", 1, 0)]),
        ("LIN*1*XX*A", [("element.code", "7", 2, 0)]),
        ("DTM*XXX*20260101", [("element.code", "7", 1, 0)]),
        ("QTY*ZZ*5", [("element.code", "7", 1, 0)]),
        ("PER*BD*A*XX*1", [("element.code", "7", 3, 0)]),
        ("HL*1**XX", [("element.code", "7", 3, 0)]),
        ("FST*5*E*R*20260101", [("element.code", "7", 3, 0)]),
        ("BEG*00*02*PO1**20260101", [("element.code", "7", 2, 0)]),
        ("RCD*1*5*QQ", [("element.code", "7", 3, 1)]),
        ("BSN*00*SH1*20260101*2560", [("element.time", "9", 4, 0)]),
        ("BSN*00*SH1*20260101*23595999", []),
        ("N1*ST", [("element.condition", "2", 2, 0)]),
        ("N1*ST**92", [("element.condition", "2", 4, 0)]),
        ("N1*ST*A*92*11*AB*CD*EF", [("element.too_many", "3", 7, 0)]),
        ("TD3*TL*ABCD*1*G*10*LB", [("element.exclusive", "10", 4, 0)]),
        ("CUR*BY*USD****NYC", []),
        ("CUR*BY*USD****NYSE", [("element.too_long", "5", 6, 0)]),
        ("CUR*BY*USD*****20260101", [("element.too_long", "5", 7, 0)]),
        ("N1*ST*TAB\tTED", [("element.character", "6", 2, 0)]),
        ("RCD*1*5*EA>1>2", []),
        ("RCD*1*5*>1", [("element.missing", "1", 3, 1)]),
        ("RCD*1*5*EA>x", [("element.character", "6", 3, 2)]),
        ("SAC*C*D240***12.5", [("element.character", "6", 5, 0)]),
        ("SAC*C*D240***-1250", []),
    ],
)
def test_one_segment(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert faults(text) == expected


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("PO1*1**EA", {"AK401": "2", "AK402": "330", "AK403": "2", "CTX05": "3"}),  # C0302
        ("N1*ST**92", {"AK401": "4", "AK402": "67", "AK403": "2", "CTX05": "3"}),  # P0304
        ("N1*ST", {"AK401": "2", "AK402": "93", "AK403": "2"}),  # R0203: nothing stands there that asks for it
        ("TD3*TL*ABCD*1*G*10*LB", {"AK401": "4", "AK402": "187", "AK403": "10", "CTX05": "1"}),  # E0104
    ],
)
def test_what_makes_an_element_wrong_is_named(text: str, codes: dict[str, str]) -> None:
    elements = text.split("*")
    fault = next(judge_segment(load_grammar("004010").segments[elements[0]], elements, STARS))
    segment = {"AK301": elements[0], "AK302": "7", "AK304": "8"}
    assert X12Dialect().codes_of_element(fault, elements[0], 7) == segment | codes


def test_versions_differ() -> None:
    assert faults("BEG*00*SA*PO1**260101", "003040") == []
    assert faults("REF*DP*" + "9" * 40, "004010") == [("element.too_long", "5", 2, 0)]
    assert faults("REF*DP*" + "9" * 40, "005010") == []
    assert faults("ST*850*0001*IG1", "004010") == [("element.too_many", "3", 3, 0)]
    assert faults("ST*850*0001*IG1", "005010") == []


ELEMENTS = sorted(load_grammar("004010").segments.items())
SIMPLE = {
    use.element.number: use.element for _, spec in ELEMENTS for use in spec.uses if isinstance(use.element, Element)
}


@given(
    number=st.sampled_from(sorted(SIMPLE)),
    value=st.one_of(
        st.text("0123456789.-E+", min_size=1, max_size=18),
        st.text("ABCZ019 >^é\t", min_size=1, max_size=40),
        st.dates().map(lambda day: f"{day:%Y%m%d}"),
        st.times().map(lambda time: f"{time:%H%M%S}"),
        st.from_regex(r"\A[0-9]{4,8}\Z"),
    ),
)
def test_a_pattern_accepts_only_what_the_judge_accepts(number: str, value: str) -> None:
    element = SIMPLE[number]
    codes = long_codes(element)
    accepted = re.fullmatch(element_pattern(element, STARS), value) is not None and (not codes or value in codes)
    found = list(judge_value(element, value, 1, 0, STARS))
    if accepted:
        assert not found
    elif not found:
        assert "E" in value or "^" in value or not value.isascii(), "refused without need"


def test_a_list_that_has_grown_since_only_tells() -> None:
    elements = ["REF", "QQQ", "L1"]
    severities = {
        version: [fault.severity for fault in judge_segment(load_grammar(version).segments["REF"], elements, STARS)]
        for version in ("003060", "004010", "004030", "005010", "005030")
    }
    error, warning = [Severity.ERROR], [Severity.WARNING]
    assert severities == {
        "003060": error, "004010": error, "004030": warning, "005010": warning, "005030": warning,
    }  # fmt: skip
