"""Telling what did not arrive, with a ledger that says what the test wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from crossdock.ledger import Ledger
from crossdock.local.arrivals import not_arrived, not_delivered, not_found_out, not_taken
from crossdock.simulate import Effect, Made, Planted, Simulation
from crossdock.simulate.plan import Expected
from schemas.events import Stream


@dataclass(frozen=True)
class Event:
    position: int
    id: str


@dataclass
class Told:
    """A ledger that has only answers."""

    ids: Sequence[str] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)

    def events(self, *, after: int = 0, limit: int = 1000) -> list[Event]:
        return [Event(number, id) for number, id in enumerate(self.ids, 1) if number > after][:2]

    def summary(self) -> list[dict[str, Any]]:
        return self.rows

    def findings(self, *, limit: int) -> list[dict[str, Any]]:
        return self.found


def ledger(**answers: Any) -> Ledger:
    return cast(Ledger, Told(**answers))


def feed(folder: Path, *files: Sequence[str]) -> Path:
    for number, ids in enumerate(files):
        text = "".join(json.dumps({"specversion": "1.0", "id": id}) + "\n" for id in ids)
        (folder / f"{number:012d}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([["a", "b"], ["c"]], []),
        ([["a", "b"]], ["1 event(s) of the ledger are not in the feed, the first c"]),
        ([["a", "b"], ["c", "d"]], ["1 event(s) of the feed are not in the ledger, the first d"]),
        ([["a", "b"], ["b", "c"]], ["1 event(s) are in the feed more than once, the first b"]),
    ],
)
def test_the_feed_is_read_back_and_held_against_the_ledger(tmp_path: Path, files, told):
    assert not_delivered(ledger(ids="abc"), feed(tmp_path, *files)) == told


def simulation(folder: Path) -> Simulation:
    planted = Planted(
        name="item",
        channel="edi",
        file="in/one.edi",
        payload="one.edi",
        place="segment 4",
        value="P9",
        findings=(Expected(code="item.unknown", location="segment 4", value="P9"),),
        effect=Effect.LINE_PARKED,
        story="a part nobody knows",
        count=2,
    )
    made = Made(channel="edi", file="in/one.edi", type="x12.856", documents=1, lines=10, events={Stream("shipment"): 8})
    return Simulation(directory=folder, seed=1, made=(made,), planted=(planted,))


def row(**changes: Any) -> dict[str, Any]:
    whole = {"channel": "edi", "documents": 1, "lines": 10, "parked": 2, "quarantined": 0, "rejected": 0, "waiting": 0}
    return whole | {"events": {"demand": 0, "shipment": 8, "inventory": 0}} | changes


def test_what_was_made_and_came_is_fine(tmp_path: Path):
    assert not_arrived(simulation(tmp_path), ledger(rows=[row()])) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lines": 9}, "edi: lines: 10 were to come, there are 9"),
        ({"parked": 3}, "edi: parked: 2 were to come, there are 3"),
        ({"waiting": 1}, "edi: waiting: 0 were to come, there are 1"),
        ({"events": {"shipment": 7}}, "edi: shipment: 8 were to come, there are 7"),
    ],
)
def test_each_count_that_differs_is_told(tmp_path: Path, changes, told):
    assert not_arrived(simulation(tmp_path), ledger(rows=[row(**changes)])) == [told]


def test_a_channel_of_which_nothing_came_is_told(tmp_path: Path):
    assert not_arrived(simulation(tmp_path), ledger()) == ["edi: nothing of it is in the ledger"]


def test_a_planted_defect_must_be_found_at_its_place(tmp_path: Path):
    finding = {"channel": "edi", "name": "one.edi", "code": "item.unknown", "location": "segment 4", "value": "P9"}
    assert not_found_out(simulation(tmp_path), ledger(found=[finding])) == []
    elsewhere = finding | {"location": "segment 5"}
    told = ["edi: one.edi: item.unknown at segment 4 was not found"]
    assert not_found_out(simulation(tmp_path), ledger(found=[elsewhere])) == told


def test_a_file_that_still_lies_there_is_told(tmp_path: Path):
    assert not_taken(simulation(tmp_path)) == []
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.edi").touch()
    assert not_taken(simulation(tmp_path)) == [f"1 file(s) have not been taken in, the first {tmp_path / 'in/one.edi'}"]
