"""What stands in the feed, key by key, and who said it: the ground on which a correction is judged.

A document speaks at the moment it first came, however late it is read rightly. Its *rank* is the row
under which it was first stored; copies of it, and its later readings, have that rank too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.tables import confirmations, documents

Value = TypeVar("Value")

#: Values asked for in one statement: each as a parameter, and all as one.
_TOGETHER, _MANY = 500, 16_384
#: Hex digits of an event's key by which a confirmation knows it.
_KEY = 16


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of a key. One that this run has made, or imagines, has ``data`` in place of a ``position``."""

    sequence: int
    fingerprint: str
    id: str
    rank: int
    position: int | None
    kind: str = ""
    data: str = ""


class Standing:
    """A run's memory: ranks and confirmations as far as they were asked for, and the heads it has made itself.

    One serves all documents of a run, in order; ``refresh`` it at the beginning of each transaction.
    """

    def __init__(self) -> None:
        self.made: dict[str, Head] = {}  # by key
        #: the newest correction of a key that was overtaken in this run, with its rank
        self.overtaken: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._ranks: dict[int, int] = {}
        self._confirmed: dict[int, int] = {}  # key's hash -> highest rank that said it again
        self._seen = 0

    def refresh(self, connection: Connection) -> None:
        """Take note of what was confirmed since the last time."""
        query = sa.select(confirmations).where(confirmations.c.id > self._seen).order_by(confirmations.c.id)
        for row in connection.execute(query):
            self._seen = row.id
            for key in _unpacked(row.keys):
                self._confirmed[key] = max(row.rank, self._confirmed.get(key, 0))

    def heads(self, connection: Connection, table: pl.DataFrame) -> dict[str, Head]:
        """The head of each of the table's keys that has any, those of this run before those of the ledger."""
        found: dict[str, Head] = {}
        for (stream,), part in table.select_seq("stream", "subject", "key").unique().group_by("stream"):
            keys = dict(part.select_seq("subject", "key").rows())
            rows = list(newest(connection, str(stream), list(keys)))
            ranks = self.ranks(connection, {row.document_id for row in rows})
            for row in rows:
                found[keys[row.subject]] = Head(
                    row.sequence, row.fingerprint, row.id, ranks[row.document_id], row.position, row.kind
                )
        if self.made:
            found |= {key: self.made[key] for key in table["key"].unique() if key in self.made}
        return found

    def ranks(self, connection: Connection, ids: Collection[int]) -> Mapping[int, int]:
        """The rank of each of these rows of ``documents``."""
        for some in _parted([id for id in ids if id not in self._ranks]):
            first = documents.alias("first")
            query = (
                sa.select(documents.c.id, sa.func.min(first.c.id))
                .join_from(
                    documents,
                    first,
                    (first.c.document == documents.c.document) & (first.c.partner == documents.c.partner),
                )
                .where(documents.c.id.in_(some))
                .group_by(documents.c.id)
            )
            self._ranks |= {row[0]: row[1] for row in connection.execute(query)}
        return self._ranks

    def is_confirmed(self, key: str, after: int) -> bool:
        """Whether a document beyond that rank has said again what stands."""
        return self._confirmed.get(int(key[:_KEY], 16), 0) > after

    def confirm(self, connection: Connection, rank: int, keys: Sequence[str]) -> None:
        """Write down that the document of that rank said again what stands of these keys."""
        fresh = [key for key in keys if not self.is_confirmed(key, rank - 1)]
        write_confirmations(connection, rank, fresh)


def write_confirmations(connection: Connection, rank: int, keys: Sequence[str]) -> None:
    """See ``confirmations``; nothing where there are no keys."""
    if keys:
        packed = b"".join(bytes.fromhex(key[:_KEY]) for key in keys)
        connection.execute(confirmations.insert(), {"rank": rank, "keys": packed})


def _unpacked(keys: bytes) -> Iterable[int]:
    size = _KEY // 2
    return (int.from_bytes(keys[at : at + size], "big") for at in range(0, len(keys), size))


class Newest(msgspec.Struct, frozen=True, gc=False):
    """The newest event of a subject, without what it says."""

    subject: str
    sequence: int
    fingerprint: str
    id: str
    document_id: int
    position: int
    kind: str
    time: str


def newest(connection: Connection, stream: str, subjects: Sequence[str]) -> Iterator[Newest]:
    """The newest event of each subject that has one."""
    for some in _parted(subjects, _MANY):
        for row in _asked(connection, _NEWEST, stream, some):
            yield Newest(*row)


def known_ids(connection: Connection, asked: Iterable[tuple[str, str, str]]) -> set[str]:
    """Which events (stream, subject, id) the feed has."""
    by_stream: dict[str, list[tuple[str, str]]] = {}
    for stream, subject, id in asked:
        by_stream.setdefault(stream, []).append((subject, id))
    parts = ((stream, some) for stream, pairs in by_stream.items() for some in _parted(pairs, _MANY))
    return {id for stream, some in parts for (id,) in _asked(connection, _KNOWN, stream, some)}


def _asked(
    connection: Connection, queries: Mapping[str, str], stream: str, asked: Sequence[object]
) -> Iterable[Sequence[Any]]:
    """The rows found. What is asked goes as one value, and SQLite gives the rows as one: see ``bulk`` for why."""
    given = {"asked": msgspec.json.encode(asked).decode(), "stream": stream}
    found = connection.exec_driver_sql(queries[connection.dialect.name], given)
    return msgspec.json.decode(found.scalar_one()) if connection.dialect.name == "sqlite" else found


_COLUMNS = ", ".join(f"e.{name}" for name in Newest.__struct_fields__)
_NEWEST = {
    "sqlite": f"""
        SELECT json_group_array(json_array({_COLUMNS})) FROM json_each(:asked) AS asked
        CROSS JOIN events AS e ON e.subject = asked.value AND e.stream = :stream
        WHERE e.sequence = (SELECT max(sequence) FROM events WHERE subject = asked.value AND stream = :stream)""",  # noqa: S608 - names of ours
    "postgresql": f"""
        SELECT newest.* FROM json_array_elements_text(%(asked)s::json) AS asked (subject)
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM events AS e
            WHERE e.subject = asked.subject COLLATE "C" AND e.stream = %(stream)s
            ORDER BY e.sequence DESC LIMIT 1) AS newest""",  # noqa: S608 - names of ours
}
_KNOWN = {
    "sqlite": """
        SELECT json_group_array(json_array(e.id)) FROM json_each(:asked) AS asked CROSS JOIN events AS e
        ON e.subject = asked.value ->> 0 AND e.stream = :stream AND e.id = asked.value ->> 1""",
    "postgresql": """
        SELECT e.id FROM json_array_elements(%(asked)s::json) AS asked (pair)
        JOIN events AS e ON e.subject = (pair ->> 0) COLLATE "C" AND e.stream = %(stream)s AND e.id = pair ->> 1""",
}


def _parted(values: Sequence[Value], size: int = _TOGETHER) -> Iterable[Sequence[Value]]:
    return (values[at : at + size] for at in range(0, len(values), size))
