"""ISA to IEA, GS to GE, ST to SE: counts, control numbers, what is missing and what stands around."""

from __future__ import annotations

import pytest

from schemas.documents import InterchangeEnd

ORDER = ("BEG*00*SA*PO1**20261122", "PO1*1*5*EA")


def codes(found):
    return [(f.code, dict(f.standard)) for f in found.findings]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"SE*4*0001", b"SE*5*0001", [("set.count", {"AK502": "4"})]),
        (b"SE*4*0001", b"SE*4*0002", [("set.control_number", {"AK502": "3"})]),
        (b"SE*4*0001", b"SE*x*0001", [("element.character", "AK403"), ("set.count", {"AK502": "4"})]),
        (b"SE*4*0001~\n", b"", [("set.trailer_missing", {"AK502": "2"})]),
        (b"GE*1*1", b"GE*2*1", [("group.count", {"AK905": "5"})]),
        (b"GE*1*1", b"GE*1*2", [("group.control_number", {"AK905": "4"})]),
        (b"GE*1*1~\n", b"", [("group.trailer_missing", {"AK905": "3"})]),
        (b"IEA*1*000000001", b"IEA*2*000000001", [("interchange.count", {"TA105": "021"})]),
        (b"IEA*1*000000001", b"IEA*1*000000002", [("interchange.control_number", {"TA105": "001"})]),
        (b"IEA*1*000000001~\n", b"", [("interchange.trailer_missing", {"TA105": "023"})]),
        (b"*ZZ*SENDER ", b"*Z9*SENDER ", [("interchange.element.code", {"TA105": "005"})]),
        (b"*261122*0100*U", b"*261322*0100*U", [("interchange.element.date", {"TA105": "014"})]),
        (b"*0*P*>~", b"*0*Q*>~", [("interchange.element.code", {"TA105": "020"})]),
        (b"GS*PO*SENDER*RECEIVER*2026", b"GS*PO*SENDER**2026", [("group.element.missing", {"TA105": "024"})]),
        (b"GS*PO*", b"GS*SH*", [("set.group", {})]),
        (b"GE*1*1~\n", b"GE*1*1~\nXX*1~\n", [("segment.misplaced", {"TA105": "022"})]),
        (b"IEA*1*000000001~", b"IEA*1*000000001", [("interchange.terminator_missing", {})]),
        (b"PO1*1", b"~\nPO1*1", [("segment.empty", {"AK304": "1"})]),
    ],
)
def test_what_is_wrong_is_said(wrap, read, old, new, expected) -> None:
    payload = wrap("850", *ORDER)
    assert old in payload
    found = codes(read(payload.replace(old, new, 1)))
    assert [code for code, _ in found] == [code for code, _ in expected]
    for (_, standard), (_, wanted) in zip(found, expected, strict=True):
        assert wanted in (standard, *standard) if isinstance(wanted, str) else standard == wanted


def test_the_faultless_one_says_nothing(wrap, read) -> None:
    found = read(wrap("850", *ORDER))
    (start,) = found.starts
    assert not found.findings
    assert (start.sender, start.receiver, start.control_number) == ("ZZ:SENDER", "ZZ:RECEIVER", "0001")
    assert (start.interchange, start.group, start.version, start.test) == ("000000001", "1", "004010", False)
    assert start.attributes["functional_group"] == "PO"


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n  \t", b"From: a@b\nSubject: ISA (see below)\n\n"])
@pytest.mark.parametrize("after", [b"", b"\r\n\r\n", b"\x1a", b"\0\0\0", b"-- \nregards"])
def test_what_stands_around(wrap, read, before, after) -> None:
    payload = wrap("850", *ORDER)
    found = read(before + payload + after)
    expected = ["text.before"] * (b"From" in before) + ["text.after"] * (b"regards" in after)
    assert [f.code for f in found.findings] == expected
    assert found.starts[0].offset == len(before) + payload.index(b"ST*")


@pytest.mark.parametrize("end", ["~", "~\r\n", "~\n", "\n", "\r\n", "\r", "\x15", "'\r\n", "é\n", "~ "])
def test_terminators_and_what_follows_them(wrap, read, end) -> None:
    found = read(wrap("850", *ORDER, end=end))
    assert not found.findings
    assert found.lines["PO102"].to_list() == ["5"]


def test_several_interchanges_each_with_its_own_delimiters_and_version(wrap, read) -> None:
    first = wrap("850", *ORDER)
    second = wrap("850", *ORDER, release="005010", end="\x1c").replace(b"*", b"|").replace(b"000000001", b"000000002")
    found = read(first + second)
    assert not found.findings
    assert [(s.ordinal, s.version, s.interchange) for s in found.starts] == [
        (1, "004010", "000000001"),
        (2, "005010", "000000002"),
    ]
    assert found.lines.height == 2


