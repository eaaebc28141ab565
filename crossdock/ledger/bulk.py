"""Many rows in few statements.

SQLite's driver lets go of the interpreter for each step of a statement, and a row of an executemany
is a step. While another thread translates, coming back takes up to five milliseconds: so that a
thousand rows are one statement, and one step, here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_PARAMETERS = 32_766  #: that one statement of SQLite takes

Row = Sequence[Any]


def insert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, which all name the same columns."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(table.insert(), rows)
        return
    columns = list(rows[0])
    insert_raw(connection, table, columns, _bound(connection, table, columns, rows))


def insert_raw(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Into SQLite, values as the driver takes them."""
    begin = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of ours
    for values, parameters in _statements(len(columns), rows):
        connection.exec_driver_sql(begin + values, parameters)


def update(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set the other columns that ``rows`` name where the first one, the table's key, is theirs."""
    if not rows:
        return
    key, *columns = rows[0]
    if connection.dialect.name != "sqlite":
        renamed = [{f"_{key}" if name == key else name: value for name, value in row.items()} for row in rows]
        connection.execute(table.update().where(table.c[key] == sa.bindparam(f"_{key}")), renamed)
        return
    changes = ", ".join(f"{name} = given.column{place}" for place, name in enumerate(columns, start=2))
    begin = f"UPDATE {table.name} SET {changes} FROM (VALUES "  # noqa: S608 - names of ours
    for values, parameters in _statements(len(columns) + 1, _bound(connection, table, [key, *columns], rows)):
        connection.exec_driver_sql(f"{begin}{values}) AS given WHERE {table.name}.{key} = given.column1", parameters)


def _bound(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """The rows as tuples of what the driver takes."""
    by_column = []
    for name in columns:
        convert: Callable[[Any], Any] | None = (
            table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        )
        values = [row[name] for row in rows]
        by_column.append(values if convert is None else list(map(convert, values)))
    return list(zip(*by_column, strict=True))


def _statements(width: int, rows: Sequence[Row]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``(?, ?), (?, ?)`` and the parameters; the number of rows is a power of two, so that few statements are new."""
    one = f"({', '.join('?' * width)})"
    at, size = 0, 1 << (_PARAMETERS // width).bit_length() - 1
    while at < len(rows):
        while size > len(rows) - at:
            size >>= 1
        yield ", ".join([one] * size), tuple(chain.from_iterable(rows[at : at + size]))
        at += size
