"""Our grammars against the public tables beside the checkout; what differs on purpose is listed with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.formats.edi.edifact.directories import known_directories
from connectors.formats.edi.grammar import EDIFACT, Composite, Part, load_grammar

FACTS = Path(__file__).resolve().parents[5] / "shared" / "facts" / "edifact"
BASE = "D96A"

#: segments that the tables of D.96A do not have: of the service, or first used by a later directory
BEYOND = {"TMD"} | {"UCI", "UCF", "UCM", "UCS", "UCD"} | {"UNB", "UNZ", "UNG", "UNE", "UNH", "UNT", "UNS"}


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


@pytest.mark.parametrize("directory", [d for d in known_directories() if d != BASE])
def test_later_directories_allow_what_their_tables_allow_in_length(directory) -> None:
    """Of every element that both know at a place, ours is never shorter."""
    known, written = table(directory), ours(directory)
    shorter = []
    for id_, places in written.items():
        for place, (element, _, _, most) in places.items():
            theirs = known.get(id_, {}).get(place)
            if theirs and theirs[0] == element and int(most or 0) < int(theirs[3] or 0):
                shorter.append((id_, place, most, theirs[3]))
    assert shorter == []


@pytest.mark.parametrize("directory", ["D96A", "D01B", "D10A", "D21B"])
def test_every_code_in_the_tables_is_in_our_closed_lists(directory) -> None:
    grammar = load_grammar(BASE, EDIFACT)
    lists = {
        part.element.number: part.element.codes
        for segment in grammar.segments.values()
        for use in segment.uses
        for part in (use.element.uses if isinstance(use.element, Composite) else (use,))
        if not isinstance(part.element, Composite) and part.element.codes
    }
    for row in (FACTS / directory / "codes.tsv").read_text("utf-8").splitlines()[1:]:
        number, seen = row.split("\t")
        if number in lists:
            assert set(seen.split()) <= lists[number], number
