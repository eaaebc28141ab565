"""Cursors: every sink gets every event, in order, one runner at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from crossdock.ledger import Ledger, StoredEvent
from schemas.errors import PermanentError, TransientError


@pytest.fixture
def filled(ledger: Ledger, workshop) -> Ledger:
    """A ledger with 25 events."""
    workshop.store(ledger, workshop.Paper([workshop.Fact(f"PO{n}", "1") for n in range(25)]))
    return ledger


class FakeSink:
    """Remembers the positions of each batch; may be told to fail at one."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.fails_at = fails_at

    def __call__(self, events: Sequence[StoredEvent]) -> None:
        if self.fails_at in [event.position for event in events]:
            raise TransientError("the sink is busy")
        self.batches.append([event.position for event in events])


def test_batches_come_in_order_and_end_at_the_feeds_end(filled: Ledger) -> None:
    sink = FakeSink()
    assert filled.deliver("feed", sink, batch=10) == 25
    assert sink.batches == [list(range(1, 11)), list(range(11, 21)), list(range(21, 26))]
    assert filled.deliver("feed", sink, batch=10) == 0
    assert len(sink.batches) == 3


def test_what_comes_in_while_a_batch_is_handed_over_is_handed_over_too(filled: Ledger, workshop) -> None:
    class Slow(FakeSink):
        def __call__(self, events: Sequence[StoredEvent]) -> None:
            super().__call__(events)
            if events[-1].position == 25:  # the page behind it was read before, and was empty then
                workshop.store(filled, workshop.Paper([workshop.Fact("NEW", "1")]))

    sink = Slow()
    assert filled.deliver("feed", sink, batch=5) == 26
    assert sink.batches[-2:] == [[21, 22, 23, 24, 25], [26]]


def test_only_what_is_new_is_delivered_next(filled: Ledger, workshop) -> None:
    sink = FakeSink()
    filled.deliver("feed", sink)
    workshop.store(filled, workshop.Paper([workshop.Fact("NEW", "1"), workshop.Fact("PO3", "1")]))
    assert filled.deliver("feed", sink) == 1
    assert sink.batches[-1] == [26]


def test_a_failed_batch_is_delivered_again_from_its_start(filled: Ledger) -> None:
    sink = FakeSink(fails_at=15)
    with pytest.raises(TransientError, match="busy"):
        filled.deliver("feed", sink, batch=10)
    assert filled.sinks()[0]["position"] == 10
    sink.fails_at = None
    assert filled.deliver("feed", sink, batch=10) == 15
    assert sink.batches == [list(range(1, 11)), list(range(11, 21)), list(range(21, 26))]


def test_sinks_have_cursors_of_their_own(filled: Ledger) -> None:
    one, other = FakeSink(), FakeSink()
    filled.deliver("one", one)
    assert filled.deliver("other", other) == 25
    assert one.batches == other.batches
    assert [(row["sink"], row["position"], row["behind"]) for row in filled.sinks()] == [
        ("one", 25, 0),
        ("other", 25, 0),
    ]


def test_a_second_runner_finds_the_sink_taken(url: str, filled: Ledger) -> None:
    inner: list[int] = []
    sink = FakeSink()

    def slow(events: Sequence[StoredEvent]) -> None:
        with Ledger.open(url) as other:
            inner.append(other.deliver("feed", FakeSink()))
            inner.append(other.deliver("another/sink", FakeSink(), batch=100))
        sink(events)

    assert filled.deliver("feed", slow, batch=20) == 25
    assert inner == [0, 25, 0, 0]
    assert sink.batches == [list(range(1, 21)), list(range(21, 26))]


DIES_WHILE_HANDING_OVER = """
import os, signal, sys
from crossdock.ledger import Ledger
Ledger.open(sys.argv[1]).deliver("feed", lambda events: os.kill(os.getpid(), signal.SIGKILL), batch=10)
"""


def test_the_sink_is_free_again_at_once_when_its_runner_is_killed(url: str, filled: Ledger) -> None:
    runner = subprocess.run([sys.executable, "-c", DIES_WHILE_HANDING_OVER, url], check=False, timeout=60)
    assert runner.returncode == -signal.SIGKILL
    sink = FakeSink()
    assert filled.deliver("feed", sink, batch=100) == 25
    assert sink.batches == [list(range(1, 26))]


def test_a_cursor_moved_by_another_is_noticed(url: str, filled: Ledger) -> None:
    """As when a database was restored from a backup under a running relay."""
    from crossdock.ledger.relay import _move

    events = filled.events(limit=10)
    filled.deliver("feed", FakeSink(), batch=5)
    with pytest.raises(TransientError, match="moved by someone else"), filled._database.write() as connection:
        _move(connection, "feed", events, datetime.now(UTC))
    assert filled.sinks()[0]["position"] == 25


def test_a_batch_holds_at_least_one_event(filled: Ledger) -> None:
    with pytest.raises(ValueError, match="at least one"):
        filled.deliver("feed", FakeSink(), batch=0)


def test_an_event_that_breaks_the_contract_does_not_leave(filled: Ledger, workshop) -> None:
    class Wrong(type(workshop.Fact("A", "1"))):  # type: ignore[misc]
        def row(self, document: str) -> dict[str, object]:
            row = super().row(document)
            return row | {"data": str(row["data"]).replace('"quantity": "twelve"', '"quantity": 12')}

    workshop.store(filled, workshop.Paper([Wrong("PO-BAD", "twelve")]))
    sent: list[bytes] = []
    with pytest.raises(PermanentError, match=r"event [0-9a-f]{32} \(position 26\) breaks the contract"):
        filled.deliver("feed", lambda events: sent.extend(event.cloud_event() for event in events), batch=25)
    assert len(sent) == 25


SOUND = dict.fromkeys(("id", "source", "type", "subject", "partitionkey", "correlationid"), "x")
SOUND |= {"time": "2026-03-01T08:00:00Z", "recordedtime": "2026-03-01T08:00:00.000001Z"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, "") for field in SOUND if field != "type"),
        *((field, time) for field in ("time", "recordedtime") for time in ("2026-03-01", "2026-03-01T08:00:00", "x")),
        ("sequence", 0),
        ("sequence", 1),
        ("time", "2026-03-01T08:00:00+01:00"),
    ],
)
def test_the_quick_look_at_an_envelope_agrees_with_its_schema(field: str, value: object) -> None:
    from crossdock.ledger.records import _ENCODER, _ENVELOPE, _is_sound
    from schemas.events import CloudEvent

    envelope = CloudEvent(**{**SOUND, "sequence": 1, "data": msgspec.Raw(b"{}"), field: value})  # type: ignore[arg-type]
    try:
        _ENVELOPE.decode(_ENCODER.encode(envelope))
        sound = True
    except msgspec.ValidationError:
        sound = False
    assert _is_sound(envelope) is sound
