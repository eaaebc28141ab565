"""The correction workbook: a supplier's own file with what is wrong marked in it.

An .xlsx keeps its sheets, columns, formats, widths and date styles; of formulas their values are
kept. Any other kind of file, and one that cannot be opened for writing, is written anew with the
same rows and columns. The first sheet sums up; the reference on it tells the reader, when the
workbook comes back, that this sheet is ours and which payload was corrected.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from connectors.formats.workbook.cells import column_letter
from connectors.formats.workbook.safety import disarm, neutral
from connectors.formats.workbook.sheets import REFERENCE, opened
from schemas.findings import Finding, Severity

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

#: Cells, about, up to which the whole file is written back; of a larger one only the header and the rows to correct.
WHOLE = 600_000
_AUTHOR = "Crossdock"
#: A shade beside those that programs offer, so that what a supplier has coloured is never taken for a mark of ours.
_FILLS = {Severity.ERROR: "FFC7CD", Severity.WARNING: "FFEB9B", Severity.INFO: "DDEBF6"}
_ACCEPTED, _TO_CORRECT = "C6EFCD", "FCE4D5"
_COLOURS = frozenset({*_FILLS.values(), _ACCEPTED, _TO_CORRECT})
_NUMBER_TEXT = "@"
_MOST_TEXT = 1_500  #: characters of a comment


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One cell that is marked: ``sheet`` is empty in a file without sheet names, ``cell`` is as in ``D17``."""

    sheet: str
    cell: str
    severity: Severity
    comment: str

    @property
    def row(self) -> int:
        return int(self.cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The rows of one sheet's table: ``first_column`` is that of the table, counted from 0.

    ``beside`` are accepted rows that speak of the same things as faulty ones; they go along with them.
    """

    header: int
    first_column: int = 0
    accepted: Sequence[int] = ()
    faulty: Sequence[int] = ()
    beside: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The first sheet: a title, sentences, facts, and a table of all that is wrong.

    ``links`` has, for each row of the table, the sheet and cell it is about; None where there is none.
    """

    name: str
    title: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]]
    legend: Sequence[tuple[str, str]]  #: ``error``, ``warning``, ``accepted`` or ``correct``, and what it means
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    links: Sequence[tuple[str, str] | None]
    reference: str


@dataclass(slots=True)
class _Moved:
    """Where rows of the original stand in what is written."""

    sheets: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Mapping[int, int] | None] = field(default_factory=dict)  #: None: where they were
    columns: dict[str, int] = field(default_factory=dict)  #: the first one, where blank ones were left out

    def sheet(self, name: str) -> str:
        return self.sheets.get(name, name)

    def row(self, sheet: str, row: int) -> int | None:
        moved = self.rows.get(sheet)
        return row if moved is None else moved.get(row)


def corrected(stream: BinaryIO, *, page: Page, marks: Sequence[Mark], verdicts: Mapping[str, Verdicts]) -> bytes:
    """The workbook that goes back, an .xlsx. ``verdicts`` are by sheet name.

    Never raises for what ``stream`` holds: of a file that cannot be read there is the first sheet alone.
    """
    book, moved = _opened(stream, marks, verdicts)
    for name, verdict in verdicts.items():
        if moved.sheet(name) in book.sheetnames:
            _mark_rows(book[moved.sheet(name)], name, verdict, moved)
    for mark in marks:
        if moved.sheet(mark.sheet) in book.sheetnames and (row := moved.row(mark.sheet, mark.row)) is not None:
            _mark_cell(book[moved.sheet(mark.sheet)], mark, row)
    for sheet in book.worksheets:
        _before_own_formats(sheet)
    _summarise(book, page, moved)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


# -- the supplier's own file ------------------------------------------------------------------------


def _opened(stream: BinaryIO, marks: Sequence[Mark], verdicts: Mapping[str, Verdicts]) -> tuple[Workbook, _Moved]:
    """The file, opened for writing where it is an .xlsx, else written anew."""
    from connectors.formats.workbook.sheets import measured
    from connectors.formats.workbook.unreadable import ZIP, Unreadable

    stream.seek(0)
    if stream.read(4) == ZIP:
        try:
            cells = measured(stream)
        except Unreadable:
            return _empty(), _Moved()
        if cells <= WHOLE and (own := _own(stream)) is not None:
            return own, _Moved()
        if cells > WHOLE:
            return _anew(stream, marks, verdicts, whole=False)
    try:
        return _anew(stream, marks, verdicts, whole=True)
    except _TooMany:
        return _anew(stream, marks, verdicts, whole=False)


