"""Cells as text: what a spreadsheet program shows, without its rounding noise and its locale.

Numbers are exact as far as the file is (a spreadsheet keeps 15 significant digits), dates ISO 8601,
text untouched but for blanks around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

import polars as pl

ERROR, UNCALCULATED = "error", "uncalculated"  #: kinds of faults

_SPLIT = re.compile(r"[^0-9.,'\u2019 \u00a0\u202f]")


class Fault(str):
    """A cell without a value, as text for people: ``#N/A``, or a formula that was never calculated."""

    kind: str

    def __new__(cls, text: str, kind: str) -> Fault:
        self = super().__new__(cls, text)
        self.kind = kind
        return self


def column_letter(index: int) -> str:
    """``A`` for 0, ``Z`` for 25, ``AA`` for 26."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@lru_cache(maxsize=1 << 15)
def plain(text: str) -> str:
    """A header or label as it is compared: no case, blanks or punctuation; by itself if nothing is left."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded.strip()


def text_of(cell: object, mark: str = ".") -> str:
    """One cell as text; a number gets ``mark`` for its decimal mark. Empty for an empty cell."""
    match cell:
        case Fault():
            return ""
        case str():
            return cell.strip()
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return _number(cell).replace(".", mark)
        case int():
            return str(cell)
        case datetime():
            moment = _to_the_second(cell)
            return moment.date().isoformat() if moment.time() == time() else moment.isoformat()
        case date() | time():
            return cell.isoformat()
        case timedelta():
            seconds = round(cell.total_seconds())
            return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        case None:
            return ""
        case _:
            return str(cell).strip()


def column(name: str, cells: Sequence[object], mark: str = ".") -> pl.Series:
    """A column of cells as text, empty ones null: whole columns of text or of numbers go the fast way."""
    kinds = set(map(type, cells))
    if kinds <= {str}:
        text = pl.Series(name, cells, pl.String).str.strip_chars()
        if text.str.contains("[\x1c-\x1f]").any():  # separators of old, which are blanks to Python alone
            text = pl.Series(name, [text_of(cell, mark) for cell in cells], pl.String)
    elif kinds <= {float, str, type(None)} and all(not cell for cell in cells if type(cell) is not float):
        text = _numbers(pl.Series(name, [cell if type(cell) is float else None for cell in cells], pl.Float64), mark)
    elif kinds == {date}:
        text = pl.Series(name, cells, pl.Date).cast(pl.String)
    else:
        text = pl.Series(name, [text_of(cell, mark) for cell in cells], pl.String)
    return text.set(text == "", None) if text.dtype == pl.String and (text == "").any() else text


def _numbers(numbers: pl.Series, mark: str) -> pl.Series:
    whole = (numbers == numbers.round(0)) & (numbers.abs() < 1e15)
    if whole.all():
        return numbers.cast(pl.Int64).cast(pl.String)
    # the shortest text that is this very number is what a spreadsheet shows, if it has 15 digits at most
    text = numbers.cast(pl.String)
    plain = (text.str.len_bytes() <= 16) & text.str.contains(r"^-?[0-9]+\.[0-9]+$")
    text = text.str.strip_suffix(".0").replace("-0", "0")
    if not plain.all():
        slow = (~plain).fill_null(False).arg_true()
        text = text.scatter(slow, [_number(numbers[index]) for index in slow])
    return text if mark == "." else text.str.replace(".", mark, literal=True)


def _number(number: float) -> str:
    """The decimal number a spreadsheet holds: the 15 significant digits it shows at most, no exponent."""
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    digits = f"{number:.15g}"
    return format(Decimal(digits), "f") if "e" in digits else digits


def _to_the_second(moment: datetime) -> datetime:
    """Serial numbers of days hold seconds with a small error; show the second that was meant."""
    if moment.microsecond >= 999_500:
        return moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.replace(microsecond=0) if moment.microsecond < 500 else moment


_FIRST, _END = date(2000, 1, 1), date(2100, 1, 1)


def dated(serial: float, since: date) -> datetime | float:
    """The moment that a number in a column of dates is, counted from ``since``; itself where that is no near year."""
    if not (_FIRST - since).days <= serial < (_END - since).days:
        return serial
    return datetime.combine(since, time()) + timedelta(days=serial)


def decimal_mark(texts: Sequence[str]) -> tuple[set[str], list[str]]:
    """Which decimal marks the numbers in ``texts`` prove, and those that could be read in two ways.

    ``1.234,50`` and ``0,5`` prove a comma, ``1,234.50`` a point; ``1,234`` proves nothing.
    """
    marks: set[str] = set()
    unclear: list[str] = []
    for text in texts:
        body = text.strip().lstrip("+-").rstrip("+-").strip()
        if not body or _SPLIT.search(body) or (not body[0].isdigit() and body[0] not in ".,"):
            continue
        point, comma = body.count("."), body.count(",")
        if point and comma:
            marks.add(max(".,", key=body.rfind))
        elif point > 1 or comma > 1:
            marks.add("," if point > 1 else ".")
        elif point or comma:
            mark = "." if point else ","
            before, _, after = body.partition(mark)
            if len(after) == 3 and before.strip("0") and len(before) <= 3:
                unclear.append(text)
            else:
                marks.add(mark)
    return marks, unclear
