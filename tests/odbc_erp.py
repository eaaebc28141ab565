"""ERPs behind ODBC, as a channel sees them, for tests of the ODBC source."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.connections import Connection
from connectors.pulls.source import PullingSource
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.statement import Query
from tests.memory_state import MemoryState

SINCE = "SELECT id, at FROM t WHERE at >= :watermark ORDER BY at, id"
KEYED: dict[str, Any] = {"watermark": "at", "key": ["id"]}

#: A channel's query of orders, in a list of them; what else it says goes below.
ORDERS = """\
    - name: purchase_orders
      sql: |
        SELECT order_no, line_no, supplier_id, item_no, plant, quantity, unit, due_on, status, changed_at FROM po
        WHERE changed_at >= :watermark ORDER BY changed_at, order_no, line_no
      watermark: changed_at
      key: [order_no, line_no]
"""


class OdbcChannel:
    """A channel of one query, called q, at a time; ``pull`` is one run of it."""

    def __init__(self, connection: Connection, folder: Path, **options: Any) -> None:
        self.connection = connection
        self.folder = folder
        self.options = options
        self.state = MemoryState()
        self.sources: list[PullingSource[Query]] = []

    def open(
        self, sql: str, *, options: dict[str, Any] | None = None, state: MemoryState | None = None, **query: Any
    ) -> PullingSource[Query]:
        given = {"conn_id": "erp", "queries": [{"name": "q", "sql": sql, **query}], **self.options, **(options or {})}
        source = open_source(
            Options.model_validate(given),
            home=self.folder,
            state=self.state if state is None else state,
            connections=lambda _: self.connection,
        )
        self.sources.append(source)
        return source

    def pull(self, sql: str, **options: Any) -> tuple[dict[str, Any], list[Any]]:
        """The header of the last arrival and the rows of all; keys are left out."""
        header: dict[str, Any] = {}
        rows: list[Any] = []
        with closing(self.open(sql, **options)) as source:
            for arrival in source.arrivals(1000):
                first, *others = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
                if "keys" not in first:
                    header, rows = first, rows + others
                source.settle(arrival)
        return header, rows

    def close(self) -> None:
        for source in self.sources:
            source.close()


class Erp(OdbcChannel):
    """A SQLite file, and the channel's view of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "erp.db"
        self.db = sqlite3.connect(self.file, isolation_level=None)
        super().__init__(Connection(conn_id="erp", type="sqlite", schema=str(self.file)), folder, rows=3)

    def rows(self, sql: str, settle: bool = True, **query: Any) -> list[list[str | None]]:
        """The rows of all arrivals of one run, keys among them."""
        source = self.open(sql, **query)
        found = []
        for arrival in source.arrivals(10):
            header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
            assert int(arrival.metadata["rows"]) == len(rows)
            assert len(header["columns"]) == len(header["types"])
            found += rows
            if settle:
                source.settle(arrival)
        return found

    def close(self) -> None:
        super().close()
        self.db.close()
