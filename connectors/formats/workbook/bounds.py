"""How large a workbook really is: counted before anything is opened, because nothing it declares is believed.

A reader allocates at once the whole rectangle that a sheet's values span. So parts of a zip archive
are unpacked once, keeping nothing, and cells are counted in them; an .xls has its records walked
through. Also noted on the way: which parts hold anything that the reader leaves out.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, Literal

from connectors.formats.workbook.notes import padded_formats
from connectors.formats.workbook.unreadable import OLE2, Unreadable, damaged, encrypted

LARGEST_PART = 512 << 20  #: bytes a part of a workbook may unpack to
LARGEST_TOTAL = 1024 << 20  #: bytes all its parts may unpack to
LARGEST_OLE2 = 256 << 20  #: bytes of an .xls
MOST_CELLS = 10_000_000  #: cells of the rectangle a sheet's values span
_MOST_PARTS = 10_000
_PIECE = 1 << 18  # what fits the processor's cache is searched faster

#: Marks of errors, of formulas without a value and of hidden rows; looked for as they are, since that is fastest,
#: and a single byte that is rare, before a longer mark, more than ten times as fast.
_REMARKABLE = (b't="e"', b'"/></c>', b'hidden="1"')
_FORMULA = b"</f><"
_UNCALCULATED = (b"</f></c>", b"</f><v></v>", b"</f><v/>", b"</f><v />")


@dataclass(frozen=True, slots=True)
class Measure:
    """What was counted: the largest sheet's cells, about, and the parts that hold what the reader leaves out."""

    kind: Literal["xlsx", "xlsb", "xls", "ods"]
    cells: int
    macros: bool = False
    since: date | None = None  #: the day 0 of its serial numbers, as far as that is known
    remarkable: frozenset[str] = field(default_factory=frozenset)


def measure(stream: BinaryIO) -> Measure:
    """Raises Unreadable when the workbook is too large, encrypted or damaged, or none at all."""
    stream.seek(0)
    if stream.read(8).startswith(OLE2):
        return _measure_ole2(stream)
    try:
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            kind = _check_declared(infos)
            if kind == "ods":
                return _measure_ods(archive)
            padded = kind == "xlsx" and padded_formats(archive)
            macros = any(info.filename.lower().endswith("vbaproject.bin") for info in infos)
            remarkable: set[str] = set()
            cells = 0
            for info in infos:
                part = _BinaryExtent() if kind == "xlsb" else _Extent()
                _unpack(archive, info, part)
                cells = max(cells, part.cells)
                if part.remarkable or (padded and part.cells):
                    remarkable.add(info.filename)
            if kind == "xlsb":
                return Measure(kind, cells, macros)
            return Measure(kind, cells, macros, _day_zero(archive), frozenset(remarkable))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise damaged(error) from None


_BOOK, _LARGEST_BOOK = "xl/workbook.xml", 1 << 20
_FROM_1904 = re.compile(rb"""\sdate1904=["'](?:1|true|on)["']""")


def _day_zero(archive: zipfile.ZipFile) -> date | None:
    """Day 0 of the serial numbers, for days after February 1900 (ECMA-376, 18.17.4.1)."""
    if _BOOK not in archive.namelist() or archive.getinfo(_BOOK).file_size > _LARGEST_BOOK:
        return None
    book = archive.read(_BOOK)
    return date(1904, 1, 1) if _FROM_1904.search(book) else date(1899, 12, 30)


def _check_declared(infos: Sequence[zipfile.ZipInfo]) -> Literal["xlsx", "xlsb", "ods"]:
    names = {info.filename.replace("\\", "/").lower() for info in infos}
    if not any(name.startswith("xl/") for name in names) and "content.xml" not in names:
        raise Unreadable("workbook.kind_unknown", "the archive holds no workbook", expected=".xlsx, .ods or .csv")
    if any(info.flag_bits & 1 for info in infos):
        raise encrypted()
    total = sum(info.file_size for info in infos)
    largest = max((info.file_size for info in infos), default=0)
    if total > LARGEST_TOTAL or largest > LARGEST_PART or len(infos) > _MOST_PARTS:
        raise _too_large(f"it unpacks to {total >> 20} MB in {len(infos)} parts")
    if "xl/workbook.bin" in names:
        return "xlsb"
    return "xlsx" if "xl/workbook.xml" in names or any(name.startswith("xl/") for name in names) else "ods"


