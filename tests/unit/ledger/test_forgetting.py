"""What superseded events said goes when its time is over, and nothing else with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from crossdock.ledger import Ledger, StoredEvent, bodies
from crossdock.ledger.spans import Wanted
from schemas.errors import GivenUpError, RefusedError, TransientError

OLD, OTHER = "O-1", "O-2"


@pytest.fixture
def aged(ledger: Ledger, workshop) -> tuple[Ledger, datetime]:
    """A key of four revisions and one of two, all before a moment; after it the first is revised once more."""
    for number in range(4):
        facts = [workshop.Fact(OLD, str(number), by=f"D{number}")]
        facts += [workshop.Fact(OTHER, str(number), by=f"D{number}")] if number < 2 else []
        workshop.store(ledger, workshop.Paper(facts))
    moment = datetime.now(UTC)
    workshop.store(ledger, workshop.Paper([workshop.Fact(OLD, "4", by="D4")]))
    ledger.spans.follow(seconds=60)
    return ledger, moment


def held(ledger: Ledger) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for event in ledger.events(limit=1000):
        found.setdefault(event.subject, []).append(event.sequence)
    return found


def test_what_was_superseded_twice_before_that_moment_goes(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged
    before = ledger.events(limit=1000)
    assert held(ledger) == {OLD: [1, 2, 3, 4, 5], OTHER: [1, 2]}
    assert ledger.trail.give_up_events(moment) == 2
    assert held(ledger) == {OLD: [3, 4, 5], OTHER: [1, 2]}
    assert ledger.events(limit=1000) == [
        one for one in before if (one.subject, one.sequence) not in {(OLD, 1), (OLD, 2)}
    ]
    assert ledger.trail.give_up_events(moment) == 0
    assert [one["action"] for one in ledger.trail.entries(action="events")] == ["events.given_up"]
    assert not list(ledger.trail.broken())


def test_nothing_goes_that_a_sink_lacks_or_a_partner_on_hold_said(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged
    ledger.trail.hold("ACME", "case 4711")
    assert ledger.trail.give_up_events(moment) == 0
    ledger.trail.lift("ACME", "settled")

    def only_the_first(events: Sequence[StoredEvent]) -> None:
        if events[0].position > 1:
            raise TransientError("busy")

    with pytest.raises(TransientError):
        ledger.deliver("portal", only_the_first, batch=1)
    assert ledger.trail.give_up_events(moment) == 1
    assert held(ledger) == {OLD: [2, 3, 4, 5], OTHER: [1, 2]}


def test_nothing_goes_that_is_held_back_for_a_sink(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged

    def not_the_old(events: Sequence[StoredEvent]) -> None:
        if any(event.subject == OLD for event in events):
            raise RefusedError("not this one")

    ledger.deliver("portal", not_the_old, batch=1)
    assert ledger.trail.give_up_events(moment) == 0

    ledger.redrive("portal")
    ledger.deliver("portal", lambda _: None)
    assert ledger.trail.give_up_events(moment) == 2


def test_a_page_is_short_only_at_the_end(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged
    ledger.trail.give_up_events(moment)
    after, seen = 0, []
    while page := ledger.events(after=after, limit=1):
        seen += page
        after = page[-1].position
    assert seen == ledger.events(limit=1000)
    assert ledger.spans.events(Wanted(site="BER"), limit=3) == seen[:3]
    assert ledger.spans.events(Wanted(item="P-100"), limit=3) == seen[:3]


def test_what_holds_is_told_as_ever_and_what_stood_before_is_refused(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged
    latest = ledger.spans.latest(Wanted())
    early = min(event.recorded_at for event in ledger.events(limit=1000))
    ledger.trail.give_up_events(moment)
    assert ledger.spans.latest(Wanted()) == latest
    stood = ledger.spans.latest(Wanted(), at=ledger.spans.standing_at(moment))
    assert {(one.subject, one.sequence) for one in stood} == {(OLD, 4), (OTHER, 2)}
    with pytest.raises(GivenUpError, match="given up"):
        ledger.spans.standing_at(datetime.fromisoformat(early))


def test_an_old_document_that_comes_once_more_is_still_known(aged: tuple[Ledger, datetime], workshop) -> None:
    ledger, moment = aged
    first = ledger.events(limit=1)[0]
    ledger.trail.give_up_events(moment)
    before = held(ledger)
    workshop.store(ledger, workshop.Paper([workshop.Fact(OLD, "0", by="D0")]))
    assert held(ledger) == before
    with pytest.raises(GivenUpError, match="revision 1 of O-1"):
        ledger.trace(first.id)


def test_the_words_are_gone_from_the_database(aged: tuple[Ledger, datetime]) -> None:
    ledger, moment = aged
    ledger.trail.give_up_events(moment)
    with ledger._database.read() as connection:
        said = bodies.read(connection, range(1, 8))
    assert [bool(said[position]) for position in sorted(said)] == [False, True, False, True, True, True, True]
