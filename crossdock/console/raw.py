"""The raw bytes of a document with its findings marked in place, a segment or line each; sheets as their rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from crossdock.views.spotlight import terminator_of, visible
from schemas.errors import PermanentError

if TYPE_CHECKING:
    from connectors.archive import Archive

LONGEST = 120_000  #: bytes of a document that are shown
MOST_LINES = 1500
LARGEST_SHEET = 5_000_000  #: bytes of a workbook that is opened for a page
MOST_ROWS = 300
MOST_COLUMNS = 40
_LINE = 600  #: characters of one line
_CELL = re.compile(r"(?:(?P<sheet>.*)!)?(?P<column>[A-Z]{1,3})(?P<row>[1-9][0-9]*)", re.DOTALL)

Finding = Mapping[str, Any]


@dataclass(slots=True)
class RawLine:
    """One segment or line at byte ``offset`` of the payload, and the findings that stand in it."""

    offset: int
    text: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def fragment(self) -> str:
        return f"byte-{self.offset}"

    @property
    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The text, what the findings speak of apart from the rest."""
        values = sorted({str(one["value"]) for one in self.findings if one["value"]}, key=len, reverse=True)
        if not values:
            yield self.text, False
            return
        told = "|".join(map(re.escape, values))
        for number, piece in enumerate(re.split(rf"(?<![0-9A-Za-z])({told})(?![0-9A-Za-z])", self.text)):
            if piece:
                yield piece, number % 2 == 1


@dataclass(slots=True)
class SheetRow:
    """One row of a sheet, its cells as text, and the findings that stand in it; ``wrong`` are columns."""

    number: int
    cells: Sequence[str]
    findings: list[Finding] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)

    @property
    def fragment(self) -> str:
        return f"row-{self.number}"


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A document's bytes as lines, or its sheet as rows under their ``columns``.

    ``cut`` says how many bytes, or rows, more there are; ``unplaced`` are the findings that no line or row has.
    """

    lines: Sequence[RawLine] = ()
    columns: Sequence[str] = ()
    rows: Sequence[SheetRow] = ()
    cut: int = 0
    unplaced: Sequence[Finding] = ()

    def place_of(self, offset: int | None, location: str) -> str:
        """The fragment at which the page shows a place; empty where it does not."""
        fragment = fragment_of(offset, location)
        return fragment if fragment in self._fragments else ""

    @cached_property
    def _fragments(self) -> frozenset[str]:
        return frozenset((*(line.fragment for line in self.lines), *(row.fragment for row in self.rows)))


def fragment_of(offset: int | None, location: str) -> str:
    """What a place is called in the address of the page that shows it: ``byte-4692``, ``row-17``; empty for none."""
    if offset is not None:
        return f"byte-{offset}"
    cell = _CELL.fullmatch(location)
    return f"row-{cell['row']}" if cell else ""


def raw_of(
    archive: Archive, sha256: str, start: int, end: int, findings: Sequence[Finding], *, sheet: str | None = None
) -> Raw:
    """The document that stands in the payload from byte ``start`` to ``end``, exclusive; of a workbook the ``sheet``.

    Without lines and rows where its bytes say nothing to anybody, or are not kept any more.
    """
    try:
        head = archive.read_range(sha256, 0, 512)
        if head.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
            return _sheet(archive, sha256, sheet, findings) if end <= LARGEST_SHEET else Raw(unplaced=findings)
        if b"\0" in head:
            return Raw(unplaced=findings)
        shown = archive.read_range(sha256, start, min(end - start, LONGEST))
    except PermanentError:
        return Raw(unplaced=findings)
    lines = list(_lines(shown, start, terminator_of(head)))[:MOST_LINES]
    unplaced = _mark(lines, findings)
    ended = lines[-1].offset + len(lines[-1].text) if lines else start
    cut = max(0, end - ended) if len(shown) == LONGEST or len(lines) == MOST_LINES else 0
    return Raw(lines=lines, cut=cut, unplaced=unplaced)


def _lines(shown: bytes, start: int, terminator: bytes) -> Iterator[RawLine]:
    at = 0
    while at < len(shown):
        found = shown.find(terminator, at)
        end = len(shown) if found < 0 else found + len(terminator)
        piece = shown[at:end]
        if piece.strip(b"\r\n \t"):
            leading = len(piece) - len(piece.lstrip(b"\r\n"))
            yield RawLine(start + at + leading, visible(piece, terminator)[:_LINE])
        at = end


def _mark(lines: Sequence[RawLine], findings: Sequence[Finding]) -> list[Finding]:
    """Put each finding to the line in which its place begins; those that have none here."""
    begins = [line.offset for line in lines]
    unplaced = []
    for finding in findings:
        if finding["offset"] is not None and begins and finding["offset"] >= begins[0]:
            lines[bisect_right(begins, finding["offset"]) - 1].findings.append(finding)
        else:
            unplaced.append(finding)
    return unplaced


# -- sheets -----------------------------------------------------------------------------------------


def _sheet(archive: Archive, sha256: str, sheet: str | None, findings: Sequence[Finding]) -> Raw:
    """The sheet of that name (None, or none of that name: the first), as far as it is filled."""
    from connectors.formats.workbook.cells import column_letter
    from connectors.formats.workbook.shown import shown_sheet

    with archive.open(sha256) as stream:
        table = shown_sheet(stream, sheet, instead=True)
    if table is None:
        return Raw(unplaced=findings)
    rows = [SheetRow(number, cells) for number, cells in table.rows.items()]
    unplaced = _mark_cells(rows, table.name, findings)
    shown = [row for number, row in enumerate(rows) if number < MOST_ROWS or row.findings][: 2 * MOST_ROWS]
    width = min(max((_width(row.cells) for row in shown), default=0), MOST_COLUMNS)
    for row in shown:
        row.cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
    columns = [column_letter(index) for index in range(width)]
    return Raw(columns=columns, rows=shown, cut=len(rows) - len(shown), unplaced=unplaced)


def _mark_cells(rows: Sequence[SheetRow], name: str, findings: Sequence[Finding]) -> list[Finding]:
    """Put each finding to the row in which its cell is; those that are of no row of this sheet."""
    by_number = {row.number: row for row in rows}
    unplaced = []
    for finding in findings:
        cell = _CELL.fullmatch(finding["location"])
        row = by_number.get(int(cell["row"])) if cell and cell["sheet"] in (None, name) else None
        if cell is None or row is None:
            unplaced.append(finding)
        else:
            row.findings.append(finding)
            row.wrong.add(cell["column"])
    return unplaced


def _width(cells: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(cells, start=1) if cell), default=0)
