"""The supply of an item: every rule of it, on events small enough to reckon by hand."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossdock.feed.supply import Supply, newest_releases, supply
from crossdock.ledger import StoredEvent
from crossdock.visibility import Viewer, Visibility, load_rules
from crossdock.visibility.rules import Audience
from mappings.spec import Tier

TODAY = date(2026, 3, 4)  # a Wednesday
STREAMS = {"ordered": "demand", "changed": "demand", "cancelled": "demand", "forecast": "demand"}
STREAMS |= {"called_off": "demand", "confirmed": "demand", "notified": "shipment", "arrived": "shipment"}
STREAMS |= {"on_hand": "inventory", "received": "inventory"}
_positions = itertools.count(1)


def event(
    kind: str, quantity: str, *, partner: str = "ACME", time: str = "2026-03-01T00:00:00Z", **data: Any
) -> StoredEvent:
    references = {name: data.pop(name) for name in ("order", "order_line", "shipment") if name in data}
    said = {"base_quantity": quantity, "base_unit": "C62", "references": references} | data
    return StoredEvent(
        position=next(_positions),
        id="",
        stream=STREAMS[kind],
        kind=kind,
        subject="",
        sequence=1,
        time=time,
        recorded_at="",
        partner=partner,
        item="P-1",
        site="N1",
        document="",
        channel="",
        data=json.dumps(said),
    )


def due(day: int, month: int = 3) -> str:
    return f"2026-{month:02}-{day:02}T00:00:00Z"


def reckoned(*events: StoredEvent, who: str = "planner", **options: Any) -> Supply:
    visibility = Visibility(
        load_rules(),
        tier=lambda *_: Tier.STRATEGIC if who == "strategic" else Tier.TRANSACTIONAL,
        supplies=lambda _: {"P-1"},
        now=lambda: datetime(2026, 3, 4, 9, tzinfo=UTC),
    )
    ours = who in ("planner", "buyer")
    viewer = Viewer(audience=Audience(who)) if ours else Viewer(audience=Audience.SUPPLIER, partner="ACME")
    return supply(visibility.view(viewer), events, item="P-1", site="N1", today=TODAY, **options)


STOCK = event("on_hand", "100", partner="RAVENSMOOR", counted_at="2026-03-03T18:00:00Z")


def demand(found: Supply) -> dict[date, Decimal]:
    return {day.day: day.demand for day in found.days if day.demand}


def test_the_balance_falls_with_demand_rises_with_arrivals_and_says_when_it_goes_short() -> None:
    found = reckoned(
        STOCK,
        event("ordered", "60", due_at=due(6), order="1", order_line="10"),
        event("ordered", "70", due_at=due(10), order="1", order_line="20"),
        event("notified", "20", arrives_at=due(9), shipment="S1"),
        event("notified", "80", arrives_at=due(12), shipment="S2"),
    )
    balance = {day.day.day: day.balance for day in found.days[:10]}
    assert balance == {4: 100, 5: 100, 6: 40, 7: 40, 8: 40, 9: 60, 10: -10, 11: -10, 12: 70, 13: 70}
    assert (found.on_hand, found.in_transit, found.demand) == (100, 100, 130)
    assert found.short_on == date(2026, 3, 10)
    assert [(week.day, week.demand, week.arriving, week.balance) for week in found.weeks[:2]] == [
        (date(2026, 3, 2), 60, 0, 40),
        (date(2026, 3, 9), 70, 100, 70),
    ]
    assert found.counted_at == "2026-03-03T18:00:00Z"
    assert [one.what for one in found.movements] == ["order", "in_transit", "order", "in_transit"]


def test_what_was_received_is_no_longer_wanted_nor_on_its_way() -> None:
    found = reckoned(
        event("ordered", "60", due_at=due(1), order="1", order_line="10"),
        event("ordered", "60", due_at=due(20), order="1", order_line="10"),
        event("received", "70", order="1", order_line="10", shipment="S1"),
        event("notified", "80", arrives_at=due(2), shipment="S1"),
        event("notified", "5", arrives_at=due(20), shipment="S2"),
        event("arrived", "5", shipment="S2"),
    )
    assert demand(found) == {date(2026, 3, 20): Decimal(50)}
    assert found.in_transit == 10
    assert found.days[0].arriving == 10, "what should have come already is expected today"
    assert found.on_hand is None
    assert {day.balance for day in found.days} == {None}


def test_overdue_orders_are_due_today_and_cancelled_ones_want_nothing() -> None:
    found = reckoned(
        event("ordered", "7", due_at=due(1)),
        event("cancelled", "9", due_at=due(9)),
        event("confirmed", "3", due_at=due(9)),
    )
    assert demand(found) == {TODAY: Decimal(7)}


def test_a_call_off_takes_the_place_of_the_forecast_of_its_days() -> None:
    found = reckoned(
        event("forecast", "100", starts_at=due(9), ends_at=due(16)),
        event("called_off", "30", due_at=due(10)),
        event("called_off", "20", due_at=due(17)),
        event("forecast", "40", starts_at=due(1), ends_at=due(3)),
        event("forecast", "999", starts_at=due(9), ends_at=due(16), commitment="capacity"),
    )
    assert demand(found) == {
        date(2026, 3, 9): Decimal(70),
        date(2026, 3, 10): Decimal(30),
        date(2026, 3, 17): Decimal(20),
    }
    assert sum(day.firm for day in found.days) == 50


def test_only_the_newest_release_of_an_order_stands() -> None:
    old = [event("forecast", "5", due_at=due(day), order="A", time="2026-02-01T00:00:00Z") for day in (9, 16)]
    new = event("forecast", "6", due_at=due(9), order="A", time="2026-03-01T01:00:00+01:00")
    other = event("forecast", "7", due_at=due(9), order="B", time="2026-01-01T00:00:00Z")
    assert newest_releases([*old, new, other]) == [new, other]


def test_a_supplier_is_told_as_much_as_its_tier_allows() -> None:
    events = [
        STOCK,
        event("ordered", "10", due_at=due(6)),
        event("forecast", "10", due_at=due(18)),
        event("forecast", "20", due_at=due(20)),
        event("ordered", "500", due_at=due(6), partner="ELSE"),
    ]
    strategic = reckoned(*events, who="strategic")
    assert demand(strategic) == {date(2026, 3, 6): Decimal(10), date(2026, 3, 16): Decimal(30)}
    assert strategic.on_hand == 100
    transactional = reckoned(*events, who="transactional")
    assert demand(transactional) == {date(2026, 3, 6): Decimal(10)}
    assert transactional.on_hand is None
    assert "ELSE" not in repr([strategic.movements, transactional.movements])


def test_who_negotiates_is_not_told_a_suppliers_stock() -> None:
    theirs = event("on_hand", "12345", partner="ACME", counted_at="2026-03-01T00:00:00Z")
    assert [one.quantity for one in reckoned(STOCK, theirs).stock] == [Decimal(12345), Decimal(100)]
    assert [one.quantity for one in reckoned(STOCK, theirs, who="buyer").stock] == [Decimal(100)]


def test_another_unit_is_counted_apart_not_added() -> None:
    found = reckoned(STOCK, event("ordered", "1", due_at=due(6)), event("ordered", "9", due_at=due(6), base_unit="KGM"))
    assert (found.unit, found.other_units, found.demand) == ("C62", 1, 1)


@pytest.mark.parametrize("horizon", [1, 7, 91])
def test_every_day_to_the_horizon_is_there(horizon: int) -> None:
    found = reckoned(horizon=horizon)
    assert [day.day for day in found.days] == [TODAY + timedelta(days=ahead) for ahead in range(horizon)]
    assert (found.unit, found.short_on, found.on_hand) == ("", None, None)
