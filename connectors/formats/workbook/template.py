"""A clean workbook for a partner to fill in: headers, drop-downs, validated dates and numbers, rows filled in."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from connectors.formats.workbook.cells import column_letter
from connectors.formats.workbook.safety import neutral
from connectors.formats.workbook.sheets import LISTS

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ROWS = 2_000  #: rows below the header that are prepared
_FORMATS = {"text": "@", "number": "General", "date": "yyyy-mm-dd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: ``offers`` are what a drop-down lists, ``hint`` appears when a cell of it is entered."""

    header: str
    kind: Literal["text", "number", "date"] = "text"
    required: bool = False
    hint: str = ""
    offers: Sequence[str] = ()
    strict: bool = False  #: nothing but what is offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What stands in the workbook beside the headers, in the partner's language."""

    error: str  #: title of the message when a value is not allowed
    not_offered: str
    no_number: str
    no_date: str


def template(title: str, columns: Sequence[Column], rows: Sequence[Sequence[object]], words: Words) -> bytes:
    """The workbook, an .xlsx; its one visible sheet is called ``title``. ``rows`` are filled in, in columns' order."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill

    book = Workbook()
    sheet: Any = book.active
    sheet.title = title[:31]
    lists = book.create_sheet(LISTS)
    lists.sheet_state = "hidden"
    for index, column in enumerate(columns, 1):
        cell = sheet.cell(1, index, neutral(column.header))
        cell.font = Font(name="Calibri", bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", start_color="1F4E78" if column.required else "7F7F7F")
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        letter = column_letter(index - 1)
        sheet.column_dimensions[letter].width = max(12, min(len(column.header) + 4, 32))
        _validate(sheet, lists, column, index, words)
        for place in range(2, max(len(rows) + 2, 52)):
            sheet.cell(place, index).number_format = _FORMATS[column.kind]
    for number, row in enumerate(rows, 2):
        for index, value in enumerate(row, 1):
            if value not in (None, ""):
                _fill(sheet.cell(number, index), value)
    sheet.row_dimensions[1].height = 24
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.auto_filter.ref = f"A1:{column_letter(len(columns) - 1)}{max(len(rows) + 1, 2)}"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _fill(cell: Any, value: object) -> None:
    match value:
        case str():
            cell.value, cell.data_type = neutral(value), "s"
        case Decimal():
            cell.value = int(value) if value == value.to_integral_value() else float(value)
        case date():
            cell.value, cell.number_format = value, _FORMATS["date"]
        case _:
            cell.value = value


def _validate(sheet: Worksheet, lists: Worksheet, column: Column, index: int, words: Words) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    letter = column_letter(index - 1)
    if column.offers:
        for row, offer in enumerate(column.offers, 1):
            cell = lists.cell(row, index)
            cell.value, cell.data_type = neutral(offer), "s"
        place = f"'{LISTS}'!${letter}$1:${letter}${len(column.offers)}"
        rule = DataValidation(type="list", formula1=place, allow_blank=True)
        rule.error = words.not_offered
        rule.errorStyle = "stop" if column.strict else "warning"
    elif column.kind == "number":
        rule = DataValidation(type="decimal", operator="greaterThanOrEqual", formula1="0", allow_blank=True)
        rule.error = words.no_number
    elif column.kind == "date":
        rule = DataValidation(type="date", operator="greaterThan", formula1="36526", allow_blank=True)
        rule.error = words.no_date
    elif column.hint:
        rule = DataValidation(allow_blank=True)
    else:
        return
    rule.errorTitle, rule.showErrorMessage = words.error, True
    if column.hint:
        rule.promptTitle, rule.prompt, rule.showInputMessage = column.header[:32], column.hint[:255], True
    rule.add(f"{letter}2:{letter}{ROWS + 1}")
    sheet.add_data_validation(rule)
