"""Lines while a set is read: which values are in force where, and the table they become.

A ``Scope`` holds the values found in one loop instance. A line sees its own, then those of the
loops around it (in an HL tree: of its parents by HL02), outermost last; and last of all those of
the loops below it, for the carton that stands under its item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, LineChunk

CHUNK_ROWS = 4096

Values = list[str | None]


class Scope:
    """The values found in one loop instance, and the scope around it."""

    __slots__ = ("below", "line", "owner", "parent", "values")

    def __init__(self, slots: int, parent: Scope | None, line: int | None = None) -> None:
        self.values: Values = [None] * slots
        self.parent = parent
        self.line = line  #: ordinal of the line this scope belongs to
        self.owner: Scope | None = None  #: the line's scope this one lies below
        self.below: list[Values] = []  #: of a line's scope: values found below it, in order

    def lend_to(self, parent: Scope) -> None:
        """Below a line, a scope's values help that line where nothing nearer has any."""
        owner = parent.owner or (parent if parent.line is not None else None)
        if owner is not None:
            self.owner, self.line = owner, owner.line
            owner.below.append(self.values)

    def lent(self, slot: int) -> str | None:
        """The first value found below."""
        return next((values[slot] for values in self.below if values[slot] is not None), None)

    def in_force(self) -> Values:
        """Own values where there are any, else those of the nearest scope around."""
        if self.parent is None:
            return self.values
        around = self.parent.in_force()
        return [own if own is not None else outer for own, outer in zip(self.values, around, strict=True)]


class Lines:
    """The lines of one document that have not been handed on yet."""

    def __init__(self, ordinal: int, paths: Sequence[str], decimals: Sequence[int]) -> None:
        self.ordinal = ordinal
        self.paths = tuple(paths)
        self.decimals = tuple(decimals)
        self.count = 0
        self.scopes: list[Scope] = []
        self.segments: list[int] = []
        self.offsets: list[int] = []
        self.lengths: list[int] = []

    def add(self, scope: Scope, segment: int, offset: int) -> None:
        """A line begins; its values arrive in ``scope`` later."""
        self.count += 1
        scope.line = self.count
        self.scopes.append(scope)
        self.segments.append(segment)
        self.offsets.append(offset)
        self.lengths.append(0)

    def close(self, end: int) -> None:
        """The last line ends before byte ``end``."""
        self.lengths[-1] = end - self.offsets[-1]

    def flush(self) -> LineChunk:
        """The waiting lines as a chunk."""
        first = self.count - len(self.scopes) + 1
        columns: dict[str, pl.Series] = {
            ORDINAL: pl.int_range(first, self.count + 1, eager=True, dtype=pl.Int64),
            LOCATION: "segment " + pl.Series(self.segments, dtype=pl.Int64).cast(pl.String),
            OFFSET: pl.Series(self.offsets, dtype=pl.Int64),
            LENGTH: pl.Series(self.lengths, dtype=pl.Int64),
        }
        around = _around(self.scopes)
        for slot, (path, decimals) in enumerate(zip(self.paths, self.decimals, strict=True)):
            columns[path] = _plain(self._column(slot, around), decimals)
        self.scopes, self.segments, self.offsets, self.lengths = [], [], [], []
        return LineChunk(ordinal=self.ordinal, table=pl.DataFrame(columns))

    def _column(self, slot: int, around: tuple[list[int], list[Values]]) -> pl.Series:
        positions, outer = around
        own = pl.Series([scope.values[slot] for scope in self.scopes], dtype=pl.String)
        if own.null_count():
            inherited = pl.Series([values[slot] for values in outer], dtype=pl.String)
            own = own.zip_with(own.is_not_null(), inherited.gather(positions))
        if own.null_count() and any(scope.below for scope in self.scopes):
            lent = pl.Series([scope.lent(slot) if scope.below else None for scope in self.scopes], dtype=pl.String)
            own = own.zip_with(own.is_not_null(), lent)
        return own


def _around(scopes: Sequence[Scope]) -> tuple[list[int], list[Values]]:
    """For each line the index of its surrounding values, and these values, each scope once."""
    seen: dict[int, int] = {}
    outer: list[Values] = []
    positions = []
    for scope in scopes:
        key = id(scope.parent)
        at = seen.get(key)
        if at is None:
            at = seen[key] = len(outer)
            outer.append(scope.parent.in_force() if scope.parent else [None] * len(scope.values))
        positions.append(at)
    return positions, outer


def _plain(column: pl.Series, decimals: int) -> pl.Series:
    """Trailing blanks are padding (X12.6); an Nn element gets the decimal point it implies."""
    text: Any = pl.col("v").str.strip_chars_end(" ")
    text = pl.when(text == "").then(None).otherwise(text)
    if decimals:
        sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
        digits = text.str.strip_prefix("-").str.zfill(decimals + 1)
        point = sign + digits.str.head(-decimals) + "." + digits.str.tail(decimals)
        text = pl.when(text.str.contains(r"^-?\d+$")).then(point).otherwise(text)
    return pl.DataFrame({"v": column}).select(text.alias("v")).to_series()
