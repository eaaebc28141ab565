"""Workbooks and delimited text as sheets: rows of cells with their row numbers, read in batches.

Nothing is believed of a zip archive before it is counted: how large its parts unpack, and how many
cells a sheet's outermost values span, because a reader allocates that whole rectangle at once.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Protocol

from schemas.findings import Finding, Severity, Stage

LARGEST_PART = 512 << 20  #: bytes a part of a workbook may unpack to
LARGEST_TOTAL = 1024 << 20  #: bytes all its parts may unpack to
MOST_CELLS = 10_000_000  #: cells of the rectangle a sheet's values span
_MOST_PARTS = 10_000
_PIECE = 1 << 20

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive rows. ``numbers`` are row numbers from 1; offsets and lengths are bytes, known for text only."""

    numbers: Sequence[int]
    rows: Sequence[Sequence[object]]
    offsets: Sequence[int] | None = None
    lengths: Sequence[int] | None = None


class Sheet(Protocol):
    """A sheet. ``name`` is empty where the file has none; rows begin in column ``first_column``, counted from 0."""

    name: str
    first_column: int

    def batches(self, size: int) -> Iterator[Batch]: ...


class Unreadable(Exception):
    """The bytes cannot be opened as what they claim to be; carries the finding that says why."""

    def __init__(self, code: str, message: str, *, expected: str | None = None, location: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(
            code=code,
            severity=Severity.ERROR,
            stage=Stage.TRANSPORT,
            message=message,
            expected=expected,
            location=location,
        )


class GridSheet:
    """A sheet of an .xlsx workbook."""

    def __init__(self, name: str, grid: object) -> None:
        self.name = name
        self._grid = grid
        start = grid.start  # type: ignore[attr-defined]
        self.first_column: int = start[1] if start else 0

    def batches(self, size: int) -> Iterator[Batch]:
        rows = self._grid.iter_rows()  # type: ignore[attr-defined]
        number = 1
        while batch := list(islice(rows, size)):
            yield Batch(range(number, number + len(batch)), batch)
            number += len(batch)


def open_workbook(stream: BinaryIO) -> Iterator[GridSheet | Finding]:
    """The visible sheets of an .xlsx or .xlsm workbook, in order; each is loaded when its turn comes.

    Raises Unreadable for what is no such workbook, is encrypted, damaged or too large to be one.
    """
    from python_calamine import (
        CalamineError,
        CalamineWorkbook,
        PasswordError,
        SheetTypeEnum,
        SheetVisibleEnum,
        XmlError,
        ZipError,
    )

    _measure(stream)
    stream.seek(0)
    try:
        with CalamineWorkbook.from_filelike(stream) as workbook:
            for index, sheet in enumerate(workbook.sheets_metadata):
                if sheet.typ is not SheetTypeEnum.WorkSheet:
                    continue
                if sheet.visible is not SheetVisibleEnum.Visible:
                    yield Finding(
                        code="workbook.sheet_hidden",
                        severity=Severity.INFO,
                        stage=Stage.STRUCTURE,
                        message=f"sheet {sheet.name} is hidden and was passed over",
                        location=sheet.name,
                    )
                    continue
                yield GridSheet(sheet.name, workbook.get_sheet_by_index(index))
    except PasswordError:
        raise _encrypted() from None
    except (CalamineError, ZipError, XmlError, OSError, ValueError) as error:
        raise _damaged(error) from None
    except BaseException as error:
        # a panic inside the reader's Rust code is no Exception, and its class cannot be imported
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(error) from None


def refuse_ole2(stream: BinaryIO) -> Unreadable:
    """What to say of a file in Microsoft's older container: encrypted, or a workbook of before 2007."""
    stream.seek(0)
    head = stream.read(1 << 20)
    if "EncryptedPackage".encode("utf-16-le") in head:
        return _encrypted()
    return Unreadable(
        "workbook.kind_unknown", "workbooks of before Excel 2007 (.xls) are not read", expected=".xlsx or .csv"
    )


def _damaged(error: BaseException) -> Unreadable:
    return Unreadable("workbook.damaged", f"the workbook is damaged: {error}", expected="a file that Excel opens")


def _encrypted() -> Unreadable:
    return Unreadable(
        "workbook.encrypted", "the workbook is protected by a password", expected="a workbook that opens without one"
    )


def _measure(stream: BinaryIO) -> None:
    """Count what the archive unpacks to. Raises Unreadable when that is too much, or no workbook."""
    try:
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            _check_declared(infos)
            for info in infos:
                _check_part(archive, info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise _damaged(error) from None


def _check_declared(infos: Sequence[zipfile.ZipInfo]) -> None:
    names = {info.filename.replace("\\", "/").lower() for info in infos}
    if "xl/workbook.bin" in names:
        raise Unreadable("workbook.kind_unknown", "binary workbooks (.xlsb) are not read", expected=".xlsx or .csv")
    if "content.xml" in names:
        raise Unreadable(
            "workbook.kind_unknown", "OpenDocument spreadsheets (.ods) are not read", expected=".xlsx or .csv"
        )
    if not any(name.startswith("xl/") for name in names):
        raise Unreadable("workbook.kind_unknown", "the archive holds no workbook", expected=".xlsx or .csv")
    if any(info.flag_bits & 1 for info in infos):
        raise _encrypted()
    total = sum(info.file_size for info in infos)
    largest = max((info.file_size for info in infos), default=0)
    if total > LARGEST_TOTAL or largest > LARGEST_PART or len(infos) > _MOST_PARTS:
        raise _too_large(f"it unpacks to {total >> 20} MB in {len(infos)} parts")


def _check_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Unpack once, keeping nothing: zipfile stops at the declared size and checks it by the CRC.

    Any part may be a sheet, whatever its name, so all are measured as one.
    """
    measure = _Extent()
    with archive.open(info) as part:
        while piece := part.read(_PIECE):
            measure.add(piece)
    measure.finish()
    if measure.cells > MOST_CELLS:
        raise _too_large(f"{info.filename}: its values span {measure.rows} rows by {measure.columns} columns")


#: A cell that is not written as nearly every program writes it, or that lies beyond column Z or row 299,999.
_UNUSUAL = re.compile(rb'[<:]c[\s>/](?!r="[A-Z](?:[0-9]{1,5}|[12][0-9]{5})")')
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
        if self._exact or _UNUSUAL.search(text):
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


def _index(letters: bytes) -> int:
    index = 0
    for letter in letters.upper():
        index = index * 26 + letter - 64
    return index


def _too_large(how: str) -> Unreadable:
    return Unreadable(
        "workbook.too_large",
        f"the workbook is too large to be opened: {how}",
        expected=f"at most {MOST_CELLS} cells and {LARGEST_PART >> 20} MB",
    )
