"""The Supply page: an item at a site over time, when it goes short, and the events behind each week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from markupsafe import Markup

from crossdock.console.charts import supply_chart
from crossdock.feed.service import Service
from crossdock.feed.state import look_up_supply
from crossdock.feed.supply import Day, Movement, Supply
from crossdock.visibility import View
from crossdock.visibility.view import period_of

PLACES = 50  #: of a page
RECKONED = 1000  #: events of them that are gone through for when they go short
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
    """So many ``events`` stand of an item at a site. ``supply`` is None where only its own page reckons it."""

    item: str
    site: str
    events: int
    supply: Supply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A page of items and sites: what goes short first, then the rest in order."""

    rows: Sequence[Known]
    older: tuple[str, str] | None  #: where the page after this one begins; None: this was the last


def places(
    service: Service, view: View, search: str, items: Sequence[str], *, after: tuple[str, str] = ("", "")
) -> Places:
    """Items and sites that something is known of; ``search`` is how the item begins, or it is one of ``items``."""
    ledger, now = service.ledger, datetime.now(UTC)
    ledger.spans.follow()
    found = list(ledger.spans.places(search=search, items=items, limit=PLACES, after=after))
    rows, left = [], RECKONED
    for row in found:
        left -= row["events"]
        told = left >= 0 and row["item"] and row["site"]
        supply = look_up_supply(ledger, view, row["item"], row["site"], now=now) if told else None
        rows.append(Known(item=row["item"], site=row["site"], events=row["events"], supply=supply))
    rows.sort(key=lambda one: (one.supply and one.supply.short_on) or date.max)
    return Places(rows=rows, older=(found[-1]["item"], found[-1]["site"]) if len(found) == PLACES else None)


def supply_page(
    service: Service, view: View, item: str, site: str, *, now: datetime | None = None
) -> SupplyPage | None:
    """None where nothing is known, or nothing that ``view`` lets through."""
    found = look_up_supply(service.ledger, view, item, site, now=now or datetime.now(UTC))
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
