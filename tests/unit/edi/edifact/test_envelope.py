"""Interchanges, groups and messages: who, how many, and which references."""

from __future__ import annotations

import pytest

from schemas.documents import GroupEnd, InterchangeEnd

UNB = "UNB+UNOC:3+5412345000013:14+4012345500004:14:SUB+261122:0100+R1++APP+A+1+AGREED+1"
MESSAGE = ("UNH+1+APERAK:D:96A:UN", "BGM+1", "UNT+3+1")


def payload(*rows: str) -> bytes:
    return "".join(row + "'\n" for row in rows).encode()


def said(found) -> list[tuple[str, str | None, str | None]]:
    return [(f.code, f.standard.get("0085"), f.standard.get("0013")) for f in found.findings]


def test_who_and_what(read_edifact) -> None:
    found = read_edifact(payload(UNB, "UNH+7+DESADV:D:01B:UN:EAN007+ACCESS", "BGM+351+1", "UNT+3+7", "UNZ+1+R1"))
    (start,) = found.starts
    assert (start.type, start.version, start.control_number) == ("edifact.DESADV", "D.01B", "7")
    assert (start.sender, start.receiver, start.interchange) == ("5412345000013:14", "4012345500004:14", "R1")
    assert start.test
    assert start.attributes["association"] == "EAN007"
    (end,) = (item for item in found.items if isinstance(item, InterchangeEnd))
    assert (end.interchange.format, end.interchange.answer_wanted, end.documents) == ("edifact", True, 1)
    assert not said(found)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((UNB, *MESSAGE, "UNZ+1+R1"), []),
        ((UNB, *MESSAGE, "UNZ+2+R1"), [("interchange.count", "29", "UNZ")]),
        ((UNB, *MESSAGE, "UNZ+1+R2"), [("interchange.control_number", "28", "UNZ")]),
        ((UNB, *MESSAGE), [("interchange.trailer_missing", "13", "UNZ")]),
        ((UNB, *MESSAGE[:2], "UNZ+1+R1"), [("message.trailer_missing", "13", "UNT")]),
        ((UNB, *MESSAGE[:2], "UNT+4+1", "UNZ+1+R1"), [("message.count", "29", "UNT")]),
        ((UNB, *MESSAGE[:2], "UNT+3+2", "UNZ+1+R1"), [("message.control_number", "28", "UNT")]),
        ((UNB, *MESSAGE, *MESSAGE, "UNZ+2+R1"), [("message.duplicate", "26", "UNH")]),
        ((UNB, *MESSAGE, "LIN+1", "UNZ+1+R1"), [("segment.misplaced", "33", None)]),
        (MESSAGE, [("interchange.header_missing", "13", "UNB")]),
        ((UNB, *MESSAGE, UNB.replace("R1", "R2"), "UNZ+0+R2"), [("interchange.trailer_missing", "13", "UNZ")]),
        ((UNB.replace("UNOC", "UNOZ"), *MESSAGE, "UNZ+1+R1"), [("interchange.charset", "46", "UNB")]),
        ((UNB.replace(":3+", ":7+"), *MESSAGE, "UNZ+1+R1"), [("interchange.syntax_version", "2", "UNB")]),
        ((UNB.replace("+R1+", "++"), *MESSAGE, "UNZ+1"), [
            ("interchange.element.missing", "13", "UNB"),
        ]),
        ((UNB, "UNG+APERAK+A+B+261122:0100+G1+UN+D:96A", *MESSAGE, "UNE+1+G1", "UNZ+1+R1"), []),
        ((UNB, "UNG+APERAK+A+B+261122:0100+G1+UN+D:96A", *MESSAGE, "UNE+2+G2", "UNZ+1+R1"), [
            ("group.count", "29", "UNE"), ("group.control_number", "28", "UNE"),
        ]),
        ((UNB, "UNG+APERAK+A+B+261122:0100+G1+UN+D:96A", *MESSAGE, "UNZ+1+R1"), [
            ("group.trailer_missing", "13", "UNE"),
        ]),
        ((UNB, "UNG+DESADV+A+B+261122:0100+G1+UN+D:96A", *MESSAGE, "UNE+1+G1", "UNZ+1+R1"), [
            ("message.group", "15", "UNG"),
        ]),
        ((UNB, *MESSAGE, "UNE+1+G1", "UNZ+1+R1"), [("group.trailer_alone", "13", "UNG")]),
    ],
)  # fmt: skip
def test_counts_and_references(rows, expected, read_edifact) -> None:
    found = read_edifact(payload(*rows))
    assert said(found) == expected
    assert read_edifact(payload(*rows), block=5, learn=False).plain == found.plain


def test_what_concerns_the_envelope_is_kept_for_its_end(read_edifact) -> None:
    group = "UNG+APERAK+A+B+261122:0100+G1+UN+D:96A"
    found = read_edifact(payload(UNB, group, *MESSAGE, "UNE+2+G1", "UNZ+2+R1"))
    (ended,) = (item for item in found.items if isinstance(item, GroupEnd))
    (end,) = (item for item in found.items if isinstance(item, InterchangeEnd))
    assert [f.code for f in ended.findings] == ["group.count"]
    assert (ended.type, ended.control_number, ended.declared, ended.received) == ("APERAK", "G1", 2, 1)
    assert "interchange.count" in [f.code for f in end.findings]
    assert not end.only_answers


def test_answers_are_known(read_edifact) -> None:
    answer = ("UNH+1+CONTRL:D:3:UN", "UCI+1+A+B+7", "UNT+3+1")
    found = read_edifact(payload(UNB, *answer, "UNZ+1+R1"))
    (end,) = (item for item in found.items if isinstance(item, InterchangeEnd))
    assert end.only_answers
    assert not said(found)


def test_a_bad_message_brings_down_no_good_one(wrap_message, read_edifact) -> None:
    rows = [
        UNB,
        "UNH+1+DESADV:D:96A:UN",
        "QTY",
        "UNH+2+DESADV:D:96A:UN",
        "BGM+351+1",
        "CPS+1",
        "LIN+1++9:EN",
        "UNT+5+2",
        "UNZ+2+R1",
    ]
    found = read_edifact(payload(*rows))
    assert [end.accepted for end in found.ends] == [False, True]
    assert found.lines["LIN[EN]"].to_list() == ["9"]


@pytest.mark.parametrize("between", ["", "\n", "\r\n   "])
def test_an_interchange_that_begins_within_a_message_is_seen_in_any_pieces(between, read_edifact) -> None:
    cut = payload(UNB, *MESSAGE[:2], *["XYZ+1"] * 60)  # longer than what is looked at of a head
    whole = payload(UNB.replace("R1", "R2"), *MESSAGE, "UNZ+1+R2")
    both = cut + b"UNA:+.? '" + between.encode() + whole
    found = read_edifact(both)
    codes = [finding.code for finding in found.errors]
    assert codes == ["segment.unknown"] * 60 + ["message.trailer_missing", "interchange.trailer_missing"]
    for block in range(1, 60):
        assert read_edifact(both, block=block, learn=False).plain == found.plain
