"""The supplier's own page: its documents and what was wrong with them, its open orders, files to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from crossdock.feed.documents import document_seen, documents_seen
from crossdock.feed.service import Service
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View
from mappings.values import last_moment

DOCUMENTS = 50
ORDERS = 1000

Row = Mapping[str, Any]
_OPEN = frozenset({"ordered", "changed", "called_off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage:
    """What a supplier sees of itself, all of it through its view."""

    name: str
    tier: str
    documents: Sequence[Row]
    orders: Sequence[Row]  #: open order lines by due day
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
    return OwnPage(
        name=partner.name if partner is not None else view.partner or "",
        tier=str(view.tier or ""),
        documents=documents_seen(ledger, view, limit=DOCUMENTS),
        orders=_orders(service, view),
    )


def own_document(service: Service, view: View, document: str) -> Row | None:
    """One of its documents with the findings; None where it has no such document."""
    return document_seen(service.ledger, view, document)


def _orders(service: Service, view: View) -> list[Row]:
    latest = service.ledger.spans.latest(Wanted(streams=["demand"], partner=view.partner), limit=ORDERS)
    rows = []
    for event in view.events(latest):
        data = msgspec.json.decode(event.data)
        if event.kind in _OPEN:
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
                    "due": _wanted(data)[:10],
                    "kind": event.kind,
                }
            )
    return sorted(rows, key=lambda row: (row["due"] or "9999", row["order"], row["line"]))


def _wanted(data: Mapping[str, Any]) -> str:
    """When it is wanted, or by when; nothing where that is not said."""
    told = data.get("due_at") or data.get("ship_by")
    return str(told) if told else last_moment(data["ends_at"]) if data.get("ends_at") else ""
