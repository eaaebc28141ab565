"""New readings of documents, written down: corrections published, lines released, both with what was before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from crossdock.ledger import audit, bulk, feed, giving_back, parked, selecting, whole_orders
from crossdock.ledger.corrections import Change, Difference, Reading, judge, open_readings
from crossdock.ledger.database import Database
from crossdock.ledger.documents import Entry, document_row, finding_row, parked_row
from crossdock.ledger.draft import Draft
from crossdock.ledger.judgements import Judgement, judgement
from crossdock.ledger.parked import Obstacle
from crossdock.ledger.payloads import TRANSLATED
from crossdock.ledger.records import PayloadRecord
from crossdock.ledger.selecting import Chosen, Selection
from crossdock.ledger.standing import Standing
from crossdock.ledger.stands import Stands, given, under
from crossdock.ledger.tables import documents, findings, parked_lines, payloads
from crossdock.ledger.text import storable, to_json
from crossdock.ledger.usual import Usual, usual
from schemas.documents import ORDINAL
from schemas.findings import Severity

_BATCH = 5_000
_DOC = "_doc"


@dataclass(slots=True)
class Corrected:
    """What reading documents again did, or would do. ``changed``: documents that got a new reading."""

    documents: int = 0
    changed: int = 0
    events: int = 0  #: given by the readings
    changes: Counter[Change] = field(default_factory=Counter)
    released: int = 0  #: lines that waited and wait no longer
    parked: int = 0  #: lines that wait now and did not before
    still: int = 0  #: lines that wait as before, but for something else or with other fields

    @property
    def published(self) -> int:
        return sum(number for change, number in self.changes.items() if change is not Change.OVERTAKEN)

    @property
    def unchanged(self) -> int:
        """Events that stay as they are, under the ids they have."""
        return self.events - sum(number for change, number in self.changes.items() if change is not Change.VANISHES)

    def add(self, other: Corrected) -> None:
        for name in ("documents", "changed", "events", "released", "parked", "still"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.changes.update(other.changes)


def compare(
    database: Database, drafts: Sequence[Draft], standing: Standing, total: Corrected, *, only_waiting: bool = False
) -> Iterator[Difference]:
    """What ``correct`` would change, event by event; nothing is written. Counts go into ``total``."""
    with database.read() as connection:
        standing.refresh(connection)
        readings = open_readings(connection, drafts, only_waiting=only_waiting)
        for judged in judge(connection, readings, standing, record=False, tell=True):
            total.changes.update(judged.changes)
            yield from judged.differences
        for reading in readings:
            waits = _Waits.of(reading, only_waiting=only_waiting)
            total.add(_counted(reading, waits))
            total.changed += _is_new(reading, waits)


def correct(
    database: Database,
    payload: PayloadRecord,
    drafts: Sequence[Draft],
    standing: Standing,
    *,
    reason: str,
    only_waiting: bool = False,
) -> Corrected:
    """Publish what the drafts change and write their readings down, in one transaction.

    With ``only_waiting`` nothing is touched but the keys of lines that wait.
    """
    total = Corrected()
    with database.write() as connection:
        now = datetime.now(UTC)
        position, document = feed.lock(connection)
        standing.refresh(connection)
        readings = open_readings(connection, drafts, only_waiting=only_waiting)
        new = _NewRows(connection, payload, document, now)
        for judged in judge(connection, readings, standing, record=True, tell=False):
            total.changes.update(judged.changes)
            if judged.fresh.height:
                position = _publish(connection, judged.fresh, readings, new, position)
        for reading in readings:
            waits = _Waits.of(reading, only_waiting=only_waiting)
            total.add(_counted(reading, waits))
            if reading.id is not None or _is_new(reading, waits):
                new.of(reading)
                _conclude(connection, reading, waits, new.under(), now)
                total.changed += 1
        if new.last > document:
            giving_back.follow_up(connection, _better(readings), now)
            feed.advance(connection, position, new.last)
            audit.note(
                connection,
                "document.read_again",
                f"payload {payload.id}",
                reason=reason,
                detail=_detail(total, document + 1, new.last),
            )
    standing.made.clear()
    return total


def _better(readings: Sequence[Reading]) -> list[int]:
    """The new rows of documents of which less is wrong than before."""
    return [
        reading.id
        for reading in readings
        if reading.id is not None and reading.counts["errors"] < reading.current.errors
    ]


def _counted(reading: Reading, waits: _Waits) -> Corrected:
    given = sum(table.height for table in reading.draft.events()) if reading.only is None else 0
    return Corrected(
        documents=1,
        events=given,
        released=len(waits.released),
        parked=len(waits.new),
        still=len(waits.changed),
    )


def _is_new(reading: Reading, waits: _Waits) -> bool:
    """Whether the reading differs from the current one in what waits or how it is judged."""
    if waits.released or waits.new or waits.changed:
        return True
    return reading.only is None and reading.draft.status != reading.current.status


def _detail(total: Corrected, first: int, last: int) -> Mapping[str, Any]:
    changes = {str(change): number for change, number in sorted(total.changes.items())}
    return {"documents": f"{first}-{last}", "released": total.released, "parked": total.parked, **changes}


class _NewRows:
    """The new rows of ``documents``, and the one of ``payloads`` under which they stand, made when first needed."""

    def __init__(self, connection: Connection, payload: PayloadRecord, last: int, now: datetime) -> None:
        self._connection = connection
        self._payload = payload
        self._now = now
        self._reread: int | None = None
        self.last = last

    def of(self, reading: Reading) -> int:
        """The id of the reading's own row."""
        if reading.id is None:
            self.last += 1
            reading.id = self.last
            row = document_row(self.under(), Entry(self.last, reading.draft), self._now)
            bulk.insert(self._connection, documents, [row])
        return reading.id

    def under(self) -> int:
        """The id of the payload's row."""
        if self._reread is None:
            self._reread = _read_again(self._connection, self._payload, self._now)
        return self._reread


