"""The same notes for sheets of an .xls (MS-XLS) and an .xlsb (MS-XLSB): errors, hidden rows, zeroes in front.

Both are walked record by record. Whatever cannot be followed is left out: whoever reads the values says what is wrong.
"""

from __future__ import annotations

import posixpath
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from lxml import etree

from connectors.formats.workbook.cells import ERROR, Fault
from connectors.formats.workbook.notes import MOST_NOTES, Notes, padded_digits

#: MS-XLS 2.5.10, MS-XLSB 2.5.97.2
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_LARGEST = 256 << 20  #: bytes of a part


@dataclass(slots=True)
class _Found:
    """What is noted of one sheet while it is walked through."""

    faults: dict[int, dict[int, Fault]] = field(default_factory=dict)
    padded: dict[int, dict[int, int]] = field(default_factory=dict)
    hidden: list[int] = field(default_factory=list)
    noted: int = 0

    def error(self, row: int, column: int, code: int) -> None:
        if self.noted < MOST_NOTES:
            self.noted += 1
            self.faults.setdefault(row + 1, {})[column] = Fault(_ERRORS.get(code, "#ERROR"), ERROR)

    def digits(self, row: int, column: int, digits: int) -> None:
        if self.noted < MOST_NOTES:
            self.noted += 1
            self.padded.setdefault(row + 1, {})[column] = digits

    def notes(self) -> Notes:
        return Notes(self.faults, self.padded, tuple(self.hidden))


# -- .xls ---------------------------------------------------------------------------------------------

_BOUNDSHEET, _FORMAT, _XF, _ROW, _BOOLERR, _FORMULA = 0x85, 0x41E, 0xE0, 0x208, 0x205, 0x06
_NUMBER, _RK, _MULRK, _EOF = 0x203, 0x27E, 0xBD, 0x0A


def notes_of_xls(stream: BinaryIO) -> Mapping[str, Notes]:
    """By name of the sheet."""
    import olefile  # type: ignore[import-untyped]

    position = stream.tell()
    try:
        stream.seek(0)
        with olefile.OleFileIO(stream) as container:
            name = next(name for name in ("Workbook", "Book") if container.exists(name))
            records = container.openstream(name).read()
        return dict(_sheets_of_xls(records))
    except (OSError, ValueError, IndexError, KeyError, TypeError, StopIteration, struct.error):
        return {}
    finally:
        stream.seek(position)


