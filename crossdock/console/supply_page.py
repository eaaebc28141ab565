"""The Supply page: an item at a site over time, when it goes short, and the events behind each week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from markupsafe import Markup

from crossdock.console.charts import supply_chart
from crossdock.feed.service import Service
from crossdock.feed.state import look_up_supply
from crossdock.feed.supply import Day, Movement, Supply
from crossdock.visibility import View
from crossdock.visibility.view import period_of

PLACES = 200
_MOVEMENTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPage:
    """``weeks`` each with its movements."""

    supply: Supply
    chart: Markup
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


def places(service: Service, search: str) -> list[Mapping[str, Any]]:
    """Items and sites that something is known of; ``search`` is how the item begins."""
    service.ledger.spans.follow()
    return list(service.ledger.spans.places(search=search, limit=PLACES))


def supply_page(
    service: Service, view: View, item: str, site: str, *, now: datetime | None = None
) -> SupplyPage | None:
    """None where nothing is known, or nothing that ``view`` lets through."""
    found = look_up_supply(service.ledger, view, item, site, now=now or datetime.now(UTC))
    if not (found.movements or found.stock):
        return None
    gathered: dict[date, list[Movement]] = {}
    for movement in found.movements[:_MOVEMENTS]:
        gathered.setdefault(period_of(movement.day, "week"), []).append(movement)
    weeks = [(week, gathered.get(week.day, [])) for week in found.weeks]
    return SupplyPage(
        supply=found,
        chart=supply_chart(found.weeks, f"Supply of {item} at {site} by week: wanted, coming in, and the balance"),
        weeks=weeks,
        more=max(0, len(found.movements) - _MOVEMENTS),
    )
