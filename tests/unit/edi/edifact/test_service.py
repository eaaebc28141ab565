"""Service characters, charsets, and what stands before and between interchanges."""

from __future__ import annotations

import pytest

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.service import find_head, read_head

UNB3 = "UNB+UNOC:3+A+B+261122:0100+1'"
UNB4 = "UNB+UNOC:4+A+B+20261122:0100+1'"


@pytest.mark.parametrize(
    ("head", "delimiters", "problem"),
    [
        (UNB3, Delimiters("+", ":", "'", "", "?", ",."), ""),
        (UNB4, Delimiters("+", ":", "'", "*", "?", ",."), ""),
        ("UNA:+.? '" + UNB3, Delimiters("+", ":", "'", "", "?", "."), ""),
        ("UNA:+,? '\r\n" + UNB3, Delimiters("+", ":", "'", "", "?", ","), ""),
        ("UNA:+.?*'" + UNB3, Delimiters("+", ":", "'", "", "?", "."), ""),
        ("UNA:+.?*'" + UNB4, Delimiters("+", ":", "'", "*", "?", ",."), ""),
        ("UNA:+.?^'" + UNB4, Delimiters("+", ":", "'", "^", "?", ",."), ""),
        ("UNA:+.?'\n" + UNB3, Delimiters("+", ":", "'", "", "?", "."), "short"),
        ("UNA:+.? \n" + UNB3.replace("'", "\n"), Delimiters("+", ":", "\n", "", "?", "."), ""),
        ("UNA!^.\\ ~UNB^UNOA!3^A^B^261122!0100^1~", Delimiters("^", "!", "~", "", "\\", "."), ""),
        ("UNA:+.  '" + UNB3, Delimiters("+", ":", "'", "", "", "."), ""),
        ("UNA++.? '" + UNB3, Delimiters("+", "+", "'", "", "?", "."), "unusable"),
        (
            "UNB\x1dUNOB\x1f1\x1dA\x1dB\x1d261122\x1f0100\x1d1\x1c",
            Delimiters("\x1d", "\x1f", "\x1c", decimal=",."), "guessed",
        ),
        (UNB3.replace("'", "\n") + "UNH+1+ORDERS:D:96A:UN\n", Delimiters("+", ":", "\n", "", "?", ",."), "guessed"),
        ("UNH+1+ORDERS:D:96A:UN'", Delimiters("+", ":", "'", "", "?", ",."), ""),
    ],
)  # fmt: skip
def test_service_characters(head, delimiters, problem) -> None:
    found = read_head(head)
    assert (found.delimiters, found.problem) == (delimiters, problem)


@pytest.mark.parametrize(
    "text", ["", "an UNB in prose", "xUNB+UNOC:3+", "ISA*00*", "UNH without more", "MUNHa+1+ORDERS:"]
)
def test_prose_is_no_head(text) -> None:
    assert find_head(text) == -1


def test_what_stands_before_and_after_is_said(wrap_message, read_edifact) -> None:
    payload = wrap_message("APERAK", "BGM+1")
    found = read_edifact(b"\xef\xbb\xbfDear all,\n" + payload + b"\x1a\nRegards\n" + payload)
    assert [(f.code, f.value) for f in found.findings[:2]] == [
        ("text.before", "Dear all,\n"),
        ("text.before", "Regards\n"),
    ]
    assert [f.code for f in found.findings[2:]] == ["interchange.duplicate"]
    assert len(found.starts) == 2


def test_each_interchange_has_its_own_service_characters(wrap_message, read_edifact) -> None:
    one = wrap_message("ORDERS", "BGM+220+1?+1", "DTM+137:20261122:102", "LIN+1++A?:B:EN", "UNS+S")
    other = b"UNA!^,\\ ~" + one.replace(b"?", b"\\").replace(b"+", b"^").replace(b":", b"!").replace(
        b"'", b"~"
    ).replace(b"\\^", b"\\^")
    found = read_edifact(one + other.replace(b"00^1\n", b"00^1\n") + one)
    assert found.lines["BGM02"].to_list() == ["1+1", "1^1", "1+1"]
    assert found.lines["LIN[EN]"].to_list() == ["A:B", "A!B", "A:B"]


@pytest.mark.parametrize(
    ("syntax", "text", "value", "codes"),
    [
        ("UNOC:3", "Gehäuse".encode("latin-1"), "Gehäuse", []),
        ("UNOC:3", "Gehäuse".encode(), "Gehäuse", ["text.encoding"]),
        ("UNOD:3", "skříň".encode("iso8859-2"), "skříň", []),
        ("UNOE:3", "насос".encode("iso8859-5"), "насос", []),
        ("UNOY:4", "насос".encode(), "насос", []),
        ("UNOY:4", "Gehäuse".encode("cp1252"), "Gehäuse", ["text.encoding"]),
        ("UNOB:2", "Gehäuse".encode("cp1252"), "Gehäuse", ["text.encoding", "text.charset"]),
        ("UNOB:2", b"pump", "pump", []),
        ("UNOA:2", b"pump", "pump", ["text.charset"]),
        ("UNOA:2", b"PUMP ?'", "PUMP '", []),
    ],
)
def test_charsets(syntax, text, value, codes, wrap_message, read_edifact) -> None:
    segments = ["BGM+351+1+9", "CPS+1", "LIN+1++1:EN", "IMD+F++:::TEXT", "QTY+12:1"]
    payload = wrap_message("DESADV", *segments, syntax=syntax).replace(b"TEXT", text)
    found = read_edifact(payload)
    assert found.lines["IMD03-4"].to_list() == [value]
    assert [f.code for f in found.findings] == codes
    for finding in found.findings:
        assert finding.standard["0085"] == "21"
    if "text.charset" in codes:
        assert payload[found.findings[-1].offset :].startswith((text[:1], text[3:]))
