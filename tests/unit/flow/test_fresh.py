"""The way of what has just landed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.base import SOON
from crossdock.dock import Dock
from crossdock.fresh import take_in
from schemas.errors import PermanentError


@pytest.fixture
def dock(known: Any) -> Iterator[Dock]:
    with Dock.open(known.settings) as dock:
        yield dock


def channel(known: Any, text: str) -> None:
    (known.home / "channels" / "inbox.yaml").write_text(f"channel: inbox\n{text}\n")


def test_one_batch_is_translated_at_once(known: Any, dock: Dock, orders: Callable[..., str]) -> None:
    for number in ("1", "2"):
        known.drop(f"{number}.jsonl", orders((number, "10")))
    done = take_in(dock, "inbox")
    assert [summary.events for summary in done.translated] == [1, 1]
    assert done.batches == ()
    assert len(dock.ledger.events()) == 2


def test_more_than_a_batch_is_left_to_several_tasks(known: Any, dock: Dock, orders: Callable[..., str]) -> None:
    channel(known, "source: {kind: folder, path: in, quiet: 0s}\nbatch: 2")
    for number in ("1", "2", "3"):
        known.drop(f"{number}.jsonl", orders((number, "10")))
    done = take_in(dock, "inbox")
    assert [len(batch) for batch in done.batches] == [2, 1]
    assert done.translated == ()
    assert not done.nothing
    assert dock.ledger.events() == []
    assert dock.ledger.waiting("inbox") == [id for batch in done.batches for id in batch]


def test_a_payload_that_a_killed_run_left_behind_is_translated(
    known: Any, dock: Dock, orders: Callable[..., str]
) -> None:
    known.drop("a.jsonl", orders(("1", "10")))
    dock.receive("inbox")
    assert [summary.events for summary in take_in(dock, "inbox").translated] == [1]


def test_nothing_is_nothing(dock: Dock) -> None:
    assert take_in(dock, "inbox").nothing


def test_a_file_that_landed_just_now_is_waited_for(known: Any, dock: Dock, orders: Callable[..., str]) -> None:
    channel(known, "source: {kind: folder, path: in, quiet: 1s}")
    known.drop("a.jsonl", orders(("1", "10")))
    assert [summary.events for summary in take_in(dock, "inbox").translated] == [1]


def test_a_file_that_needs_long_to_rest_is_left_for_later(known: Any, dock: Dock, orders: Callable[..., str]) -> None:
    channel(known, f"source: {{kind: folder, path: in, quiet: {SOON + 60:.0f}s}}")
    known.drop("a.jsonl", orders(("1", "10")))
    assert take_in(dock, "inbox", pause=lambda _: pytest.fail("waited")).nothing


def test_what_cannot_be_taken_in_is_told_and_stops_nothing_else(
    known: Any, dock: Dock, orders: Callable[..., str]
) -> None:
    known.drop("a.jsonl", orders(("1", "10")))
    dock.receive("inbox")
    shutil.rmtree(known.home / "in")
    done = take_in(dock, "inbox")
    assert isinstance(done.trouble, PermanentError)
    assert [summary.events for summary in done.translated] == [1]