def _measure_ods(archive: zipfile.ZipFile) -> Measure:
    """The parts of an OpenDocument spreadsheet: its reader expands nothing that is empty, and counts for itself."""
    try:
        manifest = archive.read("META-INF/manifest.xml") if archive.getinfo("META-INF/manifest.xml") else b""
    except KeyError:
        manifest = b""
    if b"encryption-data" in manifest:
        raise encrypted()
    for info in archive.infolist():
        with archive.open(info) as part:
            while part.read(_PIECE):
                pass
    macros = any(info.filename.startswith("Basic/") for info in archive.infolist())
    return Measure("ods", 0, macros)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, extent: _Extent | _BinaryExtent) -> None:
    """Unpack once, keeping nothing: zipfile stops at the declared size and checks it by the CRC.

    Any part may be a sheet, whatever its name, so all are measured as one.
    """
    with archive.open(info) as part:
        while piece := part.read(_PIECE):
            extent.add(piece)
            if extent.cells > MOST_CELLS:
                break
    extent.finish()
    if extent.cells > MOST_CELLS:
        raise _too_large(f"{info.filename}: its values span {extent.rows} rows by {extent.columns} columns")


#: A cell that is not written as nearly every program writes it, or that lies beyond column Z or row 299,999.
#: Two patterns, since one that begins with a choice is six times as slow.
_UNUSUAL = re.compile(rb'<c(?! r="[A-Z](?:[0-9]{1,5}|[12][0-9]{5})")[\s>/]')
_PREFIXED = re.compile(rb":c[\s>/]")
_TAG = re.compile(rb"[<:](row|c)(\s[^<>]*|/)?>(</)?")
_CELL = re.compile(rb'<c r="[A-Z]([0-9]{1,6})"')
_PLACE = re.compile(rb"""\sr=["']([A-Za-z]{0,3})([0-9]{1,7})["']""")


class _Extent:
    """The rectangle that a sheet's cells span, counted over pieces of its XML."""

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self._row = self._column = 0
        self._tail = b""
        self._exact = False
        self.remarkable = False  #: it holds something that the reader leaves out

    @property
    def cells(self) -> int:
        return self.rows * self.columns

    def add(self, piece: bytes) -> None:
        text = self._tail + piece
        cut = text.rfind(b"<c")
        cut = cut if cut >= 0 else text.rfind(b"<")
        # the last cell waits for what follows it; none is anywhere near this long
        self._tail = text[cut:] if cut >= 0 and len(text) - cut < 65536 else b""
        self._take(text[: len(text) - len(self._tail)])

    def finish(self) -> None:
        """No piece comes any more."""
        self._take(self._tail)

    def _take(self, text: bytes) -> None:
        self.remarkable = self.remarkable or _is_remarkable(text)
        if self._exact or _UNUSUAL.search(text) or (b":" in text and _PREFIXED.search(text)):
            self._exact = True
            self._count(text)
        elif last := _CELL.match(text, max(0, text.rfind(b"<c r="))):
            self.rows, self.columns = max(self.rows, int(last[1])), 26

    def _count(self, text: bytes) -> None:
        for kind, attributes, empty in _TAG.findall(text):
            place = _PLACE.search(attributes)
            if kind == b"row":
                self._row = int(place[2]) if place else self._row + 1
                self._column = 0
                continue
            if place and place[1]:
                self._column = _index(place[1])
                self._row = int(place[2])
            else:
                self._column += 1
            if not empty and not attributes.endswith(b"/"):
                self.rows = max(self.rows, self._row)
                self.columns = max(self.columns, self._column)


def _is_remarkable(text: bytes) -> bool:
    if any(mark in text for mark in _REMARKABLE) or (b"'" in text and b"t='e'" in text):
        return True
    return _FORMULA in text and any(mark in text for mark in _UNCALCULATED)


def _index(letters: bytes) -> int:
    index = 0
    for letter in letters.upper():
        index = index * 26 + letter - 64
    return index


