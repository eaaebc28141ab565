"""Files as sheets: rows of cells with their row numbers, read in batches, whatever kind of workbook it is.

How large a workbook is, is counted before it is opened (``bounds``); what the reader of .xlsx leaves
out, such as errors and number formats, is looked up beside it (``notes``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import count, islice
from typing import BinaryIO, Protocol

from connectors.collector import no_collection
from connectors.formats.workbook.bounds import Measure, measure
from connectors.formats.workbook.notes import Notes, notes_of
from connectors.formats.workbook.unreadable import OLE2, ZIP, Unreadable, damaged, encrypted
from schemas.findings import Finding, Severity, Stage

REFERENCE = "crossdock:correction:"  #: stands on a sheet of ours, before the SHA-256 of what it corrects

LISTS = "Crossdock lists"  #: the hidden sheet of a template, which holds what its drop-downs offer

#: A rectangle of merged cells: row and column, from 0, of its first and its last cell.
Merged = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in order, blank ones perhaps left out.

    ``numbers`` are row numbers from 1; offsets and lengths are bytes, known for text only.
    """

    numbers: Sequence[int]
    rows: Sequence[Sequence[object]]
    offsets: Sequence[int] | None = None
    lengths: Sequence[int] | None = None

    def after(self, row: int) -> Batch:
        """The rows below that one."""
        if self.numbers[0] > row:
            return self
        skip = next((index for index, number in enumerate(self.numbers) if number > row), len(self.numbers))
        return Batch(
            self.numbers[skip:],
            self.rows[skip:],
            self.offsets[skip:] if self.offsets else None,
            self.lengths[skip:] if self.lengths else None,
        )


class Sheet(Protocol):
    """A sheet. ``name`` is empty where the file has none; rows begin in column ``first_column``, counted from 0."""

    name: str
    first_column: int
    merged: Sequence[Merged]
    hidden_rows: Sequence[int]  #: row numbers, from 1
    faulty: bool  #: among its cells there may be a Fault
    since: date | None  #: day 0 of the serial numbers among its cells; None where nobody knows
    named: bool  #: by who made the file, so that an agreement on names of sheets concerns it

    def batches(self, size: int) -> Iterator[Batch]: ...


class GridSheet:
    """A sheet of an .xlsx, .xlsb or .xls workbook."""

    named = True

    def __init__(self, name: str, grid: object, notes: Notes, since: date | None) -> None:
        self.name = name
        self.since = since
        self._grid = grid
        self._notes = notes
        start = grid.start  # type: ignore[attr-defined]
        self.first_column: int = start[1] if start else 0
        self.merged: Sequence[Merged] = grid.merged_cell_ranges or ()  # type: ignore[attr-defined]
        self.hidden_rows = notes.hidden_rows
        self.faulty = bool(notes.faults)

    def batches(self, size: int) -> Iterator[Batch]:
        rows = self._grid.iter_rows()  # type: ignore[attr-defined]
        return iter(partial(self._next, rows, count(1, size), size), None)  # which keeps no rows, as a generator would

    def _next(self, coming: Iterator[list[object]], begin: Iterator[int], size: int) -> Batch | None:
        with no_collection():
            rows = list(islice(coming, size))
        first = next(begin)
        numbers = range(first, first + len(rows))
        return Batch(numbers, self._notes.onto(rows, numbers, self.first_column)) if rows else None


def opened(stream: BinaryIO, encodings: Sequence[str] = ()) -> Iterator[Sheet | Finding]:
    """The visible sheets of a workbook, the tables of a page, or delimited text; each is loaded when its turn comes.

    ``encodings`` are those a partner agreed on for text. Raises Unreadable for what is none of
    these, is encrypted, damaged or too large.
    """
    from connectors.formats.workbook.delimited import open_text
    from connectors.formats.workbook.html import is_html, open_html

    stream.seek(0)
    head = stream.read(256)
    if not head:
        raise Unreadable("payload.empty", "the payload holds no bytes", expected="a workbook or delimited text")
    if head.startswith((ZIP, OLE2)):
        yield from open_workbook(stream)
    elif is_html(head):
        yield from open_html(stream)
    else:
        yield from open_text(stream, encodings)


def measured(stream: BinaryIO) -> int:
    """About how many cells the workbook has. Raises Unreadable when they are too many, or it is none."""
    return measure(stream).cells


def open_workbook(stream: BinaryIO) -> Iterator[Sheet | Finding]:
    """The visible sheets of an .xlsx, .xlsm, .xlsb, .xls or .ods workbook, in order."""
    found = measure(stream)
    if found.macros:
        yield _said("workbook.macros_ignored", "the workbook holds macros; they were neither run nor kept", "")
    if found.kind == "ods":
        from connectors.formats.workbook.ods import open_ods

        yield from open_ods(stream)
    else:
        yield from _grids(stream, _notes(stream, found), found.since)


def _notes(stream: BinaryIO, found: Measure) -> Callable[[str], Notes]:
    """What is noted of a sheet, by its name."""
    if found.kind in ("xls", "xlsb"):
        from connectors.formats.workbook.notes_binary import notes_of_xls, notes_of_xlsb

        known = (notes_of_xls if found.kind == "xls" else notes_of_xlsb)(stream)
        return lambda name: known.get(name, Notes())
    if found.remarkable:
        return lambda name: notes_of(stream, name, found.remarkable)
    return lambda _: Notes()


def _grids(stream: BinaryIO, notes: Callable[[str], Notes], since: date | None) -> Iterator[Sheet | Finding]:
    from python_calamine import (
        CalamineError,
        CalamineWorkbook,
        PasswordError,
        SheetTypeEnum,
        SheetVisibleEnum,
        XmlError,
        ZipError,
    )

    stream.seek(0)
    try:
        with CalamineWorkbook.from_filelike(stream) as workbook:
            for index, sheet in enumerate(workbook.sheets_metadata):
                if sheet.typ is not SheetTypeEnum.WorkSheet:
                    continue
                if sheet.visible is not SheetVisibleEnum.Visible:
                    if sheet.name != LISTS:
                        yield hidden(sheet.name)
                    continue
                yield GridSheet(sheet.name, workbook.get_sheet_by_index(index), notes(sheet.name), since)
    except PasswordError:
        raise encrypted() from None
    except (CalamineError, ZipError, XmlError, OSError, ValueError) as error:
        raise damaged(error) from None
    except BaseException as error:
        # a panic inside the reader's Rust code is no Exception, and its class cannot be imported
        if type(error).__name__ != "PanicException":
            raise
        raise damaged(error) from None


def hidden(name: str) -> Finding:
    """What is said of a sheet that nobody sees."""
    return _said("workbook.sheet_hidden", f"sheet {name} is hidden and was passed over", name)


def _said(code: str, message: str, location: str) -> Finding:
    return Finding(code=code, severity=Severity.INFO, stage=Stage.STRUCTURE, message=message, location=location)
