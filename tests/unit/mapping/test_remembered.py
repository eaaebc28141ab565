"""Each distinct question is asked once, and the answers are those that asking row by row would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mappings.remembered import Remembered, is_constant

TEXT = st.one_of(st.none(), st.sampled_from(["a", "b", "1:a", "a1:", "", "é"]))


def _asking(asked: list[tuple[object, ...]]):  # type: ignore[no-untyped-def]
    def ask(questions: Sequence[pl.Series]) -> pl.Series:
        rows = list(zip(*questions, strict=True))
        asked.extend(rows)
        return pl.Series([None if "b" in row else repr(row) for row in rows], dtype=pl.String)

    return ask


@given(st.lists(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 2)), max_size=12), max_size=4))
def test_answers_are_those_of_asking_row_by_row(tables: list[list[tuple[str | None, str | None, int]]]) -> None:
    memory, asked = Remembered(), list[tuple[object, ...]]()
    for rows in tables:
        columns = [
            pl.Series([row[place] for row in rows], dtype=dtype)
            for place, dtype in enumerate((pl.String, pl.String, pl.Int32))
        ]
        answers = memory.answer("x", columns, _asking(asked))
        assert answers.dtype == pl.String
        assert answers.to_list() == [None if None in row or "b" in row else repr(row) for row in rows]
    assert None not in {part for row in asked for part in row}


@given(st.lists(TEXT, min_size=1, max_size=12), st.sampled_from([str.upper, str, lambda _: "same"]))
def test_answers_that_are_the_question_or_all_the_same_are_those_of_asking(
    rows: list[str | None], say: Callable[[str], str]
) -> None:
    def ask(questions: Sequence[pl.Series]) -> pl.Series:
        return pl.Series([say(text) for text in questions[0]], dtype=pl.String)

    column = pl.Series(rows, dtype=pl.String)
    expected = [None if text is None else say(text) for text in rows]
    assert Remembered().answer("x", [column], ask).to_list() == expected


@given(st.lists(TEXT, max_size=5))
def test_a_column_is_constant_where_all_rows_say_the_same(rows: list[str | None]) -> None:
    expected = len(set(rows)) == 1 and rows[0] is not None
    column = pl.Series(rows, dtype=pl.String)
    assert is_constant(column) == is_constant(column.sort().reverse().sort()) == expected
    assert is_constant(pl.concat([column, column.head(1)])) == expected


def test_what_was_answered_is_not_asked_again() -> None:
    memory, asked = Remembered(), list[tuple[object, ...]]()
    for _ in range(3):
        memory.answer("x", [pl.Series(["a", "c", "a"]), pl.Series(["p", "p", "p"])], _asking(asked))
    assert asked == [("a", "p"), ("c", "p")]
    memory.answer("y", [pl.Series(["a"]), pl.Series(["p"])], _asking(asked))
    assert len(asked) == 3


def test_it_forgets_before_it_grows_without_end() -> None:
    memory, asked = Remembered(most=10), list[tuple[object, ...]]()
    for first in range(0, 100, 5):
        texts = [str(number) for number in range(first, first + 5)]
        answers = memory.answer("x", [pl.Series(texts)], _asking(asked))
        assert answers.to_list() == [repr((text,)) for text in texts]
    memory.answer("x", [pl.Series(["0", "1"])], _asking(asked))
    assert len(asked) == 102
