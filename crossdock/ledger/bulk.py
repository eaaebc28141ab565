"""Many rows in few statements.

SQLite's driver lets go of the interpreter for each step of a statement, and a row of an executemany
is a step. While another thread translates, coming back takes up to five milliseconds: so that a
thousand rows are one statement, and one step, here. So it is with every call into polars.

Rows that come as a table of columns are not even made: the statement takes each column as one value, and
cuts its rows out of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

_PARAMETERS = 32_766  #: that one statement of SQLite takes
_WIDEST = 10  #: digits of a place within all the texts of a column
#: In the ``info`` of a connection to SQLite: how many ``numbers`` it holds. To be forgotten when it is rolled back.
NUMBERS = "crossdock_numbers"

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


def insert_table(connection: Connection, table: sa.Table, rows: pl.DataFrame, columns: Sequence[str] = ()) -> None:
    """Into SQLite, these columns (none named: all) of text and of whole numbers, none of them null.

    What is to be known of the columns is asked in one question, and what is taken from them in another.
    """
    if rows.is_empty():
        return
    names = columns or rows.columns
    facts = rows.select_seq(_all_facts(tuple((name, rows.schema[name]) for name in names))).row(0, named=True)
    cells = {name: _cell(f"c{number}", name, facts) for number, name in enumerate(names)}
    taken = rows.select_seq(part for cell in cells.values() for part in (*cell.firsts, *cell.wholes))
    wholes = {part.meta.output_name() for cell in cells.values() for part in cell.wholes}
    given = {column.name: in_bytes(column) if column.name in wholes else column.item() for column in taken}
    _count_to(connection, rows.height)
    chosen = ", ".join(cell.sql for cell in cells.values())
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(cells)}) SELECT {chosen} FROM temp.numbers WHERE n < :_rows",  # noqa: S608 - names of ours
        {"_rows": rows.height, **given},
    )


def in_bytes(text: pl.Series) -> bytes:
    """The only text of a column as UTF-8. A cast among the expressions that made it would copy it twice more."""
    made: bytes = text.cast(pl.Binary).item()
    return made


def _count_to(connection: Connection, rows: int) -> None:
    """See to it that the connection's own table ``numbers`` holds 0, 1, 2 and so on for so many rows.

    To read them costs a fifth of what it takes to count anew.
    """
    there = connection.info.get(NUMBERS, 0)
    if there < rows:
        connection.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "WITH RECURSIVE counted (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < ?) "
            "INSERT OR IGNORE INTO temp.numbers SELECT n FROM counted",
            (there, rows),
        )
        connection.info[NUMBERS] = rows


@dataclass(frozen=True, slots=True)
class _Cell:
    """A column's value in row ``n`` as SQL, and what that takes from the column."""

    sql: str
    firsts: Sequence[pl.Expr] = ()  #: single values
    wholes: Sequence[pl.Expr] = ()  #: the texts of all rows as one, which SQLite takes as bytes


@cache
def _all_facts(schema: tuple[tuple[str, pl.DataType], ...]) -> list[pl.Expr]:
    """To make the expressions anew for each piece of a table would take longer than to work them out."""
    return [fact for name, type_ in schema for fact in _facts(type_, name)]


def _facts(type_: pl.DataType, name: str) -> Iterator[pl.Expr]:
    column = pl.col(name)
    yield column.null_count().alias(f"{name} nulls")
    yield (column == column.first()).all().alias(f"{name} same")
    is_text = type_ == pl.String
    yield pl.lit(is_text).alias(f"{name} text")
    sizes = column.str.len_bytes() if is_text else column
    yield sizes.min().alias(f"{name} least")
    yield sizes.max().alias(f"{name} most")
    rising = column.first() <= column.last()  # or the difference could have overflowed
    counted = rising & (column.last() - column.first() == pl.len() - 1) & (column.diff() == 1).all()
    yield (pl.lit(False) if is_text else counted).alias(f"{name} counted")


def _cell(key: str, name: str, facts: Mapping[str, Any]) -> _Cell:
    """What it takes is named ``key`` and something."""
    if facts[f"{name} nulls"]:
        raise ValueError(f"column {name} holds nulls")
    column = pl.col(name)
    if facts[f"{name} same"]:
        return _Cell(f":{key}", firsts=[column.first().alias(key)])
    if facts[f"{name} counted"]:
        return _Cell(f"(:{key} + n)", firsts=[column.first().alias(key)])
    least, most = facts[f"{name} least"], facts[f"{name} most"]
    if not facts[f"{name} text"]:
        width = max(len(str(least)), len(str(most)))
        return _Cell(f"CAST(substr(:{key}, n * {width} + 1, {width}) AS INTEGER)", wholes=[_digits(column, width, key)])
    whole = column.str.join("").alias(key)
    if least == most:
        return _Cell(f"CAST(substr(:{key}, n * {most} + 1, {most}) AS TEXT)", wholes=[whole])
    sizes = column.str.len_bytes().cast(pl.Int64)
    begin, size = f"{key}b", f"{key}s"
    wide, narrow = _WIDEST, len(str(most))
    return _Cell(
        f"CAST(substr(:{key}, CAST(substr(:{begin}, n * {wide} + 1, {wide}) AS INTEGER),"
        f" CAST(substr(:{size}, n * {narrow} + 1, {narrow}) AS INTEGER)) AS TEXT)",
        wholes=[whole, _digits(sizes.cum_sum() - sizes + 1, wide, begin), _digits(sizes, narrow, size)],
    )


def _digits(numbers: pl.Expr, width: int, name: str) -> pl.Expr:
    return numbers.cast(pl.String).str.zfill(width).str.join("").alias(name)


def rows(connection: Connection, query: sa.Select[Any], read: Callable[[str], list[Any]]) -> Sequence[Any]:
    """The rows of a query, in any order; of SQLite as one value, of whose JSON ``read`` makes them."""
    if connection.dialect.name != "sqlite":
        return connection.execute(query).all()
    found = query.subquery()
    together = sa.select(sa.func.json_group_array(sa.func.json_array(*found.c)))
    return read(connection.scalar(together) or "[]")


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
