"""Whole columns of text, as a mapping works on them: what a chunk says at its paths, and what is put beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from mappings.remembered import is_constant

#: Between a date and its time of day while they are read together.
CLOCK = "\x1f"


def sent_at(chunk: pl.DataFrame, paths: Sequence[str]) -> dict[str, pl.Series]:
    """What stood at each path, trimmed, blank as null; paths that found nothing at all are left out."""
    filled = {column.name for column in chunk if column.null_count() < chunk.height}
    present = [path for path in paths if path in filled]
    sent: dict[str, pl.Series] = {}
    for path in present:
        column = chunk.get_column(path)
        if is_constant(column):
            sent[path] = constant(column[0].strip() or None, chunk.height)
    varying = [path for path in present if path not in sent]
    for column in chunk.select_seq(pl.col(varying).str.strip_chars()) if varying else ():
        blank = column.min() == ""
        sent[column.name] = column.zip_with(column != "", nulls(chunk.height)) if blank else column
    return sent


def with_clock(text: pl.Series, clock: pl.Series | None) -> pl.Series:
    if clock is None:
        return text
    if is_constant(text) and is_constant(clock):
        return constant(text[0] + CLOCK + clock[0], len(text)).alias(text.name)
    return text + CLOCK + clock.fill_null("")


def constant(text: str | None, height: int) -> pl.Series:
    return _single(text).new_from_index(0, height)


@lru_cache(maxsize=1024)
def _single(text: str | None) -> pl.Series:
    return pl.Series([text], dtype=pl.String)


def nulls(height: int) -> pl.Series:
    return constant(None, height)


def first_filled(columns: Sequence[pl.Series], height: int) -> pl.Series:
    """Row by row the first of ``columns`` that is filled."""
    if not columns:
        return nulls(height)
    first, *others = columns
    for column in others:
        if not first.null_count():
            break
        first = first.zip_with(first.is_not_null(), column)
    return first
