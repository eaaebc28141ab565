"""Searching and counting for people: documents by anything that stands on them, arrivals by hour, how partners do."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import bodies, looking, runs
from crossdock.ledger.columns import Instant
from crossdock.ledger.database import Database
from crossdock.ledger.runs import AirflowRun
from crossdock.ledger.tables import documents, events, findings, parked_lines, payloads, spans
from crossdock.ledger.text import holds, texts

_WORDS = 8  #: that are looked for together
_TELLING = 4  #: digits of a number from which on a part of it tells something
_DIGITS = (4, 9, 14)  #: of control numbers (ST02, ISA13, UNB 0020)
_HASH = 8  #: characters of a SHA-256 by which a file is found
_RECENT = 50  #: newest documents of a partner by which its time to the feed is judged
_RHYTHM = timedelta(days=120)  #: before its newest document, by which the rhythm of a partner is judged
STREAMS = ("demand", "shipment", "inventory")
_CLEAN = (documents.c.errors == 0) & (documents.c.parked == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFacts:
    """How a partner's documents do. Times are those of ``received_at``; ``to_feed`` is the median until stored."""

    partner: str
    documents: int
    clean: int  #: without an error and with no line parked, as they came
    lines: int
    parked: int
    newest: datetime
    to_feed: timedelta | None
    usual_gap: timedelta | None  #: median between two days on which something came

    def is_quiet(self, now: datetime) -> bool:
        """Whether it has sent nothing for three times as long as it usually takes, and more than a day."""
        if self.usual_gap is None:
            return False
        return now - self.newest > max(3 * self.usual_gap, timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Which documents: those for which everything holds that is given. ``stream``: with events in it."""

    partner: str = ""
    type: str = ""
    status: str = ""  #: a verdict, or ``clean``: without an error and with no line parked
    channel: str = ""
    stream: str = ""
    hour: datetime | None = None  #: received within the hour that begins then
    since: datetime | None = None  #: taken in then or later
    file: int | None = None  #: payload in which they stand, also as read again
    came: bool = False  #: as they came at first; else as they were read last

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """For a query over documents and payloads."""
        yield payloads.c.replay_of.is_(None) if self.came else documents.c.replaced_by.is_(None)
        given = ((documents.c.partner, self.partner), (documents.c.type, self.type), (payloads.c.channel, self.channel))
        for column, value in given:
            if value:
                yield column == value
        if self.status:
            yield _CLEAN if self.status == "clean" else documents.c.status == self.status
        if self.file is not None:
            yield sa.or_(payloads.c.id == self.file, payloads.c.replay_of == self.file)
        if self.stream in STREAMS:
            yield documents.c[self.stream] > 0
        if self.since is not None:
            yield payloads.c.recorded_at >= self.since
        if self.hour is not None:
            yield payloads.c.received_at >= self.hour
            yield payloads.c.received_at < self.hour + timedelta(hours=1)


class Searching:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._arrivals = _Arrivals()

    def documents(
        self,
        text: str = "",
        *,
        items: Sequence[str] = (),
        only: Only | None = None,
        run: AirflowRun | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Documents, newest first, as rows with name and channel of their payload and the subject of their ``first``
        event; those before the row ``before``.

        The words of ``text``, in part or whole, all stand together in what a document is called (type, partner, control
        and interchange number, file), or in the subject of one of its events (partner, order, line, shipment, item), or
        in a line of it that was parked, or in a value that was found wrong. ``items`` are our ids of what ``text`` may
        mean to a partner. ``run`` is the run of a DAG that has read them.
        """
        query = (
            sa.select(
                documents, payloads.c.name, payloads.c.channel, payloads.c.received_at, events.c.subject.label("first")
            )
            .join_from(documents, payloads)
            .outerjoin(events, events.c.position == documents.c.first_position)
            .where(*(only or Only()).conditions())
            .order_by(documents.c.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(documents.c.id < before)
        with self._database.read() as connection:
            if run is not None:
                query = query.where(documents.c.payload_id.in_(runs.payloads_of(connection, run)))
            if text:
                looked = _Looked(connection, _words(text), before)
                found = {*looked.named(limit), *looked.in_events([text, *items], limit), *looked.at_fault(limit)}
                query = query.where(documents.c.id.in_(sorted(found)))
            return [dict(row._mapping) | {"attributes": texts(row.attributes)} for row in connection.execute(query)]

    def run_of(self, payload: int) -> AirflowRun | None:
        """The newest run of a DAG that took the payload in or read it; None where a person or a command did."""
        with self._database.read() as connection:
            return runs.run_of(connection, payload)

    def hours(self, since: datetime) -> list[dict[str, Any]]:
        """Payloads since then by channel and hour (a UTC instant), with how many could not be read."""
        counted: dict[tuple[str, datetime], list[int]] = defaultdict(lambda: [0, 0])
        query = sa.select(payloads.c.channel, payloads.c.received_at, payloads.c.status).where(
            payloads.c.received_at >= since, payloads.c.replay_of.is_(None)
        )
        with self._database.read() as connection:
            for channel, at, status in connection.execute(query):
                counts = counted[channel, at.replace(minute=0, second=0, microsecond=0)]
                counts[0] += 1
                counts[1] += status == "quarantined"
        return [
            {"channel": channel, "hour": hour, "payloads": some, "unreadable": bad}
            for (channel, hour), (some, bad) in sorted(counted.items())
        ]

    def partners(self) -> dict[str, PartnerFacts]:
        """Facts of every partner whose documents are there."""
        clean = sa.case((_CLEAN, 1), else_=0)
        replays = sa.select(payloads.c.id).where(payloads.c.replay_of.is_not(None))
        query = (
            sa.select(
                documents.c.partner,
                sa.func.count().label("documents"),
                sa.func.sum(clean).label("clean"),
                sa.func.sum(documents.c.lines).label("lines"),
                sa.func.sum(documents.c.parked).label("parked"),
            )
            .where(documents.c.partner != "", documents.c.payload_id.not_in(replays))
            .group_by(documents.c.partner)
            .order_by(documents.c.partner)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            came = self._arrivals.follow(connection)
            return {row.partner: _facts(row, _recent(connection, row.partner), came[row.partner]) for row in rows}

    def types(self, partner: str) -> list[dict[str, Any]]:
        """What a partner sends: documents by type with how many were clean, rejected, and the newest."""
        rejected = sa.case((documents.c.status == "rejected", 1), else_=0)
        clean = sa.case((_CLEAN, 1), else_=0)
        query = (
            sa.select(
                documents.c.type,
                sa.func.count().label("documents"),
                sa.func.sum(clean).label("clean"),
                sa.func.sum(rejected).label("rejected"),
                sa.func.sum(documents.c.lines).label("lines"),
                sa.func.max(payloads.c.received_at).label("newest"),
            )
            .join_from(documents, payloads)
            .where(documents.c.partner == partner, payloads.c.replay_of.is_(None))
            .group_by(documents.c.type)
            .order_by(documents.c.type)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def events_of(self, document: str, *, limit: int) -> list[dict[str, Any]]:
        """A document's events in the order of the feed, at most ``limit``: facts of the envelope, the line each comes
        from, and what it ``says``; without those given up."""
        columns = ("position", "id", "stream", "kind", "subject", "sequence", "time", "item", "site", "line")
        side_by_side = events.c.position.between(documents.c.first_position, documents.c.last_position)
        query = (
            sa.select(*(events.c[name] for name in columns))
            .join_from(documents, events, side_by_side & (events.c.document_id == documents.c.id))
            .where(documents.c.document == document)
            .order_by(events.c.position)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
            said = bodies.read(connection, [row["position"] for row in rows])
            return [
                row | {"says": msgspec.json.decode(text)}
                for row in rows
                if (text := said[row["position"]]) != bodies.GIVEN_UP
            ]

    def delivered(self, position: int) -> dict[str, datetime | None]:
        """When each sink got the event at that position; None: not yet."""
        with self._database.read() as connection:
            return looking.delivered(connection, position)

    def parked_of(self, document: str, *, limit: int) -> list[dict[str, Any]]:
        """The lines of a document that are or were parked, with what became of each."""
        query = (
            sa.select(parked_lines)
            .join(documents, parked_lines.c.document_id == documents.c.id)
            .where(documents.c.document == document, parked_lines.c.status != "superseded")
            .order_by(parked_lines.c.line)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) | {"fields": texts(row.fields)} for row in connection.execute(query)]


def _words(text: str) -> list[str]:
    """What is looked for: an order with its line (``4500000090 / 30``) is one word, as it stands in subjects."""
    return re.sub(r"\s*/\s*", "/", text).split()[:_WORDS]


@dataclass(frozen=True, slots=True)
class _Looked:
    """Rows of documents on which all ``words`` stand, the newest before ``before``; a method a way of finding."""

    connection: Connection
    words: Sequence[str]
    before: int | None

    def named(self, limit: int) -> Sequence[int]:
        """Those that are called so, or whose files are."""
        return self._newest(limit, *(self._is_called(word) for word in self.words))

    def at_fault(self, limit: int) -> Sequence[int]:
        """Those with a line that was parked and says so, and those in which a value was found wrong that does."""
        says = holds(self.connection, parked_lines.c.fields, *(part for word in self.words for part in word.split("/")))
        wrong = holds(self.connection, findings.c.value, *self.words) & (findings.c.severity != "info")
        lines = sa.select(parked_lines.c.document_id).where(says)
        values = sa.select(findings.c.document_id).where(wrong)
        return self._newest(limit, documents.c.id.in_(lines.union(values)))

    def in_events(self, items: Sequence[str], limit: int) -> Sequence[int]:
        """Those of the newest events that speak of it; of items as far as the spans have followed the feed."""
        short = [word for word in self.words if len(word) < _TELLING]  # these are a whole part of a subject
        subject = sa.and_(
            holds(self.connection, events.c.subject, *(word for word in self.words if len(word) >= _TELLING)),
            holds(self.connection, events.c.subject + "/", *(f"/{word}/" for word in short)),
        )
        # not by the bare position: to go through the index of subjects alone takes half the time that the table takes
        of_subject = sa.select(events.c.position).where(subject).order_by((events.c.position + 0).desc())
        of_item = sa.select(spans.c.position).where(spans.c.item.in_(items)).order_by(spans.c.position.desc())
        if (end := self._end()) is not None:
            of_subject, of_item = of_subject.where(events.c.position < end), of_item.where(spans.c.position < end)
        found: set[int] = set()
        for positions in (of_subject, of_item):
            newest = positions.limit(50 * limit).scalar_subquery()
            told = sa.select(events.c.document_id).where(events.c.position.in_(newest)).distinct()
            found.update(self.connection.scalars(told))
        return sorted(found, reverse=True)[:limit]

    def _newest(self, limit: int, *conditions: sa.ColumnElement[bool]) -> Sequence[int]:
        query = sa.select(documents.c.id).join_from(documents, payloads).where(*conditions)
        if self.before is not None:
            query = query.where(documents.c.id < self.before)
        return self.connection.scalars(query.order_by(documents.c.id.desc()).limit(limit)).all()

    def _is_called(self, word: str) -> sa.ColumnElement[bool]:
        """Short numbers are found whole, with or without their leading zeros; else a part of any name is enough."""
        bare = word.lstrip("0") or "0"
        names = [documents.c.type, documents.c.partner, payloads.c.name]
        numbers = [documents.c.control_number, documents.c.interchange]
        if len(bare) >= _TELLING:
            names += numbers
        return sa.or_(
            *(holds(self.connection, name, word) for name in names),
            *(number.in_(sorted({word, bare, *(bare.zfill(digits) for digits in _DIGITS)})) for number in numbers),
            documents.c.document.startswith(word, autoescape=True),
            *([payloads.c.sha256.startswith(word.lower(), autoescape=True)] if len(word) >= _HASH else ()),
        )

    def _end(self) -> int | None:
        """The first position of what is not before ``before``; documents and their events are written in one order."""
        if self.before is None:
            return None
        later = sa.select(documents.c.first_position).where(
            documents.c.id >= self.before, documents.c.first_position.is_not(None)
        )
        return self.connection.scalar(later.order_by(documents.c.id).limit(1))


def _recent(connection: Connection, partner: str) -> Sequence[Any]:
    query = (
        sa.select(payloads.c.received_at, documents.c.stored_at)
        .join_from(documents, payloads)
        .where(documents.c.partner == partner, payloads.c.replay_of.is_(None))
        .order_by(documents.c.payload_id.desc())
        .limit(_RECENT)
    )
    return connection.execute(query).all()


@dataclass(frozen=True, slots=True)
class _Came:
    """The ``days`` (UTC) on which something came from a partner, and when the ``newest`` did."""

    days: frozenset[date]
    newest: datetime

    def __or__(self, other: _Came) -> _Came:
        return _Came(self.days | other.days, max(self.newest, other.newest))


class _Arrivals:
    """When something came from each partner: of the documents up to the last one followed, in memory.

    When a document came, and from whom, never changes, and a later one has a higher id: each is looked at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._came: dict[str, _Came] = {}

    def follow(self, connection: Connection) -> dict[str, _Came]:
        """Up to the newest document that ``connection`` sees; by partner."""
        day, newest = sa.func.date(payloads.c.received_at), sa.func.max(payloads.c.received_at, type_=Instant)
        with self._lock:
            last = connection.scalar(sa.select(sa.func.max(documents.c.id))) or 0
            query = (
                sa.select(documents.c.partner, day.label("day"), newest.label("newest"))
                .join_from(documents, payloads)
                .where(documents.c.id > self._last, documents.c.id <= last)
                .where(documents.c.partner != "", payloads.c.replay_of.is_(None))
                .group_by(documents.c.partner, day)
            )
            for row in connection.execute(query):
                came = _Came(frozenset({date.fromisoformat(str(row.day))}), row.newest)
                self._came[row.partner] = self._came[row.partner] | came if row.partner in self._came else came
            self._last = last
            return dict(self._came)


def _facts(row: Any, recent: Sequence[Any], came: _Came) -> PartnerFacts:
    waits = [one.stored_at - one.received_at for one in recent]
    days = sorted(came.days)
    since = days[-1] - _RHYTHM
    gaps = [(later - earlier).days for earlier, later in pairwise(days) if later > since]
    return PartnerFacts(
        partner=row.partner,
        documents=row.documents,
        clean=int(row.clean),
        lines=int(row.lines),
        parked=int(row.parked),
        newest=came.newest,
        to_feed=median(waits) if waits else None,
        usual_gap=timedelta(days=median(gaps)) if len(gaps) > 1 else None,
    )
