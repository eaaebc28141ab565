"""Ship notices: the HL tree in all its orders, the carton below its item, values from the nearest level."""

from __future__ import annotations

import random

import polars as pl
import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.hierarchy import REMEMBERED
from connectors.formats.edi.lines import CHUNK_ROWS

HEAD = ("BSN*00*SHIP1*20261122*0100",)
COLUMNS = ("HL01", "PRF01", "LIN[VN]", "SN102", "MAN[GM]02", "N1[ST]04")


def levels(*rows: tuple[str, str, str, tuple[str, ...]]) -> list[str]:
    return [segment for id_, parent, code, own in rows for segment in (f"HL*{id_}*{parent}*{code}", *own)]


SHIPMENT = ("1", "", "S", ("N1*ST**92*PLANT",))


def order(id_, parent, number):
    return (id_, parent, "O", (f"PRF*{number}",))


def pack(id_, parent, number, code="P"):
    return (id_, parent, code, (f"MAN*GM*{number}",))


def item(id_, parent, number):
    return (id_, parent, "I", (f"LIN**VN*{number}", f"SN1**{id_}*EA"))


S, O1, O2 = SHIPMENT, order("2", "1", "PO1"), order("3", "1", "PO2")


def line(number, of_order, name, package=None):
    return (number, of_order, name, number, package, "PLANT")


CASES = {
    "SOI, two orders": (
        [S, O1, item("3", "2", "A"), item("4", "2", "B"), order("5", "1", "PO2"), item("6", "5", "C")],
        [line("3", "PO1", "A"), line("4", "PO1", "B"), line("6", "PO2", "C")],
    ),
    "SOPI": (
        [S, O1, pack("3", "2", "C1"), item("4", "3", "A"), pack("5", "2", "C2"), item("6", "5", "A")],
        [line("4", "PO1", "A", "C1"), line("6", "PO1", "A", "C2")],
    ),
    "SOTPI: the nearest package wins": (
        [S, O1, pack("3", "2", "PAL", "T"), pack("4", "3", "C1"), item("5", "4", "A"), item("6", "3", "B")],
        [line("5", "PO1", "A", "C1"), line("6", "PO1", "B", "PAL")],
    ),
    "SPOI: mixed carton": (
        [
            S,
            pack("2", "1", "C1"),
            order("3", "2", "PO1"),
            item("4", "3", "A"),
            order("5", "2", "PO2"),
            item("6", "5", "B"),
        ],
        [line("4", "PO1", "A", "C1"), line("6", "PO2", "B", "C1")],
    ),
    "standard carton: the pack below its item": (
        [S, O1, item("3", "2", "A"), pack("4", "3", "C1"), pack("5", "3", "C2"), item("6", "2", "B")],
        [line("3", "PO1", "A", "C1"), line("6", "PO1", "B")],
    ),
    "HL02 is the truth, not the order": (
        [S, O1, O2, item("4", "3", "B"), item("5", "2", "A")],
        [line("4", "PO2", "B"), line("5", "PO1", "A")],
    ),
    "levels left out": ([S, item("2", "1", "A")], [line("2", None, "A")]),
}


@pytest.mark.parametrize(("rows", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("learn", [True, False])
def test_orders_of_levels(wrap, read, rows, expected, learn) -> None:
    found = read(wrap("856", *HEAD, *levels(*rows)), learn=learn)
    assert not found.findings
    assert found.lines.select(COLUMNS).rows() == expected
    assert found.lines["BSN02"].unique().to_list() == ["SHIP1"]


def test_an_unknown_parent_is_a_finding_on_the_line(wrap, read) -> None:
    found = read(wrap("856", *HEAD, *levels(SHIPMENT, item("2", "9", "A"))))
    assert [(f.code, f.value, f.line, f.location) for f in found.findings] == [
        ("hl.parent", "9", 1, "segment 5, HL-02")
    ]
    assert found.ends[0].accepted


def test_a_repeated_number_is_a_warning(wrap, read) -> None:
    found = read(wrap("856", *HEAD, *levels(SHIPMENT, order("2", "1", "A"), order("2", "1", "B"), item("3", "2", "X"))))
    assert [(f.code, f.severity.value) for f in found.findings] == [("hl.number", "warning")]
    assert found.lines["PRF01"].to_list() == ["B"]


def test_a_carton_far_behind_its_item_is_not_lost_in_silence(wrap, read) -> None:
    items = [(str(i), "1", "I", (f"LIN**VN*V{i}", "SN1**1*EA")) for i in range(2, CHUNK_ROWS + 20)]
    late = pack(str(CHUNK_ROWS + 20), "2", "C1")
    found = read(wrap("856", *HEAD, *levels(SHIPMENT, *items, late)))
    assert [(f.code, f.line, f.severity.value) for f in found.findings] == [("hl.late", 1, "warning")]
    assert found.lines["MAN[GM]02"].null_count() == found.lines.height


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


@pytest.mark.parametrize("learn", [True, False])
def test_a_path_through_a_named_level(wrap, read, learn) -> None:
    plan = X12().compile("x12.856", "HL[I]", ["HL[T]/MAN[GM]02", "HL[P]/MAN[GM]02", "N1[SF]/N401", "HL01"], {})
    rows = [("1", "", "S", ("N1*SF*A", "N4*AKRON", "N1*ST*B", "N4*TROY"))]
    for i in range(2, 400, 3):
        rows += [pack(str(i), "1", f"T{i}", "T"), pack(str(i + 1), str(i), f"P{i}"), item(str(i + 2), str(i + 1), "A")]
    found = read(wrap("856", *HEAD, *levels(*rows)), plans=One(plan), learn=learn)
    assert not found.findings
    assert found.lines.select(plan.paths).rows() == [(f"T{i}", f"P{i}", "AKRON", str(i + 2)) for i in range(2, 400, 3)]


def test_a_large_shuffled_tree(wrap, read) -> None:
    """Orders first, then their items in any order: the lines still know their order."""
    chance = random.Random(3)
    orders = [order(str(i), "1", f"PO{i}") for i in range(2, 52)]
    items = [item(str(i), str(chance.randrange(2, 52)), f"V{i}") for i in range(52, 1052)]
    found = read(wrap("856", *HEAD, *levels(SHIPMENT, *orders, *items)))
    assert not found.findings
    expected = [(id_, f"PO{parent}") for id_, parent, _, _ in items]
    assert found.lines.select("HL01", "PRF01").rows() == expected
    assert found.lines["_line"].to_list() == list(range(1, 1001))
    assert found.lines.select(pl.col("_at").str.strip_prefix("segment ").cast(pl.Int64).diff().drop_nulls() == 3)[
        "_at"
    ].all()


def test_the_top_of_a_large_tree_is_never_forgotten(wrap, read) -> None:
    rows = [SHIPMENT]
    for i in range(2, 3 * REMEMBERED // 2, 3):
        rows += [order(str(i), "1", f"PO{i}"), pack(str(i + 1), str(i), f"P{i}"), item(str(i + 2), str(i + 1), "A")]
    found = read(wrap("856", *HEAD, *levels(*rows)))
    assert not found.findings
    assert found.lines["N1[ST]04"].unique().to_list() == ["PLANT"]
    assert found.lines["PRF01"].n_unique() == found.lines.height == len(rows) // 3