class _BinaryExtent:
    """The same over pieces of a sheet of an .xlsb, whose records each begin with kind and size (MS-XLSB, 2.1.4)."""

    _ROW, _FIRST_CELL, _LAST_CELL = 0, 2, 11  # BrtRowHdr; BrtCellRk to BrtFmlaError

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self.remarkable = False
        self._rest = b""
        self._skip = self._row = 0

    @property
    def cells(self) -> int:
        return self.rows * self.columns

    def add(self, piece: bytes) -> None:
        data, at = self._rest + piece, self._skip
        while (head := _record(data, at)) is not None:
            kind, size, body = head
            if kind == self._ROW and size >= 4 and body + 4 <= len(data):
                self._row = struct.unpack_from("<I", data, body)[0]
            elif self._FIRST_CELL <= kind <= self._LAST_CELL and size >= 4 and body + 4 <= len(data):
                self.columns = max(self.columns, struct.unpack_from("<I", data, body)[0] + 1)
                self.rows = max(self.rows, self._row + 1)
            at = body + size
        self._rest, self._skip = (data[at:], 0) if at <= len(data) else (b"", at - len(data))

    def finish(self) -> None:
        """No piece comes any more."""


def _record(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Kind, size and start of the body of the record at ``at``; None when more bytes are needed to tell."""
    if at + 10 > len(data) and at + 2 > len(data):
        return None
    kind = data[at]
    at += 1
    if kind & 0x80:
        kind = (kind & 0x7F) | data[at] << 7
        at += 1
    size = shift = 0
    while True:
        if at >= len(data):
            return None
        size |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80 or shift >= 21:
            break
        shift += 7
    return None if at + min(size, 4) > len(data) else (kind, size, at)


# -- .xls ---------------------------------------------------------------------------------------------

_BOF, _FILEPASS, _MULRK = 0x0809, 0x002F, 0x00BD
_CELLS = {0x0006, 0x007E, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E, 0x0406, 0x0206}  # MS-XLS, 2.3.2


def _measure_ole2(stream: BinaryIO) -> Measure:
    """An .xls: its records walked through once."""
    import olefile  # type: ignore[import-untyped]

    stream.seek(0, 2)
    if stream.tell() > LARGEST_OLE2:
        raise _too_large(f"an .xls of {stream.tell() >> 20} MB")
    stream.seek(0)
    try:
        with olefile.OleFileIO(stream) as container:
            if container.exists("EncryptedPackage"):
                raise encrypted()
            name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
            if name is None:
                raise Unreadable(
                    "workbook.kind_unknown", "the file holds no workbook", expected=".xlsx, .xls, .ods or .csv"
                )
            records = container.openstream(name).read()
            macros = container.exists("_VBA_PROJECT_CUR")
    except (OSError, ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        stream.seek(0)
        if "EncryptedPackage".encode("utf-16-le") in stream.read(_PIECE):
            raise encrypted() from None
        raise damaged(error) from None
    return Measure("xls", _xls_cells(records), macros)


def _xls_cells(records: bytes) -> int:
    """The largest rectangle of values among the sheets."""
    most = rows = columns = at = 0
    while at + 4 <= len(records):
        kind, size = struct.unpack_from("<HH", records, at)
        at += 4
        if kind == _FILEPASS:
            raise encrypted()
        if kind == _BOF:
            rows = columns = 0
        elif (kind in _CELLS or kind == _MULRK) and size >= 6 and at + size <= len(records):
            row, column = struct.unpack_from("<HH", records, at)
            last = struct.unpack_from("<H", records, at + size - 2)[0] if kind == _MULRK else column
            rows, columns = max(rows, row + 1), max(columns, last + 1)
            most = max(most, rows * columns)
            if most > MOST_CELLS:
                raise _too_large(f"its values span {rows} rows by {columns} columns")
        at += size
    return most


def _too_large(how: str) -> Unreadable:
    return Unreadable(
        "workbook.too_large",
        f"the workbook is too large to be opened: {how}",
        expected=f"at most {MOST_CELLS} cells and {LARGEST_PART >> 20} MB",
    )
