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
