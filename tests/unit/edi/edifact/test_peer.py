"""On clean input the bare segments are those that pydifact sees."""

from __future__ import annotations

import io
import random

import pytest
from pydifact.control.characters import Characters
from pydifact.parser import Parser

from connectors.formats.edi.edifact.scan import scan_edifact

#: its wheel lacks the directories, without which it checks nothing
pytestmark = pytest.mark.filterwarnings("ignore::pydifact.exceptions.MissingImplementationWarning")

BUILD = random.Random(12)


def sample(count: int) -> list[str]:
    rows = ["BGM+220+PO1+9", "DTM+137:20261122:102", "NAD+BY+5412345000013::9++A?+B:C??D"]
    for i in range(count):
        rows += [
            f"LIN+{i}++{BUILD.randrange(10**12):012d}:EN",
            f"IMD+F++:::l?'eau {i}",
            f"QTY+21:{BUILD.randrange(99)}:PCE",
        ]
        rows += [f"RFF+ON:{BUILD.randrange(99)}"] * BUILD.randrange(3)
    return [*rows, "UNS+S"]


@pytest.mark.parametrize("end", ["'\n", "'", "'\r\n"])
@pytest.mark.parametrize("advice", ["", "UNA:+.? '"])
@pytest.mark.parametrize("count", [1, 150])
def test_same_segments_and_counts(wrap_message, read_edifact, end, advice, count) -> None:
    payload = wrap_message("ORDERS", *sample(count), end=end, advice=advice)
    theirs = [(s.tag, tuple(map(_components, s.elements))) for s in Parser().parse(payload.decode(), Characters())]
    ours = [(s.tag, s.elements) for s in scan_edifact(io.BytesIO(payload))]
    assert ours == [row for row in theirs if row[0] != "UNA"]
    found = read_edifact(payload)
    assert not found.findings
    assert found.ends[0].segments == len(ours) - 2
    assert found.ends[0].lines == count


def _components(element: str | list[str]) -> tuple[str, ...]:
    return (element,) if isinstance(element, str) else tuple(element)
