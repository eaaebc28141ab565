"""A document's bytes as a page shows them: its sheet as rows, each finding at its cell."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl

from connectors.archive import Archive
from crossdock.console.raw import raw_of


def finding(location: str, value: str = "") -> dict[str, Any]:
    return {"location": location, "offset": None, "value": value, "code": "value.unreadable"}


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Stock"
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_sheet_is_shown_row_by_row_with_its_findings(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    content = workbook(("Part", "Qty"), (), ("BS-9", 12), ("BS-10", "twelve"))
    stored = archive.write([content])
    faults = [finding("Stock!B4", "twelve"), finding("Other!A1"), finding("B4")]

    shown = raw_of(archive, stored.sha256, 0, stored.size, faults, sheet="Stock")

    assert shown.columns == ["A", "B"]
    assert [(row.number, list(row.cells)) for row in shown.rows] == [
        (1, ["Part", "Qty"]),
        (3, ["BS-9", "12"]),
        (4, ["BS-10", "twelve"]),
    ]
    assert [row.findings for row in shown.rows] == [[], [], [faults[0], faults[2]]]
    assert (list(shown.unplaced), shown.cut) == ([faults[1]], 0)


def test_what_cannot_be_opened_keeps_its_findings(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    cell = '<table:table-cell table:number-columns-repeated="1000" office:value-type="float" office:value="1"/>'
    rows = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        sheet = f'<table:table table:name="Stock">{rows}</table:table>'
        parts.writestr("content.xml", f"<office:document-content {names}>{sheet}</office:document-content>")
    for content in (file.getvalue(), workbook(("Part",))[:-40], b"PK\x03\x04 no workbook"):
        stored = archive.write([content])
        shown = raw_of(archive, stored.sha256, 0, stored.size, [finding("Stock!A1")], sheet="Stock")
        assert (shown.rows, len(shown.unplaced)) == ((), 1)
