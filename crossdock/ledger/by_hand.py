"""Rows that people add to master tables, beside those that an ERP sends.

A load replaces a table as a whole; what somebody has added by hand stays, with who did it and why. Both together
are what is in force, the added rows last: among rows that hold on the same day, the one that begins later
counts, and of two that begin on the same day the later row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
from sqlalchemy.engine import Connection

from crossdock.ledger import audit, master
from crossdock.ledger.columns import iso
from crossdock.ledger.master import columns_of, name_of
from schemas.master import MASTER_EXTRAS, MASTER_TABLES

BY_HAND = "by hand"  #: the source of such rows


def together(stored: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The master tables, each with what was added to it."""
    whole = {}
    for table, columns in MASTER_TABLES.items():
        rows = stored[table]
        added = stored.get(name_of(table))
        if added is None:
            whole[table] = rows
            continue
        said = added.select(*columns, owner=pl.col("author"), source=pl.lit(BY_HAND))
        told = [name for name in MASTER_EXTRAS[table] if name in rows.columns or name in said.columns]
        whole[table] = pl.concat([rows, said], how="diagonal").select(*columns, pl.col(told).fill_null(""))
    return whole


def rows(connection: Connection, table: str) -> pl.DataFrame:
    """What was added to ``table``, oldest first."""
    name = name_of(table)
    schema = dict.fromkeys(columns_of(name), pl.String)
    return master.stored(connection).get(name, pl.DataFrame(schema=schema))


def add(connection: Connection, table: str, row: Mapping[str, str], *, author: str, reason: str) -> int:
    """Add one row, as a new version of what was added to the table; the version.

    A row of the same key that begins on the same day gives way to it.
    """
    noted = {"author": author, "reason": reason, "added_at": iso(datetime.now(UTC))}
    columns = columns_of(name_of(table))
    new = {column: (dict(row) | noted).get(column, "") for column in columns}
    there = rows(connection, table).filter(~_same(table, new))
    after = pl.concat([there, pl.DataFrame([new], schema=dict.fromkeys(columns, pl.String))])
    version = master.load(connection, name_of(table), after, source=reason or "by hand", actor=author)
    audit.note(connection, "master.added", f"master {table}", reason=reason, detail=dict(row) | {"version": version})
    return version


def withdraw(connection: Connection, table: str, row: Mapping[str, str], *, author: str, reason: str) -> int:
    """Take the row of that key and start away again; how many there were."""
    columns = columns_of(name_of(table))
    there = rows(connection, table)
    left = there.filter(~_same(table, {column: row.get(column, "") for column in columns}))
    gone = there.height - left.height
    if gone:
        version = master.load(connection, name_of(table), left, source=reason or "by hand", actor=author)
        detail = dict(row) | {"version": version}
        audit.note(connection, "master.withdrawn", f"master {table}", reason=reason, detail=detail)
    return gone


_KEYS = {
    "cross_references": ("partner", "kind", "theirs", "valid_from"),
    "units": ("item", "from_unit", "to_unit", "valid_from"),
}


def _same(table: str, row: Mapping[str, str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(column) == row[column] for column in _KEYS[table])
