"""What differs between two versions of a master table: rows that came, went, or say something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from mappings.integrity import KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row that differs. ``before`` and ``after`` hold its columns; None: it is not there."""

    key: tuple[str, ...]
    before: dict[str, str] | None
    after: dict[str, str] | None

    @property
    def change(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def fields(self) -> dict[str, tuple[str, str]]:
        """What differs, column by column."""
        old, new = self.before or {}, self.after or {}
        names = dict.fromkeys((*old, *new))
        pairs = {name: (old.get(name, ""), new.get(name, "")) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def differences(table: str, old: pl.DataFrame, new: pl.DataFrame) -> Iterator[RowChange]:
    """Rows that differ, in order of their keys. A row is known by the table's key and the day from which it holds.

    ``table`` may be one that rows were added to by hand. Equal rows cost no Python.
    """
    key = [*KEYS[table.partition("/")[0]], "valid_from"]
    columns = list(dict.fromkeys((*new.columns, *old.columns)))
    old, new = (_plain(rows, columns) for rows in (old, new))
    gone = old.join(new, on=columns, how="anti").unique(key, keep="last")
    come = new.join(old, on=columns, how="anti").unique(key, keep="last")
    both = gone.join(come, on=key, how="full", suffix="_new", coalesce=True).sort(key)
    before, after = ({tuple(row[name] for name in key): row for row in rows.rows(named=True)} for rows in (gone, come))
    for values in both.select(key).rows():
        yield RowChange(key=values, before=before.get(values), after=after.get(values))


def _plain(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    missing = [pl.lit("").alias(name) for name in columns if name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(columns).fill_null(""))
