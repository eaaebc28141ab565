"""Payloads: noted once, then translated, unpacked or quarantined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from crossdock.ledger import audit
from crossdock.ledger.records import PayloadRecord
from crossdock.ledger.tables import payloads
from crossdock.ledger.text import storable, texts, to_json
from schemas.errors import PermanentError

RECEIVED, TRANSLATED, UNPACKED, QUARANTINED = "received", "translated", "unpacked", "quarantined"


def record(
    connection: Connection,
    *,
    sha256: str,
    size: int,
    channel: str,
    key: str,
    name: str,
    received_at: datetime,
    metadata: Mapping[str, str],
    parent: int | None,
    status: str,
) -> PayloadRecord:
    """The payload's record, made now unless (channel, key, sha256) had one."""
    now = datetime.now(UTC)
    key = storable(key)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    same = (payloads.c.channel == channel) & (payloads.c.sha256 == sha256)
    made = connection.scalar(
        insert(payloads).on_conflict_do_nothing(index_elements=["channel", "sha256", "key"]).returning(payloads.c.id),
        {
            "sha256": sha256,
            "size": size,
            "channel": channel,
            "key": key,
            "name": storable(name),
            "received_at": received_at,
            "recorded_at": now,
            "metadata": to_json(metadata),
            "parent_id": parent,
            "duplicate_of": connection.scalar(sa.select(sa.func.min(payloads.c.id)).where(same, payloads.c.key != key)),
            "status": status,
            "status_at": now,
        },
    )
    noted = _record(connection.execute(sa.select(payloads).where(same, payloads.c.key == key)).one())
    if made is not None:
        detail = {"channel": channel, "name": noted.name, "sha256": sha256, "size": size}
        audit.note(connection, "payload.received", f"payload {noted.id}", detail=detail)
    return noted


def one(connection: Connection, id: int) -> PayloadRecord:
    """The payload's record. Raises PermanentError when there is none."""
    row = connection.execute(sa.select(payloads).where(payloads.c.id == id)).one_or_none()
    if row is None:
        raise PermanentError(f"the ledger knows no payload {id}", hint="was the ledger exchanged while a run was on?")
    return _record(row)


def waiting(connection: Connection, channel: str | None, limit: int) -> list[int]:
    """Ids of payloads to translate, oldest first."""
    query = sa.select(payloads.c.id).where(payloads.c.status == sa.literal_column("'received'"))
    if channel is not None:
        query = query.where(payloads.c.channel == channel)
    return list(connection.scalars(query.order_by(payloads.c.id).limit(limit)))


def set_status(connection: Connection, id: int, status: str, severities: Mapping[str, int]) -> None:
    """Move the payload on; ``severities`` counts the findings just added that concern it as a whole."""
    connection.execute(
        payloads.update()
        .where(payloads.c.id == id)
        .values(
            status=status,
            status_at=datetime.now(UTC),
            infos=payloads.c.infos + severities.get("info", 0),
            warnings=payloads.c.warnings + severities.get("warning", 0),
            errors=payloads.c.errors + severities.get("error", 0),
        )
    )


def requeue(connection: Connection, ids: Sequence[int]) -> int:
    """Let quarantined payloads wait for translation again; how many did."""
    changed = connection.execute(
        payloads.update()
        .where(payloads.c.id.in_(ids), payloads.c.status == QUARANTINED)
        .values(status=RECEIVED, status_at=datetime.now(UTC))
    )
    if changed.rowcount:
        audit.note(connection, "payload.requeued", f"payload {', '.join(map(str, ids[:20]))}")
    return changed.rowcount


def _record(row: Row[Any]) -> PayloadRecord:
    return PayloadRecord(
        id=row.id,
        sha256=row.sha256,
        size=row.size,
        channel=row.channel,
        key=row.key,
        name=row.name,
        received_at=row.received_at,
        status=row.status,
        metadata=texts(row.metadata),
        parent=row.parent_id,
        duplicate_of=row.duplicate_of,
    )
