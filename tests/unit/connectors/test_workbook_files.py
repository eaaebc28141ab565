"""Every kind of workbook file: what offices save, binary workbooks, OpenDocument, encodings."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from connectors.formats.workbook import reader
from schemas.documents import WorkbookEnd
from schemas.findings import Finding, Severity
from tests.workbooks import FORECAST, STOCK, TABLE, lines, made, read, rows, told

READ = [("0017", "12.5", "2026-03-02"), ("A-2", "3", "2026-03-03")]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes, str], bytes]:
    """LibreOffice, which saves an .xlsx as another kind of file."""
    folder = tmp_path_factory.mktemp("office")

    def convert(payload: bytes, kind: str) -> bytes:
        (folder / "book.xlsx").write_bytes(payload)
        command = ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", kind]
        subprocess.run([*command, "--outdir", folder / "out", folder / "book.xlsx"], check=True, capture_output=True)
        return (folder / "out" / f"book.{kind}").read_bytes()

    return convert


@pytest.mark.parametrize("kind", ["xls", "ods", "xlsx"])
def test_what_libreoffice_saves(office: Callable[[bytes, str], bytes], kind: str) -> None:
    def fill(sheet: Any) -> None:
        for row in TABLE:
            sheet.append(row)
        sheet.merge_cells("E1:F1")
        sheet["B5"] = "=1/0"
        sheet["A5"] = "A-3"

    items = read(office(made(fill), kind), f"stock.{kind}")
    assert lines(items, "Part no.", "Qty", "As of")[:2] == READ
    assert [place for code, place in told(items) if code == "cell.error"] == ["Sheet!B5"]
    assert [item.documents for item in items if isinstance(item, WorkbookEnd)] == [1]


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_what_stands_beside_the_values_of_other_workbooks(office: Callable[[bytes, str], bytes], kind: str) -> None:
    def fill(sheet: Any) -> None:
        for row in (["Part no.", "Qty"], [17, 1], [18, 2], [19, "=NA()"], [20, "=1/0"], [21, 5]):
            sheet.append(row)
        for row in range(2, 7):
            sheet[f"A{row}"].number_format = "000000"
        sheet.row_dimensions[3].hidden = True
        sheet.parent.create_sheet("Größen & mehr").append(["Part no.", "Qty"])
        sheet.parent.worksheets[1].append(["A", "=NA()"])

    items = read(office(made(fill), kind), f"stock.{kind}")
    found = told(items)
    assert ("workbook.rows_hidden", "Sheet!A3") in found
    errors = [place for code, place in found if code == "cell.error"]
    assert errors == ["Sheet!B4", "Sheet!B5", "Größen & mehr!B2"]
    assert [one for (one,) in lines(items, "Part no.")] == ["000017", "000018", "000019", "000020", "000021", "A"]


def record(kind: int, body: bytes) -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(body)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return head + length + body


def xlsb(*table: Sequence[object], far: int = 0, hidden: Sequence[int] = (), format: str = "") -> bytes:
    """A binary workbook as MS-XLSB describes it: one sheet, texts, numbers and errors (by their codes) in its cells.

    ``format``: that of the numbers in its first column.
    """

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode("utf-16-le")

    cells, one = b"", struct.pack("<I", 1)
    for number, row in enumerate(table):
        cells += record(0, struct.pack("<IIHHBI", number, 0, 0, 0x1000 * (number + 1 in hidden), 0, 0))
        for column, value in enumerate(row):
            at = struct.pack("<II", column + (far if number else 0), 1 if format and not column else 0)
            match value:
                case str():
                    cells += record(6, at + text(value))
                case bytes():
                    cells += record(3, at + value)
                case _:
                    cells += record(5, at + struct.pack("<d", value))
    spans = struct.pack("<IIII", 0, len(table) - 1, 0, far + 1)
    sheet = record(129, b"") + record(148, spans) + record(145, b"") + cells + record(146, b"") + record(130, b"")
    bundle = record(156, struct.pack("<II", 0, 1) + text("rId1") + text("Stock"))
    book = record(131, b"") + record(143, b"") + bundle + record(144, b"") + record(132, b"")
    styles = record(615, one) + record(44, struct.pack("<H", 164) + text(format)) + record(616, b"")
    styles += record(626, one) + record(47, struct.pack("<HH12x", 0xFFFF, 164)) + record(627, b"")  # of no cell
    styles += record(617, struct.pack("<I", 2))
    styles += b"".join(record(47, struct.pack("<HH12x", 0, id)) for id in (0, 164)) + record(618, b"")
    relations = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.bin"/></Relationships>'
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("xl/workbook.bin", book)
        parts.writestr("xl/_rels/workbook.bin.rels", relations)
        parts.writestr("xl/worksheets/sheet1.bin", sheet)
        if format:
            parts.writestr("xl/styles.bin", styles)
    return file.getvalue()


def test_a_binary_workbook() -> None:
    items = read(xlsb(["Part no.", "Qty"], ["0017", 12.5]), "stock.xlsb")
    assert lines(items, "Part no.", "Qty") == [("0017", "12.5")]


def test_zeroes_that_only_the_format_of_a_binary_workbook_shows() -> None:
    table = [["Part no.", "Qty"], [17.0, 3.0], [1234567.0, 4.0], ["A-9", 5.0]]
    items = read(xlsb(*table, format="000000"), "stock.xlsb")
    assert lines(items, "Part no.", "Qty") == [("000017", "3"), ("1234567", "4"), ("A-9", "5")]
    assert lines(read(xlsb(*table, format="0.00"), "stock.xlsb"), "Part no.")[0] == ("17",)


def test_errors_and_hidden_rows_of_a_binary_workbook() -> None:
    items = read(xlsb(["Part no.", "Qty"], ["A", 1.0], ["B", b"\x2a"], hidden=[2]), "stock.xlsb")
    assert told(items) == [("workbook.rows_hidden", "Stock!A2"), ("cell.error", "Stock!B3")]
    (error,) = [one for one in items if isinstance(one, Finding) and one.code == "cell.error"]
    assert (error.value, error.line) == ("#N/A", 2)


def test_a_binary_workbook_whose_cells_span_too_much() -> None:
    table = [["Part no.", "Qty"]] + [["A", 1.0]] * 1200
    assert told(read(xlsb(*table, far=16_000), "stock.xlsb")) == [("workbook.too_large", "")]


def test_macros_are_ignored_and_said() -> None:
    with zipfile.ZipFile(io.BytesIO(rows(*TABLE))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**parts, "xl/vbaProject.bin": b"macro"}.items():
            archive.writestr(name, content)
    items = read(file.getvalue(), "stock.xlsm")
    assert lines(items, "Part no.", "Qty", "As of") == READ
    assert told(items, Severity.INFO) == [("workbook.macros_ignored", "")]


def ods(body: str) -> bytes:
    spaces = {"office": "office", "table": "table", "text": "text", "style": "style"}
    names = " ".join(f'xmlns:{key}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for key, name in spaces.items())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        parts.writestr("content.xml", f"<office:document-content {names}>{body}</office:document-content>")
    return file.getvalue()


def test_an_ods_that_repeats_itself_a_billion_times_is_refused() -> None:
    cell = '<table:table-cell table:number-columns-repeated="1000" office:value-type="float" office:value="1"/>'
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    assert told(read(ods(f'<table:table table:name="S">{row}</table:table>'), "s.ods")) == [("workbook.too_large", "")]


def test_empty_cells_that_an_ods_repeats_cost_nothing() -> None:
    def row(*texts: str) -> str:
        cells = "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)
        blank = '<table:table-cell table:number-columns-repeated="16380"/>'
        return f"<table:table-row>{cells}{blank}</table:table-row>"

    wide = '<table:table-cell table:number-columns-repeated="16384"/>'
    gap = f'<table:table-row table:number-rows-repeated="1000000">{wide}</table:table-row>'
    items = read(
        ods(f'<table:table table:name="S">{row("Part no.", "Qty")}{gap}{row("A", "5")}</table:table>'), "s.ods"
    )
    assert lines(items, "Part no.", "Qty", "_at") == [("A", "5", "S!A1000002")]


def test_entities_of_an_ods_are_not_expanded_and_depth_is_bounded() -> None:
    deep = "<table:table-row>" * 2000 + "</table:table-row>" * 2000
    assert [code for code, _ in told(read(ods(f'<table:table table:name="S">{deep}</table:table>'), "s.ods"))] == [
        "workbook.damaged"
    ]
    entity = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 50}">' for n in range(1, 12))
    document = f'<!DOCTYPE x [<!ENTITY e0 "lol">{entity}]><x>&e11;</x>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("content.xml", document)
    assert told(read(file.getvalue(), "s.ods"))


@pytest.mark.parametrize(
    ("encoding", "item"),
    [("cp932", "ポンプ部品"), ("gb18030", "水泵零件上海"), ("cp1252", "Größe für Öl"), ("utf-16-le", "Größe")],
)
def test_an_encoding_nobody_named_is_found_out_and_said(encoding: str, item: str) -> None:
    items = read(f"Part no.;Qty\n{item};5\n{item};6\n".encode(encoding), "stock.csv")
    assert lines(items, "Part no.", "Qty") == [(item, "5"), (item, "6")]
    (finding,) = [one for one in items if isinstance(one, Finding)]
    assert (finding.code, finding.value) == ("workbook.encoding_guessed", encoding)


def test_utf_8_is_believed_over_what_was_agreed() -> None:
    items = read("Part no.;Qty\nGröße;5\n".encode(), "stock.csv", {**STOCK, "encoding": "cp1252"})
    assert lines(items, "Part no.") == [("Größe",)]


def test_what_is_merged_over_several_rows_is_said_of_each(
    monkeypatch: pytest.MonkeyPatch, office: Callable[[bytes, str], bytes]
) -> None:
    """But for quantities, which are said once, and for rows that say nothing else."""
    monkeypatch.setattr(reader, "CHUNK", 2)  # an area reaches over several batches

    def fill(sheet: Any) -> None:
        for row in (
            ["", "Part no.", "Plant", "Qty"],
            ["", "A", "N1", 5], ["", None, "N2", None], ["", None, "N3", 1], ["", None, None, None],
            ["", "B", "N1", 7],
        ):  # fmt: skip
            sheet.append(row)
        sheet.merge_cells("B2:B5")
        sheet.merge_cells("D2:D3")

    for kind, payload in (("xlsx", made(fill)), ("ods", office(made(fill), "ods")), ("xls", office(made(fill), "xls"))):
        items = read(payload, f"s.{kind}")
        assert lines(items, "Part no.", "Plant", "Qty") == [
            ("A", "N1", "5"), ("A", "N2", None), ("A", "N3", "1"), ("B", "N1", "7"),
        ], kind  # fmt: skip


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls"])
def test_blank_rows_among_periods_move_no_quantity(office: Callable[[bytes, str], bytes], kind: str) -> None:
    """Nor do totals below them, which are passed over."""
    table = ["Part no.", "2026-W20", "2026-W21"], ["A", 1, 2], [], [], ["B", 3, 4], [], ["Total", 4, 6]
    payload = rows(["Forecast"], [], *table)
    items = read(payload if kind == "xlsx" else office(payload, kind), f"f.{kind}", FORECAST)
    assert lines(items, "Part no.", "@value", "_at") == [
        ("A", "1", "Sheet!B4"), ("A", "2", "Sheet!C4"), ("B", "3", "Sheet!B7"), ("B", "4", "Sheet!C7"),
    ]  # fmt: skip
