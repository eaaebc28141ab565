"""What one viewer may see: events let through, fields taken off them, quantities added up.

A supplier sees what concerns itself, as far as its tier goes; of what is ours it is told only sums (how much of its
items we have), never an event, because the subject of one says more than its data would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from crossdock.ledger.records import StoredEvent
from crossdock.ledger.spans import DIGESTED
from crossdock.visibility.rules import OPTIONAL, Audience, Firewall, Insight, Rules, Sight, Sights
from mappings.spec import Tier
from schemas.errors import DeniedError
from schemas.events import DATA_OF, Stream

STREAMS = tuple(stream.value for stream in Stream)
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_facts = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks: ``name`` of the client, its audience and, for a supplier, which partner it is."""

    audience: Audience
    partner: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if (self.audience is Audience.SUPPLIER) != bool(self.partner):
            raise ValueError("a supplier is one of a partner; nobody else is")

    @property
    def is_supplier(self) -> bool:
        return self.audience is Audience.SUPPLIER


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A sum over a period: what is forecast of an item at a site in the week or month that ``starts`` then."""

    partner: str
    item: str
    site: str
    starts: date
    period: str  #: week, month
    quantity: Decimal
    unit: str
    events: int  #: how many were added up


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How much of an item there is at a site, all places and lots together."""

    item: str
    site: str
    quantity: Decimal
    unit: str
    counted_at: str  #: the oldest count among those added up
    ours: bool


