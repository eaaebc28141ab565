"""Counting keys that stand in a document more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mappings.occurrences import Occurrences


def series(subjects: Iterable[int]) -> pl.Series:
    return pl.Series("subject", map(str, subjects), dtype=pl.String)


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=12))
def test_numbers_are_those_of_counting(chunks: list[list[int]]) -> None:
    occurrences, counter = Occurrences(), Counter[int]()
    for chunk in chunks:
        numbers = occurrences.numbers(series(chunk))
        for position, value in enumerate(chunk):
            counter[value] += 1
            assert numbers.get(position, 1) == counter[value]


def test_many_keys_are_remembered_in_few_runs() -> None:
    occurrences = Occurrences()
    for start in range(0, 200_000, 2_000):
        assert occurrences.numbers(series(range(start, start + 2_000))) == {}
    assert occurrences.numbers(series([5, 5])) == {0: 2, 1: 3}
    assert len(occurrences._runs) <= 12
