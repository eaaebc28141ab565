"""The feed: events in commit order, revisions of their keys, and the cursors of those who read it.

The row in ``feed`` is the head. Whoever writes locks it first (SQLite's one writer does so by
beginning) and holds it until the commit, so that positions are gapless, in commit order, and no
two writers ever judge the same key at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger import bodies, bulk, news
from crossdock.ledger.columns import iso
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.standing import known_ids, newest
from crossdock.ledger.tables import documents, event_marks, events, feed, payloads
from mappings.frames import FRAME
from schemas.errors import GivenUpError

#: Rows looked up and written in one go: large enough to be fast, small enough to stay out of memory's way.
SLICE = 16_384
_DOCUMENT = "document_id"
_KEY = "_key"
_COLUMNS = tuple(column.name for column in events.columns)


@dataclass(frozen=True, slots=True)
class Revision:
    """The newest event of a key."""

    sequence: int
    fingerprint: str
    id: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a table of incoming events.

    ``fresh``: those now in the feed (columns of ``events``, ``data``, and ``frame`` where there is one).
    ``unchanged``: the ``document_id`` of each that said nothing new. ``stale``: those of ``unchanged`` that repeat a
    superseded event; ``confirmed``: those that say in a document of their own what stands.
    """

    fresh: pl.DataFrame
    unchanged: pl.Series
    stale: pl.DataFrame
    confirmed: pl.DataFrame


def lock(connection: Connection) -> tuple[int, int]:
    """The feed's newest position and the highest document id, which stay so until this transaction ends."""
    row = connection.execute(sa.select(feed.c.position, feed.c.document).with_for_update()).one()
    return row.position, row.document


def advance(connection: Connection, position: int, document: int) -> None:
    """Move the head, at the end of the transaction that locked it."""
    connection.execute(feed.update().values(position=position, document=document))
    news.tell(connection)


def write(connection: Connection, incoming: Iterable[pl.DataFrame], position: int) -> Iterator[Written]:
    """Append what is new in ``incoming`` (EVENT_COLUMNS and ``document_id``) after ``position``."""
    for table in incoming:
        for piece in table.iter_slices(SLICE):
            written = _revise(connection, piece, position)
            if written.fresh.height:
                _insert(connection, written.fresh)
                bodies.write(connection, position + 1, written.fresh)
                _mark(connection, written.fresh, position + 1)
                position += written.fresh.height
            yield written


def page(connection: Connection, *, after: int, limit: int, stream: str | None = None) -> list[StoredEvent]:
    """Events with a position beyond ``after``, in order; fewer than ``limit`` only at the end of the feed."""
    return page_of(connection, () if stream is None else (events.c.stream == stream,), after=after, limit=limit)


def page_of(
    connection: Connection, conditions: Iterable[sa.ColumnElement[bool]], *, after: int, limit: int
) -> list[StoredEvent]:
    """Like ``page``, of the events that meet the ``conditions``."""
    query = _STORED.where(*conditions).order_by(events.c.position)
    found: list[StoredEvent] = []
    while len(found) < limit:
        rows = _rows(connection, query.where(events.c.position > after).limit(limit - len(found)))
        if not rows:
            break
        found += _with_bodies(connection, rows)
        after = rows[-1][_POSITION]
    return found


def _rows(connection: Connection, query: sa.Select[Any]) -> Sequence[Any]:
    """The rows of a query like ``_STORED``, in order."""
    return sorted(bulk.rows(connection, query, _read_rows), key=itemgetter(_POSITION))


def at(connection: Connection, positions: Sequence[int]) -> list[StoredEvent]:
    """The events at these positions, in order; without those that were given up."""
    if not positions:
        return []
    query = _STORED.where(events.c.position.in_(positions)).order_by(events.c.position)
    return _with_bodies(connection, _rows(connection, query))


def one(connection: Connection, id: str) -> StoredEvent | None:
    """The event of that id. A moment of work for every ten million events: see ``event_marks``.

    Raises GivenUpError for one whose words retention has given up.
    """
    positions = list(_marked(connection, id))
    query = _STORED.where(events.c.id == id, events.c.position.in_(positions))
    rows = connection.execute(query).all() if positions else ()
    if not rows:
        return None
    if found := _with_bodies(connection, rows):
        return found[0]
    raise GivenUpError(
        f"what event {id} said was given up: it is revision {rows[0].sequence} of {rows[0].subject}",
        hint="CROSSDOCK_KEEP_EVENTS says how long superseded events are kept",
    )


