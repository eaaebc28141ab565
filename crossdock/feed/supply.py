"""Supply of an item at a site: what is wanted, what is there, what is on its way, and when it goes short.

Reckoned from the latest event of each key, as far as the viewer sees them:

- **Demand** is what orders still want (``crossdock.feed.orders``; a cancelled one wants nothing), and what is called
  off or forecast. A call-off makes the forecast of its days exact, so it takes the forecast's place; of forecasts and
  call-offs only the newest release of an order stands (docs/event-contract.md). An overdue order is due today.
- **On hand** is our stock, as it was last counted.
- **In transit** is what was shipped and not yet received; what should have come already is expected today.
- The **balance** of a day is what is on hand and has come by then, less what was wanted by then.

Everything is in the item's base unit; events in another unit, which master data should not allow, are counted apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

import msgspec

from crossdock.feed.orders import begins, still_wanted
from crossdock.ledger import StoredEvent
from crossdock.ledger.outlooks import NEVER, Due, Outlook
from crossdock.visibility import View
from crossdock.visibility.view import NOBODY_WANTS, Bucket, Stock, period_of

HORIZON = 91  #: days ahead
_PLANS = frozenset({"forecast", "called_off"})
_GONE = frozenset({"arrived", "cancelled"})
_facts = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day, or one week from its Monday. ``balance`` is None where the viewer is not told what is on hand."""

    day: date
    demand: Decimal
    firm: Decimal  #: of the demand, what orders and call-offs want
    arriving: Decimal
    balance: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What one event adds to a day: for a person who asks where a point of the chart comes from."""

    position: int
    day: date
    what: str  #: order, forecast, called_off, in_transit, sum of a week, sum of a month
    partner: str
    quantity: Decimal
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """The whole picture. ``days`` has every day from today to the horizon, ``weeks`` the same by week."""

    item: str
    site: str
    today: date
    unit: str
    on_hand: Decimal | None
    counted_at: str
    in_transit: Decimal
    demand: Decimal  #: up to the horizon
    short_on: date | None  #: the first day on which the balance is below zero
    days: Sequence[Day]
    weeks: Sequence[Day]
    movements: Sequence[Movement] = field(repr=False)
    stock: Sequence[Stock]
    other_units: int  #: events that are in another unit and not counted


def supply(
    view: View, events: Iterable[StoredEvent], *, item: str, site: str, today: date, horizon: int = HORIZON
) -> Supply:
    """The supply of ``item`` at ``site`` for ``horizon`` days, by ``events``, the latest of each key (digests do)."""
    found = _gathered(view, events, today)
    days = _days(found.wanted, found.coming, found.on_hand, today, horizon)
    return Supply(
        item=item,
        site=site,
        today=today,
        unit=found.unit,
        on_hand=found.on_hand,
        counted_at=found.counted_at,
        in_transit=_sum(found.coming),
        demand=sum((one.demand for one in days), Decimal(0)),
        short_on=next((one.day for one in days if one.balance is not None and one.balance < 0), None),
        days=days,
        weeks=_weeks(days),
        movements=sorted([*found.wanted, *found.coming], key=lambda one: (one.day, one.position)),
        stock=found.stock,
        other_units=found.other_units,
    )


def outlook(view: View, due: Due, *, today: date, horizon: int = HORIZON) -> Outlook:
    """What ``supply`` says of a place in short, and until when it says the same if nothing is published.

    Its days pass: a plan that is over wants nothing any more, what was beyond the horizon comes into sight, and on the
    day behind the first short one what has come by then counts.
    """
    found = _gathered(view, due.events, today)
    end = today + timedelta(days=horizon)
    short = _first_short(found, today, end)
    ends = [last for last in found.plans if last >= today]
    beyond = [one.day - timedelta(days=horizon) for one in (*found.wanted, *found.coming) if one.day >= end]
    return Outlook(
        item=due.item,
        site=due.site,
        changed=due.changed,
        holds_until=min([short, *ends, *beyond]),
        short_on=short,
        on_hand=None if found.on_hand is None else str(found.on_hand),
        in_transit=str(_sum(found.coming)),
        demand=str(_sum(one for one in found.wanted if one.day < end)),
        unit=found.unit,
    )


def _first_short(found: _Gathered, today: date, end: date) -> date:
    """The first day before ``end`` on which the balance is below zero; NEVER."""
    if found.on_hand is None:
        return NEVER
    net: dict[date, Decimal] = defaultdict(Decimal, {today: found.on_hand})
    for one in found.coming:
        net[one.day] += one.quantity
    for one in found.wanted:
        net[one.day] -= one.quantity
    balances = zip(days := sorted(net), accumulate(net[day] for day in days), strict=True)
    return next((day for day, balance in balances if balance < 0 and day < end), NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What supply is reckoned from, in ``unit``; ``plans`` are the last days of forecasts and call-offs."""

    unit: str
    wanted: Sequence[Movement]
    coming: Sequence[Movement]
    on_hand: Decimal | None
    counted_at: str
    stock: Sequence[Stock]
    plans: Sequence[date]
    other_units: int


