"""Documents read again, held against a ledger that had them right from the start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.ledger.draft import Draft
from crossdock.ledger.readings import Corrected
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened

# the fixture makes a world of its own for every example
FRESH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

Line = tuple[str, str | None]  # subject, and what is said of it; None: the line waits


@dataclass(frozen=True)
class Sent:
    """A document as it came: its lines, and the lines as they are read once the configuration is right."""

    first: Sequence[Line]
    better: Sequence[Line]


_subjects = st.sampled_from(["S1", "S2", "S3"])
_values = st.sampled_from(["1", "2"])


@st.composite
def _lines(draw: st.DrawFn) -> list[Line]:
    subjects = draw(st.lists(_subjects, min_size=1, max_size=3, unique=True))
    return [(subject, draw(_values)) for subject in subjects]


@st.composite
def _parked(draw: st.DrawFn) -> Sent:
    """Some of its lines wait at first."""
    right = draw(_lines())
    waits = draw(st.lists(st.booleans(), min_size=len(right), max_size=len(right)))
    return Sent([(one[0], None) if wait else one for one, wait in zip(right, waits, strict=True)], right)


@st.composite
def _misread(draw: st.DrawFn) -> Sent:
    """Anything may be said otherwise, of something else, or not at all."""
    return Sent(draw(_lines()), draw(_lines() | st.just([])))


@st.composite
def _mistaken(draw: st.DrawFn) -> Sent:
    """The same subjects, of which other things are said."""
    first = draw(_lines())
    return Sent(first, [(subject, draw(_values)) for subject, _ in first])


def _paper(workshop: Any, name: str, lines: Sequence[Line]) -> Any:
    return workshop.Paper(
        facts=[workshop.Fact(subject, said, by=name, line=n) for n, (subject, said) in enumerate(lines, 1) if said],
        parked=[(n, "item.unknown") for n, (_, said) in enumerate(lines, 1) if said is None],
        findings=[workshop.finding(line=n, value="V-1") for n, (_, said) in enumerate(lines, 1) if said is None],
    )


def _drafts(workshop: Any, payload: PayloadRecord, paper: Any) -> Iterator[Draft]:
    for item in workshop.translation(payload, [paper]):
        match item:
            case DocumentOpened(document=document):
                draft = Draft(document, datetime.now(UTC))
            case DocumentLines():
                draft.add(item)
            case DocumentClosed():
                draft.close(item)
                yield draft


class World:
    """A ledger and what was sent to it."""

    def __init__(self, ledger: Ledger, workshop: Any) -> None:
        self.ledger = ledger
        self.workshop = workshop
        self.payloads: list[PayloadRecord] = []

    def receive(self, sent: Sequence[Sequence[Line]]) -> None:
        for number, lines in enumerate(sent):
            content = f"document {number}"
            payload = self.workshop.payload(self.ledger, content=content, key=content)
            self.ledger.store(payload.id, self.workshop.translation(payload, [_paper(self.workshop, content, lines)]))
            self.payloads.append(payload)

    def correct(self, better: Sequence[Sequence[Line]], *, only_waiting: bool = False) -> Corrected:
        total, standing = Corrected(), self.ledger.readings.standing()
        for number, (payload, lines) in enumerate(zip(self.payloads, better, strict=True)):
            drafts = list(_drafts(self.workshop, payload, _paper(self.workshop, f"document {number}", lines)))
            total.add(self.ledger.readings.correct(payload, drafts, standing, reason="test", only_waiting=only_waiting))
        return total

    def preview(self, better: Sequence[Sequence[Line]]) -> tuple[Corrected, list[tuple[str, str, str]]]:
        total, standing, told = Corrected(), self.ledger.readings.standing(), []
        for number, (payload, lines) in enumerate(zip(self.payloads, better, strict=True)):
            drafts = list(_drafts(self.workshop, payload, _paper(self.workshop, f"document {number}", lines)))
            for one in self.ledger.readings.compare(drafts, standing, total):
                told.append((str(one.change), one.subject, (one.after or {})["quantity"]))
        return total, told

    @property
    def facts(self) -> set[tuple[str, str]]:
        """Whatever was ever published: subject and content."""
        return {(event.subject, json.loads(event.data)["quantity"]) for event in self.ledger.events(limit=10_000)}

    @property
    def state(self) -> dict[str, str]:
        """What stands of each subject; what was cancelled does not stand."""
        newest = {event.subject: json.loads(event.data) for event in self.ledger.events(limit=10_000)}
        return {subject: data["quantity"] for subject, data in newest.items() if data["kind"] != "cancelled"}


@pytest.fixture
def worlds(workshop: Any, tmp_path: Path) -> Callable[[], Any]:
    """Makes worlds, each with a ledger of its own; copying a migrated file is faster than making one."""
    pattern = tmp_path / "pattern.db"
    Ledger.open(f"sqlite:///{pattern}").close()

    @contextmanager
    def world() -> Iterator[World]:
        folder = Path(mkdtemp(dir=tmp_path))
        shutil.copy(pattern, folder / "ledger.db")
        with Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
            yield World(ledger, workshop)

    return world


@settings(max_examples=25, suppress_health_check=FRESH)
@given(st.lists(_parked(), min_size=1, max_size=4))
def test_parking_and_releasing_is_as_if_the_master_data_had_been_right_from_the_start(
    worlds: Callable[[], Any], sent: list[Sent]
) -> None:
    with worlds() as parked, worlds() as right:
        parked.receive([one.first for one in sent])
        done = parked.correct([one.better for one in sent], only_waiting=True)
        right.receive([one.better for one in sent])

        assert parked.state == right.state
        assert parked.facts <= right.facts
        assert not parked.ledger.parked()
        assert done.released == sum(said is None for one in sent for _, said in one.first)


@settings(max_examples=25, suppress_health_check=FRESH)
@given(st.lists(_mistaken() | _parked(), min_size=1, max_size=4))
def test_replaying_everything_is_as_if_the_mapping_had_been_right_from_the_start(
    worlds: Callable[[], Any], sent: list[Sent]
) -> None:
    with worlds() as world, worlds() as right:
        world.receive([one.first for one in sent])
        world.correct([one.better for one in sent])
        right.receive([one.better for one in sent])

        assert world.state == right.state


@settings(max_examples=25, suppress_health_check=FRESH)
@given(st.lists(_misread() | _parked(), min_size=1, max_size=4))
def test_a_preview_says_what_the_replay_does_and_a_second_replay_does_nothing(
    worlds: Callable[[], Any], sent: list[Sent]
) -> None:
    better = [one.better for one in sent]
    with worlds() as world:
        world.receive([one.first for one in sent])
        before = world.ledger.events(limit=10_000)
        promised, told = world.preview(better)
        assert world.ledger.events(limit=10_000) == before

        done = world.correct(better)
        assert (done.changes, done.released, done.parked) == (promised.changes, promised.released, promised.parked)
        published = [event.subject for event in world.ledger.events(after=len(before), limit=10_000)]
        assert published == [subject for change, subject, _ in told if change != "overtaken"]

        size = len(world.ledger.events(limit=10_000))
        again = world.correct(better)
        assert again.published == 0
        assert again.changed == 0
        assert len(world.ledger.events(limit=10_000)) == size


@settings(max_examples=20, suppress_health_check=FRESH)
@given(st.lists(_mistaken(), min_size=1, max_size=3))
def test_what_was_corrected_can_be_corrected_back(worlds: Callable[[], Any], sent: list[Sent]) -> None:
    with worlds() as world, worlds() as right:
        world.receive([one.first for one in sent])
        world.correct([one.better for one in sent])
        world.correct([one.first for one in sent])
        right.receive([one.first for one in sent])

        assert world.state == right.state


def test_what_a_better_reading_does_not_give_is_cancelled_or_as_it_was_before(worlds: Callable[[], Any]) -> None:
    with worlds() as world:
        world.receive([[("S1", "1")], [("S1", "2"), ("S2", "2")]])
        done = world.correct([[("S1", "1")], []])

        assert done.changes == {"vanishes": 2}
        assert world.state == {"S1": "1"}
        *_, restored, cancelled = world.ledger.events()
        assert (restored.subject, restored.sequence, cancelled.kind) == ("S1", 3, "cancelled")
        assert json.loads(cancelled.data)["status"] == "withdrawn"

        assert world.correct([[("S1", "1")], [("S1", "2"), ("S2", "2")]]).changes == {"changes": 2}
        assert world.state == {"S1": "2", "S2": "2"}


def test_a_late_release_does_not_overtake_what_was_said_since(worlds: Callable[[], Any]) -> None:
    said = [[("S1", "1")], [("S1", "2")], [("S1", "1")]]
    with worlds() as world:
        world.receive([said[0], [("S1", None)], said[2]])
        done = world.correct(said, only_waiting=True)

        assert (done.released, done.changes) == (1, {"overtaken": 1})
        assert world.state == {"S1": "1"}


def test_lines_that_wait_still_wait_since_they_came_and_say_what_for_now(worlds: Callable[[], Any]) -> None:
    with worlds() as world:
        world.receive([[("S1", None), ("S2", None)]])
        (since,) = {line["parked_at"] for line in world.ledger.parked()}
        done = world.correct([[("S1", "1"), ("S2", None)]], only_waiting=True)

        assert (done.released, done.changed) == (1, 1)
        (line,) = world.ledger.parked()
        assert (line["line"], line["parked_at"]) == (2, since)
        assert [(cause["lines"], cause["value"]) for cause in world.ledger.parked_causes()] == [(1, "V-1")]
        (event,) = world.ledger.events()
        assert event.recorded_at > since.isoformat()


def test_both_databases_correct_alike(ledger: Ledger, workshop: Any) -> None:
    world = World(ledger, workshop)
    world.receive([[("S1", "1"), ("S2", None)], [("S1", "1")], [("S3", "3")]])
    better = [[("S1", "1"), ("S2", "2")], [("S1", "2")], []]

    promised, _ = world.preview(better)
    done = world.correct(better)

    assert done.changes == promised.changes == {"appears": 1, "changes": 1, "vanishes": 1}
    assert (done.documents, done.changed, done.released, done.parked) == (3, 3, 1, 0)
    assert world.state == {"S1": "2", "S2": "2"}
    assert world.correct(better).changed == 0
    assert [row["documents"] for row in ledger.summary()] == [3]
