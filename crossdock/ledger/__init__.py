"""The ledger: one relational database that says what happened to everything.

``Ledger`` is the only door to it. SQLAlchemy Core underneath, SQLite (WAL) or PostgreSQL behind;
no row, connection or statement of SQLAlchemy leaves this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from connectors.base import State
from crossdock.translation import Translated


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadRecord:
    """A payload as the ledger knows it."""

    id: int
    sha256: str
    size: int
    channel: str
    key: str
    name: str
    received_at: datetime
    status: str  #: received -> translated, or quarantined (nothing of it could be read; its findings say why)
    metadata: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None  #: payload it was unpacked from (a mail)
    duplicate_of: int | None = None  #: earlier payload of the same channel with the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """What storing one payload's translation did."""

    documents: int
    rejected: int
    lines: int
    events: int  #: new in the feed
    unchanged: int  #: said nothing new: already published, or the same as the key's latest revision
    parked: int
    findings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event of the feed: its position (gapless, in commit order, from 1) and its parts."""

    position: int
    id: str
    stream: str
    kind: str
    subject: str
    sequence: int
    time: str
    recorded_at: str
    partner: str
    item: str
    site: str
    document: str
    channel: str
    data: str  #: JSON text of the stream's data model

    def cloud_event(self) -> bytes:
        """The CloudEvents 1.0 JSON form, validated against schemas.events."""
        raise NotImplementedError


class Ledger:
    """See the module. Every method is one transaction unless it says otherwise.

    Raises TransientError when the database is locked or away, PermanentError when it refuses or
    its disk is full.
    """

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Ledger:
        """Connect; with ``migrate`` bring the schema up to date first."""
        raise NotImplementedError

    def close(self) -> None: ...

    # -- payloads ---------------------------------------------------------------------------------

    def record_payload(
        self,
        *,
        sha256: str,
        size: int,
        channel: str,
        key: str,
        name: str,
        received_at: datetime,
        metadata: Mapping[str, str],
        parent: int | None = None,
    ) -> PayloadRecord:
        """Note a payload that the archive already holds. (channel, key, sha256) is noted once."""
        raise NotImplementedError

    def waiting(self, channel: str | None = None, limit: int = 10_000) -> list[int]:
        """Ids of payloads that are received but not translated to the end, oldest first."""
        raise NotImplementedError

    def payload(self, id: int) -> PayloadRecord:
        raise NotImplementedError

    def store(self, payload: int, translated: Iterable[Translated]) -> StoreSummary:
        """Write what translation yields and mark the payload done.

        Events (with their feed positions and sequences), findings, parked lines and the document's
        status are committed together; documents that an earlier, killed run had committed are
        passed over. A crash at any point leaves either the whole document or nothing of it.
        """
        raise NotImplementedError

    def quarantine(self, payload: int, findings: Sequence[Any]) -> None:
        """Nothing of the payload could be read: keep the findings, list it, do not try again."""
        raise NotImplementedError

    # -- the feed ---------------------------------------------------------------------------------

    def events(self, *, after: int = 0, limit: int = 1000, stream: str | None = None) -> list[StoredEvent]:
        """Events with position > after, in order."""
        raise NotImplementedError

    def deliver(self, sink: str, hand_over: Callable[[Sequence[StoredEvent]], None], *, batch: int = 1000) -> int:
        """Move one sink's cursor to the feed's end: batches in order, cursor advanced after each
        ``hand_over`` returns. One runner per sink at a time (lease); returns the events delivered."""
        raise NotImplementedError

    # -- looking ----------------------------------------------------------------------------------

    def summary(self) -> list[dict[str, Any]]:
        """Per channel: payloads, documents, lines, events by stream, findings by severity, parked, quarantined."""
        raise NotImplementedError

    def findings(self, *, severity: str | None = None, document: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Findings with the payload's name, channel, document type and partner beside each."""
        raise NotImplementedError

    def trace(self, event_id: str) -> dict[str, Any] | None:
        """Event, document, payload and lineage of an event; None if unknown."""
        raise NotImplementedError

    # -- sources' memory and master data ----------------------------------------------------------

    def state(self, scope: str) -> State:
        """A small key-value memory for one channel's source."""
        raise NotImplementedError

    def load_master(self, table: str, rows: pl.DataFrame, *, source: str, actor: str) -> int:
        """Put a new version of a master table in force; the old ones are kept. Returns the version.
        A load equal to the version in force makes no new one."""
        raise NotImplementedError

    def note_rejected_master(self, table: str, *, source: str, actor: str, reasons: Sequence[str]) -> None:
        """A load failed its expectations; the version in force stays. Shown by ``crossdock status``."""
        raise NotImplementedError

    def master(self) -> Mapping[str, pl.DataFrame]:
        """The tables in force, by name: partners, items, sites, units, cross_references."""
        raise NotImplementedError

    def master_version(self) -> str:
        """A word that changes whenever any table in force changes, to know when to load anew."""
        raise NotImplementedError
