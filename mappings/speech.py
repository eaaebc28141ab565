"""Columns of text spoken as JSON, all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import polars as pl

from mappings.remembered import is_constant

_NEEDS_ESCAPE = '["\\\\\\x00-\\x1f]'

Piece = pl.Expr | str  #: part of a row's text: the row's own (null: nothing is said), or the same in every row


class Speech:
    """The text columns of a table as parts of JSON.

    What all rows have in common is looked at once, columns that say nothing are passed over.
    """

    def __init__(self, lines: pl.DataFrame) -> None:
        self._lines = lines
        self._texts: dict[str, list[Piece]] = {}

    def members(self, named: Sequence[tuple[str, str]]) -> list[Piece]:
        """``"name":"text","name":"text"`` for each (name, column) that the table has, null ones left out."""
        there = [(name, column) for name, column in named if self._speaks(column)]
        if there and self._lines[there[0][1]].null_count():
            optional = [pl.concat_str(*_exprs([f'"{name}":"', *self.text(column), '"'])) for name, column in there]
            return [pl.concat_str(*optional, separator=",", ignore_nulls=True)]
        pieces: list[Piece] = []
        for place, (name, column) in enumerate(there):
            member: list[Piece] = [f'{"," if place else ""}"{name}":"', *self.text(column), '"']
            pieces += [pl.concat_str(*_exprs(member))] if self._lines[column].null_count() else member
        return pieces

    def text(self, column: str) -> list[Piece]:
        """What stands in a column, as between the quotes of JSON."""
        if column not in self._texts:
            self._texts[column] = [self._escaped(self._lines[column])]
        return self._texts[column]

    def _speaks(self, column: str) -> bool:
        return column in self._lines.columns and self._lines[column].null_count() < self._lines.height

    def _escaped(self, text: pl.Series) -> Piece:
        if is_constant(text):
            return _quoted(text[0])
        odd = text.str.contains(_NEEDS_ESCAPE)
        if not odd.any():
            return pl.col(text.name)
        values = text.filter(odd).unique().to_list()
        return pl.col(text.name).replace(values, [_quoted(value) for value in values])


def joined(pieces: Iterable[Piece]) -> pl.Expr:
    """One text a row; pieces that are null in a row are left out of it."""
    return pl.concat_str(*_exprs(pieces), ignore_nulls=True)


def _exprs(pieces: Iterable[Piece]) -> list[pl.Expr]:
    """The pieces as expressions, those side by side that are the same in every row put together."""
    together: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and together and isinstance(together[-1], str):
            together[-1] += piece
        else:
            together.append(piece)
    return [pl.lit(piece) if isinstance(piece, str) else piece for piece in together]


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]
