"""What stood in the feed at any moment, by partner, item and site: a projection that follows the feed as a sink does.

An event stands from its position until the next revision of its key: that is its *span*. Indices by item
or partner would cost whoever writes events dearly, because such values lie scattered; here they cost only who follows,
a batch at a time. Each span keeps a *digest* of what its event says, so that hundreds of them are read at once
without opening the bundles their bodies lie in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.engine import Connection

from crossdock.ledger import bodies, bulk, feed, forgetting, relay
from crossdock.ledger.database import Database
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import documents, events, payloads, projections, spans
from crossdock.ledger.tables import feed as head
from crossdock.ledger.text import texts
from schemas.errors import GivenUpError

BATCH = 5000  #: events followed in one transaction
_NAME = "spans"


class _References(Struct, omit_defaults=True):
    order: str | UnsetType = UNSET
    order_line: str | UnsetType = UNSET
    release: str | UnsetType = UNSET
    shipment: str | UnsetType = UNSET


class _Digest(Struct, omit_defaults=True):
    """What supply is reckoned from. Field names are those of ``schemas.events``; absent where the event has none."""

    base_quantity: str
    base_unit: str
    references: _References | UnsetType = UNSET
    due_at: str | UnsetType = UNSET
    ship_by: str | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET
    commitment: str | UnsetType = UNSET
    arrives_at: str | UnsetType = UNSET
    counted_at: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    stock_status: str | UnsetType = UNSET


DIGESTED = frozenset(_Digest.__struct_fields__)  #: of what an event says, the fields that supply is reckoned from
_decode = msgspec.json.Decoder(_Digest).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events: of these streams and kinds, this partner, item and site; None: any."""

    streams: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    partner: str | None = None
    item: str | None = None
    site: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether the spans' indices find them sooner than the feed itself does."""
        return self.partner is not None or self.item is not None

    def conditions(self, table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
        if self.streams is not None:
            yield table.c.stream.in_(self.streams)
        if self.kinds is not None:
            yield table.c.kind.in_(self.kinds)
        for name in ("partner", "item", "site"):
            if (value := getattr(self, name)) is not None:
                yield table.c[name] == value


class Spans:
    """The projection, and the questions it answers. See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def follow(self, *, seconds: float = 2.0) -> int:
        """Bring it up to the feed's end, or as far as ``seconds`` allow; the position it has got to.

        Any number of processes may ask; the work is done once.
        """
        deadline = time.monotonic() + seconds
        with self._database.read() as connection:
            position, newest = position_of(connection), connection.scalar(sa.select(head.c.position)) or 0
        while position < newest and time.monotonic() < deadline:
            with self._database.write() as connection:
                position = _follow(connection, newest)
        return position

    def position(self) -> int:
        """How far it has followed the feed."""
        with self._database.read() as connection:
            return position_of(connection)

    def newest(self) -> int:
        """The feed's newest position."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(head.c.position)) or 0

    def position_at(self, instant: datetime) -> int:
        """The newest position that was stored before ``instant``."""
        with self._database.read() as connection:
            return relay.position_at(connection, instant)

    def standing_at(self, instant: datetime) -> int:
        """Like ``position_at``, to ask what stood then. Raises GivenUpError where that cannot be told any more."""
        with self._database.read() as connection:
            position = relay.position_at(connection, instant)
            if position < forgetting.horizon(connection):
                raise GivenUpError(
                    f"what stood at {instant:%Y-%m-%d %H:%M} was given up in part",
                    hint="CROSSDOCK_KEEP_EVENTS says how long superseded events are kept; ask for a later time",
                )
            return position

    def events(self, wanted: Wanted, *, after: int = 0, limit: int = 1000) -> list[StoredEvent]:
        """Events beyond ``after``, in order. By partner or item as far as it has followed; else from the feed."""
        with self._database.read() as connection:
            if not wanted.narrows:
                return _from_feed(connection, wanted, after, limit)
            query = sa.select(spans.c.position).where(spans.c.position > after, *wanted.conditions(spans))
            return feed.at(connection, connection.scalars(query.order_by(spans.c.position).limit(limit)).all())

    def latest(self, wanted: Wanted, *, at: int | None = None, after: int = 0, limit: int = 1000) -> list[StoredEvent]:
        """The latest event of each key, as things stood at the position ``at`` (None: now); a page in feed order."""
        with self._database.read() as connection:
            query = sa.select(spans.c.position).where(
                spans.c.position > after, *_standing(at), *wanted.conditions(spans)
            )
            return feed.at(connection, connection.scalars(query.order_by(spans.c.position).limit(limit)).all())

    def at(self, positions: Sequence[int]) -> list[StoredEvent]:
        """The events at these positions, in order; without those that were given up."""
        with self._database.read() as connection:
            return feed.at(connection, positions)

    def every_latest(self, wanted: Wanted, *, at: int | None = None) -> Iterator[StoredEvent]:
        """Like ``latest``, all of them, a thousand in memory at a time."""
        after = 0
        while page := self.latest(wanted, at=at, after=after):
            yield from page
            after = page[-1].position

    def digests(self, wanted: Wanted, *, at: int | None = None) -> list[StoredEvent]:
        """Like ``latest``, all at once, each with only a digest for its ``data`` and without ids: see ``_Digest``."""
        with self._database.read() as connection:
            return list(digests(connection, *wanted.conditions(spans), at=at))

    def places(
        self, *, search: str = "", items: Sequence[str] = (), limit: int = 1000, after: tuple[str, str] = ("", "")
    ) -> list[dict[str, Any]]:
        """Items and sites that anything is known of, in order, with how many keys stand there; ``search`` is how the
        item begins, ``items`` are others that are meant by it."""
        query = (
            sa.select(spans.c.item, spans.c.site, sa.func.count().label("events"))
            .where(spans.c.until.is_(None))
            .where(sa.or_(spans.c.item > after[0], sa.and_(spans.c.item == after[0], spans.c.site > after[1])))
            .group_by(spans.c.item, spans.c.site)
            .order_by(spans.c.item, spans.c.site)
            .limit(limit)
        )
        if search:
            begins = sa.and_(spans.c.item >= search, spans.c.item < search + "\U0010ffff")
            query = query.where(sa.or_(begins, spans.c.item.in_(items)) if items else begins)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def documents(
        self,
        *,
        document: str | None = None,
        partner: str | None = None,
        status: str | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Documents as they were read last, newest first, as rows with name and channel of their payload."""
        query = (
            sa.select(documents, payloads.c.name, payloads.c.channel)
            .join_from(documents, payloads)
            .where(documents.c.replaced_by.is_(None))
            .order_by(documents.c.id.desc())
            .limit(limit)
        )
        for column, value in ((documents.c.document, document), (documents.c.partner, partner)):
            if value is not None:
                query = query.where(column == value)
        if status is not None:
            query = query.where(documents.c.status == status)
        with self._database.read() as connection:
            rows = connection.execute(query)
            return [dict(row._mapping) | {"attributes": texts(row.attributes)} for row in rows]


def digests(
    connection: Connection, *conditions: sa.ColumnElement[bool], at: int | None = None
) -> Iterator[StoredEvent]:
    """See ``Spans.digests``."""
    query = sa.select(*(spans.c[name] for name in _OF_A_DIGEST)).where(*_standing(at), *conditions)
    return (_digested(row) for row in sorted(bulk.rows(connection, query, _read_digests), key=itemgetter(0)))


_OF_A_DIGEST = ("position", "stream", "kind", "time", "partner", "item", "site", "digest")
_read_digests = msgspec.json.Decoder(list[tuple[int, str, str, str, str, str, str, str]]).decode


def position_of(connection: Connection, name: str = _NAME) -> int:
    """How far a projection has followed the feed; this one, where no ``name`` is given."""
    return connection.scalar(sa.select(projections.c.position).where(projections.c.name == name)) or 0


def _standing(at: int | None) -> tuple[sa.ColumnElement[bool], ...]:
    if at is None:
        return (spans.c.until.is_(None),)
    return (spans.c.position <= at, sa.or_(spans.c.until.is_(None), spans.c.until > at))


def _from_feed(connection: Connection, wanted: Wanted, after: int, limit: int) -> list[StoredEvent]:
    if wanted.streams is not None and len(wanted.streams) == 1 and wanted.site is None:
        return feed.page(connection, after=after, limit=limit, stream=wanted.streams[0])
    return feed.page_of(connection, wanted.conditions(events), after=after, limit=limit)


def _digested(row: Sequence[Any]) -> StoredEvent:
    position, stream, kind, time, partner, item, site, digest = row
    return StoredEvent(
        position=position,
        id="",
        stream=stream,
        kind=kind,
        subject="",
        sequence=0,
        time=time,
        recorded_at="",
        partner=partner,
        item=item,
        site=site,
        document="",
        channel="",
        data=digest,
    )


# -- following ----------------------------------------------------------------------------------------


def _follow(connection: Connection, newest: int) -> int:
    """One batch, in the transaction of ``connection``; the position it got to, ``newest`` when another is at work."""
    query = sa.select(projections.c.position).where(projections.c.name == _NAME)
    position: int | None = connection.scalar(query.with_for_update(skip_locked=True))
    if position is None:
        return newest
    rows = connection.execute(
        sa.select(*(events.c[name] for name in _COPIED), events.c.subject, events.c.sequence)
        .where(events.c.position > position)
        .order_by(events.c.position)
        .limit(BATCH)
    ).all()
    if not rows:
        return position
    said = bodies.read(connection, [row.position for row in rows])
    bulk.insert(connection, spans, list(_spans(rows, said)))
    revised = [(row.position, row.stream, row.subject, row.sequence - 1) for row in rows if row.sequence > 1]
    if revised:
        _end(connection, revised)
    last: int = rows[-1].position
    connection.execute(projections.update().where(projections.c.name == _NAME).values(position=last))
    return last


_COPIED = ("position", "stream", "kind", "time", "partner", "item", "site")


def _spans(rows: Sequence[Any], said: dict[int, str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        copied = {name: getattr(row, name) for name in _COPIED}
        yield copied | {"until": None, "digest": _encode(_decode(said[row.position])).decode()}


def _end(connection: Connection, revised: Sequence[tuple[int, str, str, int]]) -> None:
    """The span of each event that was revised ends at the position of its revision."""
    connection.exec_driver_sql(_END[connection.dialect.name], {"revised": msgspec.json.encode(revised).decode()})


_END = {
    "sqlite": """
        UPDATE spans SET until = ended.until FROM (
            SELECT e.position AS position, r.value ->> 0 AS until FROM json_each(:revised) AS r CROSS JOIN events AS e
            ON e.subject = r.value ->> 2 AND e.stream = r.value ->> 1 AND e.sequence = r.value ->> 3) AS ended
        WHERE spans.position = ended.position""",
    "postgresql": """
        UPDATE spans SET until = (r ->> 0)::bigint FROM json_array_elements(%(revised)s::json) AS revised (r)
        JOIN events AS e ON e.subject = (r ->> 2) COLLATE "C" AND e.stream = r ->> 1
            AND e.sequence = (r ->> 3)::bigint
        WHERE spans.position = e.position""",
}