def _read_again(connection: Connection, payload: PayloadRecord, now: datetime) -> int:
    """A row for the bytes as read once more: received when they were, recorded now."""
    times = connection.scalar(sa.select(sa.func.count()).where(payloads.c.replay_of == payload.id)) or 0
    query = payloads.insert().returning(payloads.c.id)
    row = {
        "sha256": payload.sha256,
        "size": payload.size,
        "channel": payload.channel,
        "key": storable(f"{payload.key} (payload {payload.id}, read again: {times + 1})"),
        "name": storable(payload.name),
        "received_at": payload.received_at,
        "recorded_at": now,
        "metadata": to_json(payload.metadata),
        "parent_id": payload.parent,
        "replay_of": payload.id,
        "status": TRANSLATED,
        "status_at": now,
    }
    return int(connection.execute(query, row).scalar_one())


def _publish(
    connection: Connection, fresh: pl.DataFrame, readings: Sequence[Reading], new: _NewRows, position: int
) -> int:
    """Append the events; the feed's new end."""
    ids = {index: new.of(readings[index]) for index in fresh[_DOC].unique()}
    rows = fresh.with_columns_seq(document_id=pl.col(_DOC).replace_strict(ids, return_dtype=pl.Int64)).drop(_DOC)
    by_id = {reading.id: reading for reading in readings if reading.id is not None}
    for written in feed.write(connection, [rows], position):
        for id, stream, at in written.fresh.select_seq("document_id", "stream", "position").iter_rows():
            counts = by_id[id].counts
            counts[stream] += 1
            counts["first"] = min(at, counts["first"] or at)
            counts["last"] = max(at, counts["last"])
            position = max(position, at)
    return position


# -- lines that wait ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Waits:
    """What becomes of the lines that waited: released, or waiting still (``changed``: for something else, or
    another of its fields is known by now); ``new`` ones wait from now on."""

    released: tuple[int, ...]
    still: Mapping[int, dict[str, Any]]
    changed: tuple[int, ...]
    new: Mapping[int, dict[str, Any]]

    @classmethod
    def of(cls, reading: Reading, *, only_waiting: bool) -> _Waits:
        now = {line[ORDINAL]: line for table in reading.draft.parked() for line in table.iter_rows(named=True)}
        unread = reading.draft.closed is None or reading.draft.status == "rejected"
        still = {line: now[line] for line in reading.waiting if line in now}
        released = () if unread else tuple(line for line in reading.waiting if line not in now)
        changed = tuple(line for line, row in still.items() if _differs(row, reading.waiting[line]))
        new = {} if only_waiting else {line: row for line, row in now.items() if line not in reading.waiting}
        return cls(released, still, changed, new)


def _differs(line: dict[str, Any], before: Row[Any]) -> bool:
    after = parked_row(before.document_id, line, before.parked_at)
    return any(after[name] != getattr(before, name) for name in ("cause", "fields"))


def _conclude(connection: Connection, reading: Reading, waits: _Waits, payload: int, now: datetime) -> None:
    """Lines, findings and verdict of the new reading; the ones before it are replaced."""
    assert reading.id is not None
    _move_waiting(connection, reading, waits, now)
    whole_orders.write(connection, [(reading.id, reading.draft)])
    severities = _write_findings(connection, reading, waits, payload, now)
    reading.counts["errors"] = severities["error"]
    closed = reading.draft.closed
    given = sum(table.height for table in reading.draft.events())
    bulk.update(
        connection,
        documents,
        [
            {
                "id": reading.id,
                "lines": closed.lines if closed else 0,
                "unchanged": max(0, given - sum(reading.counts[name] for name in ("demand", "shipment", "inventory"))),
                "parked": len(waits.still) + len(waits.new),
                "infos": severities["info"],
                "warnings": severities["warning"],
                "errors": severities["error"],
                **{stream: reading.counts[stream] for stream in ("demand", "shipment", "inventory")},
                "first_position": reading.counts["first"] or None,
                "last_position": reading.counts["last"] or None,
            }
        ],
    )
    connection.execute(
        documents.update()
        .where(documents.c.id.in_([row.id for row in reading.own]), documents.c.replaced_by.is_(None))
        .values(replaced_by=reading.id)
    )


