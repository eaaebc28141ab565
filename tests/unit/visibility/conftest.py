"""Events of every kind in which every optional field holds something that can be recognised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crossdock.ledger import StoredEvent
from crossdock.visibility import Viewer, Visibility, load_rules
from crossdock.visibility.rules import KINDS, OPTIONAL, Audience
from mappings.spec import Tier
from schemas.events import Stream

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TIERS = {"ANVILGATE": Tier.STRATEGIC, "BRIGHTSEAL": Tier.PREFERRED, "FENWICK": Tier.TRANSACTIONAL}
HOUSE = "RAVENSMOOR"
PARTNERS = (*TIERS, HOUSE)
#: Optional fields that hold no free text, so that a mark cannot stand in them.
PLAIN: dict[str, Any] = {
    **dict.fromkeys(("due_at", "ship_from", "ship_by", "starts_at"), "2026-03-20T00:00:00Z"),
    **dict.fromkeys(("ends_at", "shipped_at", "arrives_at", "counted_at", "received_at"), "2026-03-21T00:00:00Z"),
    **dict.fromkeys(("cumulative", "received_cumulative", "shipped_cumulative"), "777001.5"),
    **dict.fromkeys(("fabrication_authorized", "material_authorized", "ordered_quantity"), "777002.5"),
    "price": "777003.5",
    "currency": "XTS",
    "commitment": "firm",
    "changes": [
        {"field": name, "before": f"mark-of-{name}", "after": "777009"} for name in ("price", "note", "quantity")
    ],
}


def value_of(field: str) -> Any:
    """What stands in the field: a mark of its own where it may be any text."""
    return PLAIN.get(field, f"mark-of-{field}")


def event(
    stream: str, kind: str, partner: str, *, item: str = "P-100", position: int = 1, **differs: Any
) -> StoredEvent:
    """An event with every optional field; ``differs`` are fields of its data (None: left out)."""
    data: dict[str, Any] = {
        "kind": kind,
        "partner": partner,
        "item": item,
        "site": "N1",
        "quantity": "12",
        "unit": "EA",
        "base_quantity": "12",
        "base_unit": "C62",
        "references": {"order": "4711"},
        "lineage": {"payload": "a" * 64, "document": "d", "location": "l", "mapping": "m", "mapping_version": "1"},
    }
    data |= {name: value_of(name) for name in sorted(OPTIONAL[Stream(stream)])} | differs
    return StoredEvent(
        position=position,
        id=f"{position:032x}",
        stream=stream,
        kind=kind,
        subject=f"{kind}/{partner}/{position}",
        sequence=1,
        time="2026-03-01T08:00:00Z",
        recorded_at="2026-03-01T08:00:01.000000Z",
        partner=partner,
        item=item,
        site="N1",
        document=f"doc-of-{partner}",
        channel="channel-of-theirs",
        data=json.dumps({name: value for name, value in data.items() if value is not None}),
    )


def every_event() -> list[StoredEvent]:
    """One of each kind from each partner."""
    kinds = [(stream.value, kind) for stream in Stream for kind in KINDS[stream]]
    made = [(stream, kind, partner) for stream, kind in kinds for partner in PARTNERS]
    return [event(*one, position=position) for position, one in enumerate(made, start=1)]


@pytest.fixture
def visibility() -> Visibility:
    return Visibility(
        load_rules(),
        tier=lambda partner, _: TIERS.get(partner),
        supplies=lambda partner: {"P-100"} if partner == "ANVILGATE" else set(),
        now=lambda: NOW,
    )


@pytest.fixture
def view(visibility: Visibility) -> Any:
    """Makes the view of an audience, or of the supplier of a partner."""

    def make(who: str) -> Any:
        if who in TIERS:
            return visibility.view(Viewer(audience=Audience.SUPPLIER, partner=who, name=who))
        return visibility.view(Viewer(audience=Audience(who), name=who))

    return make
