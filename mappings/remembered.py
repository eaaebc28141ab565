"""Answers to whole columns of questions: each distinct one is asked once, and remembered for the next column."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

import polars as pl

MOST = 200_000  #: answers kept; beyond that all are forgotten
MANY = 1_000  #: questions of one column that are rather asked anew than remembered one by one

Ask = Callable[[Sequence[pl.Series]], pl.Series]


class Remembered:
    """A memory for answers that never change, safe to share between threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._count = 0
        self._known: dict[Hashable, dict[str, str | None]] = {}

    def answer(self, about: str, questions: Sequence[pl.Series], ask: Ask) -> pl.Series:
        """Row by row the answer (text) to what ``questions`` say side by side; null where one of them is null.

        ``ask`` gets the rows that nobody has asked yet ``about`` this, each once, and must give one
        answer a row that depends on nothing but that row.
        """
        height = len(questions[0])
        if any(column.null_count() == height for column in questions):
            return pl.Series(questions[0].name, [None], pl.String).new_from_index(0, height)
        constant = tuple(column[0] if is_constant(column) else None for column in questions)
        varying = [column for column, value in zip(questions, constant, strict=True) if value is None]
        known = self._known.setdefault((about, constant), {})
        if not varying:
            return self._learn(known, [""], [column.head(1) for column in questions], ask).new_from_index(0, height)
        keys = varying[0].cast(pl.String) if len(varying) == 1 else _together(varying)
        first = keys.arg_unique()
        if len(first) > MANY and not keys.null_count():
            return _anew(keys, first, questions, ask)
        asked = keys.gather(first).to_list()
        if not known.keys() >= {*asked} - {None}:
            new = [place for place, key in zip(first, asked, strict=True) if key is not None and key not in known]
            places = pl.Series(new, dtype=pl.UInt32)
            self._learn(known, keys.gather(places).to_list(), [column.gather(places) for column in questions], ask)
        return _replaced(keys, asked, list(map(known.get, asked)))

    def _learn(
        self, known: dict[str, str | None], keys: Sequence[str], questions: Sequence[pl.Series], ask: Ask
    ) -> pl.Series:
        if len(keys) == 1 and keys[0] in known:
            return pl.Series([known[keys[0]]], dtype=pl.String)
        answers = ask(questions)
        known.update(zip(keys, answers.to_list(), strict=True))
        self._count += len(keys)
        if self._count > self._most:
            self._count, self._known = 0, {}
        return answers


@lru_cache(maxsize=1 << 14)
def fits(pattern: str, text: str) -> bool:
    """Whether ``pattern`` is found in ``text``, as polars reads it: for columns that say the same all along."""
    return bool(pl.Series([text]).str.contains(pattern)[0])


def _replaced(keys: pl.Series, asked: Sequence[str | None], answers: Sequence[str | None]) -> pl.Series:
    """The answer to each key. Often that is the key itself, or the same for all: no table need be looked through."""
    if answers == asked:
        return keys
    if len({*answers}) == 1 and not keys.null_count():
        return pl.Series([answers[0]], dtype=pl.String).new_from_index(0, len(keys))
    pairs = {key: answer for key, answer in zip(asked, answers, strict=True) if key is not None}
    return keys.replace_strict(list(pairs), list(pairs.values()), default=None, return_dtype=pl.String)


def _anew(keys: pl.Series, first: pl.Series, questions: Sequence[pl.Series], ask: Ask) -> pl.Series:
    if len(first) == len(keys):
        return ask(questions)
    answers = ask([column.gather(first) for column in questions])
    return keys.replace_strict(keys.gather(first), answers, return_dtype=pl.String)


def is_constant(column: pl.Series) -> bool:
    """Whether all rows say the same, and none of them nothing."""
    if not len(column) or column.null_count() or column.first() != column.last():
        return False
    return any(column.flags.values()) or bool((column == column.first()).all())  # sorted, and begins as it ends


def _together(columns: Sequence[pl.Series]) -> pl.Series:
    """The columns as one text a row, no two alike unless all parts are; null where one of them is."""
    texts = [column.cast(pl.String).alias(str(number)) for number, column in enumerate(columns)]
    parts = [pl.concat_str(pl.col(text.name).str.len_bytes(), pl.col(text.name), separator=":") for text in texts]
    return pl.DataFrame(texts).select_seq(pl.concat_str(*parts)).to_series()
