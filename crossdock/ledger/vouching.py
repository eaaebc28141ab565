"""Mails that nothing proves, or whose sender nobody knows, and a person's word on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from crossdock.ledger import audit
from crossdock.ledger.database import Database
from crossdock.ledger.payloads import QUARANTINED, RECEIVED
from crossdock.ledger.tables import findings, payloads
from crossdock.ledger.text import texts, to_json

REJECTED = "rejected"  #: status of a payload of which a person has said that nothing will be used
_WHY = ("mail.sender_doubtful", "partner.unknown")  #: findings for which a mail waits


class Vouching:
    """What waits for a word, and the words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, limit: int = 1000) -> list[dict[str, Any]]:
        """The documents of mails that wait, the newest first: ``payload, mail, name, from, subject, received_at,
        code, why``; those of one mail have the same ``mail``."""
        query = (
            sa.select(payloads, findings.c.code, findings.c.message)
            .join_from(payloads, findings, findings.c.payload_id == payloads.c.id)
            .where(payloads.c.status == QUARANTINED, findings.c.code.in_(_WHY))
            .order_by(payloads.c.id.desc(), findings.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            newest = {row.id: row for row in connection.execute(query)}
        told = ((row, texts(row.metadata)) for row in newest.values())
        return [_waiting(row, metadata) for row, metadata in told if metadata.get("from")]

    def release(self, ids: Sequence[int], *, partner: str, reason: str) -> int:
        """Let these payloads be read as ``partner``'s (empty: as the sender's), whatever the mail proves; how many."""
        with self._database.write() as connection:
            rows = connection.execute(
                sa.select(payloads).where(payloads.c.id.in_(ids), payloads.c.status == QUARANTINED).with_for_update()
            ).all()
            for row in rows:
                metadata = {name: text for name, text in texts(row.metadata).items() if name != "doubt"}
                metadata |= {"vouched": reason} | ({"partner": partner} if partner else {})
                values = {"metadata": to_json(metadata), "status": RECEIVED, "status_at": datetime.now(UTC)}
                connection.execute(payloads.update().where(payloads.c.id == row.id).values(values))
                doubt = texts(row.metadata).get("doubt", "")
                detail = {"from": metadata.get("from", ""), "partner": partner, "doubt": doubt}
                audit.note(connection, "mail.released", f"payload {row.id}", reason=reason, detail=detail)
        return len(rows)

    def reject(self, ids: Sequence[int], *, reason: str) -> int:
        """Nothing of these payloads will be used; their bytes are kept as long as any others. How many."""
        with self._database.write() as connection:
            rejected = list(
                connection.scalars(
                    payloads.update()
                    .where(payloads.c.id.in_(ids), payloads.c.status == QUARANTINED)
                    .values(status=REJECTED, status_at=datetime.now(UTC))
                    .returning(payloads.c.id)
                )
            )
            for id in rejected:
                audit.note(connection, "mail.rejected", f"payload {id}", reason=reason)
        return len(rejected)


def _waiting(row: Any, metadata: Mapping[str, str]) -> dict[str, Any]:
    return {
        "payload": row.id,
        "mail": row.parent_id or row.id,
        "name": row.name,
        "from": metadata["from"],
        "subject": metadata.get("subject", ""),
        "received_at": row.received_at,
        "code": row.code,
        "why": row.message,
    }