class _TooMany(Exception):
    """The file has more cells than are written back as a whole."""


def _own(stream: BinaryIO) -> Workbook | None:
    """The .xlsx as openpyxl opens it, disarmed; None where it cannot."""
    from openpyxl import load_workbook

    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that it does not keep
            book = load_workbook(stream, data_only=True, keep_vba=False, keep_links=False)
            disarm(book)
            for sheet in book.worksheets:  # nothing that asks another workbook
                formats = _own_formats(sheet)
                _set_formats(sheet, [one for one in formats if "[" not in "".join(map(str, one[1].formula))])
            _without_earlier_marks(book)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile, SyntaxError):
        return None  # it is more particular than the reader
    return book


def _without_earlier_marks(book: Workbook) -> None:
    """Take our first sheet and our marks out of a correction workbook that comes back."""
    from openpyxl.styles import PatternFill

    ours = [sheet for sheet in book.worksheets if _is_ours([sheet.cell(row, 1).value for row in range(1, 5)])]
    for sheet in ours:
        book.remove(sheet)
    for sheet in book.worksheets if ours else ():
        for row in sheet.iter_rows():
            for cell in row:
                if cell.comment is not None and cell.comment.author == _AUTHOR:
                    cell.comment = None
                if _colour_of(cell):
                    cell.fill = PatternFill()
        _set_formats(sheet, [(places, rule) for places, rule in _own_formats(sheet) if not _is_our_format(rule)])


def _is_ours(cells: Sequence[object]) -> bool:
    return any(isinstance(cell, str) and REFERENCE in cell for cell in cells)


def _anew(
    stream: BinaryIO, marks: Sequence[Mark], verdicts: Mapping[str, Verdicts], *, whole: bool
) -> tuple[Workbook, _Moved]:
    """The rows of the file in a new workbook; not ``whole``: only headers and rows that are marked."""
    from connectors.formats.workbook.unreadable import Unreadable

    book, moved = _empty(), _Moved()
    wanted = None if whole else _wanted(marks, verdicts)
    try:
        for sheet in opened(stream):
            if isinstance(sheet, Finding):
                continue
            title = re.sub(r"[\\/*?:\[\]]", "_", sheet.name)[:31] or "Data"
            page = book.create_sheet(title)
            moved.sheets[sheet.name] = page.title
            rows = _copy(sheet, page, None if wanted is None else wanted.get(sheet.name, frozenset()))
            moved.rows[sheet.name] = rows
            header = verdicts[sheet.name].header if sheet.name in verdicts else 0
            _dress(page, (rows or {}).get(header, header))
    except Unreadable:
        pass  # what could be read stands; the first sheet says what is the matter
    return book, moved


def _wanted(marks: Sequence[Mark], verdicts: Mapping[str, Verdicts]) -> dict[str, frozenset[int]]:
    return {
        name: frozenset(
            chain((verdict.header,), verdict.faulty, verdict.beside, (mark.row for mark in marks if mark.sheet == name))
        )
        for name, verdict in verdicts.items()
    }


def _copy(sheet: Any, page: Worksheet, wanted: frozenset[int] | None) -> dict[int, int] | None:
    """Write the sheet's rows; with ``wanted`` only those, and where each one went."""
    moved: dict[int, int] = {}
    cells = 0
    for batch in sheet.batches(4096):
        cells += sum(map(len, batch.rows))
        if wanted is None and cells > WHOLE:
            raise _TooMany
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            if wanted is not None and number not in wanted:
                continue
            place = number if wanted is None else len(moved) + 1
            moved[number] = place
            for column, value in enumerate(row, sheet.first_column + 1):
                if value is not None and value != "":
                    _put(page.cell(place, column), value)
    return None if wanted is None else moved


def _put(cell: Any, value: object) -> None:
    """One value; text stays text, so that no leading zero and no decimal comma is lost when somebody edits it."""
    if isinstance(value, str):
        cell.value, cell.data_type, cell.number_format = neutral(value), "s", _NUMBER_TEXT
    else:
        cell.value = value


