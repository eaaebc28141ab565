"""Columns spoken as JSON say what msgspec would say of each row."""

from __future__ import annotations

import msgspec
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mappings.speech import Speech, joined

TEXT = st.one_of(st.none(), st.sampled_from(["a", "", '"', "\\", "\x00", "é\n", "a,b"]))
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=8)


@given(ROWS)
def test_members_are_the_json_of_what_is_filled(rows: list[tuple[str | None, ...]]) -> None:
    table = pl.DataFrame(rows, schema=dict.fromkeys(("a", "b", "c"), pl.String), orient="row")
    named = [("x", "a"), ("none", "missing"), ("y", "b"), ("z", "c")]
    spoken = table.with_columns(joined(["{", *Speech(table).members(named), "}"]).alias("json"))["json"]
    for text, row in zip(spoken, rows, strict=True):
        filled = {name: value for name, value in zip("xyz", row, strict=True) if value is not None}
        assert text == msgspec.json.encode(filled).decode()


PARTS = st.text(st.sampled_from('abz09 ~é%/#"\\\x00\x1f\x7f\n'), max_size=4) | st.none()


@given(st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=6), st.sampled_from(["", "%/#"]))
def test_columns_are_plain_where_nothing_is_escaped(rows: list[tuple[str | None, ...]], marks: str) -> None:
    """Those that say the same in every row are looked at by themselves."""
    table = pl.DataFrame(rows, schema=dict.fromkeys(("a", "b"), pl.String), orient="row")
    varying = [texts for texts in zip(*rows, strict=True) if len({*texts}) > 1]
    odd = any(char in f'"\\{marks}' or char < " " for texts in varying for text in texts for char in text or "")
    assert Speech(table, {"a", "b"}, marks).is_plain is not odd
