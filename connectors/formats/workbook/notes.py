"""What stands in a sheet of an .xlsx beside its values: errors, formulas never calculated, zeroes in front.

The reader gives an error as nothing and a number without its format, so that ``0004711`` shown by
the format ``0000000`` would be 4711. All this is rare; ``bounds`` says, while it counts, which parts
have any of it, and only those are looked through.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from lxml import etree

from connectors.formats.workbook.cells import ERROR, UNCALCULATED, Fault

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_RELATION = re.compile(r"^\{[^}]*relationships\}id$")
#: Number formats that show zeroes in front: ``0000000``, also ``000-000``, ``00\.000`` and ``0000000;@``. A point that
#: nothing stands before is the decimal one: ``0.000`` shows none.
_PADDED = re.compile(r'^0(?:[0\-" /]|\\[^0])*0$')
MOST_NOTES = 200_000  #: cells of a sheet that anything is noted of
_LARGEST_STYLES = 64 << 20


@dataclass(frozen=True, slots=True)
class Notes:
    """By row number, from 1, and column, from 0."""

    faults: Mapping[int, Mapping[int, Fault]] = field(default_factory=dict)
    padded: Mapping[int, Mapping[int, int]] = field(default_factory=dict)  #: digits that a number is shown with
    hidden_rows: Sequence[int] = ()

    def onto(self, rows: list[list[object]], numbers: Sequence[int], first_column: int) -> Sequence[Sequence[object]]:
        """The rows with what is noted in the place of what the reader gave."""
        if not (self.faults or self.padded):
            return rows
        for number, row in zip(numbers, rows, strict=True):
            for column, fault in self.faults.get(number, {}).items():
                _put(row, column - first_column, fault)
            for column, digits in self.padded.get(number, {}).items():
                place = column - first_column
                value = row[place] if 0 <= place < len(row) else None
                whole = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
                if whole >= 0 and whole.is_integer():
                    row[place] = f"{int(whole):0{digits}d}"
        return rows


def _put(row: list[object], place: int, value: object) -> None:
    if place >= 0:
        row.extend([""] * (place + 1 - len(row)))
        row[place] = value


def notes_of(stream: BinaryIO, sheet: str, remarkable: frozenset[str]) -> Notes:
    """The notes of the sheet of that name; none where its part is not among the ``remarkable`` ones."""
    position = stream.tell()
    try:
        with zipfile.ZipFile(stream) as archive:
            part = _part_of(archive, sheet)
            if part is None or part not in remarkable:
                return Notes()
            with archive.open(part) as file:
                return _read(file, _padded_styles(archive))
    except (KeyError, etree.XMLSyntaxError, zipfile.BadZipFile, ValueError):
        return Notes()  # whoever reads the values says what is the matter
    finally:
        stream.seek(position)


def padded_formats(archive: zipfile.ZipFile) -> bool:
    """Whether any cell style shows zeroes in front."""
    try:
        return bool(_padded_styles(archive))
    except (KeyError, etree.XMLSyntaxError, ValueError):
        return False


def padded_digits(format: str) -> int:
    """How many digits a number format shows at least, where it shows zeroes in front; else 0."""
    code = format.split(";", maxsplit=1)[0]
    return code.count("0") if _PADDED.match(code) else 0


def _parsed(archive: zipfile.ZipFile, name: str) -> etree._Element:
    if archive.getinfo(name).file_size > _LARGEST_STYLES:
        raise ValueError(f"{name} is too large to be looked at")
    return etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    book = _parsed(archive, "xl/workbook.xml")
    targets = {
        str(one.get("Id")): str(one.get("Target") or "") for one in _parsed(archive, "xl/_rels/workbook.xml.rels")
    }
    for element in book.iter(f"{_MAIN}sheet", f"{_STRICT}sheet"):
        if element.get("name") == sheet:
            key = next((str(value) for name, value in element.attrib.items() if _RELATION.match(str(name))), "")
            target = targets.get(key, "")
            return target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    return None


def _padded_styles(archive: zipfile.ZipFile) -> dict[str, int]:
    """Number of a cell style -> digits that it shows at least, of those that show zeroes in front."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    styles = _parsed(archive, "xl/styles.xml")
    digits: dict[object, int] = {}
    for one in styles.iter(f"{_MAIN}numFmt", f"{_STRICT}numFmt"):
        if shown := padded_digits(str(one.get("formatCode") or "")):
            digits[one.get("numFmtId")] = shown
    found: dict[str, int] = {}
    for cells in styles.iter(f"{_MAIN}cellXfs", f"{_STRICT}cellXfs"):
        for index, one in enumerate(cells):
            if one.get("numFmtId") in digits:
                found[str(index)] = digits[one.get("numFmtId")]
    return found


def _read(file: object, padded: Mapping[str, int]) -> Notes:
    faults: dict[int, dict[int, Fault]] = {}
    digits: dict[int, dict[int, int]] = {}
    hidden: list[int] = []
    number = noted = 0
    tags = [f"{space}{name}" for space in (_MAIN, _STRICT) for name in ("row", "c")]
    for event, element in etree.iterparse(
        file, events=("start", "end"), tag=tags, resolve_entities=False, no_network=True
    ):
        if event == "start":
            if element.tag.endswith("}row"):
                number = int(element.get("r") or number + 1)
                column = -1
                if element.get("hidden") in ("1", "true"):
                    hidden.append(number)
            continue
        if element.tag.endswith("}row"):
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            continue
        column = _column(element.get("r"), column)
        fault = _fault(element)
        if fault is not None and noted < MOST_NOTES:
            faults.setdefault(number, {})[column] = fault
            noted += 1
        elif element.get("s") in padded and noted < MOST_NOTES:
            digits.setdefault(number, {})[column] = padded[element.get("s") or ""]
            noted += 1
        element.clear()
    return Notes(faults, digits, tuple(hidden))


def _column(place: str | None, before: int) -> int:
    if not place:
        return before + 1
    index = 0
    for letter in place:
        if not letter.isalpha():
            break
        index = index * 26 + ord(letter.upper()) - 64
    return index - 1


def _fault(cell: etree._Element) -> Fault | None:
    children = {child.tag.rpartition("}")[2]: child.text for child in cell}
    if cell.get("t") == "e":
        return Fault(children.get("v") or "#ERROR", ERROR)
    if "f" in children and not children.get("v") and cell.get("t") != "str":
        return Fault("=" + (children["f"] or "..."), UNCALCULATED)
    return None
