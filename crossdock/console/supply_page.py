"""The Supply page: an item at a site over time, when it goes short, and the events behind each week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from markupsafe import Markup

from crossdock.console.charts import supply_chart
from crossdock.feed.outlook import reckon
from crossdock.feed.service import Service
from crossdock.feed.state import look_up_supply
from crossdock.feed.supply import Day, Movement, Supply
from crossdock.ledger.outlooks import NEVER, Outlook
from crossdock.visibility import View
from crossdock.visibility.view import period_of

PLACES = 50  #: of a page
RECKONED = 1000  #: events of them that are gone through for who does not see everything
_RECKONING = 0.1  #: seconds that a page may take to bring outlooks up to date
_MOVEMENTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPage:
    """``weeks`` each with its movements."""

    supply: Supply
    chart: Markup  #: empty where nothing moves and nothing is on hand
    weeks: Sequence[tuple[Day, Sequence[Movement]]]
    more: int  #: movements that are not shown

    @property
    def verdict(self) -> str:
        """``short on Tue 8 Dec 2026``, in words."""
        if self.supply.on_hand is None:
            return "Nothing is known here of what is on hand."
        if self.supply.short_on is None:
            return "It lasts as far as anybody can see."
        return f"It goes short on {self.supply.short_on:%A, %d %B %Y}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An item at a site in short; quantities in ``unit``. ``is_told`` is False where only its own page reckons it."""

    item: str
    site: str
    short_on: date | None = None
    on_hand: Decimal | None = None
    in_transit: Decimal = Decimal(0)
    demand: Decimal = Decimal(0)
    unit: str = ""
    is_told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A page of items and sites. ``in_order`` says whether what goes short first stands first, of all there are;
    ``left`` how many places are reckoned later, and stand where they stood."""

    rows: Sequence[Known]
    older: Mapping[str, str]  #: of the address of the page after this one; empty: this was the last
    in_order: bool
    left: int = 0


def places(service: Service, view: View, search: str, items: Sequence[str], *, after: Mapping[str, str]) -> Places:
    """Items and sites that something is known of; ``search`` is how the item begins, or it is one of ``items``.

    For who sees all that supply is made of, what goes short first comes first; ``after`` is ``Places.older`` of the
    page before this one.
    """
    item, site = after.get("item", ""), after.get("site", "")
    if not view.sees_all_supply:
        return _by_item(service, view, search, items, (item, site))
    today, outlooks = service.now().date(), service.ledger.outlooks
    done = reckon(service, seconds=_RECKONING)
    begins = (_day(after.get("short", "")), item, site) if item else None
    found = outlooks.page(search=search, items=items, after=begins, limit=PLACES)
    last = found[-1] if len(found) == PLACES else None
    return Places(
        rows=[_known(one) for one in found],
        older={"short": last.short_on.isoformat(), "item": last.item, "site": last.site} if last else {},
        in_order=True,
        left=0 if done else outlooks.left(today),
    )


def _known(one: Outlook) -> Known:
    return Known(
        item=one.item,
        site=one.site,
        short_on=one.short_on if one.short_on != NEVER else None,
        on_hand=None if one.on_hand is None else Decimal(one.on_hand),
        in_transit=Decimal(one.in_transit),
        demand=Decimal(one.demand),
        unit=one.unit,
    )


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return NEVER


def _by_item(service: Service, view: View, search: str, items: Sequence[str], after: tuple[str, str]) -> Places:
    """What somebody sees of it who does not see everything, reckoned now, in order of items."""
    ledger, now = service.ledger, service.now()
    ledger.spans.follow()
    found = ledger.spans.places(search=search, items=items, limit=PLACES, after=after)
    rows, left = [], RECKONED
    for row in found:
        left -= row["events"]
        place = {"item": row["item"], "site": row["site"]}
        if left < 0 or not (row["item"] and row["site"]):
            rows.append(Known(**place, is_told=False))
            continue
        supply = look_up_supply(ledger, view, **place, now=now)
        told = {name: getattr(supply, name) for name in ("short_on", "on_hand", "in_transit", "demand", "unit")}
        rows.append(Known(**place, **told))
    last = found[-1] if len(found) == PLACES else None
    return Places(rows=rows, older={"item": last["item"], "site": last["site"]} if last else {}, in_order=False)


def supply_page(
    service: Service, view: View, item: str, site: str, *, now: datetime | None = None
) -> SupplyPage | None:
    """None where nothing is known, or nothing that ``view`` lets through."""
    found = look_up_supply(service.ledger, view, item, site, now=now or service.now())
    if not found.unit:  # no event is seen
        return None
    gathered: dict[date, list[Movement]] = {}
    for movement in found.movements[:_MOVEMENTS]:
        gathered.setdefault(period_of(movement.day, "week"), []).append(movement)
    weeks = [(week, gathered.get(week.day, [])) for week in found.weeks]
    return SupplyPage(
        supply=found,
        chart=supply_chart(found.weeks, f"Supply of {item} at {site} by week: wanted, coming in, and the balance")
        if found.movements or found.on_hand is not None
        else Markup(),
        weeks=weeks,
        more=max(0, len(found.movements) - _MOVEMENTS),
    )
