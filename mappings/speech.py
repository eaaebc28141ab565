"""Columns of text spoken as JSON, all rows at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

import msgspec
import polars as pl

from mappings.remembered import is_constant

_ODD = ('"', "\\", *map(chr, range(32)))  # what JSON escapes
_ESCAPED = '"\\\\\\x00-\\x1f'  # the same as a regular expression writes it within brackets

Piece = pl.Expr | str  #: part of a row's text: the row's own (null: nothing is said), or the same in every row


class Speech:
    """The text columns of a table as parts of JSON.

    What all rows have in common is looked at once, columns that say nothing are passed over.
    """

    def __init__(
        self,
        lines: pl.DataFrame,
        spoken: Collection[str] = (),
        marks: Iterable[str] = (),
        *,
        plain: Collection[str] = (),
    ) -> None:
        """``spoken``: columns to be looked at together, for anything that JSON escapes and for any of ``marks``;
        ``plain``: columns of which it is known that they have nothing of it."""
        self._lines = lines
        self._plain = plain
        self._texts: dict[str, list[Piece]] = {}
        self._constant: dict[str, bool] = {}
        self._together = [
            name for name in lines.columns if name in spoken and name not in plain and lines[name].dtype == pl.String
        ]
        self._marks = marks

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing odd stands in the spoken columns, those left out that say the same in every row."""
        varying = [name for name in self._together if self.speaks(name) and not self.is_constant(name)]
        if not varying:
            return True
        whole = pl.concat_str(*(pl.col(name).str.join("") for name in varying))
        text = self._lines.select_seq(whole).item()
        # one long text is looked through for each character faster than its parts are by a regular expression
        return not any(odd in text for odd in (*_ODD, *self._marks))

    def is_constant(self, column: str) -> bool:
        """See ``mappings.remembered.is_constant``."""
        if column not in self._constant:
            self._constant[column] = is_constant(self._lines[column])
        return self._constant[column]

    def speaks(self, column: str) -> bool:
        """Whether the table has such a column, and anything in it."""
        return column in self._lines.columns and self._lines[column].null_count() < self._lines.height

    def first(self, column: str) -> str:
        """What the first row says there."""
        return str(self._lines[column].first())

    def members(self, named: Sequence[tuple[str, str]]) -> list[Piece]:
        """``"name":"text","name":"text"`` for each (name, column) that the table has, null ones left out."""
        there = [(name, column) for name, column in named if self.speaks(column)]
        if there and self._lines[there[0][1]].null_count():
            optional = [pl.concat_str(*_exprs([f'"{name}":"', *self.text(column), '"'])) for name, column in there]
            return [pl.concat_str(*optional, separator=",", ignore_nulls=True)]
        pieces: list[Piece] = []
        for place, (name, column) in enumerate(there):
            member: list[Piece] = [f'{"," if place else ""}"{name}":"', *self.text(column), '"']
            pieces += [pl.concat_str(*_exprs(member))] if self._lines[column].null_count() else member
        return pieces

    def number(self, name: str, column: str) -> list[Piece]:
        """``,"name":7`` where the column holds a number."""
        text = pl.col(column).cast(pl.String)
        return [pl.lit(f',"{name}":') + text] if self._lines[column].null_count() else [f',"{name}":', text]

    def told(self, column: str) -> list[Piece]:
        """What stands in a column, as in ``text``; nothing where the table has no such column, or nothing in it."""
        return self.text(column) if self.speaks(column) else []

    def text(self, column: str) -> list[Piece]:
        """What stands in a column, as between the quotes of JSON."""
        if column not in self._texts:
            self._texts[column] = [self._escaped(column)]
        return self._texts[column]

    def _escaped(self, column: str) -> Piece:
        text = self._lines[column]
        if self.is_constant(column):
            return _quoted(text[0])
        if column in self._plain or (column in self._together and self.is_plain):
            return pl.col(column)
        odd = text.str.contains(f"[{_ESCAPED}]")
        if not odd.any():
            return pl.col(column)
        values = text.filter(odd).unique().to_list()
        return pl.col(column).replace(values, [_quoted(value) for value in values])


def joined(pieces: Iterable[Piece]) -> pl.Expr:
    """One text a row; pieces that are null in a row are left out of it."""
    return pl.concat_str(*_exprs(pieces), ignore_nulls=True)


def put_together(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces, those side by side as one that are the same in every row."""
    together: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and together and isinstance(together[-1], str):
            together[-1] += piece
        else:
            together.append(piece)
    return together


def _exprs(pieces: Iterable[Piece]) -> list[pl.Expr]:
    """The pieces as expressions."""
    return [pl.lit(piece) if isinstance(piece, str) else piece for piece in put_together(pieces)]


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]
