"""A source's small memory between runs."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from crossdock.ledger.database import Database
from crossdock.ledger.tables import states
from crossdock.ledger.text import storable


class LedgerState:
    """A ``connectors.base.State`` kept in the ledger; each ``set`` is durable when it returns."""

    def __init__(self, database: Database, scope: str) -> None:
        self._database = database
        self._scope = scope

    def get(self, key: str) -> str | None:
        with self._database.read() as connection:
            return connection.scalar(
                sa.select(states.c.value).where(states.c.scope == self._scope, states.c.key == storable(key))
            )

    def set(self, key: str, value: str) -> None:
        insert = postgresql.insert if self._database.is_postgres else sqlite.insert
        row = {"value": storable(value), "changed_at": datetime.now(UTC)}
        statement = insert(states).values(scope=self._scope, key=storable(key), **row)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["scope", "key"], set_=row))
