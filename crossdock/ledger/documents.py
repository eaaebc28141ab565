"""Storing a translated payload: each document whole, with all that came of it, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import audit, bulk, feed, parked, payloads, whole_orders
from crossdock.ledger.database import Database
from crossdock.ledger.draft import Draft
from crossdock.ledger.envelopes import write as write_envelopes
from crossdock.ledger.received import write as write_received
from crossdock.ledger.records import StoreSummary
from crossdock.ledger.standing import write_confirmations
from crossdock.ledger.tables import documents, findings, parked_lines
from crossdock.ledger.tables import payloads as payload_table
from crossdock.ledger.text import storable, to_json
from crossdock.translation import (
    AnswerReceived,
    DocumentClosed,
    DocumentLines,
    DocumentOpened,
    EnvelopeClosed,
    Translated,
)
from mappings.frames import stacked, unframed
from mappings.identities import keys
from mappings.remembered import is_constant
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.findings import Finding, Severity, Stage

#: Small documents are committed together until they hold this many rows, or are this many.
ROWS_TOGETHER = 8_192
DOCUMENTS_TOGETHER = 1_000
#: Findings and parked lines written in one statement.
_BATCH = 5_000
_CAUSE = "_cause"


def store(database: Database, payload: int, translated: Iterable[Translated]) -> StoreSummary:
    """See ``Ledger.store``."""
    tally = Tally()
    gathering = Gathering(done=_committed(database, payload))
    try:
        for item in translated:
            gathering.take(item)
            if gathering.is_enough:
                _commit(database, payload, gathering.release(), tally, envelopes=gathering.ended())
        gathering.require_whole()
    except Exception:
        _commit(database, payload, gathering.release(), tally, envelopes=gathering.ended())
        raise
    _commit(database, payload, gathering.release(), tally, envelopes=gathering.ended(), last=gathering.loose)
    return tally.summary()


@dataclass(slots=True)
class Tally:
    """What has been committed so far."""

    documents: int = 0
    rejected: int = 0
    lines: int = 0
    events: int = 0
    unchanged: int = 0
    parked: int = 0
    findings: int = 0

    def summary(self) -> StoreSummary:
        return StoreSummary(**{name: getattr(self, name) for name in StoreSummary.__dataclass_fields__})

    def add(self, entry: Entry) -> None:
        row = entry.counts()
        self.documents += 1
        self.rejected += entry.draft.status == "rejected"
        self.lines += row["lines"]
        self.events += entry.streams.total()
        self.unchanged += row["unchanged"]
        self.parked += row["parked"]
        self.findings += entry.severities.total()


@dataclass(slots=True)
class Entry:
    """A draft on its way into the tables, with what is counted while it goes."""

    id: int
    draft: Draft
    streams: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    parked: int = 0
    first: int | None = None
    last: int | None = None

    def counts(self) -> dict[str, Any]:
        """The columns of ``documents`` that are known only once its events are written."""
        closed = self.draft.closed
        return {
            "lines": closed.lines if closed else 0,
            "unchanged": self.unchanged,
            "parked": self.parked,
            "infos": self.severities["info"],
            "warnings": self.severities["warning"],
            "errors": self.severities["error"],
            "demand": self.streams["demand"],
            "shipment": self.streams["shipment"],
            "inventory": self.streams["inventory"],
            "first_position": self.first,
            "last_position": self.last,
        }


# -- gathering --------------------------------------------------------------------------------------


def _committed(database: Database, payload: int) -> frozenset[str]:
    """The documents of the payload that an earlier run had committed."""
    with database.read() as connection:
        return frozenset(connection.scalars(sa.select(documents.c.document).where(documents.c.payload_id == payload)))


@dataclass(slots=True)
class Gathering:
    """Complete documents on their way to the next commit, the open one, and findings of the payload itself."""

    done: frozenset[str]  #: documents to pass over
    ready: list[Draft] = field(default_factory=list)
    open: Draft | None = None
    loose: list[Finding] = field(default_factory=list)
    #: envelopes that ended, all their documents ready or committed, and what they said of ours
    envelopes: list[EnvelopeClosed | AnswerReceived] = field(default_factory=list)
    rows: int = 0  #: in ``ready``

    def take(self, item: Translated) -> None:
        match item:
            case DocumentOpened(document=document):
                self.require_whole()
                self.open = None if document.id in self.done else Draft(document, datetime.now(UTC))
            case DocumentLines() if self.open is not None:
                self.open.add(item)
            case DocumentClosed() if self.open is not None:
                self.open.close(item)
                self.ready.append(self.open)
                self.rows += self.open.rows
                self.open = None
            case EnvelopeClosed() | AnswerReceived():
                self.envelopes.append(item)
            case Finding():
                self.loose.append(item)

    @property
    def is_enough(self) -> bool:
        """Whether one transaction should take no more."""
        held = max(len(self.ready), len(self.envelopes))
        return held >= DOCUMENTS_TOGETHER or self.rows >= ROWS_TOGETHER

    def release(self) -> list[Draft]:
        ready, self.ready, self.rows = self.ready, [], 0
        return ready

    def ended(self) -> list[EnvelopeClosed | AnswerReceived]:
        ended, self.envelopes = self.envelopes, []
        return ended

    def require_whole(self) -> None:
        """Raise ValueError when a document was opened and never closed: a fault of the translator."""
        if self.open is not None:
            raise ValueError(f"translation left document {self.open.document.id} open")


# -- committing -------------------------------------------------------------------------------------


def _commit(
    database: Database,
    payload: int,
    drafts: Sequence[Draft],
    tally: Tally,
    *,
    envelopes: Sequence[EnvelopeClosed | AnswerReceived] = (),
    last: Sequence[Finding] | None = None,
) -> None:
    """One transaction: the documents and all that came of them, the envelopes that ended and the answers owed
    for them; with ``last`` also the payload's end."""
    if not drafts and not envelopes and last is None:
        return
    try:
        with database.write() as connection:
            entries = _write(connection, payload, drafts)
            now = datetime.now(UTC)
            write_envelopes(connection, payload, [one for one in envelopes if isinstance(one, EnvelopeClosed)], now)
            write_received(connection, payload, [one for one in envelopes if isinstance(one, AnswerReceived)], now)
            loose = 0 if last is None else _finish(connection, payload, last)
            _note(connection, payload, entries, ended=last is not None)
    finally:
        for draft in drafts:
            draft.discard()
    for entry in entries:
        tally.add(entry)
    tally.findings += loose


