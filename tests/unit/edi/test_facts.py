"""Our grammars against the public tables beside the checkout; what differs on purpose is listed with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.formats.edi.grammar import Composite, Grammar, Part, load_grammar

FACTS = Path(__file__).resolve().parents[4] / "shared" / "facts" / "x12"
COMPARED = ["003040", "003060", "004010", "004030", "005010", "005030"]

#: (version or *, place): why ours differs.
DELIBERATE = {
    ("*", "CTX"): "not in the tables; of the 005010 set 999",
    ("*", "IK3"): "not in the tables; of the 005010 set 999",
    ("*", "IK4"): "not in the tables; of the 005010 set 999",
    ("*", "IK5"): "not in the tables; of the 005010 set 999",
    ("*", "MSG"): "gave way to MTX in 004030; partners go on sending it",
    ("*", "IN2"): "only the first pair of name components is read",
    ("*", "CS03"): "element 127 is longer in every segment from 004030 on",
    ("*", "LH2"): "flash point of later versions left out",
    ("*", "LH411"): "free text, never judged by length in practice",
    ("004030", "AK4"): "the third component came with 005010",
    ("005010", "ADV06"): "unit codes have two characters",
    ("*", "INC"): "measures in full, and the rate at the end left out",
    ("*", "INC04"): "kept mandatory as in 004010",
    ("*", "NX2"): "later address components left out",
    ("003040", "CSH02"): "action codes have one character or two",
    ("003040", "CSH03"): "amounts are as long as in 004010",
    ("003040", "IT802"): "action codes have one character or two",
    ("003040", "IT803"): "amounts are as long as in 004010",
    ("003040", "ITD14"): "payment methods have one character or two",
    ("003040", "ITA"): "the last element left out",
    ("003040", "ITA15"): "options as in 004010",
    ("003040", "MEA"): "a measure's unit is a composite of one",
    ("003040", "POC"): "a measure's unit is a composite of one",
    ("003040", "PWK"): "actions indicated (C002) are a composite of five",
    ("003040", "PWK02"): "codes have one character or two",
    ("003040", "RCD"): "a measure's unit is a composite of one",
    ("003040", "SAC10"): "quantities are as long as in 004010",
    ("003040", "SAC11"): "quantities are as long as in 004010",
    ("003040", "TD403"): "classes have one character or more",
    ("003040", "TXI"): "the assigned identification may follow",
    ("003040", "UIT"): "a measure's unit is a composite of one",
    ("003060", "CSH02"): "action codes have one character or two",
    ("003060", "IT802"): "action codes have one character or two",
    ("003060", "ITD14"): "payment methods have one character or two",
    ("003060", "LEP01"): "codes as in 004010",
    ("003060", "LEP02"): "codes as in 004010",
    ("003060", "PAM"): "measures in full",
    ("003060", "SDQ01"): "the unit is no composite before it nor after",
    ("003060", "V101"): "codes as in 004010",
    ("005030", "ADV06"): "unit codes have two characters",
    ("005030", "LH1"): "the last element left out",
}


def kind(type_: str) -> str:
    """The tables show identifiers as text, and numbers without decimals as decimals."""
    return {"ID": "AN", "N0": "R"}.get(type_, type_)


def facts(version: str) -> dict[str, dict[str, tuple[str, str, str, str]]]:
    found: dict[str, dict[str, tuple[str, str, str, str]]] = {}
    for row in (FACTS / version / "segments.tsv").read_text("utf-8").splitlines()[1:]:
        segment, place, required, least, most, type_ = row.split("\t")
        found.setdefault(segment, {})[place[len(segment) :]] = (required, least, most, kind(type_))
    return found


def differences(version: str) -> set[str]:
    """Places where our segments are not those of the tables."""
    known = facts(version)
    found: set[str] = set()
    grammar = load_grammar(version)
    used = {chain[-1].id for set_ in grammar.sets.values() for chain in set_.root.walk()}
    for id_, segment in grammar.segments.items():
        rows = known.get(id_)
        if rows is None:
            found |= {id_} & used
            continue
        if max(int(place[:2]) for place in rows) != len(segment.uses):
            found.add(id_)
        for position, use in enumerate(segment.uses, 1):
            row = rows.get(f"{position:02d}")
            if row is None:
                continue
            required = "M" if use.required else "C"
            if isinstance(use.element, Composite):
                parts = sum(place.startswith(f"{position:02d}.") for place in rows)
                if (row[0], row[3], parts) != (required, "composite", len(use.element.uses)):
                    found.add(id_)
            elif (required, str(use.element.least), str(use.element.most), kind(use.element.type)) != row:
                found.add(f"{id_}{position:02d}")
    return found


@pytest.mark.parametrize("version", COMPARED)
def test_segments(version: str) -> None:
    allowed = {place for known, place in DELIBERATE if known in ("*", version)}
    assert differences(version) - allowed == set()


def test_no_difference_is_listed_in_vain() -> None:
    every = {(version, place) for version in COMPARED for place in differences(version)}
    places = {place for _, place in every}
    assert [key for key in DELIBERATE if (key not in every if key[0] != "*" else key[1] not in places)] == []


def rows_of(part: Part, path: tuple[str, ...] = ()) -> list[str]:
    most = ">1" if part.most >= 99_999 and part.most not in (100_000, 200_000) else str(part.most)
    here = (*path, part.id)
    return [f"{'/'.join(here)} {int(part.required)} {most}", *(row for m in part.members for row in rows_of(m, here))]


def set_facts(version: str, set_id: str) -> list[str]:
    found: list[str] = []
    path: list[str] = []
    for line in (FACTS / version / f"{set_id}.txt").read_text("utf-8").splitlines():
        words = line.split()
        if words[0] == "}":
            path.pop()
            continue
        most = ">1" if int(words[2]) >= 99_999 and int(words[2]) not in (100_000, 200_000) else words[2]
        found.append(f"{'/'.join([*path, words[0]])} {words[1]} {most}")
        if words[-1] == "{":
            path.append(words[0])
    return found


#: rows of sets that are ours alone: see MSG above
OURS_ALONE = {"004030": ("MSG",), "005010": ("MSG",), "005030": ("MSG",)}
#: rows of sets that ours lack: special services and accounting, which no table names the elements of
THEIRS_ALONE = {"003040": ("SSS",), "003060": ("AT",)}


@pytest.mark.parametrize("version", COMPARED)
@pytest.mark.parametrize("set_id", sorted(load_grammar("004010").sets))
def test_sets(version: str, set_id: str) -> None:
    if not (FACTS / version / f"{set_id}.txt").exists():
        assert (version < "005010") == (set_id == "999")
        return

    def shown(rows: list[str], alone: dict[str, tuple[str, ...]]) -> list[str]:
        return [row for row in rows if row.split()[0].rpartition("/")[2] not in alone.get(version, ())]

    ours, theirs = rows_of(load_grammar(version).sets[set_id].root), set_facts(version, set_id)
    assert shown(ours, OURS_ALONE) == shown(theirs, THEIRS_ALONE)


#: elements whose codes the tables mix with those of others
MIXED = ("333", "478")  # prices, payment methods


@pytest.mark.parametrize("version", ["003010", "004010", "005010"])
def test_every_code_seen_in_the_tables_is_in_our_closed_lists(version) -> None:
    lists = code_lists(load_grammar("005010" if version == "005010" else "004010"))
    for row in (FACTS / version / "elements.tsv").read_text("utf-8").splitlines()[1:]:
        number, *_, seen = row.split("\t")
        if number in lists and number not in MIXED:
            assert set(seen.split()) <= lists[number], number


#: long lists of which these tables have seen a few codes; ours are from another table
SEEN_IN_PART = {"98", "235", "236", "366", "368", "374", "647", "673", "735"}


def test_long_lists_hold_nothing_that_no_table_has() -> None:
    known: dict[str, set[str]] = {}
    for version in ("003010", "004010", "005010"):
        for row in (FACTS / version / "elements.tsv").read_text("utf-8").splitlines()[1:]:
            number, *_, seen = row.split("\t")
            known.setdefault(number, set()).update(seen.split())
    lists = code_lists(load_grammar("004010"))
    long = [number for number, codes in lists.items() if len(codes) > 100 and number != "353"]
    assert len(long) >= 10
    assert {number for number in long if lists[number] != known.get(number)} == SEEN_IN_PART


def code_lists(grammar: Grammar) -> dict[str, frozenset[str]]:
    uses = (use for segment in grammar.segments.values() for use in segment.uses)
    simple = (part for use in uses for part in (use.element.uses if isinstance(use.element, Composite) else (use,)))
    elements = (use.element for use in simple if not isinstance(use.element, Composite))
    return {element.number: element.codes for element in elements if element.codes is not None}
