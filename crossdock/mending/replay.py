"""Replay: documents are read again out of the archive, with the mappings and master data of today.

A preview says what that would change and writes nothing; a replay publishes exactly that, as corrections. What
does not change keeps its id, so that a second replay finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crossdock.ledger.corrections import Difference
from crossdock.ledger.draft import Draft
from crossdock.ledger.readings import Corrected
from crossdock.ledger.selecting import Chosen, Selection
from crossdock.process import Unreadable, translated_ahead
from crossdock.stages.as_ordered import as_ordered
from crossdock.stages.batches import again
from crossdock.stages.checking import checked
from crossdock.stages.late import late
from crossdock.stages.outright import outright
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened
from schemas.findings import Finding

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger, PayloadRecord
    from crossdock.translation import Context

#: Documents are compared, and corrected, together until they hold this many rows, or are this many.
ROWS_TOGETHER = 16_384
DOCUMENTS_TOGETHER = 500


@dataclass(slots=True)
class Replayed(Corrected):
    """What a replay did, or a preview would; ``unreadable`` says of which payloads nothing can be said."""

    payloads: int = 0
    unreadable: list[Finding] = field(default_factory=list)


def preview(
    selection: Selection, *, archive: Archive, ledger: Ledger, context: Context, total: Replayed
) -> Iterator[Difference]:
    """What a replay would change, event by event, in order; nothing is written. ``total`` is counted meanwhile."""
    standing = ledger.readings.standing()
    for _, drafts in _read_again(ledger.readings.select(selection), archive, ledger, context, total):
        try:
            yield from ledger.readings.compare(drafts, standing, total)
        finally:
            _discard(drafts)


def replay(selection: Selection, *, archive: Archive, ledger: Ledger, context: Context, reason: str) -> Replayed:
    """Read the selection again and publish what that changes. Idempotent: what is done is done, also after a crash."""
    total = Replayed()
    correct_all(
        ledger.readings.select(selection), archive=archive, ledger=ledger, context=context, reason=reason, total=total
    )
    return total


def correct_all(
    chosen: Iterable[Chosen],
    *,
    archive: Archive,
    ledger: Ledger,
    context: Context,
    reason: str,
    total: Replayed,
    only_waiting: bool = False,
) -> None:
    """Read these documents again and write down what that changes, payload by payload."""
    standing = ledger.readings.standing()
    for record, drafts in _read_again(chosen, archive, ledger, context, total):
        try:
            total.add(ledger.readings.correct(record, drafts, standing, reason=reason, only_waiting=only_waiting))
        finally:
            _discard(drafts)


def _read_again(
    chosen: Iterable[Chosen], archive: Archive, ledger: Ledger, context: Context, total: Replayed
) -> Iterator[tuple[PayloadRecord, list[Draft]]]:
    for one in chosen:
        record = ledger.payload(one.payload)
        total.payloads += 1
        try:
            for drafts in _batches(_drafts(record, one.documents, archive, ledger, context)):
                yield record, drafts
        except Unreadable as unreadable:
            total.unreadable.append(unreadable.finding)


def _batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    held: list[Draft] = []
    rows = 0
    for draft in drafts:
        held.append(draft)
        rows += draft.rows
        if rows >= ROWS_TOGETHER or len(held) >= DOCUMENTS_TOGETHER:
            yield held
            held, rows = [], 0
    if held:
        yield held


def _drafts(
    record: PayloadRecord, wanted: frozenset[str], archive: Archive, ledger: Ledger, context: Context
) -> Iterator[Draft]:
    """The wanted documents of the payload, as they are read today."""
    current: Draft | None = None
    with closing(translated_ahead(record, archive, context)) as translated:
        completed = as_ordered(translated, record=record, ledger=ledger, library=context.library)
        whole = outright(completed, record=record, ledger=ledger, library=context.library)
        timely = late(whole, record=record, ledger=ledger, library=context.library)
        sound = checked(timely, ledger=ledger, library=context.library, now=record.received_at, again=True)
        for item in again(sound, record=record, ledger=ledger, library=context.library):
            match item:
                case DocumentOpened(document=document):
                    current = Draft(document, datetime.now(UTC)) if document.id in wanted else None
                case DocumentLines() if current is not None:
                    current.add(item)
                case DocumentClosed() if current is not None:
                    current.close(item)
                    yield current
                    current = None


def _discard(drafts: Iterable[Draft]) -> None:
    for draft in drafts:
        draft.discard()
