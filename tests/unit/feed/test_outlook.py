"""How long an item lasts, in short: the same as its supply says, on every day until which the outlook holds."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from threading import Event
from typing import ClassVar, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.console.rendering import Rendering
from crossdock.console.warming import beside
from crossdock.feed.outlook import reckon, reckon_on
from crossdock.feed.service import Service, service_of
from crossdock.feed.supply import outlook, supply
from crossdock.ledger import Ledger, StoredEvent
from crossdock.ledger.outlooks import NEVER, Due, Outlook
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View, Viewer, Visibility, load_rules
from crossdock.visibility.rules import Audience
from schemas.errors import TransientError
from tests.unit.feed.test_supply import STOCK, TODAY, due, event

VISIBILITY = Visibility(load_rules(), tier=lambda *_: None, now=lambda: datetime(2026, 3, 4, 9, tzinfo=UTC))


def seen_by(audience: Audience) -> View:
    return VISIBILITY.view(Viewer(audience=audience))


def looked_at(events: list[StoredEvent], today: date) -> Outlook:
    place = Due(item="P-1", site="N1", changed=7, events=events)
    return outlook(seen_by(Audience.INTEGRATION), place, today=today)


def day(ahead: int) -> str:
    return f"{TODAY + timedelta(days=ahead)}T00:00:00Z"


@st.composite
def happenings(draw: st.DrawFn) -> StoredEvent:
    ahead, quantity = draw(st.integers(-10, 110)), str(draw(st.integers(1, 60)))
    number = {"order": str(draw(st.integers(1, 3))), "order_line": "10"}
    match draw(st.sampled_from(("ordered", "called_off", "forecast", "notified", "received"))):
        case "notified":
            return event("notified", quantity, shipment=number["order"], arrives_at=day(ahead))
        case "received":
            return event("received", quantity, shipment=number["order"], **number)
        case "forecast":
            return event("forecast", quantity, starts_at=day(ahead), ends_at=day(ahead + draw(st.integers(1, 30))))
        case kind:
            return event(kind, quantity, due_at=day(ahead), **number)


@settings(max_examples=150, deadline=None)
@given(st.lists(happenings(), max_size=8), st.booleans(), st.integers(0, 130))
def test_it_says_what_supply_says_for_as_long_as_it_holds(events: list[StoredEvent], counted: bool, later: int) -> None:
    events = [STOCK, *events] if counted else events
    found = looked_at(events, TODAY)
    assert found.holds_until >= TODAY
    day = min(TODAY + timedelta(days=later), found.holds_until)
    whole = supply(seen_by(Audience.INTEGRATION), events, item="P-1", site="N1", today=day)
    assert found.short_on == (whole.short_on or NEVER)
    assert found.on_hand == (None if whole.on_hand is None else str(whole.on_hand))
    assert (found.in_transit, found.demand) == (str(whole.in_transit), str(whole.demand))
    assert (found.unit, found.changed) == (whole.unit, 7)


def test_it_ends_with_the_first_short_day_a_plan_or_the_horizon() -> None:
    order = event("ordered", "130", due_at=due(10), order="1", order_line="10")
    assert looked_at([STOCK, order], TODAY).holds_until == date(2026, 3, 10)
    forecast = event("forecast", "5", starts_at=due(9), ends_at=due(16))
    assert looked_at([STOCK, forecast], TODAY).holds_until == date(2026, 3, 15)
    far = event("ordered", "1", due_at=day(100), order="2", order_line="10")
    assert looked_at([STOCK, far], TODAY).holds_until == TODAY + timedelta(days=100 - 91)
    assert looked_at([STOCK], TODAY).holds_until == NEVER


def test_who_is_kept_from_nothing_that_counts_is_shown_it() -> None:
    assert {who for who in Audience if who is not Audience.SUPPLIER and seen_by(who).sees_all_supply} == {
        *(Audience.INTEGRATION, Audience.PLANNER, Audience.BUYER)
    }


def test_what_goes_short_first_is_reckoned_from_the_feed(known, dock, orders) -> None:
    known.drop("po.jsonl", orders(("1", "10"), ("1", "20")))
    dock.run()
    service = service_of(dock)
    assert reckon(service, seconds=60)
    (found,) = dock.ledger.outlooks.page()
    view = service.visibility.view(Viewer(audience=Audience.INTEGRATION))
    events = dock.ledger.spans.digests(Wanted())
    whole = supply(view, events, item=found.item, site=found.site, today=datetime.now(UTC).date())
    assert (found.demand, found.unit) == (str(whole.demand), whole.unit)
    assert whole.demand > 0
    waits: list[float] = []
    reckon_on(service, lambda seconds: waits.append(seconds) or True, every=30.0)
    assert waits == [30.0], "there was nothing left to do"


class Away:
    """A ledger whose database cannot be reached; everything of it says so."""

    def __getattr__(self, name: str) -> Away:
        return self

    def __call__(self, **_: object) -> None:
        raise TransientError("the database is away")


class End(Event):
    """Set after it has been waited for twice."""

    waited: ClassVar[list[float | None]] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if len(self.waited) == 2:
            self.set()
        return self.is_set()


def test_a_ledger_that_is_away_is_asked_again_later(caplog) -> None:
    async def nothing(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    end = End()
    service = Service(ledger=cast(Ledger, Away()), visibility=VISIBILITY)
    with caplog.at_level(logging.WARNING):
        beside(nothing, end, service=service, token="x" * 20, rendering=Rendering())
    assert [record.getMessage() for record in caplog.records] == [
        "what goes short could not be reckoned: the database is away"
    ] * 2
    assert end.waited == [60.0, 60.0]
