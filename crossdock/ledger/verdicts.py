"""What became of batches of events that were held against their expectations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from crossdock.ledger.database import Database
from crossdock.ledger.parked import WAITING
from crossdock.ledger.tables import batch_verdicts, documents, parked_lines, payloads
from crossdock.ledger.text import storable

if TYPE_CHECKING:
    from mappings.batches import BatchVerdict


class Verdicts:
    """The verdicts of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, payload: int, verdicts: Sequence[BatchVerdict]) -> None:
        """Write them down in the place of those of an earlier reading of the payload."""
        if not verdicts:
            return
        rows = [_row(payload, one) for one in verdicts]
        with self._database.write() as connection:
            connection.execute(batch_verdicts.delete().where(batch_verdicts.c.payload_id == payload))
            connection.execute(batch_verdicts.insert(), rows)

    def listing(
        self, *, outcome: str | None = None, partner: str | None = None, payload: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest first, each with its payload's name and status; ``missed`` and ``parameters`` as they were."""
        given = {"outcome": outcome, "partner": partner, "payload_id": payload}
        wanted = [batch_verdicts.c[name] == value for name, value in given.items() if value is not None]
        query = _LISTED.where(*wanted).order_by(batch_verdicts.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_listed(row._mapping) for row in connection.execute(query)]

    def without_referee(self, limit: int, channel: str = "") -> list[dict[str, Any]]:
        """What no referee has looked at, of one channel or of all: all that did not pass, and the newest of each
        partner's and type's."""
        newest = sa.select(sa.func.max(batch_verdicts.c.id)).group_by(batch_verdicts.c.partner, batch_verdicts.c.type)
        worth = sa.or_(batch_verdicts.c.outcome != "passed", batch_verdicts.c.id.in_(newest))
        came = payloads.c.channel == channel if channel else sa.true()
        unseen = _LISTED.where(batch_verdicts.c.referee == "", worth, came)
        query = unseen.order_by(batch_verdicts.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_listed(row._mapping) for row in connection.execute(query)]

    def parked_documents(self, payload: int, cause: str) -> frozenset[str]:
        """Documents of the payload in which lines wait for a cause that begins so."""
        query = (
            sa.select(documents.c.document)
            .join_from(parked_lines, documents, parked_lines.c.document_id == documents.c.id)
            .where(documents.c.payload_id == payload, parked_lines.c.status == WAITING)
            .where(parked_lines.c.cause.startswith(cause, autoescape=True))
        )
        with self._database.read() as connection:
            return frozenset(connection.scalars(query))

    def note_referee(self, id: int, said: str) -> None:
        """``said``: agrees, differs or unsure."""
        with self._database.write() as connection:
            connection.execute(batch_verdicts.update().where(batch_verdicts.c.id == id).values(referee=said))


_LISTED = sa.select(batch_verdicts, payloads.c.name.label("payload_name"), payloads.c.status.label("payload_status"))
_LISTED = _LISTED.join_from(batch_verdicts, payloads, batch_verdicts.c.payload_id == payloads.c.id)


def _row(payload: int, one: BatchVerdict) -> dict[str, Any]:
    texts = {name: storable(getattr(one, name)) for name in _TEXTS}
    counts = {name: getattr(one, name) for name in ("rows", "documents", "expectations")}
    said = {name: msgspec.json.encode(getattr(one, name)).decode() for name in ("parameters", "missed")}
    return {"payload_id": payload, "part": 0, **texts, **counts, **said, "judged_at": datetime.now(UTC), "referee": ""}


_TEXTS = ("partner", "type", "suite", "suite_version", "master_version", "fingerprint", "outcome")


def _listed(row: Any) -> dict[str, Any]:
    return {**row, **{name: msgspec.json.decode(row[name]) for name in ("parameters", "missed")}}
