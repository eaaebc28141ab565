"""A database's values as text, every digit kept, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
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

Column = Sequence[Any]
Texts = list[str | None]


def texts(column: Column, kind: type, zone: ZoneInfo | None) -> Texts:
    """A column's values as text: NULL stays None, CHAR padding goes, a Decimal is written plainly,
    moments are ISO 8601 and get ``zone`` where they carry none."""
    write = _WRITERS.get(kind)
    if write is None or not set(map(type, column)) <= {kind, type(None)}:
        return [None if value is None else _any(value, zone) for value in column]
    if kind is datetime and zone is not None:
        return [None if value is None else _moment(value, zone) for value in column]
    return write(column)


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


def _without_padding(column: Column) -> Texts:
    """ODBC does not tell CHAR from VARCHAR in a result, so blanks at the end go from either."""
    try:
        joined = "\0".join(column)
    except TypeError:  # a NULL among them
        return [value and value.rstrip(" ") for value in column]
    # one look at the whole column spares most columns the look at each value
    return [value.rstrip(" ") for value in column] if " \0" in joined or joined.endswith(" ") else list(column)


_WRITERS: dict[type, Callable[[Column], Texts]] = {
    str: _without_padding,
    bool: lambda column: [None if value is None else "true" if value else "false" for value in column],
    int: lambda column: [None if value is None else str(value) for value in column],
    Decimal: lambda column: [None if value is None else format(value, "f") for value in column],
    float: lambda column: [None if value is None else plain(value) for value in column],
    datetime: lambda column: [None if value is None else value.isoformat() for value in column],
    date: lambda column: [None if value is None else value.isoformat() for value in column],
    time: lambda column: [None if value is None else value.isoformat() for value in column],
}
