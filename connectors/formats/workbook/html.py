"""Tables of HTML as sheets: what is pasted into a mail, and what some programs save and call .xls.

Only tables that hold no other table and look like data count: two rows at least, of two filled cells each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import BinaryIO

from lxml import etree

from connectors.formats.workbook.bounds import MOST_CELLS
from connectors.formats.workbook.sheets import Batch, Merged
from connectors.formats.workbook.unreadable import Unreadable
from schemas.findings import Finding

LARGEST = 64 << 20  #: bytes of a page
_WIDEST, _HIGHEST = 1_000, 100_000  #: columns and rows that a cell spans at most
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|meta|table|div|style|p)\b", re.I)
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w-]{2,40})""", re.I)


def is_html(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a page."""
    return _BEGINS.match(head) is not None


class HtmlSheet:
    """One table. Its name is our own, so that no agreement on names of sheets concerns it."""

    first_column = 0
    hidden_rows: Sequence[int] = ()
    faulty = False
    since: date | None = None
    named = False

    def __init__(self, name: str, rows: Sequence[Sequence[str]], merged: Sequence[Merged]) -> None:
        self.name = name
        self.merged = merged
        self._rows = rows

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size]
            yield Batch(range(start + 1, start + len(rows) + 1), rows)


def open_html(stream: BinaryIO) -> Iterator[HtmlSheet | Finding]:
    """The tables in their order; a single one has no name. Raises Unreadable where there is none, or too much."""
    stream.seek(0)
    page = stream.read(LARGEST + 1)
    if len(page) > LARGEST:
        raise Unreadable(
            "workbook.too_large", "the page is too large to be read", expected=f"at most {LARGEST >> 20} MB"
        )
    tables = data_tables(parsed(_text(page)))
    if not tables:
        raise Unreadable("workbook.empty", "the page holds no table", expected="a header and rows below it")
    for number, table in enumerate(tables, 1):
        rows, merged = _grid(table)
        yield HtmlSheet(f"Table {number}" if len(tables) > 1 else "", rows, merged)


def parsed(text: str) -> etree._Element | None:
    """The page's root; None where nothing is on it."""
    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None


def data_tables(root: etree._Element | None) -> list[etree._Element]:
    """The tables that look like data, in their order."""
    found = [] if root is None else [table for table in root.iter("table") if table.find(".//table") is None]
    return [table for table in found if _is_data(table)]


def _is_data(table: etree._Element) -> bool:
    full = (row for row in table.iter("tr") if _filled(row) > 1)
    return next(islice(full, 1, None), None) is not None


def _filled(row: etree._Element) -> int:
    return sum(bool(_cell_text(cell)) for cell in row.iterchildren("td", "th"))


def _cell_text(cell: etree._Element) -> str:
    for line in cell.iter("br"):
        line.tail = f" {(line.tail or '').lstrip()}"
    return " ".join("".join(map(str, cell.itertext())).split())


def _grid(table: etree._Element) -> tuple[list[list[str]], list[Merged]]:
    """The cells in their places, also those below and beside one that spans several."""
    rows: list[list[str]] = []
    merged: list[Merged] = []
    taken: dict[int, int] = {}  # column -> rows that a cell from above still covers
    cells = 0
    for number, element in enumerate(table.iter("tr")):
        row: list[str] = []
        for cell in element.iterchildren("td", "th"):
            while taken.get(len(row), 0):
                row.append("")
            wide, high = _span(cell, "colspan", _WIDEST), _span(cell, "rowspan", _HIGHEST)
            if wide > 1 or high > 1:
                merged.append(((number, len(row)), (number + high - 1, len(row) + wide - 1)))
            if high > 1:
                taken |= dict.fromkeys(range(len(row), len(row) + wide), high)
            row += [_cell_text(cell), *[""] * (wide - 1)]
        taken = {column: left - 1 for column, left in taken.items() if left > 1}
        cells += len(row)
        if cells > MOST_CELLS:
            raise Unreadable("workbook.too_large", "a table has too many cells", expected=f"at most {MOST_CELLS} cells")
        rows.append(row)
    return rows, merged


def _span(cell: etree._Element, name: str, most: int) -> int:
    told = str(cell.get(name) or "1").strip()
    return min(max(int(told), 1), most) if told.isdecimal() and len(told) < 9 else 1


def _text(page: bytes) -> str:
    """UTF-8 where it is that, else as the page itself says, else Western."""
    told = _CHARSET.search(page[:4096])
    for encoding in ("utf-8-sig", told[1].decode("ascii") if told else "", "cp1252"):
        try:
            return page.decode(encoding) if encoding else page.decode("ascii")
        except (UnicodeError, LookupError):
            continue
    return page.decode("latin-1")
