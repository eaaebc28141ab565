"""Documents read again: what that changes of what was published, and the corrections that say so.

A document that is read again with other mappings or master data is held against what the feed knows:

- an event of a key that nobody has spoken of **appears**;
- one that says something else than what stands **changes** it, as the key's next revision;
- one that the new reading no longer gives **vanishes**: what stood before it is said again, and where
  nothing did, it is cancelled;
- where a newer document has spoken since, or has said again what stands, the correction is **overtaken**;
- the rest stays, under the id it has.

Nothing is ever rewritten: a reading that changes anything is kept as a row of its own beside the earlier ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from crossdock.ledger import bodies
from crossdock.ledger.draft import Draft
from crossdock.ledger.standing import Head, Standing, known_ids
from crossdock.ledger.tables import documents, events, parked_lines
from mappings.frames import stacked, unframed
from mappings.identities import FINGERPRINT, keys, sha256_of
from mappings.normalise import empty_events
from schemas.errors import GivenUpError
from schemas.events import EVENT_COLUMNS

WAITING = "waiting"
#: what a cancellation says of itself when it withdraws an event that a better reading does not give
WITHDRAWN = "withdrawn"
SLICE = 8192
_DOC = "_doc"
_TOGETHER = 200


class Change(StrEnum):
    """What a new reading does to one key."""

    APPEARS = "appears"
    CHANGES = "changes"
    VANISHES = "vanishes"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One event that a new reading changes. ``before`` and ``after`` are what it says; None: nothing.

    An overtaken one is not published: what stands (``before``) was said by a newer document.
    """

    change: Change
    document: str
    stream: str
    subject: str
    line: int | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def fields(self) -> dict[str, tuple[Any, Any]]:
        """What differs, field by field, lineage left out: ``{"quantity": ("5", "6")}``."""
        old, new = _flat(self.before or {}), _flat(self.after or {})
        return {name: (old.get(name), new.get(name)) for name in (old | new) if old.get(name) != new.get(name)}


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    references = {f"references.{name}": text for name, text in (data.get("references") or {}).items()}
    return {name: value for name, value in data.items() if name not in ("lineage", "references")} | references


@dataclass(slots=True)
class Reading:
    """A document read again, beside what is known of it."""

    draft: Draft
    own: tuple[Row[Any], ...]  #: its rows in ``documents``, the oldest first
    rank: int
    waiting: Mapping[int, Row[Any]]  #: its lines that wait, by their number
    only: frozenset[str] | None = None  #: the keys' subjects (without ``#2``) to look at; None: all
    id: int | None = None  #: of its new row, once there is one
    counts: Counter[str] = field(default_factory=Counter)
    seen: list[pl.Series] = field(default_factory=list)  #: hashes of the keys it speaks of
    held: int = 0  #: events of its own that stand and that it gives again

    @property
    def name(self) -> str:
        return self.draft.document.id

    @property
    def current(self) -> Row[Any]:
        return self.own[-1]


def open_readings(connection: Connection, drafts: Sequence[Draft], *, only_waiting: bool) -> list[Reading]:
    """The drafts beside what the ledger knows of their documents; those it does not know are left out."""
    rows = _own_rows(connection, [draft.document.id for draft in drafts])
    readings = []
    waiting = _waiting(connection, [row.id for some in rows.values() for row in some])
    for draft in drafts:
        own = [row for row in rows.get(draft.document.id, ()) if row.partner in ("", draft.document.partner)]
        if not own:
            continue
        mine = {line: row for id in (row.id for row in own) for line, row in waiting.get(id, {}).items()}
        reading = Reading(draft, tuple(own), own[0].id, mine)
        if only_waiting:
            reading.only = _subjects(draft, mine)
        readings.append(reading)
    return readings


