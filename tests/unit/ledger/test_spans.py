"""What stood at any moment, by item and partner: the same as reading the whole feed would tell."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import groupby

import msgspec
import pytest

from crossdock.ledger import Ledger, StoredEvent
from crossdock.ledger import spans as module
from crossdock.ledger.spans import Wanted


@pytest.fixture
def busy(ledger: Ledger, workshop, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A feed of several items, partners and streams in which keys are revised, some within one document."""
    monkeypatch.setattr(module, "BATCH", 7)
    chance = random.Random(5)

    class Placed(workshop.Fact):  # type: ignore[misc,name-defined]
        def row(self, document: str) -> dict[str, object]:
            item, partner, site = self.subject.split("/")[:3]
            row = super().row(document)
            data = msgspec.json.decode(str(row["data"])) | {"item": item, "partner": partner, "site": site}
            data["due_at"] = "2026-03-20T00:00:00Z"
            return row | {"item": item, "partner": partner, "site": site, "data": msgspec.json.encode(data).decode()}

    for document in range(6):
        facts = [
            Placed(
                f"{chance.choice('AB')}/{chance.choice('XY')}/{chance.choice('NS')}/{chance.randrange(4)}",
                str(chance.randrange(1000)),
                by=f"D{document}",
                stream=chance.choice(("demand", "shipment", "inventory")),
            )
            for _ in range(12)
        ]
        workshop.store(ledger, workshop.Paper(facts))
    return ledger


def brute(ledger: Ledger, at: int) -> list[StoredEvent]:
    """The latest event of each key up to a position, from the whole feed."""
    by_key = {}
    for event in ledger.events(limit=10_000):
        if event.position <= at:
            by_key[event.stream, event.subject] = event
    return sorted(by_key.values(), key=lambda event: event.position)


def test_what_stands_now_and_stood_at_any_position(busy: Ledger) -> None:
    newest = len(busy.events())
    assert busy.spans.follow(seconds=60) == newest
    assert any(event.sequence > 2 for event in busy.events())
    assert busy.spans.latest(Wanted()) == brute(busy, newest)
    for at in (0, 1, 9, newest // 2, newest):
        assert busy.spans.latest(Wanted(), at=at) == brute(busy, at)
        assert busy.spans.latest(Wanted(item="A"), at=at) == [one for one in brute(busy, at) if one.item == "A"]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(streams=["demand"]),
        Wanted(streams=["demand", "inventory"]),
        Wanted(partner="X"),
        Wanted(item="B"),
        Wanted(item="B", site="N", partner="Y", streams=["shipment"]),
        Wanted(site="S"),
        Wanted(streams=[]),
    ],
)
def test_events_by_what_they_are_about(busy: Ledger, wanted: Wanted) -> None:
    busy.spans.follow(seconds=60)
    expected = [
        event
        for event in busy.events(limit=10_000)
        if (wanted.streams is None or event.stream in wanted.streams)
        and all(getattr(wanted, name) in (None, getattr(event, name)) for name in ("partner", "item", "site"))
    ]
    assert busy.spans.events(wanted) == expected
    paged, after = [], 0
    while page := busy.spans.events(wanted, after=after, limit=3):
        paged += page
        after = page[-1].position
    assert paged == expected


def test_a_digest_says_what_supply_is_reckoned_from(busy: Ledger) -> None:
    busy.spans.follow(seconds=60)
    digests = busy.spans.digests(Wanted(item="A", site="N"))
    whole = busy.spans.latest(Wanted(item="A", site="N"))
    assert [one.position for one in digests] == [one.position for one in whole]
    for digest, event in zip(digests, whole, strict=True):
        told, data = msgspec.json.decode(digest.data), msgspec.json.decode(event.data)
        assert told["due_at"] == data["due_at"]
        assert {"base_quantity", "base_unit"} <= set(told) <= set(data)
        assert all(data[name] == value for name, value in told.items() if name != "references")


def test_it_follows_in_steps_and_only_once(busy: Ledger, url: str) -> None:
    assert busy.spans.position() == 0
    assert busy.spans.follow(seconds=0) == 0
    with Ledger.open(url) as other:
        newest = other.spans.follow(seconds=60)
    assert busy.spans.follow() == busy.spans.position() == newest
    assert busy.spans.position_at(datetime(2020, 1, 1, tzinfo=UTC)) == 0


def test_places_that_anything_is_known_of(busy: Ledger) -> None:
    busy.spans.follow(seconds=60)
    expected = [
        {"item": item, "site": site, "events": len(list(some))}
        for (item, site), some in groupby(
            sorted(brute(busy, 10_000), key=lambda event: (event.item, event.site)),
            key=lambda event: (event.item, event.site),
        )
    ]
    assert busy.spans.places() == expected
    assert busy.spans.places(search="B") == [one for one in expected if one["item"] == "B"]
    assert busy.spans.places(after=("A", "N"), limit=1) == expected[1:2]