def _note(connection: Connection, payload: int, entries: Sequence[Entry], *, ended: bool) -> None:
    """One entry of the audit trail for the transaction."""
    detail: dict[str, Any] = Counter(entry.draft.status for entry in entries)
    if entries:
        detail |= {"first": entries[0].id, "last": entries[-1].id}
        detail |= {"events": sum(entry.streams.total() for entry in entries)}
    action = "payload.translated" if ended else "documents.stored"
    audit.note(connection, action, f"payload {payload}", detail=detail)


def _write(connection: Connection, payload: int, drafts: Sequence[Draft]) -> list[Entry]:
    """Documents, events, findings and parked lines, and the feed's head moved past them."""
    if not drafts:
        return []
    now = datetime.now(UTC)
    position, document = feed.lock(connection)
    entries = [Entry(id, draft) for id, draft in enumerate(_not_yet_there(connection, payload, drafts), document + 1)]
    if not entries:
        return []
    bulk.insert(connection, documents, [document_row(payload, entry, now) for entry in entries])
    read = [entry.draft for entry in entries if entry.draft.status != "rejected"]
    copies = {(draft.document.id, storable(draft.document.partner)) for draft in read}
    parked.supersede(connection, copies, before=entries[0].id, now=now)
    stale = _write_events(connection, entries, position)
    _write_parked(connection, entries, now)
    whole_orders.write(connection, ((entry.id, entry.draft) for entry in entries))
    _write_findings(connection, payload, entries, stale, now)
    bulk.update(connection, documents, [{"id": entry.id, **entry.counts()} for entry in entries])
    feed.advance(connection, max((e.last for e in entries if e.last), default=position), entries[-1].id)
    return entries


def _not_yet_there(connection: Connection, payload: int, drafts: Sequence[Draft]) -> list[Draft]:
    """Without those that another process has committed since this one looked."""
    there = set(
        connection.scalars(
            sa.select(documents.c.document).where(
                documents.c.payload_id == payload, documents.c.document.in_([draft.document.id for draft in drafts])
            )
        )
    )
    return [draft for draft in drafts if draft.document.id not in there]