def _dress(page: Worksheet, header: int) -> None:
    widths: dict[int, int] = {}
    for row in page.iter_rows(max_row=200):
        for cell in row:
            if cell.value is not None:
                widths[cell.column] = max(widths.get(cell.column, 8), min(len(str(cell.value)) + 2, 48))
    for column, width in widths.items():
        page.column_dimensions[column_letter(column - 1)].width = width
    if header:
        for cell in page[header]:
            cell.font = _font(bold=True)
        page.freeze_panes = f"A{header + 1}"


def _empty() -> Workbook:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    return book


# -- marking ----------------------------------------------------------------------------------------


def _fill(colour: str) -> Any:
    from openpyxl.styles import PatternFill

    return PatternFill("solid", start_color=colour, end_color=colour)


def _mark_rows(sheet: Worksheet, name: str, verdict: Verdicts, moved: _Moved) -> None:
    """A green or an orange cell in front of each row, so that a person can filter by colour."""
    for rows, colour in ((verdict.accepted, _ACCEPTED), (verdict.faulty, _TO_CORRECT)):
        fill = _fill(colour)
        for row in rows:
            if (place := moved.row(name, row)) is not None:
                sheet.cell(place, verdict.first_column + 1).fill = fill


def _mark_cell(sheet: Worksheet, mark: Mark, row: int) -> None:
    from openpyxl.cell.cell import MergedCell
    from openpyxl.comments import Comment

    cell = sheet[f"{mark.cell[: -len(str(mark.row))]}{row}"]
    if isinstance(cell, MergedCell):
        inside = next(area for area in sheet.merged_cells.ranges if cell.coordinate in area)
        cell = sheet.cell(inside.min_row, inside.min_col)
    cell.fill = _fill(_FILLS[mark.severity])
    before = f"{cell.comment.text}\n\n" if cell.comment is not None else ""
    text = (before + mark.comment)[:_MOST_TEXT]
    lines = sum(1 + len(line) // 42 for line in text.splitlines())
    cell.comment = Comment(text, _AUTHOR, height=min(24 + 17 * lines, 420), width=300)


def _colour_of(cell: Any) -> str:
    """Which of our colours the cell has; empty for none."""
    if not cell.has_style or cell.fill.fill_type != "solid":
        return ""
    colour = str(cell.fill.start_color.rgb)[2:]
    return colour if colour in _COLOURS else ""


# -- conditional formats ------------------------------------------------------------------------------


def _before_own_formats(sheet: Worksheet) -> None:
    """Where a conditional format of the supplier's would hide our colours, ours come first."""
    own = _own_formats(sheet)
    marked: dict[str, list[str]] = {}
    for area in {str(area): area for places, _ in own for area in places.ranges}.values():
        for row in sheet.iter_rows(area.min_row, min(area.max_row, sheet.max_row), area.min_col, area.max_col):
            for cell in row:
                if colour := _colour_of(cell):
                    marked.setdefault(colour, []).append(cell.coordinate)
    if marked:
        ours = [(" ".join(dict.fromkeys(cells)), _format(colour)) for colour, cells in marked.items()]
        _set_formats(sheet, [*ours, *own])


def _own_formats(sheet: Worksheet) -> list[tuple[Any, Any]]:
    """The cells and the rule of each conditional format, the one that counts first first."""
    formats = [(area.sqref, rule) for area in sheet.conditional_formatting for rule in area.rules]
    return sorted(formats, key=lambda one: one[1].priority or 0)


def _set_formats(sheet: Worksheet, formats: Sequence[tuple[Any, Any]]) -> None:
    from openpyxl.formatting.formatting import ConditionalFormattingList

    sheet.conditional_formatting = ConditionalFormattingList()
    for priority, (places, rule) in enumerate(formats, 1):
        rule.priority = priority
        sheet.conditional_formatting.add(str(places), rule)


def _format(colour: str) -> Any:
    from openpyxl.formatting.rule import Rule
    from openpyxl.styles import PatternFill
    from openpyxl.styles.differential import DifferentialStyle

    fill = PatternFill("solid", start_color=colour, end_color=colour)  # programs differ on which of the two counts
    return Rule(type="expression", formula=["TRUE"], dxf=DifferentialStyle(fill=fill), stopIfTrue=True)


def _is_our_format(rule: Any) -> bool:
    if rule.type != "expression" or list(rule.formula) not in (["TRUE"], ["TRUE()"], ["1"]):
        return False  # LibreOffice writes it as 1
    fill = rule.dxf.fill if rule.dxf is not None else None
    return fill is not None and any(str(one.rgb)[2:] in _COLOURS for one in (fill.bgColor, fill.fgColor) if one)


# -- the first sheet --------------------------------------------------------------------------------

_WIDTHS = (24, 20, 24, 50, 40, 22)


def _summarise(book: Workbook, page: Page, moved: _Moved) -> None:
    from openpyxl.styles import Alignment

    sheet = book.create_sheet(page.name, 0)
    for one in book.worksheets:
        one.sheet_view.tabSelected = False  # sheets selected together are edited together
    book.active = 0
    sheet.sheet_view.showGridLines = False
    sheet.sheet_properties.tabColor = "C00000" if page.rows else "70AD47"
    for index, width in enumerate(_WIDTHS):
        sheet.column_dimensions[column_letter(index)].width = width
    row = _line(sheet, 1, page.title, _font(bold=True, size=16))
    row = _line(sheet, row, page.reference, _font(size=7, color="BFBFBF"))
    for sentence in page.sentences:
        row = _line(sheet, row, sentence, _font())
    row += 1
    for label, value in page.facts:
        _text(sheet.cell(row, 1), label, _font(color="595959"))
        _text(sheet.cell(row, 2), value, _font(bold=True))
        row += 1
    row += 1
    for kind, meaning in page.legend:
        sheet.cell(row, 1).fill = _fill(_LEGEND[kind])
        _text(sheet.cell(row, 2), meaning, _font(color="595959"))
        row += 1
    if page.rows:
        _table(sheet, row + 1, page, moved)
    for cells in sheet.iter_rows(max_col=len(_WIDTHS)):
        for cell in cells:
            cell.alignment = Alignment(vertical="top", wrap_text=cell.column in (3, 4, 5) and bool(page.rows))
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


_LEGEND = {
    "error": _FILLS[Severity.ERROR],
    "warning": _FILLS[Severity.WARNING],
    "accepted": _ACCEPTED,
    "correct": _TO_CORRECT,
}


def _line(sheet: Worksheet, row: int, text: str, font: Any) -> int:
    _text(sheet.cell(row, 1), text, font)
    return row + 1


def _font(**given: Any) -> Any:
    from openpyxl.styles import Font

    return Font(**{"name": "Calibri", "size": 11, **given})


def _text(cell: Any, text: str, font: Any) -> None:
    cell.value, cell.data_type, cell.font = neutral(text), "s", font


def _table(sheet: Worksheet, row: int, page: Page, moved: _Moved) -> None:
    from openpyxl.worksheet.hyperlink import Hyperlink

    for column, heading in enumerate(page.headings, 1):
        cell = sheet.cell(row, column)
        _text(cell, heading, _font(bold=True, color="FFFFFF"))
        cell.fill = _fill("44546A")
    sheet.freeze_panes = f"A{row + 1}" if row < 30 else None
    for values, link in zip(page.rows, page.links, strict=True):
        row += 1
        for column, value in enumerate(values, 1):
            _text(sheet.cell(row, column), value, _font())
        sheet.row_dimensions[row].height = 15.0 * max(
            -(-len(value) // (width + width // 8)) or 1 for value, width in zip(values, _WIDTHS, strict=True)
        )
        target = None if link is None else _target(link, moved)
        if target is not None:
            place = sheet.cell(row, 1)
            place.hyperlink = Hyperlink(ref=place.coordinate, location=target)
            place.font = _font(color="0563C1", underline="single")


def _target(link: tuple[str, str], moved: _Moved) -> str | None:
    """``'Stock'!D17``: a place within the workbook."""
    sheet, cell = link
    letters = cell.rstrip("0123456789")
    row = moved.row(sheet, int(cell[len(letters) :]))
    return None if row is None else "'" + moved.sheet(sheet).replace("'", "''") + f"'!{letters}{row}"
