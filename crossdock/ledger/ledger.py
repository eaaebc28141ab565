"""The one door to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from connectors.base import State
from crossdock.ledger import (
    audit,
    documents,
    envelopes,
    feed,
    giving_back,
    held,
    held_back,
    looking,
    news,
    parked,
    payloads,
    relay,
)
from crossdock.ledger.answering import Answering
from crossdock.ledger.browsing import Browsing
from crossdock.ledger.claims import Claims
from crossdock.ledger.database import PATIENCE, Database
from crossdock.ledger.envelopes import Parties, SeenInterchange
from crossdock.ledger.mastering import Mastering
from crossdock.ledger.outlooks import Outlooks
from crossdock.ledger.parked import Waiting
from crossdock.ledger.readings import Readings
from crossdock.ledger.reconciling import Reconciling
from crossdock.ledger.records import PayloadRecord, StoredEvent, StoreSummary
from crossdock.ledger.relay import Policy
from crossdock.ledger.searching import Searching
from crossdock.ledger.spans import Spans
from crossdock.ledger.state import LedgerState
from crossdock.ledger.superseding import Superseding
from crossdock.ledger.tokens import Tokens
from crossdock.ledger.trail import Trail
from crossdock.ledger.verdicts import Verdicts
from crossdock.ledger.vouching import Vouching
from crossdock.ledger.whole_orders import WholeOrders
from crossdock.translation import Translated
from schemas.findings import Finding


class Ledger(Answering, Mastering):
    """What happened to everything. Every method is one transaction unless it says otherwise.

    Raises TransientError when the database is locked or away, PermanentError when it refuses or
    its disk is full.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.searching = Searching(database)  #: searching and counting for people
        self.outlooks = Outlooks(database)  #: what goes short first
        self.spans = Spans(database)  #: the feed by partner, item and site, and what stood in it at any moment
        self.tokens = Tokens(database)  #: who may ask over HTTP
        self.vouching = Vouching(database)  #: mails that wait for a person's word
        self.verdicts = Verdicts(database)  #: batches of events held against their expectations

    @classmethod
    def open(cls, url: str, *, migrate: bool = True, create: bool = True, patience: float = PATIENCE) -> Ledger:
        """Connect to ``sqlite:///file`` or ``postgresql://...``; with ``migrate`` bring the schema up to date first.

        ``patience`` is how many seconds to wait for locks. Raises ConfigError for other URLs and,
        without ``create``, where there is no ledger yet,
        PermanentError for a schema that is newer than this program or, without ``migrate``, older.
        """
        database = Database(url, patience=patience)
        try:
            if not create:
                database.require_existing()
            if migrate:
                database.migrate()
            else:
                database.require_current()
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Let go of all connections. Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def reconciling(self) -> Reconciling:
        """What the feed says of the rows of a source."""
        return Reconciling(self._database)

    @property
    def trail(self) -> Trail:
        """The audit trail."""
        return Trail(self._database)

    @property
    def superseding(self) -> Superseding:
        """What the feed says of the buckets of a schedule."""
        return Superseding(self._database)

    @property
    def browsing(self) -> Browsing:
        """Lists for people to leaf through."""
        return Browsing(self._database)

    def listening(self) -> AbstractContextManager[news.Wait]:
        """See ``news.listening``."""
        return news.listening(self._database)

    @property
    def whole_orders(self) -> WholeOrders:
        """What documents say of orders as a whole."""
        return WholeOrders(self._database)

    @property
    def readings(self) -> Readings:
        """The door for documents that are read again."""
        return Readings(self._database)

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
        status: str = payloads.RECEIVED,
    ) -> PayloadRecord:
        """Note a payload that the archive already holds. (channel, key, sha256) is noted once.

        ``status`` is ``unpacked`` for a container whose parts are payloads of their own.
        """
        with self._database.write() as connection:
            return payloads.record(
                connection,
                sha256=sha256,
                size=size,
                channel=channel,
                key=key,
                name=name,
                received_at=received_at,
                metadata=metadata,
                parent=parent,
                status=status,
            )

    def waiting(self, channel: str | None = None, limit: int = 10_000) -> list[int]:
        """Ids of payloads that are received but not translated to the end, oldest first."""
        with self._database.read() as connection:
            return payloads.waiting(connection, channel, limit)

    def payload(self, id: int) -> PayloadRecord:
        """Raises PermanentError when there is none of that id."""
        with self._database.read() as connection:
            return payloads.one(connection, id)

    def payloads(
        self, *, status: str | None = None, channel: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Payloads, newest first, with all the ledger knows of each."""
        with self._database.read() as connection:
            return looking.listing(connection, status=status, channel=channel, limit=limit)

    def store(self, payload: int, translated: Iterable[Translated]) -> StoreSummary:
        """Write what translation yields and mark the payload done.

        Events (with their feed positions and sequences), findings, parked lines and the document's
        status are committed together; documents that an earlier, killed run had committed are
        passed over and not counted. A crash at any point leaves either the whole document or
        nothing of it. Small documents share a transaction; errors of ``translated`` go through and
        leave the payload waiting. A payload without a document but with an error is quarantined.
        """
        return documents.store(self._database, payload, translated)

    def quarantine(self, payload: int, findings: Sequence[Finding]) -> None:
        """It could not be read (to the end): keep the findings, list it, do not try again."""
        documents.quarantine(self._database, payload, findings)

    def note_unpacked(self, payload: int, findings: Sequence[Finding]) -> None:
        """Keep what was found while a container was taken apart; noted once, however often that is done.

        A container that gave no part but an error is quarantined.
        """
        documents.note_unpacked(self._database, payload, findings)

    def requeue(self, ids: Sequence[int]) -> int:
        """Let quarantined payloads wait for translation again; how many did."""
        with self._database.write() as connection:
            return payloads.requeue(connection, ids)

    # -- the feed ---------------------------------------------------------------------------------

    def events(self, *, after: int = 0, limit: int = 1000, stream: str | None = None) -> list[StoredEvent]:
        """Events with position > after, in order."""
        with self._database.read() as connection:
            return feed.page(connection, after=after, limit=limit, stream=stream)

    def position_at(self, instant: datetime) -> int:
        """The position after which begins what was written down at ``instant`` or later."""
        with self._database.read() as connection:
            return relay.position_at(connection, instant)

    def deliver(
        self,
        sink: str,
        hand_over: Callable[[Sequence[StoredEvent]], None],
        *,
        batch: int = 1000,
        policy: Policy | None = None,
        begin: int = 0,
        ahead: Callable[[Sequence[StoredEvent]], None] | None = None,
    ) -> int:
        """Move one sink's cursor to the feed's end; returns the events delivered.

        Batches go in order, and the cursor moves after each ``hand_over`` returns. TransientError leaves
        the cursor before that batch, which is offered again when ``policy`` says; RefusedError holds back
        the events it means and goes on with the others; any other error leaves the cursor where it is.
        What the policy does not wait for goes through. One runner per sink at a time: another one
        finds nothing to do and returns 0, and so does one whose sink is paused. A sink that is new
        begins after the position ``begin``. ``ahead`` is called in another thread with events that will be handed
        over after those that are being handed over, so that work on them need not wait for the receiver's answer.
        """
        return relay.deliver(self._database, sink, hand_over, batch=batch, policy=policy, begin=begin, ahead=ahead)

    def sinks(self) -> list[dict[str, Any]]:
        """Each sink that was ever delivered to: its position, how far ``behind`` the feed it is, when it last moved,
        whether it is paused or left alone and why, and how many events it did not take (``waiting``, ``dead``)."""
        with self._database.read() as connection:
            return looking.sinks(connection)

    def held_events(
        self, sink: str | None = None, *, status: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """What sinks did not take, in feed order: cause, attempts, when next. ``status``: waiting or dead."""
        with self._database.read() as connection:
            return held.listing(connection, sink, status, limit)

    def pause_sink(self, sink: str, reason: str = "") -> bool:
        """Hand nothing more to it; False where there is no such sink."""
        with self._database.write() as connection:
            changed = relay.pause(connection, sink, reason, datetime.now(UTC))
            audit.note(connection, "outlet.paused", f"outlet {sink}", reason=reason)
            return changed

    def resume_sink(self, sink: str) -> bool:
        """Go on with it, at once; False where there is no such sink."""
        with self._database.write() as connection:
            changed = relay.resume(connection, sink)
            news.tell(connection)
            audit.note(connection, "outlet.resumed", f"outlet {sink}")
            return changed

    def backfill_sink(self, sink: str, after: int) -> None:
        """Let it get everything after the position ``after``, again or for the first time. Raises PermanentError
        for a position that the feed does not have."""
        with self._database.write() as connection:
            relay.backfill(connection, sink, after, datetime.now(UTC))
            news.tell(connection)
            audit.note(connection, "outlet.backfilled", f"outlet {sink}", detail={"after": after})

    def redrive(self, sink: str, positions: Sequence[int] | None = None) -> int:
        """Let what the sink refused (all, or at these positions) be offered again at the next run; how many."""
        with self._database.write() as connection:
            changed = held.redrive(connection, sink, positions)
            news.tell(connection)
            audit.note(connection, "outlet.redriven", f"outlet {sink}", detail={"events": changed})
            return changed

    def discard(self, sink: str, positions: Sequence[int]) -> int:
        """Give up dead letters at these positions: the sink never gets them; how many."""
        with self._database.write() as connection:
            changed = held.discard(connection, sink, positions)
            news.tell(connection)
            audit.note(connection, "outlet.discarded", f"outlet {sink}", detail={"positions": list(positions)})
            return changed

    # -- control numbers of what came in ------------------------------------------------------------

    def seen_interchanges(self, parties: Parties, control_number: str, payload: int) -> list[SeenInterchange]:
        """Interchanges with this number between these, in payloads other than ``payload``, oldest first."""
        with self._database.read() as connection:
            return envelopes.seen(connection, parties, control_number, payload)

    def recent_numbers(self, parties: Parties, payload: int) -> list[str]:
        """The numbers that came last between these, in payloads other than ``payload``, newest first."""
        with self._database.read() as connection:
            return envelopes.recent_numbers(connection, parties, payload)

    # -- interchanges held back -------------------------------------------------------------------

    def claims(self) -> Claims:
        """What one payload may claim for itself while it is read; to be used in ``with``."""
        return Claims(self._database)

    def held_interchanges(self, *, status: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Interchanges held back for their control number, the newest first: who, which, why, since when, and what
        was decided (``status`` held, used or dropped; ``reason``)."""
        with self._database.read() as connection:
            return held_back.listing(connection, status=status, limit=limit)

    def held_interchange(self, id: int) -> dict[str, Any]:
        """One that nobody has decided on, and where its bytes stand in the archive. Raises PermanentError."""
        with self._database.read() as connection:
            return held_back.one(connection, id)

    def use_interchange(self, id: int, reason: str, sha256: str) -> PayloadRecord:
        """It is used after all; the payload that waits for translation. Raises PermanentError."""
        with self._database.write() as connection:
            return held_back.use(connection, id, reason, sha256, datetime.now(UTC))

    def drop_interchange(self, id: int, reason: str) -> None:
        """It will not be used. Raises PermanentError."""
        with self._database.write() as connection:
            held_back.drop(connection, id, reason, datetime.now(UTC))

    # -- looking ----------------------------------------------------------------------------------

    def summary(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """Per channel: payloads (waiting, unpacked, quarantined, duplicates), documents (by verdict), lines,
        events (by stream), unchanged, parked, findings (by severity) and when the newest payload came; of what was
        taken in ``since`` then (None: ever)."""
        with self._database.read() as connection:
            return looking.summary(connection, since)

    def findings(
        self,
        *,
        severity: str | None = None,
        document: str | None = None,
        payload: int | None = None,
        codes: Collection[str] = (),
        limit: int = 1000,
        newest: bool = False,
    ) -> list[dict[str, Any]]:
        """Findings, oldest (or ``newest``) first, with the payload's name, channel, document type and partner.

        ``codes``: only these; empty: all.
        """
        with self._database.read() as connection:
            return looking.problems(
                connection,
                severity=severity,
                document=document,
                payload=payload,
                codes=codes,
                limit=limit,
                newest=newest,
            )

    def documents(
        self, *, payload: int | None = None, status: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Documents, newest first, with verdict, counts, the time of each step, and the payload they stand in."""
        with self._database.read() as connection:
            return looking.document_rows(connection, payload=payload, status=status, limit=limit)

    def parked(self, limit: int = 1000, only: Waiting | None = None) -> list[dict[str, Any]]:
        """Lines that wait, oldest first: cause, place, canonical ``fields``, and the document they stand in."""
        with self._database.read() as connection:
            return parked.lines(connection, limit, only or Waiting())

    def parked_causes(self, limit: int = 1000, only: Waiting | None = None) -> list[dict[str, Any]]:
        """What lines wait for: ``code, partner, value``, how many ``lines``, and what was ``expected``."""
        with self._database.read() as connection:
            return parked.causes(connection, limit, only or Waiting())

    def give_back(self, ids: Sequence[int], reason: str) -> int:
        """Reject lines that wait: they go back to whoever sent them, with the reason; how many."""
        with self._database.write() as connection:
            return giving_back.give_back(connection, ids, reason, datetime.now(UTC))

    def given_back(self, payload: int) -> list[Finding]:
        """What was said of the lines of this payload (id) that a person rejected."""
        with self._database.read() as connection:
            return giving_back.given_back(connection, payload)

    def trace(self, event_id: str) -> dict[str, Any] | None:
        """``event``, ``document``, ``payload``, ``lineage``, ``revisions`` of its key, ``findings`` of its
        document, ``delivered`` (by sink), ``answers`` to its group and ``timeline`` of an event; None if unknown."""
        with self._database.read() as connection:
            return looking.trace(connection, event_id)

    # -- sources' memory ------------------------------------------------------------------------------

    def state(self, scope: str) -> State:
        """A small key-value memory for one channel's source."""
        return LedgerState(self._database, scope)
