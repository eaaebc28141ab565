"""The audit trail: what changed, when, by whom and why. It is appended to, and can be proved whole.

Each entry carries the hash of the one before it and its own, which covers both. Whoever changes, removes or adds
an entry in the middle breaks the chain behind it. The newest hash is also kept apart from the trail, so that
entries missing at its end are noticed; noted down elsewhere it proves that nobody has written a whole new trail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from crossdock.acting import actor
from crossdock.ledger.columns import iso
from crossdock.ledger.tables import audit, states
from crossdock.ledger.text import storable

#: Any number, the same in every process: the advisory lock under which PostgreSQL's trail is written.
_LOCK = 0x617564697421
_SCOPE, _HEAD = "audit", "head"
_PAGE = 2_000
FIRST = "0" * 64  #: what the first entry has for the hash before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A place where the trail does not hold: the entry's number and what is wrong with it."""

    entry: int
    fault: str


def note(
    connection: Connection, action: str, subject: str, *, reason: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """Append one entry, in the transaction of what it tells of. Do it last: others wait for their turn from here on."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    last = connection.execute(sa.select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)).one_or_none()
    row: dict[str, Any] = {
        "id": 1 if last is None else last.id + 1,
        "at": datetime.now(UTC),
        "actor": storable(actor()),
        "action": action,
        "subject": storable(subject),
        "reason": storable(reason),
        "detail": storable(msgspec.json.encode(dict(detail or {}), order="sorted").decode()),
        "previous": FIRST if last is None else last.hash,
    }
    row["hash"] = _hash(row)
    connection.execute(audit.insert(), row)
    _keep_head(connection, row)


def _keep_head(connection: Connection, row: Mapping[str, Any]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    head = {"value": f"{row['id']}:{row['hash']}", "changed_at": row["at"]}
    connection.execute(
        insert(states)
        .values(scope=_SCOPE, key=_HEAD, **head)
        .on_conflict_do_update(index_elements=["scope", "key"], set_=head)
    )


def _hash(row: Mapping[str, Any]) -> str:
    names = ("actor", "action", "subject", "reason", "detail", "previous")
    covered = msgspec.json.encode([row["id"], iso(row["at"]), *(row[name] for name in names)])
    return hashlib.sha256(covered).hexdigest()


def head(connection: Connection) -> tuple[int, str]:
    """Number and hash of the newest entry, as kept apart from the trail; ``(0, FIRST)`` before the first."""
    value = connection.scalar(sa.select(states.c.value).where(states.c.scope == _SCOPE, states.c.key == _HEAD))
    number, _, digest = (value or f"0:{FIRST}").partition(":")
    return int(number), digest


def broken(connection: Connection) -> Iterator[Broken]:
    """Every place where the trail does not hold; nothing when it is whole."""
    number, previous = 0, FIRST
    for row in entries(connection):
        if row.id != number + 1:
            yield Broken(entry=row.id, fault=f"entries {number + 1} to {row.id - 1} are missing before it")
        elif row.previous != previous:
            yield Broken(entry=row.id, fault="it does not follow from the entry before it")
        if _hash(dict(row._mapping)) != row.hash:
            yield Broken(entry=row.id, fault="it was changed after it was written")
        number, previous = row.id, row.hash
    last, digest = head(connection)
    if last > number:
        yield Broken(entry=last, fault=f"the newest entries are missing, from {number + 1} on")
    elif (last, digest) != (number, previous):
        yield Broken(entry=number, fault=f"the trail ends otherwise than was kept apart from it, at entry {last}")


def entries(connection: Connection, subject: str | None = None) -> Iterator[Row[Any]]:
    """All entries (or those on ``subject``), oldest first, a page at a time."""
    after = 0
    while True:
        query = sa.select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(_PAGE)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        page = connection.execute(query).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def listing(connection: Connection, *, subject: str | None, action: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest entries first, as plain rows."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if action is not None:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    return [dict(row._mapping) | {"detail": msgspec.json.decode(row.detail)} for row in connection.execute(query)]
