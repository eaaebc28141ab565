"""What is wrong with a message, in the words of service code list 0085."""

from __future__ import annotations

import pytest

from connectors.formats.edi.edifact.directories import directory_for
from schemas.findings import Severity

HEAD = ("BGM+351+1+9", "CPS+1", "LIN+1++1:EN")


def codes(found) -> list[tuple[str, str, str]]:
    return [(f.code, f.standard.get("0085", ""), f.location) for f in found.findings]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("QTY+12:5:PCE", []),
        ("QTY+12:5,25:PCE", []),
        ("QTY+12:-5.25", []),
        ("QTY", [("element.missing", "13", "segment 5, QTY-01")]),
        ("QTY+12", [("element.missing", "13", "segment 5, QTY-01-2")]),
        ("QTY+12:1:PCE:X", [("element.too_many_components", "16", "segment 5, QTY-01-4")]),
        ("QTY+12:1+X", [("element.too_many", "16", "segment 5, QTY-02")]),
        ("QTY+12:1234567890123456", [("element.too_long", "39", "segment 5, QTY-01-2")]),
        ("QTY+12:123456789012345.", [("element.decimal", "19", "segment 5, QTY-01-2")]),
        ("QTY+12:.5", [("element.decimal", "19", "segment 5, QTY-01-2")]),
        ("QTY+12:1.000,5", [("element.character", "37", "segment 5, QTY-01-2")]),
        ("QTY+12:five", [("element.character", "37", "segment 5, QTY-01-2")]),
        ("PIA+99+1:EN", [("element.code", "12", "segment 5, PIA-01")]),
        ("PIA+1:2+1:EN", [
            ("element.component_separator", "16", "segment 5, PIA-01"), ("element.code", "12", "segment 5, PIA-01"),
        ]),
        ("QTY+999:1", [("element.code", "12", "segment 5, QTY-01-1")]),
        ("PCI+33E'DTM+361:20260101:102", []),
        ("PCI+33X", [("element.code", "12", "segment 5, PCI-01")]),
        ("PIA+1+2:QQ", [("element.code", "12", "segment 5, PIA-02-2")]),
        ("PIA+1+2:QQ::91", []),
        ("PIA+1+2:QQ:X", []),
        ("PIA+1+2:EN::QQ", [("element.code", "12", "segment 5, PIA-02-4")]),
        ("NAD+ST", [("segment.order", "15", "segment 5, NAD")]),
        ("XYZ+1", [("segment.unknown", "15", "segment 5, XYZ")]),
        ("CNT+2:1'QTY+12:1", [("segment.unexpected", "15", "segment 6, QTY")]),
        ("PCI+1'DTM+1:20260101:102'PCI+2'GIN+BJ+1'DTM+2:20260101:102", [("segment.order", "15", "segment 9, DTM")]),
        ("'QTY+12:1", [("segment.empty", "13", "after segment 4")]),
    ],
)  # fmt: skip
def test_faults(segment, expected, wrap_message, read_edifact) -> None:
    payload = wrap_message("DESADV", *HEAD, segment).replace(b"\n", b"")
    extra = segment.count("'") - segment.startswith("'")
    payload = payload.replace(b"UNT+6+", b"UNT+%d+" % (6 + extra))
    found = read_edifact(payload)
    assert codes(found) == expected
    assert read_edifact(payload, learn=False, block=7).plain == found.plain


