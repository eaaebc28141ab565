"""Workbooks and delimited text: the traits real files have."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import polars as pl
import pytest

from connectors.base import ReadItem
from connectors.formats.workbook import Workbook, bounds
from connectors.formats.workbook.unreadable import OLE2
from schemas.documents import DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity

STOCK = {
    "fields": {
        "item": ("Part no.", "Material"),
        "quantity": ("Qty", "On hand"),
        "site": ("Plant",),
        "counted_at": ("As of",),
    },
    "required": ("item", "quantity"),
}
NOTICE = {
    "fields": {"item": ("Part no.",), "quantity": ("Qty",), "shipment": ("Shipment",), "carrier": ("Carrier",)},
    "required": ("item", "quantity", "shipment"),
}


class Plans:
    def __init__(self, **options: Mapping[str, Any]) -> None:
        self.plans = [Workbook().compile(f"workbook.{name}", "", (), given) for name, given in options.items()]

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        raise AssertionError("a workbook does not name its document")

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return self.plans


def read(payload: bytes, name: str = "stock.csv", **options: Mapping[str, Any]) -> list[ReadItem]:
    plans = Plans(**(options or {"stock": STOCK}))
    return list(Workbook().read(io.BytesIO(payload), name=name, plans=plans, metadata={"from": "ana@acme.example"}))


def book(*rows: Sequence[object], title: str = "Sheet", **more: Sequence[Sequence[object]]) -> bytes:
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    for name, table in more.items():
        sheet = made.create_sheet(name)
        for row in table:
            sheet.append(row)
    return saved(made)


def saved(made: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def lines(items: Sequence[ReadItem]) -> list[dict[str, Any]]:
    tables = [item.table for item in items if isinstance(item, LineChunk)]
    return pl.concat(tables, how="diagonal").to_dicts() if tables else []


def column(items: Sequence[ReadItem], path: str) -> list[str | None]:
    return [line[path] for line in lines(items)]


def findings(items: Sequence[ReadItem], *, least: Severity = Severity.WARNING) -> list[Finding]:
    return [item for item in items if isinstance(item, Finding) and item.severity.rank >= least.rank]


def codes(items: Sequence[ReadItem], *, least: Severity = Severity.WARNING) -> list[str]:
    return [finding.code for finding in findings(items, least=least)]


class TestHeader:
    @pytest.mark.parametrize("header", ["PART NO;qty", "part-no ; QTY ", " Part  No.;Qty.", "Qty;x;Part no"])
    def test_it_is_found_by_name_whatever_its_dress(self, header: str) -> None:
        cells = header.split(";")
        row = ["A1" if "art" in cell.lower() else "5" if "ty" in cell.lower() else "" for cell in cells]
        items = read(f"{header}\n{';'.join(row)}\n".encode())
        assert [(line["Part no."], line["Qty"]) for line in lines(items)] == [("A1", "5")]

    def test_it_may_stand_below_titles_and_beside_other_columns(self) -> None:
        items = read(
            book(["Stock"], [], ["Acme", None, "May"], [None, "Note", "Material", "On hand"], [None, "x", "A1", 5]),
            "s.xlsx",
        )
        assert column(items, "Material") == ["A1"]
        assert column(items, "Part no.") == [None]
        start = next(item for item in items if isinstance(item, DocumentStart))
        assert (start.location, start.attributes["header_row"]) == ("Sheet!A4", "4")

    def test_what_is_missing_is_named_with_what_is_nearest(self) -> None:
        items = read(b"Part nr;Quantiti;Plant\nA1;5;P1\n")
        (finding,) = findings(items)
        assert finding.code == "workbook.header_incomplete"
        assert "nearest is 'Part nr'" in finding.message
        assert finding.value == "Part nr, Quantiti, Plant"
        assert finding.expected == "item: Part no. or Material; quantity: Qty or On hand"
        assert finding.location == "A1"

    def test_no_header_at_all_lists_what_was_found_and_expected(self) -> None:
        (finding,) = findings(read(b"x;y\n1;2\n"))
        assert finding.code == "workbook.header_missing"
        assert (finding.value, finding.location) == ("x, y", "A1")
        assert finding.expected is not None
        assert "Part no." in finding.expected

    def test_the_document_that_fits_best_is_taken(self) -> None:
        notice = "Part no.;Qty;Shipment;Carrier\nA1;5;S1;DHL\n"
        stock = "Part no.;Qty;Plant\nA1;5;P1\n"
        for options in ({"stock": STOCK, "notice": NOTICE}, {"notice": NOTICE, "stock": STOCK}):
            types = [
                next(item.type for item in read(text.encode(), **options) if isinstance(item, DocumentStart))
                for text in (notice, stock)
            ]
            assert types == ["workbook.notice", "workbook.stock"]

    def test_a_header_that_stands_twice_is_said_and_the_first_one_read(self) -> None:
        items = read(b"Part no.;Qty;Qty\nA1;5;7\n")
        assert column(items, "Qty") == ["5"]
        assert [(f.code, f.location) for f in findings(items)] == [("workbook.header_repeated", "C1")]

    def test_one_column_may_serve_two_fields(self) -> None:
        shared = {
            "fields": {"item": ("Supplier part",), "partner_item": ("Supplier part",)},
            "required": ("item", "partner_item"),
        }
        assert column(read(b"Supplier part;x\nA1;\n", stock=shared), "Supplier part") == ["A1"]


class TestRows:
    def test_blank_rows_totals_and_repeated_headers_are_no_lines(self) -> None:
        text = (
            "Part no.;Qty;Plant\nA1;5;P1\n;;\n\nSubtotal;5;\nPart no.;Qty;Plant\nA2;6;P1\nTotal:;11;\n;;Gesamt\n"
            "Grand total of all;;11\n"
        )
        items = read(text.encode())
        assert column(items, "Part no.") == ["A1", "A2"]
        passed = [(f.location, f.value) for f in findings(items, least=Severity.INFO)]
        assert [place for place, _ in passed] == ["A5", "A6", "A8", "A9", "A10"]

    @pytest.mark.parametrize("item", ["TOTAL-5W30", "Totalisator", "Summer tyre", "SUM-1", "Gesamtwelle 7"])
    def test_an_item_that_merely_begins_like_a_total_is_a_line(self, item: str) -> None:
        assert column(read(f"Part no.;Qty\n{item};5\n".encode()), "Part no.") == [item]

    def test_a_row_without_a_required_value_is_still_a_line_for_the_mapping_to_judge(self) -> None:
        assert column(read(b"Part no.;Qty;Plant\nA1;;P1\n"), "Qty") == [None]

    def test_rows_of_any_width(self) -> None:
        assert [line["Qty"] for line in lines(read(b"Part no.;Qty\nA1\nA2;5;6;7\n"))] == [None, "5"]

    def test_a_header_without_rows_is_said(self) -> None:
        items = read(b"Part no.;Qty\n")
        assert codes(items) == ["workbook.no_rows"]
        assert [item.lines for item in items if isinstance(item, DocumentEnd)] == [0]


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "text"),
        [
            (1, "1"),
            (1.0, "1"),
            (12.5, "12.5"),
            (0.1 + 0.2, "0.3"),
            (1e15, "1000000000000000"),
            (123456789012345.0, "123456789012345"),
            (1e-7, "0.0000001"),
            (1.005, "1.005"),
            (-0.25, "-0.25"),
            ("00123", "00123"),
            ("  a b ", "a b"),
            (True, "TRUE"),
            (date(2026, 2, 28), "2026-02-28"),
            (datetime(2026, 2, 28, 13, 30, 5), "2026-02-28T13:30:05"),  # noqa: DTZ001
            (time(7, 5), "07:05:00"),
            (timedelta(hours=30, minutes=5), "30:05:00"),
        ],
    )
    def test_a_cell_is_text_as_a_spreadsheet_shows_it(self, cell: object, text: str) -> None:
        assert column(read(book(["Part no.", "Qty"], [cell, 1], ["x", 1]), "s.xlsx"), "Part no.")[0] == text

    @pytest.mark.parametrize(("decimal", "text"), [(",", "12,5"), (".", "12.5"), ("auto", "12.5")])
    def test_number_cells_are_written_with_the_columns_mark(self, decimal: str, text: str) -> None:
        payload = book(["Part no.", "Qty"], ["A", 12.5], ["B", 3])
        items = read(payload, "s.xlsx", stock={**STOCK, "decimal": decimal})
        assert column(items, "Qty") == [text, "3"]

    def test_the_mark_that_text_proves_is_that_of_the_whole_column(self) -> None:
        items = read(book(["Part no.", "Qty"], ["A", "1.234,5"], ["B", 12.5]), "s.xlsx")
        assert column(items, "Qty") == ["1.234,5", "12,5"]
        assert marks(items) == {"decimal:Qty": ","}


def marks(items: Sequence[ReadItem]) -> dict[str, str]:
    start = next(item for item in items if isinstance(item, DocumentStart))
    return {name: mark for name, mark in start.attributes.items() if name.startswith("decimal:")}


class TestDecimalMark:
    @pytest.mark.parametrize(
        ("quantities", "expected"),
        [
            (["1,5", "2"], {"decimal:Qty": ","}),
            (["1.5", "2"], {"decimal:Qty": "."}),
            (["1,234", "0,5"], {"decimal:Qty": ","}),
            (["1,234,567", "1,234"], {"decimal:Qty": "."}),
            (["0,125"], {"decimal:Qty": ","}),
            (["5", "6"], {}),
        ],
    )
    def test_it_is_told_by_the_whole_column(self, quantities: list[str], expected: dict[str, str]) -> None:
        text = "Part no.;Qty\n" + "".join(f"A;{quantity}\n" for quantity in quantities)
        items = read(text.encode())
        assert marks(items) == expected
        assert codes(items) == []

    @pytest.mark.parametrize(
        ("quantities", "code"),
        [(["1,234", "5"], "workbook.decimal_ambiguous"), (["1,5", "1.5"], "workbook.decimal_mixed")],
    )
    def test_what_cannot_be_told_is_never_guessed(self, quantities: list[str], code: str) -> None:
        text = "Part no.;Qty\n" + "".join(f"A;{quantity}\n" for quantity in quantities)
        items = read(text.encode())
        assert marks(items) == {}
        assert [(f.code, f.location) for f in findings(items)] == [(code, "B1")]


class TestDelimitedText:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_any_delimiter_and_marked_encoding(self, delimiter: str, encoding: str) -> None:
        rows = [["Part no.", "Qty", "Plant"], ["Ä1", '"1,5"' if delimiter == "," else "1,5", "ü"]]
        items = read("".join(delimiter.join(row) + "\r\n" for row in rows).encode(encoding))
        assert [(line["Part no."], line["Qty"], line["Plant"]) for line in lines(items)] == [("Ä1", "1,5", "ü")]
        assert codes(items) == []

    def test_an_encoding_that_had_to_be_guessed_is_said(self) -> None:
        items = read("Part no.;Qty\nÄ €;1\n".encode("cp1252"))
        assert column(items, "Part no.") == ["Ä €"]
        assert codes(items) == ["workbook.encoding_guessed"]

    def test_an_agreed_encoding_is_used(self) -> None:
        items = read("Part no.;Qty\n部品;1\n".encode("cp932"), stock={**STOCK, "encoding": "cp932"})
        assert column(items, "Part no.") == ["部品"]
        assert codes(items) == []

    def test_offsets_point_at_the_record(self) -> None:
        payload = 'Part no.;Qty\r\nÄ1;1\r\n"A\r\n2";2\r\nA3;3'.encode("utf-8-sig")
        spots = [payload[line["_offset"] : line["_offset"] + line["_length"]] for line in lines(read(payload))]
        assert spots == ["Ä1;1\r\n".encode(), b'"A\r\n2";2\r\n', b"A3;3"]

    def test_a_line_break_within_quotes_stays_in_its_row(self) -> None:
        items = read(b'Part no.;Qty\n"A\n1";1\nA2;2\n')
        assert [(line["Part no."], line["_at"]) for line in lines(items)] == [("A\n1", "A2"), ("A2", "A3")]

    def test_excels_own_first_line_names_the_delimiter(self) -> None:
        items = read(b"sep=|\r\nPart no.|Qty\r\nA,1;x|5\r\n")
        assert [(line["Part no."], line["Part no.@"]) for line in lines(items)] == [("A,1;x", "A3")]

    def test_old_macs_line_ends(self) -> None:
        assert column(read(b"Part no.;Qty\rA1;1\rA2;2\r"), "Part no.") == ["A1", "A2"]

    def test_a_quote_that_never_closes_loses_nothing_in_silence(self) -> None:
        payload = b"Part no.;Qty\nA1;1\n" + b'"A2;2\n' + b"A3;3\n" * 60_000
        items = read(payload)
        assert codes(items) == ["workbook.row_unreadable"]
        assert [item.accepted for item in items if isinstance(item, DocumentEnd)] == [False]

    def test_zero_bytes_are_no_text(self) -> None:
        assert codes(read(b"Part no.;Qty\n\0\0;1\n")) == ["workbook.not_text"]

    @pytest.mark.parametrize(
        ("head", "name", "expected"),
        [
            (b"a;b\n1;2\n3;4\n", "", True),
            (b"a,b\n1,2\n3,4\n", "stock.txt", True),
            (b"a;b\n1;2\n3;4\n", "stock.log", False),
            (b"just a note\nof two lines\n", "", False),
            (b'{"a": 1, "b": 2}\n{"a": 1, "b": 2}\n', "", False),
            (b"<a,b>\n<a,b>\n", "", False),
            (b"", "x.csv", True),
            (b"PK\x03\x04....", "x.zip", False),
        ],
    )
    def test_it_is_recognised(self, head: bytes, name: str, expected: bool) -> None:
        assert Workbook().recognises(head, name) is expected


class TestSheets:
    def test_each_fitting_sheet_is_a_document(self) -> None:
        table = [["Part no.", "Qty"], ["A1", 1]]
        items = read(book(*table, title="Plant 1", **{"Plant 2": table, "Remarks": [["hello"]]}), "s.xlsx")
        starts = [item for item in items if isinstance(item, DocumentStart)]
        assert [(start.ordinal, start.attributes["sheet"], start.sender) for start in starts] == [
            (1, "Plant 1", "ana@acme.example"),
            (2, "Plant 2", "ana@acme.example"),
        ]
        assert codes(items, least=Severity.INFO) == ["workbook.sheet_passed_over"]

    def test_only_sheets_of_the_agreed_name(self) -> None:
        table = [["Part no.", "Qty"], ["A1", 1]]
        payload = book(*table, title="Old", **{"STOCK May": table})
        items = read(payload, "s.xlsx", stock={**STOCK, "sheet": "Stock*"})
        assert [line["_at"] for line in lines(items)] == ["STOCK May!A2"]

    def test_no_sheet_of_the_agreed_name(self) -> None:
        items = read(book(["Part no.", "Qty"], title="Old"), "s.xlsx", stock={**STOCK, "sheet": "Stock*"})
        assert codes(items) == ["workbook.sheet_unwanted"]

    def test_a_hidden_sheet_is_passed_over_and_said(self) -> None:
        made = openpyxl.Workbook()
        for row in (["Part no.", "Qty"], ["A1", 1]):
            made.active.append(row)
        hidden = made.create_sheet("Draft")
        hidden.append(["Part no.", "Qty"])
        hidden.sheet_state = "hidden"
        assert codes(read(saved(made), "s.xlsx"), least=Severity.INFO) == ["workbook.sheet_hidden"]

    def test_places_are_right_when_the_table_begins_further_in(self) -> None:
        made = openpyxl.Workbook()
        for cell, value in (("AB7", "Part no."), ("AD7", "Qty"), ("AB9", "A1"), ("AD9", 5)):
            made.active[cell] = value
        (line,) = lines(read(saved(made), "s.xlsx"))
        assert (line["Part no.@"], line["Qty@"], line["_at"]) == ("Sheet!AB9", "Sheet!AD9", "Sheet!A9")


def zipped(parts: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_part(payload: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    return zipped(parts | {name: change(parts[name])})


class TestDanger:
    def test_an_empty_file(self) -> None:
        assert codes(read(b"", "s.xlsx")) == ["payload.empty"]
        assert codes(read(book(), "s.xlsx")) == ["workbook.empty"]
        assert codes(read(b"\xef\xbb\xbf", "s.csv")) == ["workbook.empty"]

    def test_a_cut_workbook(self) -> None:
        payload = book(["Part no.", "Qty"], ["A1", 1])
        assert codes(read(payload[: len(payload) // 2], "s.xlsx")) == ["workbook.damaged"]

    def test_a_damaged_part(self) -> None:
        payload = with_part(book(["Part no.", "Qty"]), "xl/worksheets/sheet1.xml", lambda xml: xml[: len(xml) // 2])
        assert codes(read(payload, "s.xlsx"))[0] in ("workbook.damaged", "workbook.empty")

    def test_an_encrypted_workbook(self) -> None:
        payload = OLE2 + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 600
        assert codes(read(payload, "s.xlsx")) == ["workbook.encrypted"]

    @pytest.mark.parametrize(
        ("payload", "told"),
        [
            (OLE2 + b"\0" * 600, "workbook.damaged"),
            (zipped({"xl/workbook.bin": b""}), "workbook.damaged"),
            (zipped({"content.xml": b""}), "workbook.damaged"),
            (zipped({"readme.txt": b""}), "workbook.kind_unknown"),
        ],
    )
    def test_what_is_no_workbook_is_said(self, payload: bytes, told: str) -> None:
        assert codes(read(payload, "s.xlsx")) == [told]

    def test_a_part_that_declares_too_much_is_never_unpacked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bounds, "LARGEST_PART", 1 << 20)
        payload = with_part(book(["Part no.", "Qty"]), "xl/worksheets/sheet1.xml", lambda xml: xml + b" " * (2 << 20))
        assert codes(read(payload, "s.xlsx")) == ["workbook.too_large"]

    def test_a_workbook_of_too_many_parts_is_not_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payload = saved(openpyxl.Workbook())
        monkeypatch.setattr(bounds, "_MOST_PARTS", 3)
        assert codes(read(payload, "s.xlsx")) == ["workbook.too_large"]

    def test_a_part_that_lies_about_its_size_is_found_out(self) -> None:
        payload = bytearray(
            with_part(book(["Part no.", "Qty"]), "xl/worksheets/sheet1.xml", lambda _: b" " * (64 << 20))
        )
        true = (64 << 20).to_bytes(4, "little")
        assert payload.count(true) == 2
        assert codes(read(bytes(payload.replace(true, (9000).to_bytes(4, "little"))), "s.xlsx")) == ["workbook.damaged"]

    @pytest.mark.parametrize("far", ["XFD1048576", "A1048576 ZZ1", "ABC300000"])
    def test_values_that_span_too_many_cells(self, far: str) -> None:
        made = openpyxl.Workbook()
        for cell in ("A1", *far.split()):
            made.active[cell] = 1
        (finding,) = findings(read(saved(made), "s.xlsx"))
        assert finding.code == "workbook.too_large"

    def test_far_cells_without_values_do_no_harm(self) -> None:
        made = openpyxl.Workbook()
        for row in (["Part no.", "Qty"], ["A1", 1]):
            made.active.append(row)
        made.active["XFD1048576"].number_format = "0.00"
        assert column(read(saved(made), "s.xlsx"), "Part no.") == ["A1"]

    def test_cells_that_name_no_place_are_counted_along(self) -> None:
        xml = b"<worksheet><sheetData><row>" + b"<c><v>1</v></c>" * 400 + b"</row>" + b"<row/>" * 40_000
        xml += b"<row><c><v>1</v></c></row></sheetData></worksheet>"
        payload = with_part(book(["x"]), "xl/worksheets/sheet1.xml", lambda _: xml)
        assert codes(read(payload, "s.xlsx")) == ["workbook.too_large"]

    def test_a_sheet_wider_than_z_is_read(self) -> None:
        header = [f"h{n}" for n in range(60)] + ["Part no.", "Qty"]
        items = read(book(header, [None] * 60 + ["A1", 5]), "s.xlsx")
        assert [line["Qty@"] for line in lines(items)] == ["Sheet!BJ2"]
