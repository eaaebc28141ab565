"""Master tables for tests, put in force without a channel."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from crossdock.dock import Dock
from schemas.master import MASTER_TABLES


def in_force(dock: Dock, table: str, *rows: Mapping[str, str]) -> None:
    """These rows are the master table from now on; a column that a row does not name is empty."""
    columns = MASTER_TABLES[table]
    frame = pl.DataFrame(
        [{name: row.get(name, "") for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
    )
    dock.ledger.load_master(table, frame, source="test", actor="test")
