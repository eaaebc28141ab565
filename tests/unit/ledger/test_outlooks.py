"""Which places are due to be reckoned, what is kept of them, and in which order they are told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date

import msgspec
import pytest

from crossdock.ledger import Ledger
from crossdock.ledger import outlooks as module
from crossdock.ledger.outlooks import NEVER, Due, Outlook

TODAY = date(2026, 3, 4)
Tell = Callable[..., None]


@pytest.fixture
def tell(ledger: Ledger, workshop) -> Tell:
    """Store a document of facts, each its key, item and site, and follow."""

    class Placed(workshop.Fact):  # type: ignore[misc,name-defined]
        @property
        def key(self) -> str:
            return str(workshop.Fact(self.subject.partition("/")[0], "").key)

        def row(self, document: str) -> dict[str, object]:
            key, item, site = self.subject.split("/")
            row = super().row(document)
            data = msgspec.json.decode(str(row["data"])) | {"item": item, "site": site}
            return row | {"subject": key, "item": item, "site": site, "data": msgspec.json.encode(data).decode()}

    said = itertools.count(1)

    def store(*places: str) -> None:
        facts = [Placed(place, str(next(said)), by=place) for place in places]
        workshop.store(ledger, workshop.Paper(facts))
        ledger.spans.follow(seconds=60)
        ledger.outlooks.follow(seconds=60)

    return store


def due(ledger: Ledger, on: date = TODAY) -> list[tuple[str, str]]:
    return [(one.item, one.site) for one in ledger.outlooks.due(on, limit=100)]


def reckoned(one: Due, *, short_on: date = NEVER, holds_until: date = NEVER) -> Outlook:
    told = {"on_hand": "5", "in_transit": "0", "demand": "7", "unit": "C62"}
    return Outlook(
        item=one.item, site=one.site, changed=one.changed, short_on=short_on, holds_until=holds_until, **told
    )


def settle(ledger: Ledger, **days: date) -> None:
    """Everything that is due is reckoned; ``days`` are those on which items go short."""
    some = ledger.outlooks.due(TODAY, limit=100)
    ledger.outlooks.keep([reckoned(one, short_on=days.get(one.item, NEVER)) for one in some])


def test_what_something_was_published_of_is_due_with_what_stands_of_it(ledger: Ledger, tell: Tell) -> None:
    tell("k1/A/N", "k2/A/S", "k3/B/N", "k4/B/N")
    assert due(ledger) == [("A", "N"), ("A", "S"), ("B", "N")]
    assert [len(one.events) for one in ledger.outlooks.due(TODAY, limit=100)] == [1, 1, 2]
    assert ledger.outlooks.left(TODAY) == 3
    assert ledger.outlooks.page() == []
    settle(ledger)
    assert due(ledger) == []
    tell("k5/B/N")
    assert due(ledger) == [("B", "N")]


def test_what_moves_to_another_site_is_due_at_both(ledger: Ledger, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    tell("k1/A/N", "k2/B/N")
    settle(ledger)
    tell("k1/A/S")
    assert due(ledger) == [("A", "N"), ("A", "S")]
    assert [len(one.events) for one in ledger.outlooks.due(TODAY, limit=100)] == [0, 1]


def test_an_event_without_item_or_site_is_no_place(ledger: Ledger, tell: Tell) -> None:
    tell("k1//N", "k2/A/")
    assert due(ledger) == []


def test_what_changes_while_it_is_reckoned_stays_due(ledger: Ledger, tell: Tell) -> None:
    tell("k1/A/N")
    (before,) = ledger.outlooks.due(TODAY, limit=100)
    tell("k2/A/N")
    ledger.outlooks.keep([reckoned(before)])
    assert due(ledger) == [("A", "N")]


def test_an_outlook_holds_until_its_day(ledger: Ledger, tell: Tell) -> None:
    tell("k1/A/N")
    (one,) = ledger.outlooks.due(TODAY, limit=100)
    ledger.outlooks.keep([reckoned(one, holds_until=TODAY)])
    assert due(ledger) == []
    assert due(ledger, on=date(2026, 3, 5)) == [("A", "N")]


def test_what_goes_short_first_comes_first_however_many_there_are(ledger: Ledger, tell: Tell) -> None:
    tell(*(f"k{number}/I{number}/N" for number in range(9)))
    settle(ledger, I7=date(2026, 3, 6), I3=date(2026, 3, 9), I5=date(2026, 3, 6))
    assert [one.item for one in ledger.outlooks.page()] == ["I5", "I7", "I3", "I0", "I1", "I2", "I4", "I6", "I8"]
    paged: list[Outlook] = []
    while page := ledger.outlooks.page(
        after=(paged[-1].short_on, paged[-1].item, paged[-1].site) if paged else None, limit=2
    ):
        paged += page
    assert paged == ledger.outlooks.page()
    assert [one.item for one in ledger.outlooks.page(search="I7")] == ["I7"]
    assert [one.item for one in ledger.outlooks.page(search="none", items=["I8", "I3"])] == ["I3", "I8"]