def _gathered(view: View, events: Iterable[StoredEvent], today: date) -> _Gathered:
    latest = newest_releases(events)
    seen = list(view.events(latest))
    sums = view.sums(latest)
    stock = view.stock(latest)
    ours = [one for one in stock if one.ours]
    facts = {event.position: _facts(event.data) for event in seen}
    unit = _unit([*facts.values()], [*(one.unit for one in ours), *(one.unit for one in sums)])
    same = [event for event in seen if facts[event.position]["base_unit"] == unit]
    told = [one for one in ours if one.unit == unit]
    added_up = (_added_up(one, today) for one in sums if one.unit == unit)
    return _Gathered(
        unit=unit,
        wanted=[*_orders(same, facts, today), *_plans(same, facts, today), *added_up],
        coming=list(_in_transit(same, facts, today)),
        on_hand=sum((one.quantity for one in told), Decimal(0)) if told else None,
        counted_at=min((one.counted_at for one in told), default=""),
        stock=stock,
        plans=[last for event in same if (last := _last_day(event, facts[event.position])) is not None],
        other_units=len(seen) - len(same),
    )


def _added_up(one: Bucket, today: date) -> Movement:
    return Movement(
        position=0,
        day=max(one.starts, today),
        what=f"sum of a {one.period}",
        partner=one.partner,
        quantity=one.quantity,
        reference="",
    )


def _sum(movements: Iterable[Movement]) -> Decimal:
    return sum((one.quantity for one in movements), Decimal(0))


