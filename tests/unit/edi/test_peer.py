"""On clean input the bare segments are those that pyx12 sees."""

from __future__ import annotations

import io
import random

import pytest
from pyx12.x12file import X12Reader

from connectors.formats.edi.scan import scan

BUILD = random.Random(11)


def sample(count: int) -> list[str]:
    rows = ["BEG*00*SA*PO1**20261122"]
    for i in range(count):
        rows.append(f"PO1*{i}*{BUILD.randrange(99)}*EA*1.5**VN*V{i}*BP*B{i}*UP*{BUILD.randrange(10**12):012d}")
        rows += [f"REF*DP*{BUILD.randrange(99)}"] * BUILD.randrange(3)
    return rows


@pytest.mark.parametrize("end", ["~\n", "~", "~\r\n", "|"])
@pytest.mark.parametrize("count", [1, 200])
def test_same_segments_and_counts(wrap, read, tmp_path, end, count) -> None:
    payload = wrap("850", *sample(count), end=end)
    path = tmp_path / "850.edi"
    path.write_bytes(payload)
    with X12Reader(str(path)) as peer:
        theirs = [segment.format("~", "*", ">").rstrip("~") for segment in peer]
    ours = ["*".join(segment.elements) for segment in scan(io.BytesIO(payload))]
    assert ours == theirs
    found = read(payload)
    assert not found.findings
    assert found.ends[0].segments == len(theirs) - 4
    assert found.ends[0].lines == count
