"""What orders still want: what was ordered, less what was received against it.

A receipt serves the order line that it names, at the site and of the item that were received; one that names only the
order serves that order's lines of the item. Of an order line's schedules the earliest due is served first. What is on
its way is not taken off: it may still not arrive. Receipts that the viewer is not shown are not taken off either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from crossdock.ledger import StoredEvent
from mappings.values import last_moment

ORDERS = frozenset({"ordered", "changed"})
Facts = Mapping[int, Mapping[str, Any]]  #: what events say, or their digests, by position
_Key = tuple[str, ...]


class Wanted(NamedTuple):
    """An order of which something is still to come."""

    event: StoredEvent
    left: Decimal  #: in the base unit
    day: date | None  #: by which it is wanted; None: nobody said


def still_wanted(events: Sequence[StoredEvent], facts: Facts) -> Iterator[Wanted]:
    """What orders still want, by day; what has none comes first.

    ``events`` are the latest of each key, orders and receipts among them.
    """
    received = _received(events, facts)
    days = [(begins(facts[event.position]), event) for event in events if event.kind in ORDERS]
    for day, event in sorted(days, key=lambda one: (one[0] or date.min, one[1].position)):
        said = facts[event.position]
        left = Decimal(said["base_quantity"])
        references = said.get("references") or {}
        for line in dict.fromkeys((references.get("order_line", ""), "")):
            key = _key(event, said, line)
            served = min(left, received.get(key, Decimal(0)))
            if served > 0:
                received[key] -= served
                left -= served
        if left > 0:
            yield Wanted(event, left, day)


def begins(said: Mapping[str, Any]) -> date | None:
    """The day on which what an event says begins to hold, or by which it is wanted; None: it does not say."""
    for name in ("due_at", "ship_by", "ship_from", "starts_at"):
        if told := said.get(name):
            return datetime.fromisoformat(told).date()
    ends = said.get("ends_at")
    return datetime.fromisoformat(last_moment(ends)).date() if ends else None


def _received(events: Iterable[StoredEvent], facts: Facts) -> dict[_Key, Decimal]:
    received: dict[_Key, Decimal] = defaultdict(Decimal)
    for event in events:
        if event.kind == "received":
            said = facts[event.position]
            references = said.get("references") or {}
            if references.get("order"):
                received[_key(event, said, references.get("order_line", ""))] += Decimal(said["base_quantity"])
    return received


def _key(event: StoredEvent, said: Mapping[str, Any], line: str) -> _Key:
    order = (said.get("references") or {}).get("order", "")
    return event.partner, event.item, event.site, said["base_unit"], order, line
