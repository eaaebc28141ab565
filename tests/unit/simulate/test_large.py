"""The large ship notice is valid, exact in number, and known to its master data."""

from collections import Counter
from pathlib import Path

import pytest

from crossdock.simulate import large_856, large_master
from crossdock.simulate.company import check_digit
from schemas.master import MASTER_TABLES


@pytest.mark.parametrize(("lines", "lines_in_set"), [(1, 10), (250, 100), (1000, 1000)])
def test_counts_and_trailers(tmp_path: Path, lines: int, lines_in_set: int) -> None:
    path = tmp_path / "large.edi"
    size = large_856(path, lines, items=20, lines_in_set=lines_in_set)
    assert size == path.stat().st_size
    segments = [text.split("*") for text in path.read_text("ascii").replace("~\n", "~").rstrip("~").split("~")]
    count = Counter(segment[0] for segment in segments)
    assert count["SN1"] == lines
    assert count["ST"] == count["SE"] == -(-lines // lines_in_set)
    starts = [place for place, segment in enumerate(segments) if segment[0] == "ST"]
    ends = [place for place, segment in enumerate(segments) if segment[0] == "SE"]
    for start, end in zip(starts, ends, strict=True):
        assert segments[end][1:] == [str(end - start + 1), segments[start][2]]
        levels = [segment for segment in segments[start:end] if segment[0] == "HL"]
        assert [level[1] for level in levels] == [str(number + 1) for number in range(len(levels))]
        assert segments[end - 1] == ["CTT", str(len(levels))]
    assert all(check_digit(segment[2][:-1]) == segment[2][-1] for segment in segments if segment[0] == "MAN")
    assert segments[-2] == ["GE", str(count["ST"]), f"{lines}1"]
    assert segments[-1] == ["IEA", "1", f"{lines:09d}"]


def test_isa_has_106_characters_and_a_line_costs_about_a_hundred_bytes(tmp_path: Path) -> None:
    size = large_856(tmp_path / "large.edi", 2000)
    head = (tmp_path / "large.edi").read_bytes()[:108]
    assert head[:3] == b"ISA"
    assert head[105:106] == b"~"
    assert 80 < size / 2000 < 120


def test_master_data_knows_every_item(tmp_path: Path) -> None:
    master = large_master(30)
    assert {name: tuple(table.columns) for name, table in master.items()} == MASTER_TABLES
    large_856(tmp_path / "large.edi", 60, items=30)
    text = (tmp_path / "large.edi").read_text("ascii")
    named = {line.split("*")[3] for line in text.splitlines() if line.startswith("LIN*")}
    assert named == set(master["items"]["item"])
    references = master["cross_references"].filter(kind="item")
    assert set(references["ours"]) == named
