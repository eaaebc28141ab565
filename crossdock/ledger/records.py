"""What the ledger hands out: frozen records, free of any database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.errors import PermanentError
from schemas.events import DATA_OF, TIME_PATTERN, CloudEvent
from schemas.keeping import keeper

_ENCODER = msgspec.json.Encoder()
_ENVELOPE = msgspec.json.Decoder(CloudEvent)


class _OfStream(NamedTuple):
    """What the events of one stream have in common: type and schema of their envelopes, and who refuses their data."""

    type: str
    schema: str
    keep: Callable[[bytes], None]


_OF_STREAM = {
    stream.value: _OfStream(stream.type, f"urn:crossdock:events:{stream.value}:v1", keeper(model))
    for stream, model in DATA_OF.items()
}

_TIME = lru_cache(10_000)(re.compile(TIME_PATTERN).match)  # many events have the same


def _is_sound(envelope: CloudEvent) -> bool:
    """Whether the envelope keeps its schema; a tenth of the time that reading it back takes."""
    return bool(
        envelope.id
        and envelope.source
        and envelope.subject
        and envelope.partitionkey
        and envelope.correlationid
        and envelope.sequence >= 1
        and _TIME(envelope.time)
        and _TIME(envelope.recordedtime)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadRecord:
    """A payload as the ledger knows it."""

    id: int
    sha256: str
    size: int
    channel: str
    key: str
    name: str
    received_at: datetime
    #: received -> translated; unpacked (a mail: its attachments are payloads of their own);
    #: quarantined (nothing of it could be read; its findings say why); rejected (a mail that a person turned down)
    status: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None  #: payload it was unpacked from (a mail)
    duplicate_of: int | None = None  #: earlier payload of the same channel with the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """What storing one payload's translation did."""

    documents: int
    rejected: int
    lines: int
    events: int  #: new in the feed
    unchanged: int  #: said nothing new: already published, or the same as the key's latest revision
    parked: int
    findings: int


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event of the feed: its position (gapless, in commit order, from 1) and its parts."""

    position: int
    id: str
    stream: str
    kind: str
    subject: str
    sequence: int
    time: str
    recorded_at: str
    partner: str
    item: str
    site: str
    document: str
    channel: str
    data: str  #: JSON text of the stream's data model

    def cloud_event(self) -> bytes:
        """The CloudEvents 1.0 JSON form, validated against schemas.events.

        Raises PermanentError when the event does not keep the contract.
        """
        data = self.data.encode()
        try:
            stream = _OF_STREAM[self.stream]
            stream.keep(data)
            envelope = self._envelope(stream, data)
            event = _ENCODER.encode(envelope)
            if not _is_sound(envelope):
                _ENVELOPE.decode(event)  # says what is wrong
        except (KeyError, ValueError, msgspec.MsgspecError) as error:
            raise PermanentError(
                f"event {self.id} (position {self.position}) breaks the contract of its stream: {error}",
                hint="mend its mapping; crossdock trace shows where the event comes from",
            ) from error
        return event

    def _envelope(self, stream: _OfStream, data: bytes) -> CloudEvent:
        return CloudEvent(
            id=self.id,
            source=f"/crossdock/channels/{self.channel}",
            type=stream.type,
            subject=self.subject,
            time=self.time,
            recordedtime=self.recorded_at,
            partitionkey=self.subject,
            sequence=self.sequence,
            correlationid=self.document,
            dataschema=stream.schema,
            data=msgspec.Raw(data),
        )
