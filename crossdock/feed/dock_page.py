"""The Dock page: what came in, what is held back and why, what it is judged by, and where it has got to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crossdock.ledger import Ledger

MOST = 20  #: payloads, documents and causes that are shown; there may be more, and the page says so
TOLD = 10  #: findings of each
RECENT = 200  #: newest errors that are looked through

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file or document of which nothing went on, and why."""

    about: Row
    findings: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockPage:
    """Everything the page says, as the ledger's own rows."""

    at: datetime
    channels: Sequence[Row]
    causes: Sequence[Row]  #: what parked lines wait for, the most frequent first
    unreadable: Sequence[Held]  #: payloads in quarantine
    rejected: Sequence[Held]  #: documents
    others: Sequence[Row]  #: newest errors on whole files and documents that went on all the same
    masters: Sequence[Row]  #: tables in force
    held_masters: Sequence[Row]  #: loads that failed their expectations since the version in force
    outlets: Sequence[Row]
    most: int = MOST

    @property
    def totals(self) -> Mapping[str, int]:
        """The page's headline: events, and what waits for somebody."""
        return {
            "events": sum(sum(row["events"].values()) for row in self.channels),
            "lines parked": sum(row["parked"] for row in self.channels),
            "documents rejected": sum(row["rejected"] for row in self.channels),
            "files not readable": sum(row["quarantined"] for row in self.channels),
        }


def dock_page(ledger: Ledger, at: datetime) -> DockPage:
    """The page as things stand ``at`` this moment."""
    loads = ledger.master_loads()
    in_force = {load["table"]: load for load in loads if load["status"] == "in_force"}
    return DockPage(
        at=at,
        channels=ledger.summary(),
        causes=ledger.parked_causes(limit=MOST),
        unreadable=[
            Held(about=payload, findings=ledger.findings(payload=payload["id"], limit=TOLD))
            for payload in ledger.payloads(status="quarantined", limit=MOST)
        ],
        rejected=[
            Held(
                about=document,
                findings=ledger.findings(severity="error", document=document["document"], limit=TOLD),
            )
            for document in ledger.documents(status="rejected", limit=MOST)
        ],
        others=list(_others(ledger.findings(severity="error", limit=RECENT, newest=True)))[:MOST],
        masters=[in_force[table] for table in sorted(in_force)],
        held_masters=[
            load
            for load in loads
            if load["status"] == "rejected"
            and (load["table"] not in in_force or load["at"] > in_force[load["table"]]["at"])
        ],
        outlets=ledger.sinks(),
    )


def _others(errors: Iterable[Row]) -> Iterable[Row]:
    """Errors that neither a line, nor a rejected document, nor a file in quarantine tells already."""
    for error in errors:
        if error["line"] is None and error["status"] != "rejected" and error["payload_status"] != "quarantined":
            yield error