def _records(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Kind and body of the records from ``at`` to the end of their substream."""
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if kind == _EOF:
            return
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def _sheets_of_xls(data: bytes) -> Iterator[tuple[str, Notes]]:
    places: list[tuple[str, int]] = []
    formats: dict[int, int] = {}
    styles: list[int] = []
    for kind, body in _records(data, 0):
        if kind == _BOUNDSHEET:
            places.append((_short_text(body[6:]), struct.unpack_from("<I", body)[0]))
        elif kind == _FORMAT and len(body) > 5:
            count, wide = struct.unpack_from("<HB", body, 2)
            formats[struct.unpack_from("<H", body)[0]] = padded_digits(_text(body[5:], count, wide))
        elif kind == _XF:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    padded = {index: digits for index, format in enumerate(styles) if (digits := formats.get(format, 0))}
    for name, at in places:
        yield name, _xls_sheet(data, at, padded)


def _xls_sheet(data: bytes, at: int, padded: Mapping[int, int]) -> Notes:
    found = _Found()
    for kind, body in _records(data, at):
        if kind == _ROW and len(body) >= 16:
            row, flags = struct.unpack_from("<H", body)[0], struct.unpack_from("<H", body, 12)[0]
            if flags & 0x20:
                found.hidden.append(row + 1)
            continue
        if kind not in (_BOOLERR, _FORMULA, _NUMBER, _RK, _MULRK) or len(body) < 8:
            continue
        row, column, style = struct.unpack_from("<HHH", body)
        if kind == _BOOLERR and body[7]:
            found.error(row, column, body[6])
        elif kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 2:
            found.error(row, column, body[8])
        elif kind == _MULRK and padded:
            for index in range((len(body) - 6) // 6):
                if digits := padded.get(struct.unpack_from("<H", body, 4 + 6 * index)[0]):
                    found.digits(row, column + index, digits)
        elif kind != _BOOLERR and (digits := padded.get(style)):
            found.digits(row, column, digits)
    return found.notes()


def _short_text(body: bytes) -> str:
    return _text(body[2:], body[0], body[1])


def _text(body: bytes, count: int, flags: int) -> str:
    return body[: 2 * count].decode("utf-16-le") if flags & 1 else body[:count].decode("latin-1")


# -- .xlsb --------------------------------------------------------------------------------------------

#: Numbers of records (MS-XLSB 2.3.2): BrtRowHdr, BrtCellError, BrtFmlaError, BrtBundleSh; those of cells with numbers
#: (BrtCellRk, BrtCellReal, BrtFmlaNum); of the style sheet BrtFmt, BrtXF, BrtBeginCellXFs, BrtEndCellXFs.
_ROW_HEADER, _CELL_ERROR, _FORMULA_ERROR, _BUNDLE_SHEET = 0, 3, 11, 156
_CELL_NUMBERS = (2, 5, 9)
_NUMBER_FORMAT, _STYLE, _BEGIN_CELL_STYLES, _END_CELL_STYLES = 44, 47, 617, 618
_STYLES = "xl/styles.bin"


def notes_of_xlsb(stream: BinaryIO) -> Mapping[str, Notes]:
    """By name of the sheet."""
    position = stream.tell()
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            padded = _xlsb_styles(archive.read(_STYLES)) if _STYLES in archive.namelist() else {}
            parts = ((name, part) for name, part in _parts_of_xlsb(archive) if _is_small(archive, part))
            return {name: _xlsb_sheet(archive.read(part), padded) for name, part in parts}
    except (OSError, ValueError, IndexError, KeyError, struct.error, zipfile.BadZipFile, etree.XMLSyntaxError):
        return {}
    finally:
        stream.seek(position)


def _is_small(archive: zipfile.ZipFile, part: str) -> bool:
    return archive.getinfo(part).file_size <= _LARGEST


def _parts_of_xlsb(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    relations = etree.fromstring(archive.read("xl/_rels/workbook.bin.rels"), parser)
    targets = {str(one.get("Id")): str(one.get("Target") or "") for one in relations}
    for kind, body in _binary_records(archive.read("xl/workbook.bin")):
        if kind == _BUNDLE_SHEET:
            relation, rest = _wide(body[8:])
            name, _ = _wide(rest)
            target = targets.get(relation, "")
            yield name, target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")


def _wide(body: bytes) -> tuple[str, bytes]:
    count = struct.unpack_from("<I", body)[0]
    return body[4 : 4 + 2 * count].decode("utf-16-le"), body[4 + 2 * count :]


def _binary_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body (MS-XLSB 2.1.4): numbers of seven bits a byte, the lowest first."""
    at = 0
    while at < len(data):
        kind, at = _number(data, at, 2)
        size, at = _number(data, at, 4)
        yield kind, data[at : at + size]
        at += size


def _number(data: bytes, at: int, most: int) -> tuple[int, int]:
    number = 0
    for place in range(most):
        byte = data[at + place]
        number |= (byte if most == 2 and place else byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return number, at + place + 1
    return number, at + most


def _xlsb_styles(data: bytes) -> Mapping[int, int]:
    """Number of a cell style -> digits that it shows at least, of those that show zeroes in front."""
    formats: dict[int, int] = {}
    styles: list[int] = []
    of_cells = False
    for kind, body in _binary_records(data):
        if kind == _NUMBER_FORMAT:
            formats[struct.unpack_from("<H", body)[0]] = padded_digits(_wide(body[2:])[0])
        elif kind in (_BEGIN_CELL_STYLES, _END_CELL_STYLES):
            of_cells = kind == _BEGIN_CELL_STYLES
        elif kind == _STYLE and of_cells:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    return {index: digits for index, format in enumerate(styles) if (digits := formats.get(format, 0))}


def _xlsb_sheet(data: bytes, padded: Mapping[int, int]) -> Notes:
    found, row = _Found(), 0
    for kind, body in _binary_records(data):
        if kind == _ROW_HEADER and len(body) >= 4:
            row = struct.unpack_from("<I", body)[0]
            if len(body) > 11 and body[11] & 0x10:
                found.hidden.append(row + 1)
        elif kind in (_CELL_ERROR, _FORMULA_ERROR) and len(body) >= 9:
            found.error(row, struct.unpack_from("<I", body)[0], body[8])
        elif padded and kind in _CELL_NUMBERS and len(body) >= 8:
            column, style = struct.unpack_from("<II", body)
            if digits := padded.get(style & 0xFFFFFF):
                found.digits(row, column, digits)
    return found.notes()
