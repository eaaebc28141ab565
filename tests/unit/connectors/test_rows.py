"""Rows are the same whether a batch of them is read at once or, because one cannot be read, one by one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from connectors.formats.rows import Rows
from schemas.documents import LOCATION, OFFSET, LineChunk, LinePlan
from schemas.findings import Finding

HEADER = json.dumps({"query": "q", "columns": ["a", "b"]}).encode() + b"\n"


class Plans:
    def for_document(self, _: object) -> LinePlan:
        return LinePlan(type="rows.q", paths=("b", "a", "c"), options={})

    def candidates(self, _: str) -> list[LinePlan]:
        return []


def read(*lines: bytes) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows, and what was said of those that cannot be read."""
    payload = io.BytesIO(HEADER + b"".join(line + b"\n" for line in lines))
    items = list(Rows().read(payload, name="q", plans=Plans(), metadata={}))
    rows = [row for item in items if isinstance(item, LineChunk) for row in item.table.iter_rows(named=True)]
    faults = [item.message for item in items if isinstance(item, Finding) and item.code == "rows.row_unreadable"]
    return rows, faults


LINES = [
    b'["x", "y"]', b'["x",null]', b'["null", ""]', b'[ "x" , "y" ]', '["ü€\U0001f600", " "]'.encode(),
    rb'["\"", "\/ \n \t"]', rb'["\\", "\\\""]', rb'["\u0041\u00fc", "\ud83d\ude00"]', rb'["\ud800", "y"]',
    b'["x", 1]', b'["x", 1.50]', b'["x", true]', b'["x", NaN]', b'["x", {"y": "z"}]', b'[["x"], "y"]', b'["x"]',
    b'["x", "y", "z"]', b"[]", b"null", b'"x"', b'{"unreadable": "month must be in 1..12"}', b'["x", "y"',
    b'["x", "y"] z', b'["x", "y"]["x", "y"]', b'["x", "y",]', b"['x', 'y']", b'["\xff", "y"]', b'["a\x01", "y"]',
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_one_line_is_read_alike_alone_and_beside_one_that_cannot_be_read(line: bytes) -> None:
    rows, faults = read(line)
    beside, others = read(line, b"!")
    assert (rows, faults) == (beside, others[:-1])
    assert len(rows) + len(faults) == 1


def test_columns_keep_their_places_and_rows_theirs() -> None:
    rows, _ = read(b'["1", "one"]', b'["2", null]', b'["3", "three"]')
    assert [(row["a"], row["b"], row["c"]) for row in rows] == [
        ("1", "one", None),
        ("2", None, None),
        ("3", "three", None),
    ]
    assert [row[LOCATION] for row in rows] == ["row 1", "row 2", "row 3"]
    assert [row[OFFSET] for row in rows] == [len(HEADER) + at for at in (0, 13, 25)]