def _own_rows(connection: Connection, names: Sequence[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for at in range(0, len(names), _TOGETHER):
        query = sa.select(documents).where(documents.c.document.in_(names[at : at + _TOGETHER]))
        for row in connection.execute(query.order_by(documents.c.id)):
            found.setdefault(row.document, []).append(row)
    return found


def _waiting(connection: Connection, ids: Sequence[int]) -> dict[int, dict[int, Row[Any]]]:
    found: dict[int, dict[int, Row[Any]]] = {}
    for at in range(0, len(ids), _TOGETHER):
        query = sa.select(parked_lines).where(
            parked_lines.c.document_id.in_(ids[at : at + _TOGETHER]), parked_lines.c.status == WAITING
        )
        for row in connection.execute(query):
            found.setdefault(row.document_id, {})[row.line] = row
    return found


_OCCURRENCE = re.compile(r"#\d+$")


def _subjects(draft: Draft, waiting: Mapping[int, Row[Any]]) -> frozenset[str]:
    """What the lines that waited speak of. Another line of the same key moves to another occurrence of it."""
    lines = pl.Series(list(waiting), dtype=pl.Int64).implode()
    return frozenset(
        _OCCURRENCE.sub("", subject)
        for table in draft.events()
        for subject in table.filter(pl.col("line").is_in(lines))["subject"]
    )


# -- judging ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """A piece of a reading's events. ``fresh`` are to be published (EVENT_COLUMNS, their ``key``, and ``_doc``, the
    index of the reading); ``changes`` is told of every event that does not stay."""

    fresh: pl.DataFrame
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]


def judge(
    connection: Connection, readings: Sequence[Reading], standing: Standing, *, record: bool, tell: bool
) -> Iterator[Judged]:
    """Everything the readings change, in order, in pieces of bounded size.

    With ``record`` repeated statements are written down as confirmations; ``tell`` makes the differences.
    """
    for piece in _pieces(readings):
        yield _judge_piece(connection, readings, piece, standing, record=record, tell=tell)
    for index, reading in enumerate(readings):
        if reading.only is None:
            yield from _vanished(connection, index, reading, standing, tell=tell)


def _pieces(readings: Sequence[Reading]) -> Iterator[pl.DataFrame]:
    """The readings' events, small tables joined; ``_doc`` says whose each is."""
    gathered: list[pl.DataFrame] = []
    rows = 0
    for index, reading in enumerate(readings):
        for table in reading.draft.events():
            wanted = _only(table, reading.only)
            wanted = wanted.with_columns_seq(pl.lit(index, dtype=pl.Int32).alias(_DOC), keys(wanted))
            if reading.only is None:
                reading.seen.append(_hashes(wanted))
            gathered.append(wanted)
            rows += wanted.height
            if rows >= SLICE:
                yield from stacked(gathered).iter_slices(SLICE)
                gathered, rows = [], 0
    if rows:
        yield from stacked(gathered).iter_slices(SLICE)


def _only(table: pl.DataFrame, subjects: frozenset[str] | None) -> pl.DataFrame:
    if subjects is None:
        return table
    plain = pl.col("subject").str.replace(r"#\d+$", "")
    return table.filter(plain.is_in(pl.Series(sorted(subjects), dtype=pl.String).implode()))


def _hashes(table: pl.DataFrame) -> pl.Series:
    return table.select_seq(pl.col("key").str.head(16).str.to_integer(base=16, dtype=pl.UInt64)).to_series()


def _judge_piece(
    connection: Connection,
    readings: Sequence[Reading],
    piece: pl.DataFrame,
    standing: Standing,
    *,
    record: bool,
    tell: bool,
) -> Judged:
    heads = standing.heads(connection, piece)
    disputed = unframed(piece[_disputed(readings, piece, heads)])
    rows = disputed.rows(named=True)
    known = known_ids(
        connection, ((row["stream"], row["subject"], row["id"]) for row in rows if heads.get(row["key"]) is not None)
    )
    fresh: list[dict[str, Any]] = []
    told: list[tuple[Change, Mapping[str, Any], Head | None]] = []
    confirmed: dict[int, list[str]] = {}
    for row in rows:
        reading, head = readings[row[_DOC]], heads.get(row["key"])
        if head is not None and (head.fingerprint == row["fingerprint"] or head.id == row["id"]):
            reading.held += head.rank == reading.rank
            if head.rank > reading.rank:
                standing.overtaken[row["key"]] = (reading.rank, row)
            elif head.id != row["id"] and head.rank < reading.rank:
                confirmed.setdefault(reading.rank, []).append(row["key"])
            continue
        change = _change(reading, row["key"], head, standing)
        if change is Change.OVERTAKEN:
            standing.overtaken[row["key"]] = (reading.rank, row)
        if change is not Change.OVERTAKEN or row["id"] not in known:
            told.append((change, row, head))
        if change is Change.OVERTAKEN:
            continue
        if row["id"] in known:
            row["id"] = _said_again(row["id"], head)
        heads[row["key"]] = standing.made[row["key"]] = _made(row, head, reading, tell=tell)
        fresh.append(row)
    if record:
        for rank, keys in confirmed.items():
            standing.confirm(connection, rank, keys)
    return Judged(
        fresh=_table(disputed, fresh),
        changes=tuple(change for change, _, _ in told),
        differences=tuple(_differences(connection, readings, told)) if tell else (),
    )


def _made(row: Mapping[str, Any], head: Head | None, reading: Reading, *, tell: bool) -> Head:
    sequence = (head.sequence if head else 0) + 1
    data = row["data"] if tell else ""
    return Head(sequence, row["fingerprint"], row["id"], reading.rank, None, row["kind"], data)


def _disputed(readings: Sequence[Reading], piece: pl.DataFrame, heads: Mapping[str, Head]) -> list[int]:
    """The rows that do not plainly stand under the very id they have; the others are counted as held."""
    disputed = []
    ids = dict.fromkeys(piece["key"], 0)
    for row, (key, id, index) in enumerate(piece.select_seq("key", "id", _DOC).iter_rows()):
        head = heads.get(key)
        ids[key] += 1
        if head is None or head.id != id or ids[key] > 1 or head.position is None:
            disputed.append(row)
        else:
            readings[index].held += head.rank == readings[index].rank
    return disputed


def _change(reading: Reading, key: str, head: Head | None, standing: Standing) -> Change:
    if head is None:
        return Change.APPEARS
    if head.rank > reading.rank or standing.is_confirmed(key, reading.rank):
        return Change.OVERTAKEN
    return Change.CHANGES


def _said_again(id: str, head: Head | None) -> str:
    """An id for what was said once, corrected, and is said again: the old id is taken."""
    return sha256_of(f"{id}\x1f{head.id if head else ''}")[: len(id)]


def _table(like: pl.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=like.schema) if rows else like.clear()


# -- what a reading no longer gives -------------------------------------------------------------------


def _vanished(
    connection: Connection, index: int, reading: Reading, standing: Standing, *, tell: bool
) -> Iterator[Judged]:
    """What the document has published, still stands, and is not said any more."""
    published = sum(row.demand + row.shipment + row.inventory for row in reading.own)
    if not published or (len(reading.own) == 1 and reading.held == published):
        return
    seen = (pl.concat(reading.seen) if reading.seen else pl.Series(dtype=pl.UInt64)).unique().sort()
    for table in _own_events(connection, reading):
        gone = table.filter(~_hashes(table).is_in(seen.implode()))
        if gone.is_empty():
            continue
        heads = standing.heads(connection, gone)
        fresh: list[dict[str, Any]] = []
        told: list[tuple[Change, Mapping[str, Any] | None, Head | None]] = []
        for row in gone.unique("key", maintain_order=True).iter_rows(named=True):
            head = heads[row["key"]]
            if head.rank != reading.rank or standing.is_confirmed(row["key"], reading.rank) or head.position is None:
                continue
            correction = _instead(connection, row, head, reading, standing)
            if correction is None:
                continue
            told.append((Change.VANISHES, correction | {_DOC: index}, head))
            fresh.append(correction | {_DOC: index})
            standing.made[row["key"]] = _made(correction, head, reading, tell=tell)
        readings = {index: reading}
        yield Judged(
            fresh=_table(pl.DataFrame(schema=_SCHEMA), fresh),
            changes=(Change.VANISHES,) * len(told),
            differences=tuple(_differences(connection, readings, told)) if tell else (),
        )


_SCHEMA: dict[str, Any] = {**empty_events().schema, "key": pl.String, _DOC: pl.Int32}


def _own_events(connection: Connection, reading: Reading) -> Iterator[pl.DataFrame]:
    """Keys of the events that the document's readings have published; a key may come twice."""
    for row in reading.own:
        if row.first_position is None:
            continue
        query = sa.select(events.c.stream, events.c.subject).where(
            events.c.document_id == row.id, events.c.position.between(row.first_position, row.last_position)
        )
        found = connection.execute(query)
        while rows := found.fetchmany(SLICE):
            schema = {"stream": pl.String, "subject": pl.String}
            table = pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
            yield table.with_columns_seq(keys(table))


def _instead(
    connection: Connection, own: Mapping[str, Any], head: Head, reading: Reading, standing: Standing
) -> dict[str, Any] | None:
    """What is said in place of an event that the document no longer gives; None where it is withdrawn already."""
    revisions = connection.execute(
        sa.select(events)
        .where(events.c.stream == own["stream"], events.c.subject == own["subject"])
        .order_by(events.c.sequence.desc())
    ).all()
    standing.ranks(connection, {row.document_id for row in revisions})
    before = _before(connection, revisions, reading, standing, own["key"])
    if before is not None:
        if before["fingerprint"] == head.fingerprint:
            return None
        return before | {"id": _said_again(before["id"], head)}
    newest = revisions[0]
    data = _said(connection, [newest.position])[newest.position]
    if data.get("status") == WITHDRAWN:
        return None
    mapping = reading.draft.document
    data |= {"kind": "cancelled", "status": WITHDRAWN}
    data["lineage"] |= {"mapping": mapping.mapping or data["lineage"]["mapping"]}
    data["lineage"] |= {"mapping_version": mapping.mapping_version or data["lineage"]["mapping_version"]}
    withdrawn = sha256_of(f"{WITHDRAWN}\x1f{head.id}")
    return _row(connection, newest, key=own["key"]) | {
        "id": withdrawn[: len(head.id)],
        "fingerprint": withdrawn[:FINGERPRINT],
        "kind": "cancelled",
        "data": msgspec.json.encode(data).decode(),
    }


def _before(
    connection: Connection, revisions: Sequence[Row[Any]], reading: Reading, standing: Standing, key: str
) -> dict[str, Any] | None:
    """What the newest of the documents before this one says of the key, as this run has corrected it."""
    ranks = standing.ranks(connection, ())
    earlier = next((row for row in revisions if ranks[row.document_id] < reading.rank), None)
    rank, corrected = standing.overtaken.get(key, (0, None))
    if corrected is not None and rank < reading.rank and (earlier is None or rank >= ranks[earlier.document_id]):
        return {name: corrected[name] for name in (*EVENT_COLUMNS, "key")}
    return None if earlier is None else _row(connection, earlier, key=key)


def _row(connection: Connection, event: Row[Any], *, key: str) -> dict[str, Any]:
    data = bodies.read(connection, [event.position])[event.position]
    if data == bodies.GIVEN_UP:
        raise GivenUpError(
            f"{event.subject} would say again what it said in revision {event.sequence}, which was given up",
            hint="correct the document that stands now, or have its sender send another",
        )
    beside = {"key": key, "data": data}
    return {name: beside[name] if name in beside else getattr(event, name) for name in (*EVENT_COLUMNS, "key")}


# -- telling ------------------------------------------------------------------------------------------


def _differences(
    connection: Connection,
    readings: Sequence[Reading] | Mapping[int, Reading],
    told: Sequence[tuple[Change, Mapping[str, Any] | None, Head | None]],
) -> Iterator[Difference]:
    positions = [head.position for _, _, head in told if head is not None and head.position is not None]
    said = _said(connection, positions)
    for change, row, head in told:
        assert row is not None
        before = None if head is None else _what_stands(head, said)
        yield Difference(
            change=change,
            document=readings[row[_DOC]].name,
            stream=row["stream"],
            subject=row["subject"],
            line=row["line"],
            before=before,
            after=msgspec.json.decode(row["data"]),
        )


def _what_stands(head: Head, said: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    if head.position is not None:
        return said[head.position]
    stands: dict[str, Any] = msgspec.json.decode(head.data)
    return stands


def _said(connection: Connection, positions: Sequence[int]) -> dict[int, dict[str, Any]]:
    return {position: msgspec.json.decode(text) for position, text in bodies.read(connection, positions).items()}
