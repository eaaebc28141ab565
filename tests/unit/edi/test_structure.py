"""Order, requirement and maximum use; what belongs to a line and what to the document."""

from __future__ import annotations

import pytest

HEAD_850 = ("BEG*00*SA*PO1**20261122",)
LINE = "PO1*1*5*EA*2.5**VN*V-1"


def short(found):
    return [(f.code, f.standard.get("AK304"), f.standard.get("AK301"), f.location, f.line) for f in found.findings]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((*HEAD_850, LINE, "CTT*1"), []),
        (("REF*DP*1", LINE), [("segment.missing", "3", "BEG", "segment 2, BEG", None)]),
        (HEAD_850, [("segment.missing", "3", "PO1", "segment 3, PO1", None)]),
        ((*HEAD_850, LINE, "XQ7*1"), [("segment.unknown", "1", "XQ7", "segment 4, XQ7", 1)]),
        ((*HEAD_850, LINE, "HL*1**S"), [("segment.unexpected", "6", "HL", "segment 4, HL", 1)]),
        ((*HEAD_850, "DTM*002*20261124", "CUR*BY*USD", LINE), [("segment.order", "7", "CUR", "segment 4, CUR", None)]),
        ((*HEAD_850, "CUR*BY*USD", "CUR*BY*EUR", LINE), [("segment.max_use", "5", "CUR", "segment 4, CUR", None)]),
        (
            (*HEAD_850, LINE, "IT8*B", "IT8*B", "IT8*B", "PO1*2*5*EA"),
            [("segment.max_use", "5", "IT8", "segment 5, IT8", 1)],
        ),
        ((*HEAD_850, LINE, "DTM*002*20261124", "REF*DP*9"), [("segment.order", "7", "REF", "segment 5, REF", 1)]),
        ((*HEAD_850, LINE, "PO1*2*x*EA"), [("element.character", "8", "PO1", "segment 4, PO1-02", 2)]),
        ((*HEAD_850, "REF*", LINE), [("element.missing", "8", "REF", "segment 3, REF-01", None),
                                     ("element.condition", "8", "REF", "segment 3, REF-02", None)]),
    ],
)  # fmt: skip
def test_850(wrap, read, segments, expected) -> None:
    found = read(wrap("850", *segments))
    assert short(found) == expected
    assert found.ends[0].accepted is all(line is not None for *_, line in expected)


def test_a_loop_beyond_its_maximum(wrap, read) -> None:
    loops = [f"ACK*IA*1*EA*068*2026112{i % 9}" for i in range(106)]
    found = read(wrap("855", "BAK*00*AC*PO1*20261122", "PO1*1*5*EA", *loops))
    assert [(f.code, f.standard["AK304"], f.expected) for f in found.findings] == [("loop.max_use", "4", "at most 104")]


def test_a_used_up_place_gives_way_to_the_next(wrap, read) -> None:
    """The PER of an 850's header stands three times; a fourth can only be an error, but N4 in an N1 loop repeats."""
    found = read(wrap("850", *HEAD_850, "N1*ST*A", "N4*AKRON", "N4*TROY", LINE))
    assert not found.findings


def test_mistakes_do_not_hide_each_other(wrap, read) -> None:
    found = read(wrap("850", "BEG*99*SA**PO1*20261322", "XYZ*1", "PO1*1*a*EA*b", "PO1*2**EA", "CTT*x"))
    assert [f.code for f in found.findings] == [
        "element.code",
        "element.missing",
        "element.date",
        "segment.unknown",
        "element.character",
        "element.character",
        "element.condition",
        "element.character",
    ]
    assert [f.line for f in found.findings] == [None, None, None, None, 1, 1, 2, None]
    assert found.lines["PO102"].to_list() == ["a", None]


def test_findings_point_at_their_bytes(wrap, read) -> None:
    payload = wrap("850", *HEAD_850, "N1*ST*Café", "PO1*1*bad*EA", "XYZ*2")
    for finding in read(payload).findings:
        piece = payload[finding.offset : finding.offset + finding.length]
        assert piece in (b"PO1*1*bad*EA", b"XYZ*2")


def test_a_997_can_be_written_from_a_finding(wrap, read) -> None:
    (finding,) = read(wrap("861", "BRA*R1*20261122*00*1", "DTM*050*20261122", "RCD*1*5*EA>1>x")).findings
    assert finding.standard == {
        "AK301": "RCD",
        "AK302": "4",
        "AK304": "8",
        "AK401": "3:3",
        "AK402": "649",
        "AK403": "6",
    }
    assert (finding.location, finding.value, finding.line) == ("segment 4, RCD-03-3", "x", 1)


def test_old_versions_have_their_own_segments(wrap, read) -> None:
    segments = ("BSN*00*S1*261122*0100", "NTE**LATE", "HL*1**S", "HL*2*1*I", "LIN**VN*1")
    assert not read(wrap("856", *segments, release="003040")).findings
    assert {f.code for f in read(wrap("856", *segments)).findings} == {"segment.unexpected", "element.too_short"}


def test_an_unknown_version_is_read_by_the_nearest(wrap, read) -> None:
    found = read(wrap("850", *HEAD_850, LINE, release="004060VICS"))
    assert [(f.code, f.value, f.expected, f.severity.value) for f in found.findings] == [
        ("version.unknown", "004060VICS", "004030", "warning")
    ]
    assert (found.starts[0].version, found.ends[0].accepted) == ("004060VICS", True)


def test_a_suffix_does_not_make_a_version_unknown(wrap, read) -> None:
    assert not read(wrap("850", *HEAD_850, LINE, release="004010VICS")).findings


def test_an_unknown_set_is_counted_and_reported(wrap, read) -> None:
    found = read(wrap("943", "W06*N*1", "XYZ*1"))
    assert [(f.code, f.standard) for f in found.findings] == [("set.unknown", {"AK502": "1"})]
    assert (found.starts[0].type, found.ends[0].segments, found.ends[0].accepted) == ("x12.943", 4, False)


def test_wrapped_lines_are_joined(wrap, read) -> None:
    payload = wrap("850", *HEAD_850, "PO1*1*5*E\r\nA*2.5**VN*V\n-1", end="~")
    found = read(payload)
    assert [f.code for f in found.findings] == ["text.wrapped"]
    assert found.lines.select("PO103", "PO1[VN]").rows() == [("EA", "V-1")]


def test_encodings(wrap, read) -> None:
    payload = wrap("850", *HEAD_850, "N1*ST**92*Éa", LINE)
    assert read(payload).findings == []
    assert read(payload).lines["N1[ST]04"].to_list() == ["Éa"]
    western = payload.replace("É".encode(), b"\xc9")
    found = read(western)
    assert [f.code for f in found.findings] == ["text.encoding"]
    assert found.lines["N1[ST]04"].to_list() == ["Éa"]
