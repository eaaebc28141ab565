"""OpenDocument spreadsheets (.ods): read as a stream, so that what is declared a million times over costs nothing.

A row or a cell may say that it is repeated; of empty ones only the count is kept, and of filled ones
as many as a workbook may have in all. OpenDocument 1.3 part 3, 9.1 (tables) and 19.385 (values).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, BinaryIO

from lxml import etree

from connectors.formats.workbook.bounds import LARGEST_PART, MOST_CELLS
from connectors.formats.workbook.cells import ERROR, Fault
from connectors.formats.workbook.sheets import LISTS, Batch, Merged, hidden
from connectors.formats.workbook.unreadable import Unreadable, damaged
from schemas.findings import Finding

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_DURATION = re.compile(r"P(?:(\d+)D)?T(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
_WIDEST = 16_384


class OdsSheet:
    """A sheet, read when its turn came."""

    first_column = 0
    faulty = True
    since: date | None = None
    named = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.areas: list[Merged] = []
        self.merged: Sequence[Merged] = self.areas
        self._hidden: list[int] = []
        self.hidden_rows: Sequence[int] = self._hidden
        self._numbers: list[int] = []
        self._rows: list[list[object]] = []
        self._height = self._cells = 0

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self._rows), size):
            yield Batch(self._numbers[start : start + size], self._rows[start : start + size])

    def take(self, row: etree._Element) -> None:
        """The next row, which may stand for several. Raises Unreadable where the sheet becomes too large."""
        repeated = _times(row.get(f"{_TABLE}number-rows-repeated"))
        values = _row(row, self, self._height)
        numbers = range(self._height + 1, self._height + repeated + 1)
        self._height += repeated
        if not values:
            return
        self._cells += len(values) * repeated
        if self._cells > MOST_CELLS:
            raise Unreadable(
                "workbook.too_large",
                f"the workbook is too large to be opened: sheet {self.name} has too many cells",
                expected=f"at most {MOST_CELLS} cells and {LARGEST_PART >> 20} MB",
            )
        self._numbers += numbers
        self._rows += [values] * repeated
        if row.get(f"{_TABLE}visibility") in ("collapse", "filter"):
            self._hidden += numbers


def open_ods(stream: BinaryIO) -> Iterator[OdsSheet | Finding]:
    """The visible sheets, in order. Raises Unreadable for what is damaged or too large."""
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive, archive.open("content.xml") as content:
            yield from _sheets(content)
    except (KeyError, etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise damaged(error) from None


def _sheets(content: IO[bytes]) -> Iterator[OdsSheet | Finding]:
    concealed: set[str | None] = set()
    sheet: OdsSheet | None = None
    tags = (f"{_TABLE}table", f"{_TABLE}table-row", f"{_STYLE}style")
    events = etree.iterparse(
        content, events=("start", "end"), tag=tags, resolve_entities=False, no_network=True, huge_tree=False
    )
    for event, element in events:
        match event, element.tag:
            case "end", tag if tag == f"{_STYLE}style":
                shown = element.find(f"{_STYLE}table-properties")
                if shown is not None and shown.get(f"{_TABLE}display") == "false":
                    concealed.add(element.get(f"{_STYLE}name"))
            case "start", tag if tag == f"{_TABLE}table":
                sheet = OdsSheet(element.get(f"{_TABLE}name") or "")
                if element.get(f"{_TABLE}style-name") in concealed:
                    if sheet.name != LISTS:
                        yield hidden(sheet.name)
                    sheet = None
            case "end", tag if tag == f"{_TABLE}table":
                if sheet is not None:
                    yield sheet
                sheet = None
            case "end", _:
                if sheet is not None:
                    sheet.take(element)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]


def _times(text: str | None) -> int:
    return max(1, int(text or 1))


def _row(element: etree._Element, sheet: OdsSheet, row: int) -> list[object]:
    """The values up to the last one that is filled."""
    values: list[object] = []
    column = filled = 0
    for cell in element.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
        times = _times(cell.get(f"{_TABLE}number-columns-repeated"))
        value = _value(cell)
        wide = _times(cell.get(f"{_TABLE}number-columns-spanned"))
        high = _times(cell.get(f"{_TABLE}number-rows-spanned"))
        if wide > 1 or high > 1:
            sheet.areas.append(((row, column), (row + high - 1, column + wide - 1)))
        column += times
        if column > _WIDEST:
            break
        if value != "":
            values += [""] * (column - times - len(values))
            values += [value] * times
            filled = column
    return values[:filled]


def _value(cell: etree._Element) -> object:
    kind = cell.get(f"{_OFFICE}value-type")
    if cell.get(f"{_CALC}value-type") == "error":
        return Fault(_text(cell) or "#ERROR", ERROR)
    if kind in ("float", "currency", "percentage"):
        number = float(cell.get(f"{_OFFICE}value") or 0)
        shown = _text(cell)
        return shown if shown.isdecimal() and shown.startswith("0") and number and float(shown) == number else number
    if kind == "date":
        return datetime.fromisoformat(cell.get(f"{_OFFICE}date-value") or "")
    if kind == "boolean":
        return cell.get(f"{_OFFICE}boolean-value") == "true"
    if kind == "time" and (match := _DURATION.fullmatch(cell.get(f"{_OFFICE}time-value") or "")):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return (
            time(hours, minutes, seconds)
            if not days and hours < 24
            else timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        )
    return cell.get(f"{_OFFICE}string-value") or _text(cell)


def _text(cell: etree._Element) -> str:
    return "\n".join(_paragraph(part) for part in cell.iterchildren(f"{_TEXT}p"))


def _paragraph(part: etree._Element) -> str:
    pieces: Sequence[str] = [part.text or ""]
    for child in part:
        inner = " " * _times(child.get(f"{_TEXT}c")) if child.tag == f"{_TEXT}s" else _paragraph(child)
        pieces = [*pieces, inner, child.tail or ""]
    return "".join(pieces)
