"""The dock: what is done in which order, and what stops what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crossdock.dock import Dock
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]


class Watching:
    """A Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, str, int, int]] = []
        self._now: tuple[str, int, str] = ("", 0, "")
        self._done = self._lines = 0

    def begin(self, what: str, total: int, unit: str) -> None:
        self._now, self._done, self._lines = (what, total, unit), 0, 0

    def advance(self, done: int, lines: int = 0) -> None:
        self._done += done
        self._lines += lines

    def end(self) -> None:
        self.told.append((*self._now, self._done, self._lines))


def test_one_run_takes_files_to_the_feed_and_a_second_finds_nothing_new(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10"), ("1", "20"), {"order_no": "2", "item_no": "P-999"}))

    with Dock.open(known.settings) as dock:
        first = dock.run()
        second = dock.run()

    (inbox,) = first.channels
    assert (inbox.received, inbox.documents, inbox.lines, inbox.events, inbox.parked) == (1, 1, 3, 2, 1)
    assert first.published == {"feed": 2}
    assert first.errors == ()
    assert (second.channels[0].received, second.channels[0].events, second.published) == (0, 0, {"feed": 0})
    assert len("".join(file.read_text() for file in (known.home / "feed").glob("*.jsonl")).splitlines()) == 2


def test_the_steps_that_the_dags_call_do_the_same(known: Installation, orders: Orders) -> None:
    for number in range(3):
        known.drop(f"po-{number}.jsonl", orders((f"450{number}", "10")))
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\nsource: {kind: folder, path: in, quiet: 0s}\nbatch: 2\n"
    )

    with Dock.open(known.settings) as dock:
        ids = dock.receive("inbox")
        batches = dock.batches(ids, "inbox")
        summaries = [summary for batch in batches for summary in dock.translate(batch)]
        published = dock.publish()

    assert [len(batch) for batch in batches] == [2, 1]
    assert [summary.events for summary in summaries] == [1, 1, 1]
    assert published == {"feed": 3}


def test_payloads_that_a_killed_run_left_waiting_are_translated_by_the_next(
    known: Installation, orders: Orders
) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    with Dock.open(known.settings) as killed:
        killed.receive("inbox")

    with Dock.open(known.settings) as dock:
        run = dock.run()

    assert (run.channels[0].received, run.channels[0].events, run.published) == (0, 1, {"feed": 1})


def test_the_context_is_loaded_anew_when_master_data_changes_and_only_then(installation: Installation) -> None:
    with Dock.open(installation.settings) as dock:
        before = dock.context().master
        dock.ledger.load_master("sites", sites("N1"), source="test", actor="test")
        after = dock.context().master

        assert after is not before
        assert dock.context().master is after


def test_nothing_is_translated_before_the_first_master_data(installation: Installation, orders: Orders) -> None:
    (installation.home / "channels" / "erp.yaml").write_text(
        "channel: erp\npurpose: master_data\nsource: {kind: folder, path: master}\n"
    )
    installation.drop("po.jsonl", orders(("1", "10")))
    with Dock.open(installation.settings) as dock:
        ids = dock.receive("inbox")
        with pytest.raises(TransientError, match="no master data is in force yet") as raised:
            dock.translate(ids)
        assert raised.value.retry_after == 30
        assert dock.ledger.waiting("inbox") == ids

        dock.ledger.load_master("sites", sites("N1"), source="test", actor="test")
        assert dock.translate(ids)[0].documents == 1
        assert dock.ledger.waiting("inbox") == []


def sites(*names: str):
    import polars as pl

    from schemas.master import MASTER_TABLES

    return pl.DataFrame(
        [dict.fromkeys(MASTER_TABLES["sites"], "") | {"site": name} for name in names],
        schema=dict.fromkeys(MASTER_TABLES["sites"], pl.String),
    )


def test_a_broken_channel_file_stops_no_other_channel(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    (known.home / "channels" / "worse.yaml").write_text("channel: worse\nsource: {kind: fodler, path: in}\n")

    with Dock.open(known.settings) as dock:
        run = dock.run()

    assert [(one.channel, one.events) for one in run.channels] == [("inbox", 1), ("worse", 0)]
    (error,) = run.errors
    assert isinstance(error, ConfigError)
    assert "fodler" in str(error)


def test_a_source_that_is_away_does_not_keep_back_what_was_received_before(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    with Dock.open(known.settings) as dock:
        dock.receive("inbox")
    folder = known.home / "in"
    folder.rename(known.home / "elsewhere")

    with Dock.open(known.settings) as dock:
        run = dock.run()

    (inbox,) = run.channels
    assert inbox.events == 1
    assert len(inbox.errors) == 1
    assert str(folder) in str(inbox.errors[0])


def test_an_outlet_that_fails_does_not_keep_the_feed_from_the_others(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    (known.home / "blocked").write_text("a file where the folder should be")
    (known.home / "outlets" / "a-broken.yaml").write_text("outlet: a-broken\nsink: {kind: folder, path: blocked}\n")

    with Dock.open(known.settings) as dock:
        run = dock.run()

        assert run.published == {"feed": 1}
        assert list(run.undelivered) == ["a-broken"]
        with pytest.raises((TransientError, PermanentError)):
            dock.publish()
        assert {sink["sink"]: sink["position"] for sink in dock.ledger.sinks()}["feed"] == 1


def test_a_channel_nobody_knows_is_refused_with_the_nearest_one(installation: Installation) -> None:
    with Dock.open(installation.settings) as dock, pytest.raises(ConfigError, match="did you mean 'inbox'"):
        dock.run("imbox")


def test_a_mistyped_channel_is_held_against_broken_ones_too(installation: Installation) -> None:
    (installation.home / "channels" / "edi.yaml").write_text("channel: edi\nsource: {kind: fodler, path: in}\n")
    with Dock.open(installation.settings) as dock, pytest.raises(ConfigError, match=r"known: edi, inbox"):
        dock.channel("imbox")


def test_a_home_that_cannot_be_made_says_what_to_do(installation: Installation) -> None:
    (installation.home / "file").write_text("no folder")
    settings = replace(installation.settings, home=installation.home / "file" / "home")
    with Dock.open(settings) as dock, pytest.raises(PermanentError, match="CROSSDOCK_HOME names the folder"):
        dock.translate([])


def test_only_the_channel_that_was_asked_for_runs(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(("1", "10")))
    (known.home / "other").mkdir()
    (known.home / "channels" / "other.yaml").write_text(
        "channel: other\nsource: {kind: folder, path: other, quiet: 0s}\n"
    )

    with Dock.open(known.settings) as dock:
        run = dock.run("other")
        waiting = dock.run()

    assert [one.channel for one in run.channels] == ["other"]
    assert {one.channel: one.events for one in waiting.channels} == {"inbox": 1, "other": 0}


def test_progress_counts_every_byte_and_line(known: Installation, orders: Orders) -> None:
    sizes = [
        len(known.drop(f"po-{n}.jsonl", orders((f"450{n}", "10"), (f"450{n}", "20"))).read_bytes()) for n in range(3)
    ]
    watching = Watching()

    with Dock.open(known.settings) as dock:
        dock.run(progress=watching)

    assert watching.told == [
        ("inbox", 0, "payloads", 3, 0),
        ("inbox", sum(sizes), "bytes", sum(sizes), 6),
        ("feed", 0, "events", 6, 0),
    ]


def test_opening_a_dock_touches_nothing(installation: Installation) -> None:
    before = sorted(installation.home.rglob("*"))

    Dock.open(installation.settings).close()

    assert sorted(installation.home.rglob("*")) == before
