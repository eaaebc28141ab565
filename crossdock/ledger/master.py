"""Versions of the master tables: every good load is kept, one is in force."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger import audit
from crossdock.ledger.payloads import QUARANTINED
from crossdock.ledger.tables import feed, master_in_force, master_rejections, master_versions, payloads
from crossdock.ledger.text import sentences, storable, to_json
from schemas.errors import ConfigError
from schemas.master import MASTER_EXTRAS, MASTER_TABLES

#: The tables that take rows by hand, see ``by_hand``.
TABLES = ("cross_references", "units")
#: What is noted beside each of them.
NOTED = ("author", "reason", "added_at")
_SUFFIX = "/by_hand"
_SOME = 65_536  # rows that are text at a time


def name_of(table: str) -> str:
    """The name under which the rows added to ``table`` have versions of their own."""
    return table + _SUFFIX


def columns_of(name: str) -> tuple[str, ...]:
    """The least columns of a master table, or of what was added to one. Raises ConfigError for an unknown name."""
    table = name.removesuffix(_SUFFIX)
    if table not in MASTER_TABLES or (table != name and table not in TABLES):
        raise ConfigError(f"unknown master table {name!r}", hint=f"known: {', '.join(MASTER_TABLES)}")
    return MASTER_TABLES[table] + (NOTED if table != name else ())


def load(connection: Connection, name: str, rows: pl.DataFrame, *, source: str, actor: str) -> int:
    """Put ``rows`` in force unless what is in force says the same, in whatever order; the version in force."""
    table = _shaped(name, rows)
    digest = _digest(table)
    connection.execute(sa.select(feed.c.id).with_for_update())
    current = connection.execute(
        sa.select(master_versions.c.version, master_versions.c.content_sha256)
        .join(master_in_force)
        .where(master_in_force.c.name == name)
    ).one_or_none()
    if current is not None and current.content_sha256 == digest:
        return int(current.version)
    newest = sa.select(sa.func.max(master_versions.c.version)).where(master_versions.c.name == name)
    version = int(connection.scalar(newest) or 0) + 1
    now = datetime.now(UTC)
    connection.execute(
        master_versions.insert(),
        {
            "name": name,
            "version": version,
            "content_sha256": digest,
            "row_count": table.height,
            "source": storable(source),
            "actor": storable(actor),
            "loaded_at": now,
            "content": _to_parquet(table),
        },
    )
    _put_in_force(connection, name, version, now)
    detail = {"version": version, "rows": table.height, "sha256": digest, "by": actor}
    audit.note(connection, "master.in_force", f"master {name}", reason=source, detail=detail)
    return version


def _put_in_force(connection: Connection, name: str, version: int, since: datetime) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    pointer = {"version": version, "since": since}
    connection.execute(
        insert(master_in_force)
        .values(name=name, **pointer)
        .on_conflict_do_update(index_elements=["name"], set_=pointer)
    )


def note_rejected(
    connection: Connection, name: str, *, source: str, actor: str, reasons: Sequence[str], payload: int | None = None
) -> None:
    """Remember that a load was held back, why, and which payload holds it."""
    columns_of(name)
    connection.execute(
        master_rejections.insert(),
        {
            "name": name,
            "source": storable(source),
            "actor": storable(actor),
            "rejected_at": datetime.now(UTC),
            "reasons": to_json(reasons),
            "payload_id": payload,
        },
    )
    audit.note(connection, "master.held_back", f"master {name}", reason="; ".join(reasons), detail={"source": source})


def held(connection: Connection) -> list[dict[str, Any]]:
    """Loads that were held back and that nobody has decided on, the newest of each table and payload; newest first."""
    newest = sa.select(sa.func.max(master_rejections.c.id)).group_by(
        master_rejections.c.name, master_rejections.c.payload_id
    )
    query = sa.select(master_rejections).where(
        master_rejections.c.id.in_(newest),
        master_rejections.c.decision.is_(None),
        master_rejections.c.payload_id.in_(sa.select(payloads.c.id).where(payloads.c.status == QUARANTINED)),
    )
    return [
        {**row._mapping, "reasons": sentences(row.reasons)}
        for row in connection.execute(query.order_by(master_rejections.c.id.desc()))
    ]


def decide(connection: Connection, id: int, decision: str, reason: str) -> bool:
    """A person has decided on a load that was held back; False where somebody else had."""
    mine = (master_rejections.c.id == id, master_rejections.c.decision.is_(None))
    row = connection.execute(sa.select(master_rejections.c.name, master_rejections.c.source).where(*mine)).one_or_none()
    if (
        row is None
        or not connection.execute(master_rejections.update().where(*mine).values(decision=decision)).rowcount
    ):
        return False
    audit.note(connection, f"master.{decision}", f"master {row.name}", reason=reason, detail={"source": row.source})
    return True


def stored(connection: Connection) -> dict[str, pl.DataFrame]:
    """What is in force under each name, rows added by hand apart; a table never loaded is there without rows."""
    found = connection.execute(sa.select(master_versions.c.name, master_versions.c.content).join(master_in_force))
    tables = {name: pl.DataFrame(schema=dict.fromkeys(columns, pl.String)) for name, columns in MASTER_TABLES.items()}
    return tables | {name: _from_parquet(content) for name, content in found}


def version(connection: Connection, name: str, number: int) -> pl.DataFrame:
    """One version of a table. Raises ConfigError when there is none of that number."""
    wanted = (master_versions.c.name == name, master_versions.c.version == number)
    content = connection.scalar(sa.select(master_versions.c.content).where(*wanted))
    if content is None:
        newest = connection.scalar(sa.select(sa.func.max(master_versions.c.version)).where(wanted[0]))
        raise ConfigError(f"master table {name} has no version {number}", hint=f"the newest is {newest or 'none'}")
    return _from_parquet(content)


def numbers(connection: Connection, name: str) -> list[int]:
    """The versions of a table that are kept, the newest first."""
    query = sa.select(master_versions.c.version).where(master_versions.c.name == name)
    return list(connection.scalars(query.order_by(master_versions.c.version.desc())))


def version_word(connection: Connection) -> str:
    """``items:3 partners:1``: differs whenever another version of any table comes in force."""
    rows = connection.execute(sa.select(master_in_force.c.name, master_in_force.c.version).order_by("name"))
    return " ".join(f"{name}:{version}" for name, version in rows)


def history(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest loads first: table, version (None: held back), status, rows, source, actor, at, reasons."""
    v, r = master_versions, master_rejections
    loaded = connection.execute(
        sa.select(v.c.name, v.c.version, v.c.row_count, v.c.source, v.c.actor, v.c.loaded_at, master_in_force.c.since)
        .outerjoin(master_in_force)
        .order_by(v.c.loaded_at.desc())
        .limit(limit)
    )
    held_back = connection.execute(sa.select(r).order_by(r.c.id.desc()).limit(limit))
    entries = [
        {
            "table": row.name,
            "version": row.version,
            "status": "superseded" if row.since is None else "in_force",
            "rows": row.row_count,
            "source": row.source,
            "actor": row.actor,
            "at": row.loaded_at,
            "reasons": [],
            "payload": None,
            "decision": "",
        }
        for row in loaded
    ] + [
        {
            "table": row.name,
            "version": None,
            "status": "rejected",
            "rows": None,
            "source": row.source,
            "actor": row.actor,
            "at": row.rejected_at,
            "reasons": sentences(row.reasons),
            "payload": row.payload_id,
            "decision": row.decision or "",
        }
        for row in held_back
    ]
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:limit]


def _shaped(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The table's columns and those extras that say anything, as text. Raises ConfigError when a column is missing."""
    columns = columns_of(name)
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise ConfigError(
            f"master table {name!r} lacks {', '.join(missing)}", hint=f"it has {', '.join(rows.columns)}; add the rest"
        )
    said = [column for column in MASTER_EXTRAS.get(name, ()) if column in rows.columns]
    whole = rows.select(pl.col(column).cast(pl.String) for column in (*columns, *said))
    nothing = [column for column in said if not (whole[column].fill_null("") != "").any()]
    return whole.drop(nothing)


def _digest(table: pl.DataFrame) -> str:
    """Of the content alone: neither the order of rows nor how Parquet happens to be written matters."""
    digest = hashlib.sha256()
    order = table.select(pl.arg_sort_by(table.columns)).to_series()  # a sorted table would be there a second time
    for number, some in enumerate(order.slice(begin, _SOME) for begin in range(0, table.height, _SOME)):
        buffer = io.BytesIO()
        table[some].write_csv(buffer, include_header=number == 0, quote_style="non_numeric", null_value="")
        digest.update(buffer.getbuffer())
    return digest.hexdigest()


def _from_parquet(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content))


def _to_parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