_STORED = sa.select(
    events.c.document_id,
    events.c.position,
    events.c.id,
    events.c.stream,
    events.c.kind,
    events.c.subject,
    events.c.sequence,
    events.c.time,
    events.c.partner,
    events.c.item,
    events.c.site,
)
_POSITION = 1  #: among the columns of ``_STORED``
_read_rows = msgspec.json.Decoder(list[tuple[int, int, str, str, str, str, int, str, str, str, str]]).decode
_FROM = sa.select(documents.c.id, documents.c.stored_at, documents.c.document, payloads.c.channel).join_from(
    documents, payloads
)


def _with_bodies(connection: Connection, rows: Sequence[Any]) -> list[StoredEvent]:
    """The events of these rows, but for those given up; what they have of their documents is asked for once a
    document."""
    said = bodies.read(connection, [row[_POSITION] for row in rows])
    rows = [row for row in rows if said[row[_POSITION]] != bodies.GIVEN_UP]
    asked = list({row[0] for row in rows})
    origins = {
        row.id: (iso(row.stored_at), row.document, row.channel)
        for first in range(0, len(asked), SLICE)
        for row in connection.execute(_FROM.where(documents.c.id.in_(asked[first : first + SLICE])))
    }
    return [_stored(row, origins[row[0]], said[row[_POSITION]]) for row in rows]


def _stored(row: Any, origin: tuple[str, str, str], data: str) -> StoredEvent:
    _, position, id, stream, kind, subject, sequence, time, partner, item, site = row
    recorded_at, document, channel = origin
    return StoredEvent(
        position=position,
        id=id,
        stream=stream,
        kind=kind,
        subject=subject,
        sequence=sequence,
        time=time,
        recorded_at=recorded_at,
        partner=partner,
        item=item,
        site=site,
        document=document,
        channel=channel,
        data=data,
    )


# -- revisions --------------------------------------------------------------------------------------


def _revise(connection: Connection, table: pl.DataFrame, position: int) -> Written:
    """Judge each event of ``table`` in order: new with its sequence and position, or unchanged.

    Where no key is known and each comes once, which is how most documents come, nothing is left to be judged.
    """
    about = table.select_seq(_ABOUT_SUBJECTS).row(0, named=True)  # all in one look at the column: see bulk
    any_known = connection.scalar(_any_between(about["first"], about["last"])) is not None
    latest = _latest(connection, table) if any_known else {}
    if latest or about["repeated"]:
        return _judged(connection, table, latest, position)
    nothing = table.clear()
    return Written(
        fresh=table.select_seq(*_ALL_FIRST, *_framed(table), _positions(position)),
        unchanged=nothing[_DOCUMENT],
        stale=nothing,
        confirmed=nothing,
    )


_SUBJECT = pl.col("subject")
_ABOUT_SUBJECTS = (
    _SUBJECT.min().alias("first"),
    _SUBJECT.max().alias("last"),
    (_SUBJECT.n_unique() < pl.len()).alias("repeated"),
)
_ALL_FIRST = (
    *(pl.col(name) for name in (*_COLUMNS, "data") if name not in ("position", "sequence")),
    pl.lit(1, pl.Int64).alias("sequence"),
)


def _framed(table: pl.DataFrame) -> list[str]:
    return [FRAME] if FRAME in table.columns else []


def _positions(after: int) -> pl.Expr:
    return pl.int_range(after + 1, after + 1 + pl.len()).alias("position")


def _judged(connection: Connection, table: pl.DataFrame, latest: Mapping[str, Revision], position: int) -> Written:
    """A key that is new and comes once is judged by whole columns; the others one by one."""
    table = table.with_columns_seq(pl.concat_str("stream", pl.lit("/"), "subject").alias(_KEY))
    contested = table[_KEY].is_duplicated()
    if latest:
        contested |= table[_KEY].is_in(list(latest))
    verdicts = pl.Series("sequence", [1], dtype=pl.Int64).new_from_index(0, table.height)
    stale: list[int] = []
    confirmed: list[int] = []
    if contested.any():
        disputed = table.with_row_index("row").filter(contested)
        rows = disputed.select_seq("row", _KEY, "fingerprint", "id").rows()
        judged, stale, confirmed = _judge(rows, latest, _known(connection, disputed, latest))
        verdicts = verdicts.scatter(judged.keys(), list(judged.values()))
    judged_table = table.with_columns_seq(verdicts)
    fresh = judged_table.filter(pl.col("sequence").is_not_null())
    return Written(
        fresh=fresh.with_columns_seq(_positions(position)).select_seq(*_COLUMNS, "data", *_framed(fresh)),
        unchanged=judged_table.filter(pl.col("sequence").is_null())[_DOCUMENT],
        stale=table[stale],
        confirmed=table[confirmed],
    )


