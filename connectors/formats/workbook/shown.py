"""A sheet as it stands there, row by row, for people who look at a place in it. Nothing is judged or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from connectors.formats.workbook.cells import Fault, text_of
from connectors.formats.workbook.sheets import Sheet, measured, open_workbook
from connectors.formats.workbook.unreadable import Unreadable
from schemas.findings import Finding

MOST_CELLS = 1_000_000  #: of a sheet that is shown
_TOGETHER = 1000  #: rows


@dataclass(frozen=True, slots=True)
class ShownSheet:
    """Cells as a person sees them, by row number; the first is that of column A. Rows without any are left out."""

    name: str
    rows: Mapping[int, list[str]]


def shown_sheet(stream: BinaryIO, name: str | None, *, instead: bool = False) -> ShownSheet | None:
    """The sheet called ``name`` (None: the first); with ``instead`` the first where there is none of that name.

    None where there is no such sheet, and where the workbook is too large to be looked at or nobody could open it: it
    is measured before anything of it is opened, as it is before it is read.
    """
    first: ShownSheet | None = None
    try:
        if measured(stream) > MOST_CELLS:
            return None
        for sheet in open_workbook(stream):
            if isinstance(sheet, Finding):
                continue
            if name in (None, sheet.name):
                return _shown(sheet)
            if instead and first is None:
                first = _shown(sheet)
    except Unreadable:
        return None
    return first


def _shown(sheet: Sheet) -> ShownSheet:
    """Raises Unreadable when it has too many cells."""
    rows: dict[int, list[str]] = {}
    cells = 0
    for batch in sheet.batches(_TOGETHER):
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            cells += len(row)
            shown = [str(cell) if isinstance(cell, Fault) else text_of(cell) for cell in row]
            if any(shown):
                rows[number] = [""] * sheet.first_column + shown
        if cells > MOST_CELLS:
            raise Unreadable("workbook.too_large", "the sheet is too large to be shown")
    return ShownSheet(sheet.name, rows)
