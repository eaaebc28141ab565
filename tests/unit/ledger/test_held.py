"""What a relay does when a sink fails, refuses, is paused or must begin anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.ledger import Ledger, StoredEvent
from crossdock.ledger.held import key_of
from crossdock.ledger.relay import Clock, Policy, deliver, offer
from schemas.errors import PermanentError, RefusedError, TransientError


@dataclass
class FakeSink:
    """Takes everything but what ``refuses``; raises the next of ``errors`` first."""

    refuses: set[str] = field(default_factory=set)  #: subjects with their sequence: ``PO3/1``
    errors: list[Exception | None] = field(default_factory=list)
    took: list[str] = field(default_factory=list)
    calls: int = 0

    def __call__(self, events: Sequence[StoredEvent]) -> None:
        self.calls += 1
        if self.errors and (error := self.errors.pop(0)):
            raise error
        names = [name(event) for event in events]
        if self.refuses.intersection(names):
            raise RefusedError("no, thank you")
        self.took += names


@dataclass
class FakeTime:
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, chance=lambda: 1.0)


POLICY = Policy(first=timedelta(seconds=1), attempts=3, brake=6)


def name(event: StoredEvent) -> str:
    return f"{event.subject}/{event.sequence}"


@pytest.fixture
def filled(ledger: Ledger, workshop) -> Ledger:
    """Ten orders, of which PO3 and PO4 are changed twice: fourteen events."""
    for says in ("1", "2", "3"):
        numbers = range(10) if says == "1" else (3, 4)
        workshop.store(ledger, workshop.Paper([workshop.Fact(f"PO{n}", says, by=f"D{says}") for n in numbers]))
    return ledger


@pytest.fixture
def run(filled: Ledger):
    time = FakeTime()

    def go(sink: FakeSink, *, batch: int = 100, policy: Policy = POLICY, later: float = 0) -> int:
        time.now += timedelta(seconds=later)
        return deliver(filled._database, "feed", sink, batch=batch, policy=policy, clock=time.clock)

    go.time = time  # type: ignore[attr-defined]
    return go


def all_names(ledger: Ledger) -> list[str]:
    return [name(event) for event in ledger.events()]


def states(ledger: Ledger) -> dict[int, tuple[str, int]]:
    return {row["position"]: (row["status"], row["attempts"]) for row in ledger.held_events("feed")}


def test_a_refused_event_holds_up_its_own_key_and_no_other(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO3/1"})
    assert run(sink) == 11
    assert sink.took == [one for one in all_names(filled) if not one.startswith("PO3/")]
    assert states(filled) == {4: ("waiting", 1), 11: ("waiting", 0), 13: ("waiting", 0)}
    [health] = filled.sinks()
    assert (health["position"], health["behind"], health["waiting"], health["dead"]) == (14, 0, 3, 0)


def test_it_is_offered_again_when_its_time_has_come_and_what_waits_behind_it_follows(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO3/1"})
    run(sink)
    sink.refuses.clear()
    assert run(sink) == 0
    assert run(sink, later=1) == 3
    assert sink.took[-3:] == ["PO3/1", "PO3/2", "PO3/3"]
    assert states(filled) == {}


def test_after_so_many_attempts_it_is_a_dead_letter_until_somebody_redrives_it(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO3/2"})
    for _ in range(5):
        run(sink, later=100)
    assert states(filled) == {11: ("dead", 3), 13: ("waiting", 0)}
    [dead] = filled.held_events("feed", status="dead")
    assert (dead["id"], dead["subject"], dead["cause"]) == (filled.events(after=10)[0].id, "PO3", "no, thank you")
    sink.refuses.clear()
    assert run(sink, later=1000) == 0
    assert filled.redrive("feed") == 1
    assert run(sink, later=1000) == 2
    assert sink.took[-2:] == ["PO3/2", "PO3/3"]
    assert states(filled) == {}


def test_a_dead_letter_given_up_lets_those_behind_it_go_on(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO3/1"})
    for _ in range(5):
        run(sink, later=100)
    assert filled.discard("feed", [4, 11]) == 1
    assert run(sink) == 2
    assert sink.took[-2:] == ["PO3/2", "PO3/3"]


def test_a_new_event_of_a_held_key_waits_behind_it(filled: Ledger, run, workshop) -> None:
    sink = FakeSink(refuses={"PO3/1"})
    run(sink)
    workshop.store(filled, workshop.Paper([workshop.Fact(f"PO{n}", "9", by="D9") for n in (3, 5)]))
    assert run(sink) == 1
    assert sink.took[-1] == "PO5/2"
    assert states(filled)[15] == ("waiting", 0)


def test_a_sink_that_refuses_everything_is_paused_and_says_why(filled: Ledger, run) -> None:
    sink = FakeSink(refuses=set(all_names(filled)))
    assert run(sink, batch=3) == 0
    [health] = filled.sinks()
    assert health["pause_reason"] == "6 events refused in a row, the last: no, thank you"
    assert health["position"] == 6
    assert run(sink, later=1000) == 0
    sink.refuses.clear()
    filled.resume_sink("feed")
    assert run(sink, later=1000) == 14
    assert sorted(sink.took) == sorted(all_names(filled))


def test_waits_grow_and_are_kept_between_runs(filled: Ledger, run) -> None:
    sink = FakeSink(errors=[TransientError("away")] * 4)
    for wait in (1, 2, 4):
        with pytest.raises(TransientError, match="away") as told:
            run(sink)
        assert told.value.retry_after == wait
        with pytest.raises(TransientError, match=r"left alone for \d+ s more after \d failures: away"):
            run(sink)
        run.time.now += timedelta(seconds=wait)
    assert sink.calls == 3
    assert filled.sinks()[0]["failures"] == 3


def test_a_short_wait_is_waited_for(filled: Ledger, run) -> None:
    sink = FakeSink(errors=[TransientError("away"), TransientError("away")])
    assert run(sink, policy=Policy(first=timedelta(seconds=1), patience=timedelta(seconds=3))) == 14
    assert run.time.slept == [1.0, 2.0]
    assert sink.took == all_names(filled)
    assert filled.sinks()[0]["failures"] == 0


def test_what_the_receiver_asks_for_is_what_it_gets(filled: Ledger, run) -> None:
    with pytest.raises(TransientError) as told:
        run(FakeSink(errors=[TransientError("busy", retry_after=90)]))
    assert told.value.retry_after == 90
    assert filled.sinks()[0]["retry_at"] == run.time.now + timedelta(seconds=90)


def test_jitter_lies_between_half_and_all_of_the_wait() -> None:
    policy = Policy(first=timedelta(seconds=8), longest=timedelta(seconds=20))
    assert [policy.wait(2, chance).total_seconds() for chance in (0, 0.5, 1)] == [8, 12, 16]
    assert policy.wait(500).total_seconds() == 20


def test_what_was_handed_over_before_an_error_is_not_handed_over_again(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO9/1"}, errors=[None, None, None, TransientError("away")])
    with pytest.raises(TransientError):
        run(sink, batch=10)
    before = list(sink.took)
    assert before == all_names(filled)[: len(before)]
    run(sink, batch=10, later=10)
    assert sink.took == [one for one in all_names(filled) if one != "PO9/1"]


def test_any_other_error_stops_the_sink_where_it_is(filled: Ledger, run) -> None:
    with pytest.raises(PermanentError, match="credentials"):
        run(FakeSink(errors=[None, PermanentError("wrong credentials")]), batch=5)
    [health] = filled.sinks()
    assert (health["position"], health["failure"], health["retry_at"]) == (5, "wrong credentials", None)


def test_a_paused_sink_gets_nothing_until_it_is_resumed(filled: Ledger, run) -> None:
    sink = FakeSink()
    run(sink, batch=5)
    assert filled.pause_sink("feed", "the receiver moves house")
    assert not filled.pause_sink("nobody")
    filled.backfill_sink("feed", 0)
    assert run(FakeSink()) == 0
    assert filled.sinks()[0]["pause_reason"] == "the receiver moves house"
    assert filled.resume_sink("feed")
    assert run(FakeSink()) == 14


def test_a_pause_takes_effect_between_two_batches(filled: Ledger, run) -> None:
    batches = []

    def pausing(events: Sequence[StoredEvent]) -> None:
        batches.append(len(events))

    assert filled.deliver("other", pausing, batch=5) == 14
    filled.backfill_sink("other", 0)
    filled.pause_sink("other")
    assert filled.deliver("other", pausing, batch=5) == 0
    assert batches == [5, 5, 4]


def test_a_sink_can_begin_anywhere_and_again(filled: Ledger) -> None:
    sink = FakeSink()
    assert filled.deliver("new", sink, begin=12) == 2
    assert sink.took == ["PO3/3", "PO4/3"]
    filled.backfill_sink("new", 9)
    assert filled.deliver("new", sink) == 5
    assert sink.took[2:] == all_names(filled)[9:]
    filled.backfill_sink("newer", 13)
    assert filled.deliver("newer", FakeSink()) == 1
    with pytest.raises(PermanentError, match="positions 1 to 14"):
        filled.backfill_sink("new", 15)


def test_a_backfill_offers_what_was_held_beyond_it_anew(filled: Ledger, run) -> None:
    sink = FakeSink(refuses={"PO3/1", "PO4/2"})
    run(sink)
    filled.backfill_sink("feed", 4)
    assert set(states(filled)) == {4}
    run(FakeSink(refuses={"PO4/2"}))
    assert set(states(filled)) == {4, 11, 12, 13, 14}


def test_where_an_instant_lies_in_the_feed(filled: Ledger) -> None:
    recorded = datetime.fromisoformat(filled.events(after=10, limit=1)[0].recorded_at)
    assert filled.position_at(recorded) == 10
    assert filled.position_at(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert filled.position_at(datetime.now(UTC) + timedelta(days=1)) == 14


EVENTS = [
    StoredEvent(
        position=n,
        id=str(n),
        stream="demand",
        kind="ordered",
        subject="ABC"[n % 3],
        sequence=n,
        time="",
        recorded_at="",
        partner="",
        item="",
        site="",
        document="",
        channel="",
        data="",
    )
    for n in range(1, 25)
]


@given(st.sets(st.integers(1, 24)), st.integers(1, 40))
def test_whatever_is_refused_and_wherever_it_breaks_off_order_by_key_is_kept(refused: set[int], calls: int) -> None:
    taken: list[StoredEvent] = []
    left = [calls]

    def hand_over(events: Sequence[StoredEvent]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise TransientError("away")
        if refused.intersection(event.position for event in events):
            raise RefusedError("no")
        taken.extend(events)

    offered = offer(EVENTS, hand_over, set())
    assert offered.taken == taken
    done = {event.position for event in (*taken, *offered.behind, *(event for event, _ in offered.refused))}
    assert done == {event.position for event in EVENTS[: offered.settled]}
    assert {event.position for event, _ in offered.refused} <= refused
    assert [event.position for event in taken] == sorted(event.position for event in taken)
    for event, _ in offered.refused:
        assert all(other.position < event.position for other in taken if key_of(other) == key_of(event))
