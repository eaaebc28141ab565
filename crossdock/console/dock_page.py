"""The Dock page: what came in, what is held back and why, what it is judged by, and where it has got to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crossdock.ledger import Ledger
from crossdock.mending.repair import TOO_LONG, Cause, causes

MOST = 20  #: payloads, documents and causes that are shown; there may be more, and the page says so
TOLD = 10  #: findings of each
TAKEN_IN = timedelta(days=7)  #: before now, of which it is told what each channel took in
RECENT = 200  #: newest errors that are looked through

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file or document of which nothing went on, and why."""

    about: Row
    findings: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the headline, where it leads, and how grave it is that there are any (a style)."""

    name: str
    number: int
    to: str
    grave: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockPage:
    """Everything the page says, as the ledger's own rows."""

    at: datetime
    since: datetime  #: when ``channels`` begins
    channels: Sequence[Row]  #: what was taken in since then
    held: Mapping[str, int]  #: see ``Browsing.held``
    events: int  #: how far the feed is
    causes: Sequence[Cause]  #: what parked lines wait for, the most frequent first
    unreadable: Sequence[Held]  #: payloads in quarantine
    rejected: Sequence[Held]  #: documents
    others: Sequence[Row]  #: newest errors on whole files and documents that went on all the same
    masters: Sequence[Row]  #: tables in force
    held_masters: Sequence[Row]  #: loads that failed their expectations since the version in force
    outlets: Sequence[Row]
    waiting: Mapping[str, int]  #: parked lines that wait, by channel
    answers: Sequence[Row]  #: how prompt answers are, by partner and kind
    quiet: Sequence[Any]  #: partners of whom something should have come
    most: int = MOST

    def is_late(self, cause: Cause) -> bool:
        """Whether it has waited for longer than it should."""
        return self.at - cause.since > TOO_LONG

    @property
    def tiles(self) -> Sequence[Tile]:
        """The page's headline: what waits for somebody, then what went on."""
        return (
            Tile("lines parked", sum(self.waiting.values()), "/parked", "warn"),
            Tile("documents rejected", self.held["rejected"], "/documents?status=rejected", "bad"),
            Tile("files not readable", self.held["quarantined"], "/files?status=quarantined", "bad"),
            Tile("files not read yet", self.held["received"], "/files?status=received", "warn"),
            Tile("answers overdue", sum(row["overdue"] for row in self.answers), "/answers?state=overdue", "bad"),
            Tile("answers refused", sum(row["refused"] for row in self.answers), "/answers?state=refused", "bad"),
            Tile("partners gone quiet", len(self.quiet), "#late", "warn"),
            Tile("events", self.events, "/events"),
        )


def dock_page(ledger: Ledger, at: datetime, *, quiet: Sequence[Any]) -> DockPage:
    """The page as things stand ``at`` this moment; ``quiet`` are partners of whom something should have come."""
    loads = ledger.master_loads()
    in_force = {load["table"]: load for load in loads if load["status"] == "in_force"}
    since = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - TAKEN_IN
    return DockPage(
        at=at,
        since=since,
        channels=ledger.summary(since),
        held=ledger.browsing.held(),
        events=ledger.spans.newest(),
        causes=causes(ledger, limit=MOST),
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
        waiting=ledger.browsing.waiting(),
        answers=ledger.answer_summary(),
        quiet=quiet,
    )


def _others(errors: Iterable[Row]) -> Iterable[Row]:
    """Errors that neither a line, nor a rejected document, nor a file in quarantine tells already."""
    for error in errors:
        if error["line"] is None and error["status"] != "rejected" and error["payload_status"] != "quarantined":
            yield error
