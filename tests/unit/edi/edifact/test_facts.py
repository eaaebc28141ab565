"""Our grammars against the public tables beside the checkout; what differs on purpose is listed with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.formats.edi.edifact.directories import directory_for, known_directories
from connectors.formats.edi.grammar import EDIFACT, Composite, Part, load_grammar

FACTS = Path(__file__).resolve().parents[5] / "shared" / "facts" / "edifact"
BASE = "D96A"

DIRECTORIES = sorted((path.name for path in FACTS.iterdir()), key=lambda name: (int(name[1]) < 9, name))

#: segments that the tables of D.96A do not have: of the service, or first used by a later directory
BEYOND = {"TMD"} | {"UCI", "UCF", "UCM", "UCS", "UCD"} | {"UNB", "UNZ", "UNG", "UNE", "UNH", "UNT", "UNS"}

#: rows of messages that differ on purpose from D.97A on: LIN stands 200000 times before, and no later directory is said
#: to have made orders shorter; the head of a delivery schedule may name places, as it may in D.96A
ROWS_OF_OURS = {
    ("ORDERS", "UNH/LIN 0 200000"), ("ORDRSP", "UNH/LIN 0 200000"), ("ORDCHG", "UNH/LIN 0 200000"),
    ("DELFOR", "UNH/NAD/LOC 0 10"),
}  # fmt: skip
#: components that the tables of D.97A to D.99A leave out, call optional or count differently from all before and after
UNSURE = {"CUX", "DOC", "GIS", "INP", "LIN", "MOA", "NAD", "PAC", "PAT", "PCI", "PRI", "SCC", "STS", "TDT"}
UNSURE_IN = ("D97A", "D97B", "D98A", "D98B", "D99A", "D99B")


def table(directory: str) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in (FACTS / directory / "segments.tsv").read_text("utf-8").splitlines()[1:]:
        segment, place, element, required, type_, _, most = row.split("\t")
        found.setdefault(segment, {})[place] = (element, required, type_, most)
    return found


def ours(directory: str) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for id_, segment in load_grammar(directory, EDIFACT).segments.items():
        places = found[id_] = {}
        for position, use in enumerate(segment.uses, 1):
            element, required = use.element, "M" if use.required else "C"
            if isinstance(element, Composite):
                places[f"{position:02d}"] = (element.number, required, "composite", "")
                for component, part in enumerate(element.uses, 1):
                    assert not isinstance(part.element, Composite)
                    places[f"{position:02d}-{component}"] = (
                        part.element.number, "M" if part.required else "C", part.element.type, str(part.element.most),
                    )  # fmt: skip
            else:
                places[f"{position:02d}"] = (element.number, required, element.type, str(element.most))
    return found


def rows_of(part: Part, path: tuple[str, ...] = ()) -> list[str]:
    here = (*path, part.id)
    return [
        f"{'/'.join(here)} {int(part.required)} {part.most}",
        *(row for m in part.members for row in rows_of(m, here)),
    ]


def message_table(directory: str, message: str) -> list[str]:
    found, path, group = ["UNH 1 1"], ["UNH"], ""
    for line in (FACTS / directory / f"{message}.txt").read_text("utf-8").splitlines()[1:]:
        word, *uses = line.split()
        if word == "}":
            path.pop()
        elif re.fullmatch(r"SG\d+", word):
            group = " ".join(uses[:2])
        else:
            found.append(f"{'/'.join([*path, word])} {group or ' '.join(uses[:2])}")
            path += [word] if group else []
            group = ""
    return found


def test_segments_of_the_base() -> None:
    known, written = table(BASE), ours(BASE)
    assert set(written) - set(known) == BEYOND
    assert {id_: places for id_, places in written.items() if id_ not in BEYOND} == {
        id_: known[id_] for id_ in written if id_ not in BEYOND
    }


@pytest.mark.parametrize("message", sorted(set(load_grammar(BASE, EDIFACT).sets) - {"CONTRL"}))
def test_messages_of_the_base(message) -> None:
    assert rows_of(load_grammar(BASE, EDIFACT).sets[message].root) == message_table(BASE, message)


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_messages_of_every_directory(directory) -> None:
    grammar = load_grammar(read_by(directory), EDIFACT)
    differing = set()
    for message in sorted(set(grammar.sets) & {path.stem for path in (FACTS / directory).glob("*.txt")}):
        written, known = rows_of(grammar.sets[message].root), message_table(directory, message)
        differing |= {(message, row) for row in set(written) - set(known)}
        known = [
            row.replace("UNH/LIN 0 20000", "UNH/LIN 0 200000") if row == "UNH/LIN 0 20000" else row for row in known
        ]
        assert [row for row in written if (message, row) not in ROWS_OF_OURS or row in known] == known
    assert differing <= ROWS_OF_OURS


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_segments_of_every_directory(directory) -> None:
    """At no place does ours lack an element, allow less of it, or demand it where the table does not."""
    known, written = table(directory), ours(read_by(directory))
    less = []
    used = {
        part[-1].id for set_ in load_grammar(read_by(directory), EDIFACT).sets.values() for part in set_.root.walk()
    }
    for id_ in sorted((used & set(known)) - {"UNH", "UNT"} - (UNSURE if directory in UNSURE_IN else set())):
        for place, (element, required, type_, most) in known[id_].items():
            mine = written[id_].get(place)
            if mine is None or (mine[0] == element and mine[1] == "M" != required):
                less.append((id_, place, element, mine))
            elif mine[0] == element and (int(mine[3] or 0) < int(most or 0) or mine[2] == "n" != type_):
                less.append((id_, place, (type_, most), mine))
    assert less == []


def read_by(directory: str) -> str:
    name, sure = directory_for("ORDERS", "D", directory[1:])
    assert sure
    return name


def test_directories_without_tables_are_read_by_the_one_before() -> None:
    assert set(DIRECTORIES) - set(known_directories()) == {"D01A", "D01B", "D10A", "D15B", "D21B"}


WITH_CODES = ("D96A", "D01B", "D10A", "D21B")
#: lists that are wider than all that the tables have: what directories between and before them had
WIDER = {"0035", "0081", "0083", "1225", "2379", "3055", "4347", "4453"}


def test_code_lists_are_those_of_the_tables() -> None:
    known: dict[str, set[str]] = {}
    for directory in WITH_CODES:
        for row in (FACTS / directory / "codes.tsv").read_text("utf-8").splitlines()[1:]:
            number, seen = row.split("\t")
            known.setdefault(number, set()).update(seen.split())
    lists = {
        part.element.number: part.element.codes
        for segment in load_grammar(BASE, EDIFACT).segments.values()
        for use in segment.uses
        for part in (use.element.uses if isinstance(use.element, Composite) else (use,))
        if not isinstance(part.element, Composite) and part.element.codes
    }
    eancom = {f"{number}E" for number in range(1, 100)}
    assert len(lists) > 90
    assert {number for number in lists if not lists[number] >= known.get(number, set())} == set()
    assert {number for number in lists if not lists[number] - eancom <= known.get(number, set())} <= WIDER
