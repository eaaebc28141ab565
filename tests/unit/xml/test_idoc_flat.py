"""Flat IDoc files: records, layouts, and how segments enclose each other."""

from __future__ import annotations

import pytest

PATHS = ["E1EDP01/POSEX", "E1EDP20/WMENG", "E1EDP19[QUALF='001']/IDTNR", "E1EDK01/BELNR", "EDI_DC40/CREDAT"]


def control(number: int, *, message: str = "ORDERS", basic: str = "ORDERS05", test: str = " ") -> str:
    record = f"{'EDI_DC40':10}100{number:016}756 301  {test}{basic:30}{'':30}{message:30}".ljust(148)
    return ((record + "SAPRVM    LS  ACME").ljust(378) + "20260330081500").ljust(524)


def record(name: str, level: int, data: str) -> str:
    return f"{name:30}100{1:016}{0:06}{0:06}{level:02}{data}"


def item(position: str, *quantities: str, level: int = 1) -> list[str]:
    return [
        record("E2EDP01008", level, position),
        *(record("E2EDP20001", level + 1, f"{quantity:15}") for quantity in quantities),
        record("E2EDP19003", level + 1, f"001P-{position}"),
    ]


HEADER = record("E2EDK01005", 1, f"{'':83}4711")


def lines(*records: str, end: str = "\r\n") -> bytes:
    return "".join(one + end for one in records).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n"])
def test_segments_are_enclosed_as_their_definition_says_whatever_the_level(read, end: str) -> None:
    confused = [record("E2EDP01008", 9, "000010"), record("E2EDP20001", 11, f"{'8':15}"), *item("000020", "4", "5")]
    found = read(lines(control(1), HEADER, *confused, end=end), "idoc.ORDERS", "E1EDP01/E1EDP20 | E1EDP01", PATHS)
    assert found.rows(*PATHS[:4]) == [
        ("000010", "8", None, "4711"),
        ("000020", "4", "P-000020", "4711"),
        ("000020", "5", "P-000020", "4711"),
    ]
    assert not found.findings


def test_several_idocs_in_a_file_are_several_documents(read) -> None:
    payload = lines(control(1), HEADER, *item("000010", "8"), control(2, test="X"), HEADER, *item("000010", "9"))
    found = read(payload, "idoc.ORDERS", "E1EDP01//E1EDP20", PATHS)
    assert [(start.control_number, start.test, start.sender) for start in found.starts] == [
        ("0000000000000001", False, "LS:ACME"),
        ("0000000000000002", True, "LS:ACME"),
    ]
    assert found.table["_at"].to_list() == [f"/ORDERS05/IDOC[{n}]/E1EDP01[1]/E1EDP20[1]" for n in (1, 2)]
    assert found.rows("E1EDP20/WMENG") == [("8",), ("9",)]


def test_records_without_line_ends_are_told_apart_by_their_length(read) -> None:
    records = [HEADER, *item("000010", "8"), *item("000020", "9")]
    payload = (control(1).ljust(524) + "".join(one.ljust(1063) for one in records)) * 2
    found = read(payload.encode(), "idoc.ORDERS", "E1EDP01//E1EDP20", PATHS)
    assert found.rows("E1EDP01/POSEX", "E1EDP20/WMENG") == [("000010", "8"), ("000020", "9")] * 2


def test_a_segment_without_a_layout_is_named_once_and_passed_over(read) -> None:
    own = record("Z2OWN01000", 2, "secret")
    found = read(lines(control(1), HEADER, *item("000010", "8"), own, own), "idoc.ORDERS", "E1EDP01", PATHS)
    (told,) = found.findings
    assert (told.code, told.value, told.location) == ("idoc.segment_undefined", "Z1OWN01", "record 6")
    assert found.rows("E1EDP01/POSEX") == [("000010",)]


def test_bytes_that_are_not_utf8_are_read_as_latin_1_and_that_is_said(read) -> None:
    payload = lines(control(1), HEADER, *item("000010", "8")).replace(b"P-000010", b"K\xe4fer")
    found = read(payload, "idoc.ORDERS", "E1EDP01", PATHS)
    assert found.rows(PATHS[2]) == [("Käfer",)]
    assert found.codes == ["idoc.charset_guessed"]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([control(1), HEADER, "E2EDP01008 short"], "idoc.record_unreadable"),
        ([control(1)[:60]], "idoc.control_incomplete"),
        ([control(1), record("<&>", 1, "x")], "idoc.record_unreadable"),
    ],
)
def test_what_is_no_record_is_said_with_its_place(read, records: list[str], code: str) -> None:
    found = read(lines(*records), "idoc.ORDERS", "E1EDP01", PATHS)
    assert code in found.codes
    assert all(finding.offset is not None for finding in found.findings)


def test_an_idoc_of_an_unknown_kind_keeps_what_its_control_record_says(read) -> None:
    (start,) = read(lines(control(1, message="ZINV", basic="ZINV01"))).starts
    assert (start.type, start.version, start.attributes["control.CREDAT"]) == ("idoc.ZINV", "ZINV01", "20260330")


def test_a_line_is_as_long_as_its_own_records(read) -> None:
    payload = lines(control(1), HEADER, *item("000010", "8", "4"), *item("000020", "9"))
    parts = read(payload, "idoc.ORDERS", "E1EDP01//E1EDP20", PATHS).table
    spots = [payload[row["_offset"] : row["_offset"] + row["_length"]] for row in parts.to_dicts()]
    assert [(spot[:7], spot[63:64], b"\n" in spot) for spot in spots] == [
        (b"E2EDP20", n, False) for n in (b"8", b"4", b"9")
    ]
    whole = read(payload, "idoc.ORDERS", "E1EDP01", PATHS).table
    assert [payload[row["_offset"] : row["_offset"] + row["_length"]].count(b"E2") for row in whole.to_dicts()] == [
        4,
        3,
    ]
