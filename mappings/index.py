"""Rows found by their key and a day, a column of questions at a time.

Against millions of rows a scan or a join would cost each small chunk of lines the same as a large one; this does not.
Rows stay in the order of their table, which mostly is that of the questions too: then they are near one another in
memory, and that is what the time goes into.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce

import polars as pl

from mappings.remembered import is_constant

QUERY, ROW = "_query", "_row"  #: number of a question, and of a row of the table that is indexed

_SINCE_EVER, _FOR_EVER = -(2**31), 2**31 - 1  # days since 1970, Int32
_LAST_DAY = 2_932_896  # 9999-12-31, which many an ERP writes for an open end


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A table's rows by buckets of the hashes of their keys.

    Bucket and hash only lead to the rows; the key itself is compared before a row counts. A row is found under a
    number whose upper half is that of its key's hash, the lower half the row's own.
    """

    name: str  #: of the table
    table: pl.DataFrame
    keys: tuple[str, ...]
    answer: str  #: the column of ``rows`` that holds our own id
    rows: pl.DataFrame  #: keys, what is told of them, ``_row`` of the table, ``_from`` and ``_to``
    firsts: pl.Series  #: the first row of each bucket, which mostly answers; null where there is none
    has_others: pl.Series  #: whether there are others in a bucket
    others: pl.DataFrame  #: these, by ``bucket``, which is over at ``end``; in each the ``row`` that beats others first

    @classmethod
    def over(
        cls,
        name: str,
        table: pl.DataFrame,
        keys: Mapping[str, pl.Expr],
        told: Mapping[str, pl.Expr] | None = None,
        *,
        answer: str = "theirs",
        only: pl.Expr | None = None,
    ) -> Index | None:
        """Rows of ``table`` (``only`` some) by ``keys``, with what is ``told`` of them; None where there is none."""
        wanted = table.lazy().with_row_index(ROW)
        rows = (
            (wanted if only is None else wanted.filter(only))
            .select_seq(
                **keys,
                **(told or {}),
                _row=pl.col(ROW),
                _from=_day("valid_from", when_empty=_SINCE_EVER, when_bad=_FOR_EVER),
                _to=_day("valid_to", when_empty=_FOR_EVER, when_bad=_SINCE_EVER),
            )
            .collect()
        )
        if rows.is_empty():
            return None
        hashes = _hashes(rows, keys)
        slots = 1 << (5 * rows.height // 2).bit_length()  # so that most buckets have one row at most
        number = pl.int_range(pl.len(), dtype=pl.UInt64)
        placed = (
            rows.select_seq(
                pl.Series("bucket", _bucket(hashes, slots)), row=hashes // _HALF * _HALF + number, begins="_from"
            )
            .sort("bucket", "begins", number, descending=[False, True, True])
            .drop("begins")
        )
        is_first = placed["bucket"].is_first_distinct()
        first, others = placed.filter(is_first), placed.filter(~is_first)
        return cls(
            name=name,
            table=table,
            keys=tuple(keys),
            answer=answer,
            rows=rows,
            firsts=pl.Series([None], dtype=pl.UInt64).new_from_index(0, slots).scatter(first["bucket"], first["row"]),
            has_others=pl.Series([False]).new_from_index(0, slots).scatter(others["bucket"], True),
            others=others.with_row_index("end", offset=1).with_columns_seq(pl.col("end").max().over("bucket")),
        )

    def find(self, asked: pl.DataFrame) -> pl.Series:
        """The one row that answers each of ``asked`` (columns ``_on`` and the keys), null where none does."""
        hashes = _hashes(asked, self.keys)
        buckets = _bucket(hashes, len(self.firsts))
        places, rows = self._first_of(asked, hashes, buckets)
        if len(places) == asked.height:
            return rows
        answer = pl.Series([None], dtype=pl.UInt32).new_from_index(0, asked.height).scatter(places, rows)
        left = (answer.is_null() & self.has_others.gather(buckets)).arg_true()
        if len(left):
            places, rows = self._others_of(asked, left, hashes, buckets)
            answer = answer.scatter(places.reverse(), rows.reverse())  # the first of several stands
        return answer

    def find_all(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Every row that holds on the day for each of ``asked``, the one that beats the others first: the number of
        the question (``_query``) and the columns of ``rows``. Without ``_on`` those of any day."""
        hashes = _hashes(asked, self.keys)
        buckets = _bucket(hashes, len(self.firsts))
        several = self.has_others.gather(buckets).arg_true()
        found = [self._first_of(asked, hashes, buckets), self._others_of(asked, several, hashes, buckets)]
        told = [self.rows[rows].insert_column(0, places.alias(QUERY)) for places, rows in found]
        return pl.concat(told).sort(QUERY, maintain_order=True)

    def _first_of(self, asked: pl.DataFrame, hashes: pl.Series, buckets: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Places in ``asked``, in order, that the first row of their bucket answers, and these rows."""
        found = self.firsts.gather(buckets)
        places = ((found ^ hashes) < _HALF).arg_true()
        if len(places) == asked.height:
            return self._right(asked, places, found)
        return self._right(asked[places], places, found.gather(places))

    def _others_of(
        self, asked: pl.DataFrame, places: pl.Series, hashes: pl.Series, buckets: pl.Series
    ) -> tuple[pl.Series, pl.Series]:
        """The same of the others of the buckets of these ``places``: of each the best first."""
        begins = self.others["bucket"].search_sorted(buckets.gather(places), side="left")
        spans = pl.DataFrame({"place": places, "begin": begins, "end": self.others["end"].gather(begins)})
        at = spans.select_seq("place", pl.int_ranges("begin", "end").alias("at"))
        each = at.explode("at")
        found = self.others["row"].gather(each["at"])
        near = (found ^ hashes.gather(each["place"])) < _HALF
        places = each["place"].filter(near)
        return self._right(asked[places], places, found.filter(near))

    def _right(self, asked: pl.DataFrame, places: pl.Series, found: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Of these places and rows, side by side with what is asked, those that are really of the key, and hold on
        the day if one is asked for."""
        rows = (found % _HALF).cast(pl.UInt32)
        right = [asked[key] == self.rows[key].gather(rows) for key in self.keys]
        if "_on" in asked.columns:
            right += [self.rows["_from"].gather(rows) <= asked["_on"], asked["_on"] <= self.rows["_to"].gather(rows)]
        hold = reduce(operator.and_, right).fill_null(False)
        return (places, rows) if hold.all() else (places.filter(hold), rows.filter(hold))


_HALF = 1 << 32


def _bucket(hashes: pl.Series, slots: int) -> pl.Series:
    return (hashes & (slots - 1)).cast(pl.UInt32)


def _hashes(asked: pl.DataFrame, keys: Iterable[str]) -> pl.Series:
    return reduce(operator.xor, (_hash(asked[key]) for key in keys))


def _hash(key: pl.Series) -> pl.Series:
    return key.head(1).hash().new_from_index(0, len(key)) if is_constant(key) else key.hash()


def _day(column: str, *, when_empty: int, when_bad: int) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    return pl.when(text == "").then(when_empty).otherwise(day.fill_null(when_bad)).cast(pl.Int32)


def business_days(on: pl.Series | None, height: int) -> pl.Series:
    """Days since 1970; the last day of all where there is no business date."""
    if on is None:
        return pl.Series([_LAST_DAY], dtype=pl.Int32).new_from_index(0, height)
    if on.dtype == pl.String and is_constant(on):
        return pl.Series([_business_day(on[0])], dtype=pl.Int32).new_from_index(0, height)
    if on.dtype == pl.Int32:
        return on
    day = pl.col(on.name).cast(pl.Date)
    if on.dtype == pl.String:
        day = pl.col(on.name).str.strip_chars().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return on.to_frame().select_seq(day.cast(pl.Int32).fill_null(_LAST_DAY)).to_series()


@lru_cache(maxsize=1 << 12)
def _business_day(text: str) -> int:
    """The same of one text: a document has one date mostly."""
    day: int = business_days(pl.Series([text, None], dtype=pl.String), 2)[0]
    return day
