"""A corrected workbook came back: what waited of the first one waits no longer."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.parked import SUPERSEDED, WAITING
from crossdock.ledger.tables import documents, parked_lines, payloads


def supersede_corrected(connection: Connection, sha256: str, partner: str, now: datetime) -> None:
    """Lines of a workbook whose correction came back wait no longer: the corrected workbook speaks for them."""
    corrected = (
        sa.select(documents.c.id)
        .join_from(documents, payloads, documents.c.payload_id == payloads.c.id)
        .where(payloads.c.sha256 == sha256, documents.c.partner == partner, documents.c.parked > 0)
    )
    connection.execute(
        parked_lines.update()
        .where(parked_lines.c.document_id.in_(corrected), parked_lines.c.status == WAITING)
        .values(status=SUPERSEDED, status_at=now)
    )