@pytest.mark.parametrize(("segments", "code"), [(10, ""), (11, "segment.max_use")])
def test_repetitions(segments, code, wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", *HEAD, *["QTY+12:1"] * segments))
    assert [(f.code, f.standard["0085"]) for f in found.findings] == ([(code, "35")] if code else [])


def test_too_many_groups(wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", "BGM+351+1+9", *["RFF+ON:1"] * 12))
    assert [(f.code, f.standard["0085"]) for f in found.findings] == [("loop.max_use", "36")]


def test_what_an_answer_needs(wrap_message, read_edifact) -> None:
    """0096 counts UNH as 1, 0098 the segment tag as 1."""
    (finding,) = read_edifact(wrap_message("DESADV", *HEAD, "QTY+12:x")).findings
    assert finding.standard == {"0085": "37", "UCS0096": "5", "UCD0098": "2", "UCD0104": "2"}
    assert (finding.line, finding.value) == (1, "x")


@pytest.mark.parametrize("learn", [True, False])
def test_an_association_has_codes_of_its_own(learn, wrap_message, read_edifact) -> None:
    payload = wrap_message("DESADV", *HEAD, *["QTY+12:1"] * 9, "QTY+SRV:1").replace(b"D:96A:UN", b"D:96A:UN:EAN007")
    found = read_edifact(payload, learn=learn)
    assert [(f.code, f.severity, f.value) for f in found.findings] == [("element.code", Severity.WARNING, "SRV")]


def test_a_fault_stands_where_it_is_said_to(wrap_message, read_edifact) -> None:
    payload = wrap_message("DESADV", *HEAD, "QTY+12:?+?'x'IMD+F++:::?'".rstrip("'"))
    (finding,) = (f for f in read_edifact(payload).findings if f.code == "element.character")
    assert finding.value == "+'x"
    assert payload[finding.offset : finding.offset + finding.length].startswith(b"QTY+12:?+?'x")


def test_released_characters_count_once(wrap_message, read_edifact) -> None:
    name = "?'" * 35
    assert not read_edifact(wrap_message("DESADV", *HEAD, f"IMD+F++:::{name}")).findings
    found = read_edifact(wrap_message("DESADV", *HEAD, f"IMD+F++:::{name}?+"))
    assert [f.code for f in found.findings] == ["element.too_long"]
    assert found.findings[0].value == "'" * 35 + "+"


@pytest.mark.parametrize(
    ("syntax", "code"), [("UNOC:3", "element.too_long"), ("UNOC:4", "element.too_many_repetitions")]
)
def test_repetitions_of_an_element(syntax, code, wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", "BGM+351+1+9*4", "CPS+1", "LIN+1++1:EN", syntax=syntax))
    expected = {"UNOC:3": [], "UNOC:4": [("element.too_many_repetitions", "35")]}[syntax]
    assert [(f.code, f.standard["0085"]) for f in found.findings if f.code != "interchange.element.too_short"] == (
        expected or [("element.code", "12")]
    )


@pytest.mark.parametrize(("advice", "quantity", "codes"), [
    ("UNA:+,? '", "1,5", []),
    ("UNA:+,? '", "1.5", ["element.character"]),
    ("UNA:+.? '", "1,5", ["element.character"]),
    ("UNA:+.? '", "1.5", []),
    ("", "1,5", []),
    ("", "1.5", []),
])  # fmt: skip
def test_decimal_mark(advice, quantity, codes, wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", *HEAD, f"QTY+12:{quantity}", advice=advice))
    assert [f.code for f in found.findings] == codes
    assert codes or found.lines["QTY[12]01-2"].to_list() == ["1.5"]


@pytest.mark.parametrize(
    ("release", "description", "clean"),
    [
        ("96A", 35, True),
        ("96A", 36, False),
        ("97B", 36, False),
        ("98B", 256, True),
        ("21B", 256, True),
        ("21B", 257, False),
    ],
)
def test_directories_differ(release, description, clean, wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", *HEAD, f"IMD+F++:::{'x' * description}", release=release))
    assert [f.code for f in found.findings] == ([] if clean else ["element.too_long"])


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("96A", True),
        ("93A", True),
        ("94A", True),
        ("94B", True),
        ("92A", False),
        ("01B", True),
        ("21B", True),
        ("22A", False),
        ("", False),
        ("4", False),
    ],
)
def test_unknown_directory(release, known, wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", *HEAD, release=release))
    said = [f.standard["0085"] for f in found.findings if f.code == "version.unknown"]
    assert said == ([] if known else ["2"])
    assert found.lines["LIN[EN]"].to_list() == ["1"]


@pytest.mark.parametrize(
    ("version", "release", "tables"),
    [("2", "912", "D93A"), ("90", "1", "D93A"), ("D", "92B", "D93A"), ("D", "93B", "D93A"), ("S", "94B", "D94B"),
     ("D", "10A", "D09B"), ("D", "40B", "D20B"), ("D", "", "D96A"), ("", "", "D96A"), ("D", "LVA", "D96A")],
)  # fmt: skip
def test_the_nearest_directory(version, release, tables) -> None:
    assert directory_for("ORDERS", version, release)[0] == tables


CALL_OFF = ("BGM+242+1+9", "DTM+137:20261122:102", "SEQ+1")
STOCK = ("BGM+35+1+9", "DTM+137:20261122:102", "LIN+1++1:EN")
ORDER = ("BGM+220+1+9", "DTM+137:20261122:102")


@pytest.mark.parametrize(
    ("message", "segments", "first"),
    [
        ("DESADV", (*HEAD[:2], "PAC+1++ABCDEFGH"), "94A"),  # types of packages have seven characters
        ("DESADV", (*HEAD[:1], "NAD+SU+123456789012345678::9", *HEAD[1:]), "94A"),  # parties seventeen
        ("DESADV", (*HEAD[:1], f"NAD+SU+{'1' * 21}::9", *HEAD[1:]), "94B"),  # and then twenty
        ("DESADV", (*HEAD[:1], "TDT+20", "PCD+1:5", "PCD+1:6", *HEAD[1:]), "94A"),
        ("DESADV", (*HEAD[:1], "MOA+77:1:EUR", *HEAD[1:]), "94B"),
        ("DESADV", (*HEAD, "MEA+AAE+WT::3:about+KGM:1"), "94A"),  # an attribute of a measure in words
        ("DELJIT", (*CALL_OFF, "PAC+1", "PCI+17", "GIN+BJ+1"), "94A"),
        ("DELJIT", (*CALL_OFF, "GIR+1+2:VV"), "94B"),
        ("DELJIT", (*CALL_OFF, "LIN+1++1:EN", "QTY+1:5"), "93A"),
        ("INVRPT", (*STOCK, "PIA+1+2:SA", "QTY+145:5", "INV+1"), "94A"),
        ("INVRPT", (*STOCK, "QTY+145:5", "CPS+1", "PAC+1", "PCI+17", "GIN+BJ+1"), "94A"),
        ("INVRPT", (*STOCK, "QTY+145:5", "STS+1"), "94B"),
        ("ORDERS", (*ORDER, "LIN+1++1:EN", "DOC+105", "DOC+106", "UNS+S"), "94A"),
        ("ORDRSP", (*ORDER, "LIN+1++1:EN", "DOC+105", "DOC+106", "UNS+S"), "93A"),
        ("ORDCHG", (*ORDER, "LIN+1++1:EN", "STG+1", "QTY+21:5", "UNS+S"), "94A"),
        ("DELFOR", (*ORDER, "UNS+D", "LIN+1++1:EN", "QTY+1:5", "NAD+ST+1::92", "QVA+5:12", "UNS+S"), "93A"),
    ],
)
def test_the_oldest_directories(message, segments, first, wrap_message, read_edifact) -> None:
    """What a directory does not have yet is wrong there: it is clean from ``first`` on."""
    clean = [
        release for release in ("93A", "94A", "94B")
        if not read_edifact(wrap_message(message, *segments, release=release)).errors
    ]  # fmt: skip
    assert clean == ["93A", "94A", "94B"][["93A", "94A", "94B"].index(first) :]


def test_unknown_message(wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("IFTSTA", "BGM+77+1", "ZZZ+1"))
    assert [(f.code, f.standard["0013"]) for f in found.findings] == [("message.unknown", "UNH")]
    assert (found.starts[0].type, found.ends[0].accepted, found.ends[0].segments) == ("edifact.IFTSTA", False, 4)


def test_a_finding_repeats_so_much_of_a_value_and_no_more(wrap_message, read_edifact) -> None:
    long = "9" * 5000
    found = read_edifact(wrap_message("ORDERS", "BGM+220+1+9", f"DTM+137:{long}:102", f"ZZZ{long}+1", "UNS+S"))
    assert found.errors
    assert all(len(finding.value or "") <= 512 for finding in found.findings)
