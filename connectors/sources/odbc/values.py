"""A database's values as text, every digit kept, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from struct import pack
from types import NoneType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

#: What pyodbc calls a column's type, in a word for the payload's header.
TYPE_NAMES: dict[type, str] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    Decimal: "decimal",
    float: "float",
    datetime: "timestamp",
    date: "date",
    time: "time",
    bytes: "binary",
    bytearray: "binary",
    UUID: "uuid",
}

SINGLE = 7  #: decimal digits of a float of 32 bits, by which ODBC tells it from one of 64

Column = Sequence[Any]
Texts = list[str | None]


def texts(column: Column, kind: type, zone: ZoneInfo | None, size: int | None = None) -> Texts:
    """A column's values as text: NULL stays None, CHAR padding goes, a Decimal is written plainly,
    moments are ISO 8601 and get ``zone`` where they carry none. ``size``: digits, as the driver says."""
    if kind is float and size == SINGLE:
        return [None if value is None else plain(_single(value)) for value in column]
    write = _WRITERS.get(kind)
    types = set(map(type, column))
    if write is None or not types <= {kind, NoneType}:
        return [None if value is None else _any(value, zone) for value in column]
    if kind is datetime and zone is not None:
        return [None if value is None else _moment(value, zone) for value in column]
    return write(column, NoneType in types)


def _single(number: float) -> float:
    """The shortest number that is this one in single precision: 0.1, not 0.10000000149011612."""
    if not isfinite(number):
        return number
    try:
        packed = pack("f", number)
    except OverflowError:
        return number
    return next(
        (near for near in (float(f"{number:.{n}g}") for n in range(6, 10)) if pack("f", near) == packed), number
    )


def plain(number: float) -> str:
    """The shortest decimal number that means this float, without an exponent."""
    text = repr(number)
    if text.endswith(".0"):
        return text[:-2]
    return format(Decimal(text), "f") if "e" in text else text


def _any(value: object, zone: ZoneInfo | None) -> str:
    match value:
        case str():
            return value.rstrip(" ")
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case float():
            return plain(value)
        case datetime():
            return _moment(value, zone) if zone else value.isoformat()
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex()
        case _:
            return str(value)


def _moment(value: datetime, zone: ZoneInfo | None) -> str:
    return (value if value.tzinfo else value.replace(tzinfo=zone)).isoformat()


def _without_padding(column: Column, nulls: bool) -> Texts:
    """ODBC does not tell CHAR from VARCHAR in a result, so blanks at the end go from either."""
    if nulls:
        return [value and value.rstrip(" ") for value in column]
    joined = "\0".join(column)
    # one look at the whole column spares most columns the look at each value
    return [value.rstrip(" ") for value in column] if " \0" in joined or joined.endswith(" ") else list(column)


def _plain_decimals(column: Column, nulls: bool) -> Texts:
    written: Texts = [None if value is None else str(value) for value in column] if nulls else [*map(str, column)]
    if "E" not in "".join(filter(None, written)):
        return written
    return [None if value is None else format(value, "f") for value in column]


def _each(write: Callable[[Any], str]) -> _Writer:
    """``write`` for each value but NULL."""

    def written(column: Column, nulls: bool) -> Texts:
        return [None if value is None else write(value) for value in column] if nulls else list(map(write, column))

    return written


_Writer = Callable[[Column, bool], Texts]  # a column, and whether a NULL is in it
_WRITERS: dict[type, _Writer] = {
    str: _without_padding,
    bool: _each(lambda value: "true" if value else "false"),
    int: _each(str),
    Decimal: _plain_decimals,
    float: _each(plain),
    datetime: _each(datetime.isoformat),
    date: _each(date.isoformat),
    time: _each(time.isoformat),
}
