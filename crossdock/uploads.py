"""Uploads: a file that somebody hands over by HTTP goes the way of every other payload, at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crossdock import word

if TYPE_CHECKING:
    from crossdock.dock import Dock

CHANNEL = "upload"  #: under which uploads stand in the ledger; no file describes it


def uploads(dock: Dock) -> Callable[[bytes, str, str], int]:
    """What takes in one file: bytes, name, and the partner that handed it over (empty: whoever it says).

    It is archived, noted and translated before the call returns the payload's id; the same file again is the same
    payload. Raises TransientError when archive or ledger are busy; nothing that the bytes hold raises.
    """

    one_at_a_time = threading.Lock()  # the dock's parts are opened once and shared

    def take_in(content: bytes, name: str, partner: str) -> int:
        with one_at_a_time:
            return _take_in(dock, content, name, partner)

    return take_in


def _take_in(dock: Dock, content: bytes, name: str, partner: str) -> int:
    from crossdock.ledger import payloads

    stored = dock.archive.write(iter((content,)))
    metadata = {"name": name} | ({"partner": partner} if partner else {})
    record = dock.ledger.record_payload(
        sha256=stored.sha256,
        size=stored.size,
        channel=CHANNEL,
        key=hashlib.sha256(f"{partner}/{name}/{stored.sha256}".encode()).hexdigest(),
        name=name,
        received_at=datetime.now(UTC),
        metadata=metadata,
    )
    if record.status == payloads.RECEIVED:
        dock.translate([record.id])
        word.leave(dock.settings.home)
    return record.id
