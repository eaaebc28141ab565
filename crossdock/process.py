"""Processing: payloads out of the archive become events in the ledger."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import polars as pl

from connectors.archive import Archive
from crossdock.ahead import ahead
from crossdock.ledger import Ledger, PayloadRecord, StoreSummary
from crossdock.own_process import settle_in
from crossdock.stages.answered import answered
from crossdock.stages.as_ordered import as_ordered
from crossdock.stages.batches import Gate, Stopped
from crossdock.stages.checking import OF_THE_LINES, checked
from crossdock.stages.control import controlled
from crossdock.stages.late import late
from crossdock.stages.outright import outright
from crossdock.stages.reconciled import reconciled
from crossdock.stages.revised import revised
from crossdock.stages.superseded import OF_THE_HEAD, superseded
from crossdock.stages.unseen import unseen
from crossdock.translation import Context, DocumentClosed, Drafted, DraftedLines, Translated, draft_stream, written
from schemas.documents import ORDINAL
from schemas.errors import CrossdockError, PermanentError
from schemas.findings import Finding, Severity, Stage

SMALL = 1 << 18  #: bytes of a payload up to which it is translated and stored by turns
_NOTHING = StoreSummary(documents=0, rejected=0, lines=0, events=0, unchanged=0, parked=0, findings=0)


def process(payload_ids: Iterable[int], *, archive: Archive, ledger: Ledger, context: Context) -> list[StoreSummary]:
    """Translate and store these payloads; what was done for each, in order.

    A payload that cannot be read is quarantined with a finding, and the others go on. One that is
    already done is passed over. Translating runs ahead of storing, in a thread of its own. Errors of
    the ledger (locked, away, full) and of configuration go through, and the rest is left waiting for
    the next try.
    """
    settle_in()
    return [_process(ledger.payload(id), archive, ledger, context) for id in payload_ids]


def _process(record: PayloadRecord, archive: Archive, ledger: Ledger, context: Context) -> StoreSummary:
    if record.status != "received":
        return _NOTHING
    gate = Gate(record, ledger, context.library)
    try:
        with (
            ledger.claims() as claims,
            closing(translated_ahead(record, archive, context)) as translated,
        ):
            numbered = controlled(
                translated, record=record, archive=archive, ledger=ledger, library=context.library, claims=claims
            )
            heard = answered(numbered, record=record, archive=archive, ledger=ledger)
            found = unseen(record, archive=archive, ledger=ledger)
            compared = reconciled(heard, record=record, ledger=ledger, library=context.library, late=found)
            current = superseded(compared, record=record, ledger=ledger, library=context.library)
            completed = as_ordered(current, record=record, ledger=ledger, library=context.library)
            whole = outright(completed, record=record, ledger=ledger, library=context.library)
            timely = late(whole, record=record, ledger=ledger, library=context.library)
            corrected = revised(timely, ledger=ledger)
            sound = checked(corrected, ledger=ledger, library=context.library, now=record.received_at)
            return ledger.store(record.id, gate.guarded(sound))
    except Stopped as stopped:
        ledger.quarantine(record.id, stopped.findings)
        return _NOTHING
    except Unreadable as unreadable:
        ledger.quarantine(record.id, [unreadable.finding])
        return _NOTHING
    finally:
        ledger.verdicts.note(record.id, gate.verdicts)


def rows_of(item: Drafted) -> int:
    """What an item weighs. The end of a large document is heavy: with it storing can begin."""
    match item:
        case DraftedLines():
            return item.events + item.parked.height
        case DocumentClosed():
            return 1 + item.events + item.parked
        case _:
            return 1


class Unreadable(Exception):
    """Reading, not storing, failed for a reason that lies in this payload; ``finding`` says it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def translated_ahead(record: PayloadRecord, archive: Archive, context: Context) -> Generator[Translated]:
    """The payload's translation, drafted in a thread of its own unless that would cost more than it saves."""
    if record.size <= SMALL:
        return translated_payload(record, archive, context)
    return _translated(record, _drafted_ahead(record, archive, context), context)


def translated_payload(record: PayloadRecord, archive: Archive, context: Context) -> Generator[Translated]:
    """The payload's translation, in which a crash of a reader is told apart from one of the ledger."""
    return _translated(record, _drafted_here(record, archive, context), context)


def _translated(record: PayloadRecord, drafted: Generator[Drafted], context: Context) -> Generator[Translated]:
    with _readable(record), closing(drafted):
        yield from written(drafted, context)


def _drafted_here(record: PayloadRecord, archive: Archive, context: Context) -> Generator[Drafted]:
    with _readable(record), archive.open(record.sha256) as stream:
        yield from _drafted(record, stream, context)


def _drafted_ahead(record: PayloadRecord, archive: Archive, context: Context) -> Generator[Drafted]:
    """Its bytes are checked while the first of them are read, before anything comes of it."""
    with _readable(record), archive.unchecked(record.sha256) as stream:
        drafted = _drafted(record, stream, context)
        check = partial(archive.require_intact, stream, record.sha256)
        with closing(ahead(drafted, weigh=rows_of, prepare=_write, meanwhile=check)) as items:
            yield from items


def _write(item: Drafted) -> None:
    """The events are there when they are asked for."""
    if isinstance(item, DraftedLines):
        item.write()


def _drafted(record: PayloadRecord, stream: BinaryIO, context: Context) -> Generator[Drafted]:
    """The payload's draft. Of the lines, which nobody stores and which would wait in memory for their events to be
    stored, only what ``superseded`` asks of a schedule's head and ``checked`` of each.
    """
    metadata = {**record.metadata, "received_at": record.received_at.isoformat()}
    with _readable(record):
        for item in draft_stream(stream, payload=record.sha256, name=record.name, metadata=metadata, context=context):
            yield replace(item, lines=_looked_at(item.lines)) if isinstance(item, DraftedLines) else item


@contextmanager
def _readable(record: PayloadRecord) -> Generator[None]:
    """Whatever goes wrong in reading is ``Unreadable``, but for faults of configuration and for want of memory."""
    try:
        yield
    except Unreadable:
        raise
    except PermanentError as error:
        raise Unreadable(_lost(record, error)) from error
    except (CrossdockError, MemoryError):
        raise
    except Exception as error:
        raise Unreadable(_crashed(record, error)) from error


_FEW = 64
_LOOKED_AT = tuple(dict.fromkeys((ORDINAL, *OF_THE_HEAD, *OF_THE_LINES)))


def _looked_at(lines: pl.DataFrame) -> pl.DataFrame:
    """Few lines stay as they are, as part of a larger table: a selection costs more than they do."""
    return lines if lines.height < _FEW else lines.select_seq(name for name in _LOOKED_AT if name in lines.columns)


def _lost(record: PayloadRecord, error: PermanentError) -> Finding:
    return Finding(
        code="payload.unavailable",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message=f"the payload could not be read from the archive: {error.message}",
        location=record.name,
        value=record.sha256,
        expected=error.hint or "the bytes as received",
    )


def _crashed(record: PayloadRecord, error: Exception) -> Finding:
    return Finding(
        code="payload.unreadable",
        severity=Severity.ERROR,
        stage=Stage.TRANSPORT,
        message=f"reading it failed with {type(error).__name__}: {error}; "
        "its bytes are kept: report the fault, and let it be read again once that is mended",
        location=record.name,
        value=type(error).__name__,
        expected="a payload that the program can read to its end",
    )
