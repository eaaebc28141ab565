"""Receiving: what waits at a source becomes payloads in the archive and the ledger, then the source lets go.

The order is the promise. Bytes are archived first, then noted in the ledger, and only then is
the source told to settle; a crash in between brings the same arrival again, and noting it
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from connectors.archive import Archive, Stored
from connectors.base import Arrival, Source
from connectors.channel import Channel
from connectors.formats import mail
from connectors.mailbox.authentication import doubt
from crossdock.ledger import Ledger, PayloadRecord
from schemas.errors import CrossdockError, TransientError
from schemas.findings import Finding

#: A source is left alone for this run once so many arrivals in a row could not be had for reasons that
#: pass. One that nobody can have (a file we may not read) says nothing of the others.
FAILURES_IN_A_ROW = 3
_HEAD = 4096


def receive(channel: Channel, source: Source, *, archive: Archive, ledger: Ledger, limit: int = 1000) -> list[int]:
    """Take in at most ``limit`` arrivals; ids of the payloads among them that wait for translation.

    A mail is a payload (``unpacked``), and each of its attachments is one of its own. An arrival that
    its source cannot hand over does not stop the others; the first such error is raised after
    them, and what was received is in the ledger. Errors of archive and ledger are raised at once.
    """
    door = _Door(channel, source, archive, ledger)
    received: list[int] = []
    failures: list[CrossdockError] = []
    in_a_row = 0
    for arrival in source.arrivals(limit):
        try:
            received += door.take(arrival)
            in_a_row = 0
        except _SourceFailed as failed:
            failures.append(failed.error)
            in_a_row += isinstance(failed.error, TransientError)
        if in_a_row == FAILURES_IN_A_ROW:
            break
    if failures:
        raise failures[0]
    return received


class _SourceFailed(Exception):
    """The source, not the archive or the ledger, raised ``error``."""

    def __init__(self, error: CrossdockError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class _Door:
    """Where arrivals of one channel come in."""

    channel: Channel
    source: Source
    archive: Archive
    ledger: Ledger

    def take(self, arrival: Arrival) -> list[int]:
        """Archive, note, settle; ids of what waits for translation."""
        stored = self.archive.write(_fetched(self.source, arrival))
        ids = self._note(arrival, stored)
        try:
            self.source.settle(arrival)
        except CrossdockError as error:
            raise _SourceFailed(error) from error
        return ids

    def _note(self, arrival: Arrival, stored: Stored) -> list[int]:
        head = self.archive.read_range(stored.sha256, 0, _HEAD)
        if self.channel.format is None and mail.recognises(head, arrival.name):
            message = self._record(arrival, stored, status="unpacked")
            return self._unpack(arrival, message)
        record = self._record(arrival, stored)
        return [record.id] if record.status == "received" else []

    def _unpack(self, arrival: Arrival, message: PayloadRecord) -> list[int]:
        """A mail's attachments become payloads; what was wrong with the mail stands on the mail itself."""
        waiting: list[int] = []
        findings: list[Finding] = []
        with self.archive.open(message.sha256) as stream:
            for item in mail.unpack(stream, doubts=self._doubts()):
                if isinstance(item, Finding):
                    findings.append(item)
                    continue
                part = replace(
                    arrival,
                    key=f"{arrival.key}#{item.key}",
                    name=item.name,
                    metadata={**arrival.metadata, **item.metadata},
                )
                record = self._record(part, self.archive.write([item.data]), parent=message.id)
                if record.status == "received":
                    waiting.append(record.id)
        self.ledger.note_unpacked(message.id, findings)
        return waiting

    def _doubts(self) -> mail.Doubts | None:
        rules = self.channel.authentication
        if rules is None:
            return None
        return lambda results, sender: doubt(results, sender=sender, server=rules.server, require=rules.require)

    def _record(
        self, arrival: Arrival, stored: Stored, *, status: str = "received", parent: int | None = None
    ) -> PayloadRecord:
        return self.ledger.record_payload(
            sha256=stored.sha256,
            size=stored.size,
            channel=self.channel.channel,
            key=arrival.key,
            name=arrival.name,
            received_at=arrival.received_at,
            metadata=_metadata(self.channel, arrival.metadata),
            status=status,
            parent=parent,
        )


def _fetched(source: Source, arrival: Arrival) -> Iterator[bytes]:
    try:
        yield from source.fetch(arrival)
    except CrossdockError as error:
        raise _SourceFailed(error) from error


def _metadata(channel: Channel, given: Mapping[str, str]) -> dict[str, str]:
    """What translation needs to know of the channel, beside how the payload came."""
    fixed = {"format": channel.format, "channel_partner": channel.partner}
    return {**given, **{name: value for name, value in fixed.items() if value}}
