"""Many rows in few statements.

SQLite's driver lets go of the interpreter for each step of a statement, and a row of an executemany
is a step. While another thread translates, coming back takes up to five milliseconds: so that a
thousand rows are one statement, and one step, here.

Rows that come as a table of columns are not even made: the statement takes each column as one value, and
cuts its rows out of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mappings.remembered import is_constant

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


def insert_table(connection: Connection, table: sa.Table, rows: pl.DataFrame) -> None:
    """Into SQLite, columns of text and of whole numbers, none of them null."""
    if rows.is_empty():
        return
    parameters: dict[str, Any] = {"_rows": rows.height}
    cells = [_cell(f"c{number}", column, parameters) for number, column in enumerate(rows.iter_columns())]
    connection.exec_driver_sql(
        "WITH RECURSIVE numbered (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbered WHERE n + 1 < :_rows) "  # noqa: S608 - names of ours
        f"INSERT INTO {table.name} ({', '.join(rows.columns)}) SELECT {', '.join(cells)} FROM numbered",
        parameters,
    )


def _cell(name: str, column: pl.Series, parameters: dict[str, Any]) -> str:
    """SQL for the column's value in row ``n``; what it needs is put into ``parameters`` under names that begin so."""
    if column.null_count():
        raise ValueError(f"column {column.name} holds nulls")
    if is_constant(column):
        parameters[name] = column[0]
        return f":{name}"
    if column.dtype != pl.String:
        if column[-1] - column[0] == len(column) - 1 and (column.diff().drop_nulls() == 1).all():
            parameters[name] = column[0]
            return f"(:{name} + n)"
        return f"CAST({_cut(name, column.cast(pl.String), parameters)} AS INTEGER)"
    return _cut(name, column, parameters)


def _cut(name: str, texts: pl.Series, parameters: dict[str, Any]) -> str:
    """SQL that cuts row ``n`` out of all texts in one, by where it begins and how many bytes it has."""
    sizes = texts.str.len_bytes()
    parameters[name] = _blob(texts)
    if sizes.min() == sizes.max():
        parameters[f"{name}w"] = sizes.first()
        return f"CAST(substr(:{name}, n * :{name}w + 1, :{name}w) AS TEXT)"
    begin = _number(f"{name}b", sizes.cum_sum() - sizes + 1, parameters)
    return f"CAST(substr(:{name}, {begin}, {_number(f'{name}s', sizes, parameters)}) AS TEXT)"


def _number(name: str, numbers: pl.Series, parameters: dict[str, Any]) -> str:
    digits = numbers.cast(pl.String)
    width: int = digits.str.len_bytes().max()  # type: ignore[assignment]
    parameters |= {name: _blob(digits.str.zfill(width)), f"{name}w": width}
    return f"CAST(substr(:{name}, n * :{name}w + 1, :{name}w) AS INTEGER)"


def _blob(texts: pl.Series) -> bytes:
    joined: bytes = texts.str.join("").cast(pl.Binary).item()
    return joined


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
