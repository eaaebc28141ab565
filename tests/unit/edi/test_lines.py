"""Chunks of lines: places, padding, implied decimals, bounded size."""

from __future__ import annotations

import io
import random

import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.lines import CHUNK_ROWS
from schemas.documents import DocumentEnd, LineChunk

HEAD = ("BEG*00*SA*PO1**20261122", "N1*ST*Plant*92*P1")


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def many(count: int) -> list[str]:
    chance = random.Random(5)
    rows = list(HEAD)
    for i in range(1, count + 1):
        rows.append(f"PO1*{i}*{chance.randrange(1, 99)}*EA*{chance.randrange(999)}.5**VN*V-{i}")
        if i % 3 == 0:
            rows.append("PID*F****PUMP, CENTRIFUGAL")
        rows += [f"SCH*{n}*EA***002*202612{10 + n}" for n in range(i % 4)]
    return rows


@pytest.mark.parametrize("learn", [True, False])
def test_every_line_stands_where_it_is_said_to(wrap, read, learn) -> None:
    payload = wrap("850", *many(50))
    lines = read(payload, learn=learn).lines
    for number, at, offset, length in lines.select("_line", "_at", "_offset", "_length").rows():
        piece = payload[offset : offset + length].decode().split("~\n")
        assert piece[0].startswith(f"PO1*{number}*")
        assert all(segment[:3] in ("PID", "SCH", "") for segment in piece[1:])
        before = payload[payload.index(b"ST*") : offset].count(b"~")
        assert at == f"segment {before + 1}"


def test_chunks_are_bounded_and_the_first_comes_before_the_end(wrap, plans) -> None:
    payload = wrap("850", *many(3 * CHUNK_ROWS))
    stream = io.BytesIO(payload)
    items = X12(4096).read(stream, name="", plans=plans, metadata={})
    first = next(item for item in items if isinstance(item, LineChunk))
    assert stream.tell() < len(payload) * 0.4
    rest = list(items)
    heights = [item.table.height for item in [first, *rest] if isinstance(item, LineChunk)]
    assert heights == [CHUNK_ROWS] * 3
    assert [item.lines for item in rest if isinstance(item, DocumentEnd)] == [3 * CHUNK_ROWS]


@pytest.mark.parametrize("learn", [True, False])
def test_padding_goes_and_implied_decimals_come(wrap, read, learn) -> None:
    plan = X12().compile("x12.850", "PO1", ["SAC05", "PO107", "N1[ST]04", "PO103"], {})
    rows = [*HEAD[:1], "N1*ST*Plant*92*P1    "]
    amounts = ["1250", "5", "-5", "-12345", "0"]
    for i in range(60):
        rows += [f"PO1*{i}*1*EA***VN*V{i}   ", f"SAC*C*D240***{amounts[i % 5]}**********FREIGHT"]
    found = read(wrap("850", *rows), plans=One(plan), learn=learn)
    assert not found.findings
    assert found.lines["SAC05"].to_list()[:5] == ["12.50", "0.05", "-0.05", "-123.45", "0.00"]
    assert found.lines["PO107"].to_list() == [f"V{i}" for i in range(60)]
    assert set(found.lines["N1[ST]04"]) == {"P1"}


def test_schedules_as_lines_see_their_item_and_header(wrap, read) -> None:
    plan = X12().compile("x12.850", "PO1/SCH", ["BEG03", "PO107", "SCH01", "SCH06", "N1[MF]02"], {})
    rows = [*HEAD]
    for i in range(1, 31):
        rows += [f"PO1*{i}*9*EA***VN*V{i}", *(f"SCH*{n}*EA***002*2026121{n}" for n in (1, 2)), f"N1*MF*MAKER {i}"]
    found = read(wrap("850", *rows), plans=One(plan))
    assert not found.findings
    assert found.lines.select(plan.paths).rows() == [
        ("PO1", f"V{i}", str(n), f"2026121{n}", f"MAKER {i}") for i in range(1, 31) for n in (1, 2)
    ]


def test_nothing_is_wanted_of_a_document(wrap, read) -> None:
    found = read(wrap("850", *many(40), "PO1*41*x*EA"), plans=One(None))
    assert found.lines.is_empty()
    assert [(f.code, f.line) for f in found.findings] == [("element.character", None)]
    assert found.ends[0].lines == 0