def document_row(payload: int, entry: Entry, now: datetime) -> dict[str, Any]:
    """The row of ``documents`` as it begins."""
    document = entry.draft.document
    start = document.start
    return {
        "id": entry.id,
        "payload_id": payload,
        "document": document.id,
        "ordinal": start.ordinal,
        "type": storable(start.type),
        "version": storable(start.version),
        "sender": storable(start.sender),
        "receiver": storable(start.receiver),
        "control_number": storable(start.control_number),
        "interchange": storable(start.interchange),
        "functional_group": storable(start.group),
        "test": start.test,
        "location": storable(start.location),
        "byte_offset": start.offset,
        "attributes": to_json(start.attributes),
        "partner": storable(document.partner),
        "mapping": document.mapping,
        "mapping_version": document.mapping_version,
        "master_version": document.master_version,
        "status": entry.draft.status,
        "read_at": entry.draft.read_at,
        "stored_at": now,
    }


def _write_events(connection: Connection, entries: Sequence[Entry], position: int) -> dict[int, list[Finding]]:
    """Append the entries' events to the feed and count them; the findings about stale ones, by document."""
    by_id = {entry.id: entry for entry in entries}
    stale: dict[int, list[Finding]] = {}
    for written in feed.write(connection, _tables(entries), position):
        for id, stream, count, first, last in _runs(written.fresh):
            entry = by_id[id]
            entry.streams[stream] += count
            entry.first = min(first, entry.first or first)
            entry.last = max(last, entry.last or last)
        for id, count in Counter(written.unchanged.to_list()).items():
            by_id[id].unchanged += count
        if written.confirmed.height:
            for (id,), said_again in written.confirmed.group_by("document_id"):
                write_confirmations(connection, int(id), keys(said_again).to_list())
        for row in unframed(written.stale).iter_rows(named=True):
            stale.setdefault(row["document_id"], []).append(_stale(row))
    return stale


def _runs(fresh: pl.DataFrame) -> Iterable[tuple[int, str, int, int, int]]:
    """Document, stream, number of events, first and last position; of a large document there is one run."""
    documents, streams, positions = fresh["document_id"], fresh["stream"], fresh["position"]
    if is_constant(documents) and is_constant(streams):
        return [(documents[0], streams[0], fresh.height, positions[0], positions[-1])]
    counted = fresh.group_by("document_id", "stream").agg(
        pl.len().alias("count"), pl.col("position").min().alias("first"), pl.col("position").max().alias("last")
    )
    return counted.rows()


def _tables(entries: Sequence[Entry]) -> Iterator[pl.DataFrame]:
    """The entries' events in order, small tables joined so that the database is asked less often."""
    gathered: list[pl.DataFrame] = []
    ids: list[pl.Series] = []
    rows = 0
    for entry in entries:
        for table in entry.draft.events():
            gathered.append(table)
            ids.append(pl.Series("document_id", [entry.id], pl.Int64).new_from_index(0, table.height))
            rows += table.height
            if rows >= feed.SLICE:
                yield stacked(gathered, rechunk=True).hstack([pl.concat(ids, rechunk=True)])
                gathered, ids, rows = [], [], 0
    if gathered:
        yield stacked(gathered, rechunk=True).hstack([pl.concat(ids, rechunk=True)])


class _Place(msgspec.Struct, frozen=True):
    location: str = ""
    offset: int | None = None
    length: int | None = None


class _Located(msgspec.Struct, frozen=True):
    lineage: _Place = _Place()


_LOCATED = msgspec.json.Decoder(_Located)


def _stale(row: dict[str, Any]) -> Finding:
    place = _LOCATED.decode(row["data"]).lineage
    return Finding(
        code="event.stale",
        severity=Severity.WARNING,
        stage=Stage.BUSINESS,
        message=f"repeats what was said of {row['subject']} before; something newer is known, which stands",
        location=place.location,
        value=row["subject"],
        expected="a document newer than the one that said the latest",
        line=row["line"],
        offset=place.offset,
        length=place.length,
    )