def test_several_groups_and_sets(wrap, read) -> None:
    one = wrap("850", *ORDER).decode()
    set_ = one[one.index("ST*") : one.index("GE*")]
    group = one[one.index("GS*") : one.index("IEA*")]
    two_sets = group.replace("GE*1", "GE*2").replace(set_, set_ + set_.replace("0001~", "0002~"))
    payload = one.replace(group, two_sets + group.replace("*1*X*", "*2*X*").replace("GE*1*1", "GE*1*2"))
    found = read(payload.replace("IEA*1", "IEA*2").encode())
    assert not found.findings
    assert [(s.group, s.control_number) for s in found.starts] == [("1", "0001"), ("1", "0002"), ("2", "0001")]


def test_doubles_are_noticed(wrap, read) -> None:
    payload = wrap("850", *ORDER)
    one = payload.decode()
    set_ = one[one.index("ST*") : one.index("GE*")]
    assert [f.standard for f in read(payload + payload).findings] == [{"TA105": "025"}]
    found = read(one.replace(set_, set_ + set_).replace("GE*1", "GE*2").encode())
    assert [f.standard for f in found.findings] == [{"AK502": "23"}]
    assert [end.accepted for end in found.ends] == [True, False]


def test_a_ta1_needs_no_group(read) -> None:
    payload = (
        b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261122*0100*U*00401*000000001*0*P*>~"
        b"TA1*000000009*261121*1200*A*000~IEA*0*000000001~"
    )
    (end,) = read(payload).items
    assert (end.groups, end.documents, end.findings) == (0, 0, ())
    assert end.acknowledgments == (("000000009", "261121", "1200", "A", "000"),)


@pytest.mark.parametrize("payload", [b"", b"hello", b"GS*PO*A*B~ST*850*0001~SE*2*0001~", b"ISA", b"ISA*00*"])
def test_no_interchange(read, payload) -> None:
    found = read(payload)
    assert [f.code for f in found.errors] in (["interchange.missing"], ["interchange.header"])


def test_a_set_cut_off_by_the_next_interchange(wrap, read) -> None:
    payload = wrap("850", *ORDER)
    cut = payload[: payload.index(b"SE*4")]
    found = read(cut + payload.replace(b"000000001", b"000000002"))
    assert [f.code for f in found.findings] == [
        "set.trailer_missing",
        "group.trailer_missing",
        "interchange.trailer_missing",
    ]
    assert [end.accepted for end in found.ends] == [False, True]


@pytest.mark.parametrize("marks", [{}, {"*": "|"}, {"~": "\n"}, {"*": "|", "~": "\n", ">": "^"}], ids=str)
@pytest.mark.parametrize("outside", [False, True], ids=["within a set", "between sets"])
def test_an_interchange_broken_off_swallows_nothing_of_the_next(marks, outside, wrap, read) -> None:
    first = wrap("850", *ORDER, end="~")
    at = first.index(b"GE*") if outside else first.index(b"PO1*1")
    second = wrap("850", *ORDER, end="~").decode().translate(str.maketrans(marks)).encode()
    found = read(first[:at] + second)
    assert [end.accepted for end in found.ends] == [outside, True]
    assert sum(isinstance(item, InterchangeEnd) for item in found.items) == 2
    assert [finding.code for finding in found.errors if finding.code.startswith("interchange.")] == [
        "interchange.trailer_missing",
        "interchange.duplicate",
    ]


def test_an_isa_behind_a_set_is_seen_in_any_pieces(wrap, read) -> None:
    """Its separator is the terminator of what was broken off, so that its first pieces look like segments; and what was
    broken off is longer than what is looked at of a head."""
    first, second = wrap("850", *ORDER[:1], *["N9*XX*1"] * 60, "PO1*1", end="~"), wrap("850", *ORDER, end="~").decode()
    payload = first[: first.index(b"PO1*1")] + second.translate(str.maketrans("*~", "~*")).encode()
    found = read(payload)
    assert [end.accepted for end in found.ends] == [False, True]
    for block in range(1, 60):
        assert read(payload, block=block, learn=False).plain == found.plain


def test_a_segment_that_only_looks_like_an_isa_loses_nothing(wrap, read) -> None:
    found = read(wrap("850", *ORDER[:1], "ISA*what", "ISAX", *ORDER[1:]))
    unplaced = [finding.code for finding in found.errors if finding.code.startswith("segment.")]
    assert unplaced == ["segment.unexpected", "segment.unknown"]
    assert found.lines.height == 1


def test_values_without_a_segment_id_are_no_empty_segment(wrap, read) -> None:
    found = read(wrap("850", *ORDER).replace(b"GE*", b"*8*0001~GE*"))
    assert [(finding.code, finding.value) for finding in found.errors] == [("segment.misplaced", "*8*0001")]


def test_what_is_skipped_is_quoted_the_same_in_any_pieces(wrap, read) -> None:
    payload = wrap("850", *ORDER) + b"some \n text\n\n between " + wrap("850", *ORDER)
    whole = read(payload)
    assert whole.plain == read(payload, block=7).plain
    (skipped,) = (finding for finding in whole.findings if finding.code == "text.before")
    assert skipped.value == "some \n text\n\n between "