class Visibility:
    """The rules with what they lean on: every partner's tier on a day, and which items it supplies."""

    def __init__(
        self,
        rules: Rules,
        *,
        tier: Callable[[str, date], Tier | None],
        supplies: Callable[[str], Collection[str]] = lambda _: (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rules = rules
        self._tier = tier
        self._supplies = supplies
        self._now = now

    def today(self) -> date:
        return self._now().date()

    def view(self, viewer: Viewer) -> View:
        """What the viewer may see today. Raises DeniedError for the supplier of a partner nobody knows."""
        now = self._now()
        house = frozenset(self._rules.house)
        if not viewer.is_supplier:
            insight = self._rules.of_audience(viewer.audience)
            firewall = self._rules.firewall if insight.firewall else None
            return View(viewer, insight, house=house, firewall=firewall, now=now)
        tier = self._tier(viewer.partner, now.date())
        if tier is None:
            raise DeniedError(f"there is no partner {viewer.partner!r}", hint="mappings/partners has one file each")
        items = frozenset(self._supplies(viewer.partner))
        return View(viewer, self._rules.of_tier(tier), house=house, items=items, now=now, tier=tier)


class View:
    """What one viewer may see. Made by ``Visibility.view``; good for a request, a batch or an export."""

    def __init__(
        self,
        viewer: Viewer,
        sights: Sights | Insight,
        *,
        now: datetime,
        house: frozenset[str] = frozenset(),
        firewall: Firewall | None = None,
        items: frozenset[str] = frozenset(),
        tier: Tier | None = None,
    ) -> None:
        self.viewer = viewer
        self.tier = tier
        self._sights: Mapping[str, Sight] = {s: sight for s in STREAMS if (sight := sights.of(s)) is not None}
        self._house = house
        self._firewall = firewall
        self._items = items
        self._now = now
        self._whole = {s: self._shows_whole(s, sight) for s, sight in self._sights.items()}

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams of which anything is seen: a query may leave the others out."""
        return tuple(self._sights)

    @property
    def partner(self) -> str | None:
        """The one partner whose events are seen: a query may leave the others out. None: any partner's."""
        return self.viewer.partner or None

    @property
    def sees_everything(self) -> bool:
        """Whether ``event`` changes and withholds nothing."""
        return len(self._whole) == len(STREAMS) and all(self._whole.values())

    @property
    def sees_all_supply(self) -> bool:
        """Whether supply is reckoned for this viewer as for who sees everything: nothing of it is kept back."""
        return not self.viewer.is_supplier and all(self._counts_whole(stream) for stream in STREAMS)

    def _counts_whole(self, stream: str) -> bool:
        sight = self._sights.get(stream)
        if sight is None or not (sight.kinds == "all" and sight.commitments == "all" and sight.horizon is None):
            return False
        if sight.shows is not None or DIGESTED.intersection(sight.hides):
            return False
        if self._firewall is None:
            return True
        kept = self._firewall.of(stream)  # of suppliers only: what they have, make and use counts in no supply of ours
        return (
            _SUPPLIERS_OWN.get(stream, frozenset()).issuperset(kept.kinds)
            and NOBODY_WANTS.issuperset(kept.commitments)
            and not DIGESTED.intersection(self._firewall.fields)
        )

    # -- events -----------------------------------------------------------------------------------

    def event(self, event: StoredEvent) -> StoredEvent | None:
        """The event as the viewer may see it; None: not at all."""
        if self._whole.get(event.stream):
            return event
        sight = self._sights.get(event.stream)
        if sight is None or not self._may_be_seen(event, sight):
            return None
        data = _decode(event.data)
        return self._without(event, data, self._hidden(event, sight)) if self._is_seen(event, data, sight) else None

    def sees(self, event: StoredEvent) -> bool:
        """Whether ``event`` is seen, whatever of it is: good enough to count with it, not to show it."""
        sight = self._sights.get(event.stream)
        if sight is None or not self._may_be_seen(event, sight):
            return False
        bounded = self._firewall is not None or sight.horizon is not None or sight.commitments != "all"
        return not bounded or self._is_seen(event, _decode(event.data), sight)

    def _may_be_seen(self, event: StoredEvent, sight: Sight) -> bool:
        """By what it is; ``_is_seen``: by what it says."""
        return sight.sees(event.kind) and self._concerns(event.partner)

    def _is_seen(self, event: StoredEvent, data: Mapping[str, msgspec.Raw], sight: Sight) -> bool:
        commitment = _text(data, "commitment")
        return (
            not self._beyond(data, sight.horizon) and sight.commits(commitment) and not self._is_kept(event, commitment)
        )

    def events(self, events: Iterable[StoredEvent]) -> Iterator[StoredEvent]:
        """Those of ``events`` that are seen, as they are seen."""
        return (seen for event in events if (seen := self.event(event)) is not None)

    def _shows_whole(self, stream: str, sight: Sight) -> bool:
        kept = self._firewall.of(stream) if self._firewall else None
        fields = OPTIONAL[Stream(stream)].intersection(self._firewall.fields) if self._firewall else ()
        return (
            sight.kinds == "all"
            and sight.commitments == "all"
            and sight.horizon is None
            and sight.shows is None
            and not sight.hides
            and not self.viewer.is_supplier
            and not fields
            and (kept is None or not (kept.kinds or kept.commitments))
        )

    def _concerns(self, partner: str) -> bool:
        return not self.viewer.is_supplier or partner == self.viewer.partner

    def _beyond(self, data: Mapping[str, msgspec.Raw], horizon: timedelta | None) -> bool:
        if horizon is None:
            return False
        begins = next((at for name in _BEGINS if (at := _text(data, name))), "")
        return bool(begins) and datetime.fromisoformat(begins) > self._now + horizon

    def _is_kept(self, event: StoredEvent, commitment: str) -> bool:
        """Whether the firewall keeps it: it is a supplier's own affair."""
        if self._firewall is None or event.partner in self._house:
            return False
        kept = self._firewall.of(event.stream)
        return event.kind in kept.kinds or commitment in kept.commitments

    def _hidden(self, event: StoredEvent, sight: Sight) -> frozenset[str]:
        optional = OPTIONAL[Stream(event.stream)]
        hidden = optional.difference(sight.shows) if sight.shows is not None else optional.intersection(sight.hides)
        if self._firewall is not None and event.partner not in self._house:
            hidden |= optional.intersection(self._firewall.fields)
        return hidden

    def _without(self, event: StoredEvent, data: dict[str, msgspec.Raw], hidden: frozenset[str]) -> StoredEvent:
        shown = {name: value for name, value in data.items() if name not in hidden}
        if hidden and _CHANGES in shown:  # they say what fields were before, hidden ones too
            told = [one for one in _changes(shown[_CHANGES]) if one.get("field") in _known(event.stream) - hidden]
            shown[_CHANGES] = msgspec.Raw(_encode(told))
        if self.viewer.is_supplier:  # how we are organised is none of theirs
            return replace(event, data=_encode(shown).decode(), channel="feed")
        return event if len(shown) == len(data) else replace(event, data=_encode(shown).decode())

    # -- sums -------------------------------------------------------------------------------------

    def sums(self, latest: Iterable[StoredEvent]) -> list[Bucket]:
        """What is only shown added up, of events of which each is its key's latest, by partner, item, site and time."""
        sums: dict[tuple[str, str, str, date, str, str], list[Any]] = defaultdict(lambda: [Decimal(0), 0])
        for event in latest:
            sight = self._sights.get(event.stream)
            rule = sight.sums if sight else None
            if rule is None or event.kind not in rule.kinds or not self._concerns(event.partner):
                continue
            data = _facts(event.data)
            commitment = data.get("commitment", "")
            if commitment in NOBODY_WANTS or self._is_kept(event, commitment):
                continue
            begins = next((at for name in _BEGINS if (at := data.get(name))), None)
            if begins is None or datetime.fromisoformat(begins) > self._now + rule.horizon:
                continue
            starts = period_of(datetime.fromisoformat(begins).date(), rule.by)
            total = sums[event.partner, event.item, event.site, starts, rule.by, data["base_unit"]]
            total[0] += Decimal(data["base_quantity"])
            total[1] += 1
        return [
            Bucket(
                partner=partner,
                item=item,
                site=site,
                starts=starts,
                period=period,
                quantity=quantity,
                unit=unit,
                events=number,
            )
            for (partner, item, site, starts, period, unit), (quantity, number) in sorted(sums.items())
        ]

    def stock(self, latest: Iterable[StoredEvent]) -> list[Stock]:
        """What is on hand, added up by item and site, ours and others' apart: of events of which each is its key's
        latest, those that are seen, and for a supplier that may know it ours of the items it supplies."""
        sums: dict[tuple[str, str, str, bool], list[Any]] = {}
        for event in latest:
            ours = event.partner in self._house
            if event.kind != "on_hand" or not (self._is_told(event) if ours else self.event(event)):
                continue
            data = _facts(event.data)
            counted = data.get("counted_at", event.time)
            total = sums.setdefault((event.item, event.site, data["base_unit"], ours), [Decimal(0), counted])
            total[0] += Decimal(data["base_quantity"])
            total[1] = min(total[1], counted, key=datetime.fromisoformat)
        return [
            Stock(item=item, site=site, unit=unit, ours=ours, quantity=quantity, counted_at=counted)
            for (item, site, unit, ours), (quantity, counted) in sorted(sums.items())
        ]

    def _is_told(self, event: StoredEvent) -> bool:
        """Whether it may be added into what the viewer is told of our own stock."""
        sight = self._sights.get(event.stream)
        if sight is None:
            return False
        if self.viewer.is_supplier:
            return sight.our_stock and event.item in self._items
        return self.event(event) is not None

    # -- what is not an event -----------------------------------------------------------------------

    def document(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A document's row as the viewer may see it: a supplier its own, without how we handle it."""
        if not self.viewer.is_supplier:
            return dict(row)
        if row["partner"] != self.viewer.partner:
            return None
        return {name: value for name, value in row.items() if name in _OF_THEIR_DOCUMENT}

    def finding(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A finding's row likewise; who may not read the document's bytes is not told the value that was wrong."""
        if not self._concerns(row["partner"] or ""):
            return None
        shown = _OF_THEIR_FINDING if self.viewer.is_supplier else row.keys()
        hidden = () if self.reads(row["partner"] or "") else _OF_THE_BYTES
        return {name: value for name, value in row.items() if name in shown and name not in hidden}

    def is_partner_seen(self, partner: str) -> bool:
        """Whether anything may be said about the partner at all."""
        return self._concerns(partner)

    def reads(self, partner: str) -> bool:
        """Whether documents of the partner may be read as they came: bytes tell everything at once."""
        return self._concerns(partner) if self.viewer.is_supplier else self.sees_everything


#: Commitments of a demand that nobody is asked to meet: what a partner could do, what it has done.
NOBODY_WANTS = frozenset({"capacity", "usage"})
#: Kinds that count in no supply, or only where they are ours.
_SUPPLIERS_OWN = {Stream.INVENTORY.value: frozenset({"on_hand", "issued", "adjusted", "cancelled"})}
_CHANGES = "changes"
_changes = msgspec.json.Decoder(list[dict[str, Any]]).decode


def _known(stream: str) -> frozenset[str]:
    """The fields of a stream's data."""
    return frozenset(DATA_OF[Stream(stream)].__struct_fields__)


#: Where a demand begins, the first of these that it has.
_BEGINS = ("due_at", "ship_by", "ship_from", "starts_at", "ends_at")
_OF_THEIR_DOCUMENT = frozenset(
    {
        *("document", "type", "version", "sender", "receiver", "control_number", "interchange", "functional_group"),
        *("test", "location", "partner", "status", "name", "stored_at", "lines", "unchanged", "parked"),
        *("infos", "warnings", "errors", "demand", "shipment", "inventory"),
    }
)
_OF_THEIR_FINDING = frozenset(
    {
        *("code", "severity", "stage", "message", "location", "value", "expected", "standard", "line", "name"),
        *("document", "type", "partner", "control_number", "status", "found_at"),
    }
)
#: Of a finding, what may hold a piece of the document.
_OF_THE_BYTES = frozenset({"message", "value", "expected"})


def _text(data: Mapping[str, msgspec.Raw], name: str) -> str:
    return str(msgspec.json.decode(data[name])) if name in data else ""


def period_of(day: date, by: str) -> date:
    """The first day of the month, or the Monday of the week, that ``day`` is in."""
    return day.replace(day=1) if by == "month" else day - timedelta(days=day.weekday())