def _write_parked(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    rows: list[dict[str, Any]] = []
    for entry in entries:
        for table in entry.draft.parked():
            for line in table.iter_rows(named=True):
                rows.append(parked_row(entry.id, line, now))
                if len(rows) >= _BATCH:
                    bulk.insert(connection, parked_lines, rows)
                    rows.clear()
            entry.parked += table.height
    bulk.insert(connection, parked_lines, rows)


def parked_row(document: int, line: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The row of ``parked_lines`` of a canonical line, which waits from ``now`` on."""
    return {
        "document_id": document,
        "line": line[ORDINAL],
        "cause": line[_CAUSE],
        "location": storable(line.get(LOCATION) or ""),
        "byte_offset": line.get(OFFSET),
        "byte_length": line.get(LENGTH),
        "fields": to_json({name: text for name, text in line.items() if isinstance(text, str) and name[:1] != "_"}),
        "status": parked.WAITING,
        "parked_at": now,
        "status_at": now,
    }


def _write_findings(
    connection: Connection,
    payload: int,
    entries: Sequence[Entry],
    stale: Mapping[int, Sequence[Finding]],
    now: datetime,
) -> None:
    rows: list[dict[str, Any]] = []
    for entry in entries:
        for some in chain(entry.draft.findings(), (stale.get(entry.id, ()),)):
            rows += (finding_row(payload, entry.id, finding, now) for finding in some)
            entry.severities.update(finding.severity.value for finding in some)
            if len(rows) >= _BATCH:
                bulk.insert(connection, findings, rows)
                rows.clear()
    bulk.insert(connection, findings, rows)


def _insert_findings(
    connection: Connection, payload: int, document: int | None, some: Iterable[Finding], now: datetime
) -> Counter[str]:
    """Write them; how many there were of each severity."""
    rows = [finding_row(payload, document, finding, now) for finding in some]
    bulk.insert(connection, findings, rows)
    return Counter(row["severity"] for row in rows)


def finding_row(payload: int, document: int | None, finding: Finding, now: datetime) -> dict[str, Any]:
    """The row of ``findings``."""
    return {
        "payload_id": payload,
        "document_id": document,
        "code": finding.code,
        "severity": finding.severity.value,
        "stage": finding.stage.value,
        "message": storable(finding.message),
        "location": storable(finding.location),
        "value": storable(finding.value),
        "expected": storable(finding.expected),
        "standard": to_json(finding.standard),
        "line": finding.line,
        "byte_offset": finding.offset,
        "byte_length": finding.length,
        "found_at": now,
    }


# -- the payload's end ------------------------------------------------------------------------------


def _finish(connection: Connection, payload: int, loose: Sequence[Finding]) -> int:
    """The payload is done; it is quarantined when it held no document and an error says why. Findings written."""
    if not _still_waits(connection, payload):
        return 0
    there = connection.scalar(sa.select(sa.func.count()).where(documents.c.payload_id == payload))
    failed = not there and any(finding.severity is Severity.ERROR for finding in loose)
    counts = _insert_findings(connection, payload, None, loose, datetime.now(UTC))
    payloads.set_status(connection, payload, payloads.QUARANTINED if failed else payloads.TRANSLATED, counts)
    return counts.total()


def quarantine(database: Database, payload: int, some: Sequence[Finding]) -> None:
    """See ``Ledger.quarantine``."""
    with database.write() as connection:
        if _still_waits(connection, payload):
            counts = _insert_findings(connection, payload, None, some, datetime.now(UTC))
            payloads.set_status(connection, payload, payloads.QUARANTINED, counts)
            audit.note(connection, "payload.quarantined", f"payload {payload}", reason=_first_of(some))


def _first_of(some: Sequence[Finding]) -> str:
    return some[0].message if some else ""


def note_unpacked(database: Database, payload: int, some: Sequence[Finding]) -> None:
    """See ``Ledger.note_unpacked``."""
    with database.write() as connection:
        held = sa.select(payload_table.c.id).where(payload_table.c.id == payload).with_for_update()
        connection.execute(held)
        known = sa.select(sa.func.count()).where(findings.c.payload_id == payload)
        if not connection.scalar(known):
            parts = connection.scalar(sa.select(sa.func.count()).where(payload_table.c.parent_id == payload))
            failed = not parts and any(finding.severity is Severity.ERROR for finding in some)
            counts = _insert_findings(connection, payload, None, some, datetime.now(UTC))
            status = payloads.QUARANTINED if failed else payloads.UNPACKED
            payloads.set_status(connection, payload, status, counts)
            audit.note(connection, f"payload.{status}", f"payload {payload}", detail={"parts": parts or 0})


def _still_waits(connection: Connection, payload: int) -> bool:
    """Whether nobody else has finished it; the payload's row is held until the transaction ends."""
    status = connection.scalar(sa.select(payload_table.c.status).where(payload_table.c.id == payload).with_for_update())
    return status == payloads.RECEIVED
