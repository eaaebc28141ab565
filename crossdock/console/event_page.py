"""The page of one event: what it says, what it revises, and for who runs the dock where it comes from and went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from crossdock.console.raw import fragment_of
from crossdock.feed.service import Service
from crossdock.ledger import StoredEvent
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View

Row = Mapping[str, Any]
_APART = frozenset({"references", "lineage", "changes"})  #: of the data, what is not a plain field


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One event as its viewer may see it; ``revisions`` and ``delivered`` are empty for who does not run the dock."""

    event: StoredEvent
    says: Mapping[str, Any]
    revisions: Sequence[Row]
    delivered: Mapping[str, datetime | None]

    @property
    def fields(self) -> Sequence[tuple[str, Any]]:
        """The plain fields, then the references, in the words of the contract."""
        plain = [(name, value) for name, value in self.says.items() if name not in _APART]
        return [*plain, *((f"reference: {name}", value) for name, value in self.says.get("references", {}).items())]

    @property
    def place(self) -> str:
        """The fragment at which the page of its document shows where it comes from."""
        lineage = self.says.get("lineage", {})
        return fragment_of(lineage.get("offset"), lineage.get("location", ""))

    @property
    def changes(self) -> Sequence[Row]:
        """What a changed order says is not as it was."""
        changes: Sequence[Row] = self.says.get("changes", ())
        return changes


def event_page(service: Service, view: View, position: int) -> EventPage | None:
    """None where there is no such event for who asks."""
    found = service.ledger.spans.events(Wanted(), after=position - 1, limit=1)
    seen = view.event(found[0]) if found else None
    if seen is None:
        return None
    told = (service.ledger.trace(seen.id) if view.sees_everything else None) or {"revisions": (), "delivered": {}}
    return EventPage(
        event=seen,
        says=msgspec.json.decode(seen.data),
        revisions=told["revisions"],
        delivered=told["delivered"],
    )