def _move_waiting(connection: Connection, reading: Reading, waits: _Waits, now: datetime) -> None:
    """Released lines end; those that wait still stand with the new reading, since they came first."""
    ended = [reading.waiting[line].id for line in waits.released]
    for some in _parted(ended):
        connection.execute(
            parked_lines.update().where(parked_lines.c.id.in_(some)).values(status=parked.RELEASED, status_at=now)
        )
    assert reading.id is not None
    moved = [
        {"id": reading.waiting[line].id}
        | {name: value for name, value in parked_row(reading.id, row, now).items() if name in _MOVED}
        for line, row in waits.still.items()
    ]
    bulk.update(connection, parked_lines, moved)
    bulk.insert(connection, parked_lines, [parked_row(reading.id, row, now) for row in waits.new.values()])


_MOVED = ("document_id", "cause", "location", "fields")


def _write_findings(
    connection: Connection, reading: Reading, waits: _Waits, payload: int, now: datetime
) -> Counter[str]:
    """The reading's findings; those on lines that are left as they were are left out."""
    waiting = {*waits.still, *waits.new}
    severities: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    for some in reading.draft.findings():
        for finding in some:
            grave = finding.severity is Severity.ERROR and finding.line is not None
            if grave and finding.line not in waiting and reading.only is not None:
                continue
            severities[finding.severity.value] += 1
            rows.append(finding_row(payload, reading.id, finding, now))
        if len(rows) >= _BATCH:
            bulk.insert(connection, findings, rows)
            rows.clear()
    bulk.insert(connection, findings, rows)
    return severities


def _parted(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))


class Readings:
    """The ledger's door for documents that are read again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self) -> Standing:
        """The memory that one run needs."""
        return Standing()

    def select(self, selection: Selection) -> Iterator[Chosen]:
        """The documents of a selection, payload by payload, as they were when the first of them is asked for."""
        with self._database.read() as connection:
            yield from selecting.select(connection, selection)

    def waiting(self, tried: str, always: Collection[str] = ()) -> list[Chosen]:
        """Documents with lines that wait and were not yet read with the configuration called ``tried``; in any case
        those with lines that wait for one of the causes ``always``."""
        with self._database.read() as connection:
            return list(selecting.waiting(connection, tried, always))

    def usual(self, partner: str, type: str, *, since: datetime, sample: int) -> Usual:
        """What the partner has usually sent since that moment."""
        with self._database.read() as connection:
            return usual(connection, partner, type, since=since, sample=sample)

    def stands(self, stream: str, prefixes: Collection[str]) -> list[Stands]:
        """The newest event of each key that is one of ``prefixes`` or begins with one and ``/``."""
        with self._database.read() as connection:
            return list(under(connection, stream, prefixes))

    def given(self, document: str, stream: str, prefix: str) -> list[Stands]:
        """What this document, in any of its readings, said last of each key that begins with ``prefix`` and ``/``."""
        with self._database.read() as connection:
            return list(given(connection, document, stream, prefix))

    def rejected(self, chosen: Collection[Chosen]) -> list[Chosen]:
        """Of these documents those that were rejected as a whole, and the neighbours that fell with their group."""
        with self._database.read() as connection:
            return list(selecting.rejected(connection, chosen))

    def unmapped(self) -> list[Chosen]:
        """Documents that were rejected because nobody knew whose they are, or how to read them."""
        with self._database.read() as connection:
            return list(selecting.unmapped(connection))

    def tried(self, chosen: Collection[Chosen], tried: str) -> None:
        """Lines of these documents that wait still were read with that configuration in vain."""
        with self._database.write() as connection:
            parked.note_tried(connection, [name for one in chosen for name in one.documents], tried)

    def tell_again(self, payload: int) -> int:
        """Owe another answer for what is read of this payload (id) now, where its sender was told of it before."""
        with self._database.write() as connection:
            rows = connection.scalars(sa.select(documents.c.id).where(documents.c.payload_id == payload))
            return giving_back.follow_up(connection, list(rows), datetime.now(UTC))

    def judgement(self, payload: int) -> Judgement:
        """Which lines of this payload (id) count, and what was found wrong, as it was last read."""
        with self._database.read() as connection:
            return judgement(connection, payload)

    def obstacles(self, chosen: Collection[Chosen]) -> Iterator[Obstacle]:
        """What stands in the way of each line of these documents that waits."""
        with self._database.read() as connection:
            yield from parked.obstacles(connection, [name for one in chosen for name in one.documents])

    def compare(
        self, drafts: Sequence[Draft], standing: Standing, total: Corrected, *, only_waiting: bool = False
    ) -> Iterator[Difference]:
        """What ``correct`` would change, event by event; nothing is written. Counts go into ``total``."""
        return compare(self._database, drafts, standing, total, only_waiting=only_waiting)

    def correct(
        self, payload: PayloadRecord, drafts: Sequence[Draft], standing: Standing, *, reason: str, only_waiting: bool
    ) -> Corrected:
        """Publish what the drafts change and write their readings down, in one transaction.

        With ``only_waiting`` nothing is touched but the keys of lines that wait.
        """
        return correct(self._database, payload, drafts, standing, reason=reason, only_waiting=only_waiting)
