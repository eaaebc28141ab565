"""Lines of messages: packing levels, nearest wins, paths."""

from __future__ import annotations

import pytest

from connectors.formats.edi.edifact import Edifact
from schemas.errors import ConfigError


def test_packing_levels(wrap_message, read_edifact) -> None:
    """CPS02 is the truth, order of appearance is not; licence plates come from the nearest level above."""
    found = read_edifact(wrap_message(
        "DESADV", "BGM+351+S1+9", "RFF+ON:PO1", "CPS+1", "PAC+2", "PCI+33E", "GIN+BJ+PALLET",
        "CPS+2+1", "PAC+1", "PCI+33E", "GIN+BJ+BOX2", "LIN+1++A:EN", "QTY+12:1",
        "CPS+3+1", "LIN+2++B:EN", "RFF+ON:PO2", "LIN+3++C:EN", "PCI+33E", "GIN+BJ+OWN",
        "CPS+4+2", "LIN+4++D:EN",
    ))  # fmt: skip
    assert not found.findings
    lines = found.lines
    assert lines["GIN[BJ]02"].to_list() == ["BOX2", "PALLET", "OWN", "BOX2"]
    assert lines["RFF[ON]01-2"].to_list() == ["PO1", "PO2", "PO1", "PO1"]
    assert lines["BGM02"].to_list() == ["S1"] * 4


def test_a_level_that_never_came(wrap_message, read_edifact) -> None:
    found = read_edifact(wrap_message("DESADV", "BGM+351+S1+9", "CPS+2+1", "LIN+1++A:EN", "CPS+2", "LIN+2++B:EN"))
    assert [(f.code, f.location, f.standard.get("UCD0098")) for f in found.findings] == [
        ("cps.parent", "segment 3, CPS-02", "3"), ("cps.number", "segment 5, CPS-01", "2"),
    ]  # fmt: skip
    assert found.lines["LIN[EN]"].to_list() == ["A", "B"]


@pytest.mark.parametrize(
    ("segments", "path", "value"),
    [
        (["LIN+1++A:EN"], "LIN[EN]", "A"),
        (["LIN+1++A:EN"], "LIN[SA]", None),
        (["LIN+1++A:EN"], "LIN03", "A"),
        (["LIN+1++A:EN"], "LIN03-2", "EN"),
        (["LIN+1", "PIA+1+X:SA+Y:IN"], "PIA[IN]", "Y"),
        (["LIN+1", "PIA+5+X:SA", "PIA+1+Y:SA"], "PIA[SA]", "X"),
        (["LIN+1", "PIA+5+X:SA", "PIA+1+Y:SA"], "PIA[01=1,SA]", "Y"),
        (["LIN+1", "QTY+21:7:PCE"], "QTY[21]01-2", "7"),
        (["LIN+1", "QTY+21:7,5:KGM"], "QTY[21]01-2", "7.5"),
        (["LIN+1", "QTY+21:7:PCE"], "QTY[21]01-3", "PCE"),
        (["LIN+1", "NAD+DP+N1::9", "LOC+7+L1", "NAD+ST+N2::9", "LOC+7+L2"], "NAD[ST]/LOC02", "L2"),
        (["LIN+1", "RFF+ON:P?:O?+1"], "RFF[ON]01-2", "P:O+1"),
    ],
)
def test_paths(segments, path, value, wrap_message, read_edifact) -> None:
    plan = Edifact().compile("edifact.ORDERS", "LIN", [path], {})

    class One:
        def for_document(self, start):
            return plan

    head = ["BGM+220+1+9", "DTM+137:20261122:102"]
    repeated = [segment for _ in range(30) for segment in segments]
    payload = wrap_message("ORDERS", *head, *repeated, "UNS+S")
    for learn in (False, True):
        found = read_edifact(payload, plans=One(), learn=learn)
        assert not found.findings
        assert found.lines[path].to_list() == [value] * 30


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["HL01"], "no segment HL"),
        (["LIN09"], "LIN ends with LIN06"),
        (["LIN03-9"], "ends with component 4"),
        (["LIN01-2"], "has no components"),
        (["QTY[21]"], "add the element"),
        (["nonsense"], "is no path"),
    ],
)
def test_bad_paths_are_told(paths, words) -> None:
    with pytest.raises(ConfigError) as error:
        Edifact().compile("edifact.ORDERS", "LIN", paths, {})
    assert words in str(error.value) or any(words in problem for problem in error.value.problems)


def test_bad_message_and_line_are_told() -> None:
    with pytest.raises(ConfigError, match="no such message"):
        Edifact().compile("edifact.ORDRES", "LIN", [], {})
    with pytest.raises(ConfigError) as error:
        Edifact().compile("edifact.DESADV", "CPS/LINE", [], {})
    assert any("no loop 'CPS/LINE'" in problem for problem in error.value.problems)


def test_many_lines_of_one_level_come_in_chunks(wrap_message, read_edifact) -> None:
    """One CPS may hold everything: what is kept does not grow with it."""
    count = 60_000
    rows = (row for n in range(count) for row in (f"LIN+{n % 999}++{n}:EN", "QTY+12:1"))
    found = read_edifact(wrap_message("DESADV", "BGM+351+1+9", "CPS+1", "PAC+1", "PCI+33E", "GIN+BJ+X", *rows))
    heights = [item.table.height for item in found.items if hasattr(item, "table")]
    assert max(heights) <= 20_000
    assert sum(heights) == count
    assert set(found.lines["GIN[BJ]02"]) == {"X"}
    assert [f.code for f in found.findings] == ["loop.max_use"]
