"""Events as rows with columns, for sinks that keep tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec


class _Said(msgspec.Struct):
    partner: str
    item: str
    site: str
    kind: str
    quantity: str
    unit: str
    base_quantity: str
    base_unit: str


class _Event(msgspec.Struct):
    id: str
    type: str
    source: str
    subject: str
    time: str
    recordedtime: str
    sequence: int
    correlationid: str
    data: msgspec.Raw


_event = msgspec.json.Decoder(_Event).decode
_said = msgspec.json.Decoder(_Said).decode
#: Of the envelope, then of the data; ``data`` is the whole of it, as JSON text.
ENVELOPE = ("id", "type", "source", "subject", "time", "recordedtime", "sequence", "correlationid")
SAID = ("partner", "item", "site", "kind", "quantity", "unit", "base_quantity", "base_unit")
COLUMNS = (*ENVELOPE, *SAID, "data")


def rows(events: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    """One row of COLUMNS an event: ``sequence`` a whole number, all others text."""
    for written in events:
        event = _event(written)
        said = _said(event.data)
        yield (
            *(getattr(event, name) for name in ENVELOPE),
            *(getattr(said, name) for name in SAID),
            bytes(event.data).decode(),
        )


def stream_of(type: str) -> str:
    """``demand`` of ``crossdock.demand.v1``."""
    return type.split(".")[1]
