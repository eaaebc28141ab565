"""The supplier's own page: its documents and what was wrong with them, its open orders, files to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.feed.documents import document_seen, documents_seen
from crossdock.feed.orders import begins, still_wanted
from crossdock.feed.service import Service
from crossdock.feed.supply import newest_releases
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View
from mappings.values import last_moment

DOCUMENTS = 50
ORDERS = 200

Row = Mapping[str, Any]
_CALLED_OFF = "called_off"
_COUNTED = ("ordered", "changed", _CALLED_OFF, "received")
_facts = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage:
    """What a supplier sees of itself, all of it through its view."""

    name: str
    tier: str
    documents: Sequence[Row]
    orders: Sequence[Row]  #: the order lines that are still open and due first
    open: int  #: how many there are altogether
    most: int = DOCUMENTS

    @property
    def parked(self) -> int:
        """Lines of these documents that wait."""
        return sum(row["parked"] for row in self.documents)

    @property
    def faulty(self) -> int:
        """How many of these documents have an error."""
        return sum(row["errors"] > 0 for row in self.documents)


def own_page(service: Service, view: View) -> OwnPage:
    ledger = service.ledger
    ledger.spans.follow()
    partner = service.partners_of_now().get(view.partner or "")
    still_open = _still_open(service, view)
    return OwnPage(
        name=partner.name if partner is not None else view.partner or "",
        tier=str(view.tier or ""),
        documents=sorted(documents_seen(ledger, view, limit=DOCUMENTS), key=_is_clean),
        orders=_shown(service, view, dict(still_open[:ORDERS])),
        open=len(still_open),
    )


def _is_clean(row: Row) -> bool:
    return not row["errors"] and not row["parked"]


def own_document(service: Service, view: View, document: str) -> Row | None:
    """One of its documents with the findings; None where it has no such document."""
    return document_seen(service.ledger, view, document)


def _still_open(service: Service, view: View) -> list[tuple[int, Decimal]]:
    """Positions of the order lines of which something is still to come, the earliest due first, with how much that is
    in the base unit; call-offs, which the next release makes anew, from today on."""
    today = service.visibility.today()
    wanted = Wanted(streams=view.streams, kinds=_COUNTED, partner=view.partner)
    events = [event for event in newest_releases(service.ledger.spans.digests(wanted)) if view.sees(event)]
    facts = {event.position: _facts(event.data) for event in events}
    lines = [(day or date.max, event.position, left) for event, left, day in still_wanted(events, facts)]
    for event in events:
        if event.kind == _CALLED_OFF and (day := begins(facts[event.position]) or date.max) >= today:
            lines.append((day, event.position, Decimal(facts[event.position]["base_quantity"])))
    return [(position, left) for _, position, left in sorted(lines)]


def _shown(service: Service, view: View, left: Mapping[int, Decimal]) -> list[Row]:
    rows = []
    for event in view.events(service.ledger.spans.at([*left])):
        data = _facts(event.data)
        references = data.get("references", {})
        rows.append(
            {
                "order": references.get("order", ""),
                "line": references.get("order_line", ""),
                "item": data.get("partner_item") or event.item,
                "description": data.get("description", ""),
                "site": event.site,
                "quantity": data.get("quantity", ""),
                "unit": data.get("unit", ""),
                "open": _as_ordered(left[event.position], data),
                "due": _wanted(data)[:10],
                "kind": event.kind,
            }
        )
    return sorted(rows, key=lambda row: (row["due"] or "9999", row["order"], row["line"]))


def _as_ordered(left: Decimal, data: Mapping[str, Any]) -> str:
    """``left`` of the base quantity, in the unit that was ordered in; to a thousandth."""
    ordered = left * Decimal(data["quantity"]) / Decimal(data["base_quantity"])
    return f"{round(ordered, 3).normalize():f}"


def _wanted(data: Mapping[str, Any]) -> str:
    """When it is wanted, or by when; nothing where that is not said."""
    told = data.get("due_at") or data.get("ship_by")
    return str(told) if told else last_moment(data["ends_at"]) if data.get("ends_at") else ""
