"""The ledger's door to master data: versions of its tables, what was added by hand, loads that were held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from crossdock.ledger import by_hand, master
from crossdock.ledger.database import Database
from schemas.master import MASTER_TABLES


class Mastering:
    """Of ``Ledger``: each method is one transaction."""

    _database: Database

    def load_master(self, table: str, rows: pl.DataFrame, *, source: str, actor: str) -> int:
        """Put a new version of a master table in force; the old ones are kept. Returns the version.

        A load equal to the version in force makes no new one. Raises ConfigError for an unknown
        table or a missing column.
        """
        with self._database.write() as connection:
            return master.load(connection, table, rows, source=source, actor=actor)

    def note_rejected_master(
        self, table: str, *, source: str, actor: str, reasons: Sequence[str], payload: int | None = None
    ) -> None:
        """A load failed its expectations; the version in force stays. Shown by ``crossdock status``."""
        with self._database.write() as connection:
            master.note_rejected(connection, table, source=source, actor=actor, reasons=reasons, payload=payload)

    def held_master(self) -> list[dict[str, Any]]:
        """Loads of master tables that were held back and that nobody has decided on, newest first."""
        with self._database.read() as connection:
            return master.held(connection)

    def decide_master(self, id: int, decision: str, *, reason: str) -> bool:
        """``decision``: accepted or discarded; False where somebody else had decided."""
        with self._database.write() as connection:
            return master.decide(connection, id, decision, reason)

    def master(self) -> Mapping[str, pl.DataFrame]:
        """The tables in force, by name: partners, items, sites, units, cross_references; rows by hand included."""
        with self._database.read() as connection:
            return by_hand.together(master.stored(connection))

    def loaded_master(self) -> Mapping[str, pl.DataFrame]:
        """The tables in force as they were loaded, without what was added by hand."""
        with self._database.read() as connection:
            stored = master.stored(connection)
        return {table: stored[table] for table in MASTER_TABLES}

    def added_master(self, table: str) -> pl.DataFrame:
        """What was added by hand to ``cross_references`` or ``units``, with author, reason and time."""
        with self._database.read() as connection:
            return by_hand.rows(connection, table)

    def add_master(self, table: str, row: Mapping[str, str], *, author: str, reason: str) -> int:
        """Add one row by hand, as a new version; loads leave it alone. Returns the version."""
        with self._database.write() as connection:
            return by_hand.add(connection, table, row, author=author, reason=reason)

    def withdraw_master(self, table: str, row: Mapping[str, str], *, author: str, reason: str) -> int:
        """Take a row that was added by hand away again; how many there were."""
        with self._database.write() as connection:
            return by_hand.withdraw(connection, table, row, author=author, reason=reason)

    def master_table(self, name: str, version: int) -> pl.DataFrame:
        """One version of a master table. Raises ConfigError when there is none."""
        with self._database.read() as connection:
            return master.version(connection, name, version)

    def master_versions(self, name: str) -> list[int]:
        """The versions of a master table that are kept, the newest first."""
        with self._database.read() as connection:
            return master.numbers(connection, name)

    def master_version(self) -> str:
        """A word that changes whenever any table in force changes, to know when to load anew."""
        with self._database.read() as connection:
            return master.version_word(connection)

    def master_loads(self, limit: int = 100) -> list[dict[str, Any]]:
        """Loads of master tables, newest first: in force, superseded or rejected (with the reasons)."""
        with self._database.read() as connection:
            return master.history(connection, limit)
