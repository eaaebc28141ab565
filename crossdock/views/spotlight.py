"""The spot in the raw bytes that a fact came from, shown with what stands around it.

EDI is shown a segment a line and other text as it is written, with byte offsets beside it; a
workbook, whose bytes say nothing to anybody, as the row under its column headers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossdock.views.display import DIM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.archive import Archive

AROUND = 320  #: bytes shown before and after the spot
HEADER = 1 << 16  #: bytes within which the header line of a pull ends
LONGEST = 4000  #: bytes of the spot itself that are shown
_WORDS = re.compile(r"[^\W\d_]")  #: a letter
_EDIFACT_UNA_TERMINATOR = 8  #: byte of the segment terminator in UNA (ISO 9735, 6.1)
_ISA_ELEMENTS = 16  #: the terminator follows the one character of ISA16, whatever the padding (X12.5, 3.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Bytes of a payload: ``before`` begins at ``start``, ``spot`` at ``offset``; ``after`` follows it."""

    offset: int
    length: int
    before: bytes
    spot: bytes
    after: bytes
    terminator: bytes  #: what ends a segment or a line

    @property
    def start(self) -> int:
        return self.offset - len(self.before)


def spot_of(archive: Archive, sha256: str, offset: int, length: int) -> Spot:
    """The spot with up to 320 bytes around it, cut where a segment or line begins and ends."""
    terminator = terminator_of(archive.read_range(sha256, 0, 256))
    begin = max(0, offset - AROUND)
    before = archive.read_range(sha256, begin, offset - begin)
    after = archive.read_range(sha256, offset + length, AROUND)
    if begin and terminator in before:
        before = before.split(terminator, 1)[1]
    if len(after) == AROUND and terminator in after:
        after = after[: after.rindex(terminator) + len(terminator)]
    spot = archive.read_range(sha256, offset, min(length, LONGEST))
    return Spot(offset=offset, length=length, before=before, spot=spot, after=after, terminator=terminator)


def raw_view(spot: Spot) -> RenderableType:
    """The bytes with offsets in the margin, a segment or line each, the spot highlighted and marked ``>``."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for offset, piece, inside in _pieces(spot):
        style = "bold yellow" if inside else DIM
        cells = (">" if inside else "", str(offset), visible(piece, spot.terminator))
        grid.add_row(*(Text(cell, style=style) for cell in cells))
    if spot.length > LONGEST:
        grid.add_row("", "", Text(f"{spot.length - LONGEST:,} bytes more belong to it", style=DIM))
    return grid


def visible(piece: bytes, terminator: bytes) -> str:
    """Bytes as text, what cannot be printed as ``\\x1d``, without the line end they finish with."""
    if terminator == b"\n":
        piece = piece.rstrip(b"\r\n")
    try:
        text = piece.strip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        text = piece.strip(b"\r\n").decode("latin-1")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _pieces(spot: Spot) -> Iterator[tuple[int, bytes, bool]]:
    offset = spot.start
    for piece, inside in ((spot.before, False), (spot.spot, True), (spot.after, False)):
        for segment in re.findall(rb"(?s).*?" + re.escape(spot.terminator) + rb"|.+\Z", piece):
            if segment.strip(b"\r\n"):
                yield offset + len(segment) - len(segment.lstrip(b"\r\n")), segment, inside
            offset += len(segment)
        offset = offset if not inside else spot.offset + spot.length


def terminator_of(head: bytes) -> bytes:
    """What ends a segment of the EDI, or a line, of a payload that begins with ``head``."""
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    elements = head.split(head[3:4], _ISA_ELEMENTS) if head.startswith(b"ISA") and len(head) > 3 else []
    if len(elements) > _ISA_ELEMENTS and len(elements[-1]) > 1:
        return elements[-1][1:2]
    if head.startswith(b"UNA") and len(head) > _EDIFACT_UNA_TERMINATOR:
        return head[_EDIFACT_UNA_TERMINATOR : _EDIFACT_UNA_TERMINATOR + 1]
    return b"'" if head.startswith(b"UNB") else b"\n"


def raw_source(archive: Archive, sha256: str, location: str, offset: int | None, length: int | None) -> RenderableType:
    """The best that can be shown of the place: its bytes, its cells by column, or where it is in words."""
    if offset is not None and length is not None:
        row = pulled_row(archive, sha256, location, offset, length)
        raw = raw_view(spot_of(archive, sha256, offset, length))
        return Group(raw, Text(), row_view(row)) if row else raw
    with archive.open(sha256) as stream:
        row = workbook_row(stream, location)
    return row_view(row) if row else Text(f"no bytes to show: {location or 'it has no place of its own'}", style=DIM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table by its columns: ``(place, header, text)`` for each filled cell."""

    title: str  #: ``sheet Stock, row 17``
    cells: tuple[tuple[str, str, str], ...]
    marked: str = ""  #: place of the cell that is meant; empty: the row as a whole


def pulled_row(archive: Archive, sha256: str, location: str, offset: int, length: int) -> Row | None:
    """The row of a pull that stands at ``offset``; None where the payload is no pull."""
    try:
        header = json.loads(archive.read_range(sha256, 0, HEADER).partition(b"\n")[0])
        values = json.loads(archive.read_range(sha256, offset, length))
        pairs = list(zip(header["columns"], values, strict=True))
    except (ValueError, KeyError, TypeError):
        return None
    return Row(title=location, cells=tuple(("", str(name), str(value)) for name, value in pairs if value is not None))


def workbook_row(stream: BinaryIO, location: str) -> Row | None:
    """The row that ``location`` (``Sheet!D17``) is in; None where this is no workbook or has no such row."""
    from connectors.formats.workbook.cells import column_letter
    from connectors.formats.workbook.shown import shown_sheet

    sheet, _, cell = location.rpartition("!")
    if (named := re.fullmatch(r"[A-Z]+([0-9]+)", cell)) is None:
        return None
    number = int(named[1])
    shown = shown_sheet(stream, sheet)
    if shown is None or number not in shown.rows:
        return None
    header = _header_above([row for at, row in shown.rows.items() if at < number])
    titled = zip_longest(header, shown.rows[number], fillvalue="")
    cells = ((f"{column_letter(at)}{number}", title, text) for at, (title, text) in enumerate(titled))
    return Row(title=f"sheet {sheet}, row {number}", cells=tuple(c for c in cells if c[2]), marked=cell)


def row_view(row: Row) -> RenderableType:
    """The row's cells, one a line, the one that is meant highlighted and marked ``>``."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    places = any(place for place, _, _ in row.cells)
    for place, header, text in row.cells:
        style = "bold yellow" if place == row.marked else DIM
        shown = [f"{'>' if place == row.marked else ' '} {place}"] if places else [""]
        grid.add_row(*(Text(cell, style=style) for cell in (*shown, header, text)))
    return Group(Text(row.title, style="bold"), grid)


def _header_above(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """The row with the most words in it: what stands over the columns, whatever titles stand over that."""
    words = [sum(bool(_WORDS.search(cell)) for cell in row) for row in rows]
    return rows[words.index(max(words))] if words else []
