"""Spreadsheets as suppliers make them: a title above the header, words of their own, a total at the foot.

The bytes of a workbook depend on nothing but its content: no clock, no zip time stamps.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.xml.functions import tostring

#: What may stand in a cell; a date is a datetime without zone, as Excel knows it.
Value = str | int | float | datetime | None
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: a title, a blank row, the header in row 3, the rows, perhaps a total."""

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Value]]
    total: Sequence[Value] = ()
    notes: Sequence[str] = ()  #: lines of a second sheet, meant for people
    made_at: datetime

    @property
    def first_row(self) -> int:
        """Number of the first data row, as Excel counts."""
        return 4


def workbook_bytes(sheet: Sheet) -> bytes:
    """``sheet`` as an .xlsx file."""
    book = Workbook()
    page = book.active
    page.title = sheet.name
    page.append([sheet.title])
    page.append([])
    page.append(list(sheet.header))
    for row in sheet.rows:
        page.append(list(row))
    if sheet.total:
        page.append(list(sheet.total))
    _style(page[1], page[3])
    for row in page.iter_rows(min_row=sheet.first_row):
        for cell in row:
            if isinstance(cell.value, datetime):
                cell.number_format = "dd/mm/yyyy"
    for place, heading in enumerate(sheet.header, start=1):
        page.column_dimensions[get_column_letter(place)].width = max(12, len(heading) + 4)
    if sheet.notes:
        beside = book.create_sheet("Notes")
        for note in sheet.notes:
            beside.append([note])
    return _reproducible(book, sheet.made_at)


def _style(title: Iterable[Cell], header: Iterable[Cell]) -> None:
    for cell in title:
        cell.font = Font(bold=True, size=14)
    for cell in header:
        cell.font = Font(bold=True)


def _reproducible(book: Workbook, made_at: datetime) -> bytes:
    """openpyxl stamps the clock into docProps/core.xml and the zip's directory: ``made_at`` and nothing instead."""
    stamped, clean = io.BytesIO(), io.BytesIO()
    book.save(stamped)
    book.properties.created = book.properties.modified = made_at
    with zipfile.ZipFile(stamped) as parts, zipfile.ZipFile(clean, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in parts.namelist():
            part = tostring(book.properties.to_tree()) if name == "docProps/core.xml" else parts.read(name)
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), part, zipfile.ZIP_DEFLATED)
    return clean.getvalue()


def semicolon_text(header: Sequence[str], rows: Iterable[Sequence[str]], *, encoding: str) -> bytes:
    """A .csv as a German Excel writes it: semicolons, CRLF, quotes only where needed."""
    lines = (";".join(_quoted(value) for value in row) for row in (header, *rows))
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in ';"\r\n') else value