def newest_releases(events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Without forecasts and call-offs that a newer release, by its time, says nothing of any more."""
    gathered = list(events)
    plans = [(event, _release_of(event)) for event in gathered if event.kind in _PLANS]
    newest: dict[tuple[str, ...], datetime] = {}
    for event, key in plans:
        at = datetime.fromisoformat(event.time)
        newest[key] = max(at, newest.get(key, at))
    stale = {event.position for event, key in plans if datetime.fromisoformat(event.time) < newest[key]}
    return [event for event in gathered if event.position not in stale] if stale else gathered


def _release_of(event: StoredEvent) -> tuple[str, ...]:
    order = _facts(event.data).get("references", {}).get("order", "")
    return (event.kind, event.partner, event.item, event.site, order)


def _unit(facts: Sequence[dict[str, Any]], others: Sequence[str]) -> str:
    """The unit most of it is in."""
    counted = Counter([*(one["base_unit"] for one in facts), *others])
    return max(sorted(counted), key=lambda unit: counted[unit], default="")


def _day(text: str | None) -> date | None:
    return None if text is None else datetime.fromisoformat(text).date()


def _received(events: Iterable[StoredEvent], facts: dict[int, dict[str, Any]]) -> dict[tuple[str, str], Decimal]:
    """What was received, by partner and shipment."""
    received: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event in events:
        if event.kind == "received" and (shipment := _shipment(facts[event.position])):
            received[event.partner, shipment] += Decimal(facts[event.position]["base_quantity"])
    return received


def _orders(events: Sequence[StoredEvent], facts: dict[int, dict[str, Any]], today: date) -> Iterable[Movement]:
    for event, left, day in still_wanted(events, facts):
        yield _movement(event, max(day or today, today), "order", left, _order(facts[event.position]))


def _plans(events: Sequence[StoredEvent], facts: dict[int, dict[str, Any]], today: date) -> Iterable[Movement]:
    """Call-offs, and forecasts less what is called off on their days."""
    called: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    plans = [
        (event, facts[event.position], day)
        for event in events
        if event.kind in _PLANS
        and facts[event.position].get("commitment") not in NOBODY_WANTS
        and (day := begins(facts[event.position])) is not None
    ]
    for event, told, day in plans:
        if event.kind == "called_off":
            called[event.partner, day] += Decimal(told["base_quantity"])
            if day >= today:
                yield _movement(event, day, "called_off", Decimal(told["base_quantity"]), _order(told))
    for event, told, day in plans:
        if event.kind != "forecast":
            continue
        last = _last_day(event, told)
        if last is None or last < today:
            continue
        end = last + timedelta(days=1)
        exact = [key for key in called if key[0] == event.partner and day <= key[1] < end and called[key]]
        quantity = Decimal(told["base_quantity"])
        for key in exact:
            taken = min(quantity, called[key])
            quantity -= taken
            called[key] -= taken
        if quantity:
            yield _movement(event, max(day, today), "forecast", quantity, _order(told))


def _last_day(event: StoredEvent, told: dict[str, Any]) -> date | None:
    """Of a plan, the last day on which it wants something; None where it is none, or says no day."""
    if event.kind not in _PLANS or (day := begins(told)) is None:
        return None
    ends = _day(told.get("ends_at")) if event.kind == "forecast" else None
    return ends - timedelta(days=1) if ends else day


def _in_transit(events: Sequence[StoredEvent], facts: dict[int, dict[str, Any]], today: date) -> Iterable[Movement]:
    left = _received(events, facts)
    arrived = {(event.partner, _shipment(facts[event.position])) for event in events if event.kind == "arrived"}
    for event in events:
        told = facts[event.position]
        if event.stream != "shipment" or event.kind in _GONE or event.kind == "discrepancy":
            continue
        key = (event.partner, _shipment(told))
        if key in arrived:
            continue
        sent = Decimal(told["base_quantity"])
        came = min(sent, left.get(key, Decimal(0)))
        if came:
            left[key] -= came
        if sent > came:
            day = max(_day(told.get("arrives_at")) or _day(event.time) or today, today)
            yield _movement(event, day, "in_transit", sent - came, key[1])


def _shipment(told: dict[str, Any]) -> str:
    return str(told.get("references", {}).get("shipment", ""))


def _order(told: dict[str, Any]) -> str:
    return str(told.get("references", {}).get("order", ""))


def _movement(event: StoredEvent, day: date, what: str, quantity: Decimal, reference: str) -> Movement:
    return Movement(
        position=event.position, day=day, what=what, partner=event.partner, quantity=quantity, reference=reference
    )


def _days(
    wanted: Sequence[Movement], coming: Sequence[Movement], on_hand: Decimal | None, today: date, horizon: int
) -> list[Day]:
    demand: dict[date, Decimal] = defaultdict(Decimal)
    firm: dict[date, Decimal] = defaultdict(Decimal)
    arriving: dict[date, Decimal] = defaultdict(Decimal)
    for one in wanted:
        demand[one.day] += one.quantity
        if one.what in ("order", "called_off"):
            firm[one.day] += one.quantity
    for one in coming:
        arriving[one.day] += one.quantity
    days = []
    balance = on_hand
    for day in (today + timedelta(days=ahead) for ahead in range(horizon)):
        if balance is not None:
            balance += arriving[day] - demand[day]
        days.append(Day(day=day, demand=demand[day], firm=firm[day], arriving=arriving[day], balance=balance))
    return days


def _weeks(days: Sequence[Day]) -> list[Day]:
    """The same by week: sums, and the balance at the week's end."""
    weeks: dict[date, list[Day]] = defaultdict(list)
    for day in days:
        weeks[period_of(day.day, "week")].append(day)
    return [
        Day(
            day=monday,
            demand=sum((day.demand for day in some), Decimal(0)),
            firm=sum((day.firm for day in some), Decimal(0)),
            arriving=sum((day.arriving for day in some), Decimal(0)),
            balance=some[-1].balance,
        )
        for monday, some in weeks.items()
    ]
