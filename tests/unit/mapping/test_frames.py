"""What many events say alike stands there once, and each one's whole text comes back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.frames import FRAME, MANY, spoken, stacked, unframed
from mappings.speech import joined

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(["%", "%s", "%(a)d", "%%"])
CELL = st.none() | TEXT
Rows = list[tuple[str | None, str | None]]
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=3 * MANY)
PIECES = st.lists(TEXT | st.sampled_from([pl.col("one"), pl.col("two"), pl.lit("<") + pl.col("one")]), max_size=8)


def table(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"one": pl.String, "two": pl.String}, orient="row")


@given(rows=ROWS, pieces=PIECES)
def test_a_framed_text_says_what_its_pieces_say(rows: Rows, pieces: list[object]) -> None:
    given = table(rows)
    plain = given.select(joined(["", *pieces]).alias("data"))  # type: ignore[list-item]
    if plain.height < given.height:  # of nothing but texts there is one row
        plain = pl.concat([plain] * given.height)
    said = given.select("one", **spoken(["", *pieces], given.height))  # type: ignore[list-item]
    assert unframed(said).select("data").equals(plain)


@pytest.mark.parametrize(("count", "framed"), [(1, False), (MANY - 1, False), (MANY, True), (1000, True)])
def test_few_events_have_no_frame(count: int, framed: bool) -> None:
    given = table([(str(number), None) for number in range(count)])
    said = given.select(**spoken(['{"n":', pl.col("one"), '"}'], count))
    assert (FRAME in said.columns) is framed
    assert unframed(said)["data"].to_list() == [f'{{"n":{number}"}}' for number in range(count)]


def test_what_all_say_is_in_no_row() -> None:
    given = table([(str(number % 10), None) for number in range(1000)])
    said = given.select(**spoken(["a long text that is the same everywhere ", pl.col("one")], 1000))
    assert said["data"].str.len_bytes().max() == 2
    assert said[FRAME].n_unique() == 1


def test_tables_with_frames_and_without_stand_above_one_another() -> None:
    many = table([(str(number), None) for number in range(MANY)])
    one, other = (many.select(**spoken([mark, pl.col("one")], MANY)) for mark in "ab")
    few = pl.DataFrame({"data": ["whole", "texts"]})
    wanted = [f"a{n}" for n in range(MANY)] + ["whole", "texts"] + [f"b{n}" for n in range(MANY)]
    assert unframed(stacked([one, few, other]))["data"].to_list() == wanted
    assert stacked([few, few]).columns == ["data"]
    assert unframed(stacked([one, other]).filter(pl.col("data").str.ends_with("7")))["data"].to_list() == ["a7", "b7"]
