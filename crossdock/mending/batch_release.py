"""A person has looked at an unusual batch and finds it right: what was held of it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.ledger.selecting import Chosen
from crossdock.mending.replay import Replayed, correct_all
from crossdock.process import process
from crossdock.stages.batches import note_let_through
from mappings.batches import PREFIX

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger
    from crossdock.translation import Context


def let_go(payload: int, reason: str, *, archive: Archive, ledger: Ledger, context: Context) -> str | None:
    """Let the payload through, held as a whole or with lines that wait; what that did, None where nothing is held."""
    if _is_stopped(ledger, payload):
        ledger.requeue([payload])
        note_let_through(ledger, payload, reason)
        (summary,) = process([payload], archive=archive, ledger=ledger, context=context)
        return f"{summary.documents:,} documents, {summary.events:,} events published"
    waiting = ledger.verdicts.parked_documents(payload, PREFIX)
    if not waiting:
        return None
    note_let_through(ledger, payload, reason)
    total = Replayed()
    correct_all(
        [Chosen(payload, waiting)], archive=archive, ledger=ledger, context=context, reason=reason, total=total,
        only_waiting=True,
    )  # fmt: skip
    return f"{total.released:,} lines released, {total.published:,} events published"


def _is_stopped(ledger: Ledger, payload: int) -> bool:
    """Whether the payload as a whole is held for being unusual."""
    if ledger.payload(payload).status != "quarantined":
        return False
    return any(one["code"].startswith(PREFIX) for one in ledger.findings(payload=payload, severity="error", limit=100))