_Row = tuple[int, str, str, str]  # row, key, fingerprint, id


def _judge(
    rows: Sequence[_Row], latest: Mapping[str, Revision], known: set[str]
) -> tuple[dict[int, int | None], list[int], list[int]]:
    """The sequence of each row (None: unchanged), the rows that repeat a superseded event, and those that say once
    more, in a document of their own, what stands."""
    heads = dict(latest)
    judged: dict[int, int | None] = {}
    stale: list[int] = []
    confirmed: list[int] = []
    for row, key, fingerprint, id in rows:
        head = heads.get(key)
        if head is not None and (head.fingerprint == fingerprint or head.id == id):
            judged[row] = None
            if head.id != id:
                confirmed.append(row)
        elif id in known:
            judged[row] = None
            stale.append(row)
        else:
            judged[row] = head.sequence + 1 if head else 1
            heads[key] = Revision(judged[row] or 1, fingerprint, id)
            known.add(id)
    return judged, stale, confirmed


def _latest(connection: Connection, table: pl.DataFrame) -> dict[str, Revision]:
    """The newest revision of those keys in ``table`` that have any."""
    latest: dict[str, Revision] = {}
    for stream, part in _by_stream(table):
        subjects = part["subject"]
        if connection.scalar(_any_between(subjects.min(), subjects.max())) is None:
            continue
        for row in newest(connection, stream, subjects.to_list()):
            latest[f"{stream}/{row.subject}"] = Revision(row.sequence, row.fingerprint, row.id)
    return latest


def _by_stream(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The table stream by stream; mostly there is one, and nothing is copied."""
    for stream in (streams := table["stream"].unique()):
        yield stream, table if len(streams) == 1 else table.filter(pl.col("stream") == stream)


def _any_between(first: object, last: object) -> sa.Select[tuple[int]]:
    """A subject in that range, if one is known. A new document's are alike, and mostly there is none like them.

    Of whatever stream: were that asked too, SQLite would look through all the stream's events.
    """
    return sa.select(events.c.position).where(events.c.subject >= first, events.c.subject <= last).limit(1)


def _known(connection: Connection, table: pl.DataFrame, latest: Mapping[str, Revision]) -> set[str]:
    """Which of the ids in ``table`` the feed has; the newest ones are known without asking."""
    known = {revision.id for revision in latest.values()}
    asked = table.filter(pl.col(_KEY).is_in(list(latest)) & ~pl.col("id").is_in(list(known)))
    return known | known_ids(connection, asked.select_seq("stream", "subject", "id").iter_rows())


# -- writing ----------------------------------------------------------------------------------------


def _insert(connection: Connection, table: pl.DataFrame) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, table.select_seq(_COLUMNS))
    else:
        bulk.insert_table(connection, events, table, _COLUMNS)


def _copy(connection: Connection, table: pl.DataFrame) -> None:
    """COPY takes the table as CSV; every text is quoted, so that an empty one is not read as NULL.

    PostgreSQL holds no NUL in text.
    """
    csv = table.write_csv(include_header=False, quote_style="non_numeric").replace("\0", "\N{REPLACEMENT CHARACTER}")
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(csv.encode())


_COPY = f"COPY events ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT csv)"


# -- finding an event by its id -----------------------------------------------------------------------

_MARK = 4  #: bytes


def _mark(connection: Connection, table: pl.DataFrame, first: int) -> None:
    marks = bytes.fromhex(table.select_seq(pl.col("id").str.tail(2 * _MARK).str.join("")).item())
    connection.execute(event_marks.insert(), {"first_position": first, "marks": marks})


def _marked(connection: Connection, id: str) -> Iterator[int]:
    """The positions whose events have that mark: the event of that id, if there is one, is among them."""
    try:
        mark = bytes.fromhex(id[-2 * _MARK :])
    except ValueError:
        return
    for first, marks in connection.exec_driver_sql(_MARKED[connection.dialect.name], (mark,)):
        place = marks.find(mark)
        while place >= 0:
            if place % _MARK == 0:
                yield first + place // _MARK
            place = marks.find(mark, place + 1)


_MARKED = {
    "sqlite": "SELECT first_position, marks FROM event_marks WHERE instr(marks, ?)",
    "postgresql": "SELECT first_position, marks FROM event_marks WHERE position(%s::bytea IN marks) > 0",
}
