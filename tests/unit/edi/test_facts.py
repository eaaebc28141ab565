"""Our grammars against the public tables beside the checkout; what differs on purpose is listed with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.formats.edi.grammar import Composite, Part, load_grammar

FACTS = Path(__file__).resolve().parents[4] / "shared" / "facts" / "x12"
COMPARED = ["004010", "004030", "005010"]

#: Versions whose later additions we do not withdraw: a partner who sends them is understood.
OLDER = ["003040", "003060"]

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
    ("005010", "CTB"): "composite unit at the end left out",
    ("005010", "INC"): "number of instalments at the end left out",
    ("005010", "INC04"): "kept mandatory as in 004010",
    ("005010", "LFH"): "date at the end left out",
    ("005010", "NM1"): "second organization name at the end left out",
    ("005010", "NX2"): "later address components left out",
    ("005010", "TED05"): "position kept simple: composites came with the repetition of elements",
    ("005010", "TED06"): "reference kept simple: composites came with the repetition of elements",
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
    for id_, segment in load_grammar(version).segments.items():
        rows = known.get(id_)
        if rows is None:
            found.add(id_)
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


@pytest.mark.parametrize("version", OLDER)
def test_older_versions_know_nothing_that_is_longer_or_missing(version: str) -> None:
    """Every place of an old segment is there, and what both know of it has the type the table says."""
    known = facts(version)
    for id_, segment in load_grammar(version).segments.items():
        rows = known.get(id_, {})
        assert len(segment.uses) >= max(
            (int(place[:2]) for place in rows if int(place[:2]) <= 31), default=0
        ) or id_ in (
            "AK3",
            "ITA",
        )
        for position, use in enumerate(segment.uses, 1):
            row = rows.get(f"{position:02d}")
            if row and not isinstance(use.element, Composite) and row[3] == "DT":
                assert (use.element.type, str(use.element.most)) == ("DT", row[2]), f"{id_}{position:02d}"


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


@pytest.mark.parametrize("set_id", sorted(load_grammar("004010").sets))
def test_sets_of_004010(set_id: str) -> None:
    if set_id == "999":
        assert [row.split()[0] for row in rows_of(load_grammar("005010").sets["999"].root)] == [
            row.split()[0] for row in set_facts("005010", "999")
        ]
        return
    assert rows_of(load_grammar("004010").sets[set_id].root) == set_facts("004010", set_id)


def test_every_code_seen_in_the_tables_is_in_our_closed_lists() -> None:
    ours = load_grammar("004010")
    lists = {
        use.element.number: use.element.codes
        for segment in ours.segments.values()
        for use in segment.uses
        if not isinstance(use.element, Composite) and use.element.codes
    }
    for row in (FACTS / "004010" / "elements.tsv").read_text("utf-8").splitlines()[1:]:
        number, *_, seen = row.split("\t")
        if number in lists and number != "478":  # the tables mix 478 with payment methods
            assert set(seen.split()) <= lists[number], number
