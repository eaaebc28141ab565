"""An ERP in SQLite and a channel's view of it, for tests of the ODBC source."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from connectors.connections import Connection
from connectors.pulls.source import PullingSource
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.statement import Query

SINCE = "SELECT id, at FROM t WHERE at >= :watermark ORDER BY at, id"
KEYED: dict[str, Any] = {"watermark": "at", "key": ["id"]}


class Memory(dict[str, str]):
    def set(self, key: str, value: str) -> None:
        self[key] = value


class Erp:
    """A SQLite file, and the channel's view of it; ``pull`` is one run of the channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "erp.db"
        self.db = sqlite3.connect(self.file, isolation_level=None)
        self.state = Memory()
        self.sources: list[PullingSource[Query]] = []

    def open(self, sql: str, state: Memory | None = None, **query: Any) -> PullingSource[Query]:
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": sql, **query}], "rows": 3})
        connection = Connection(conn_id="erp", type="sqlite", schema=str(self.file))
        state = self.state if state is None else state
        source = open_source(options, home=self.folder, state=state, connections=lambda _: connection)
        self.sources.append(source)
        return source

    def pull(self, sql: str, settle: bool = True, **query: Any) -> list[list[str | None]]:
        """The rows of the arrival, if there is one."""
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
        for source in self.sources:
            source.close()
        self.db.close()
