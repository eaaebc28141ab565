"""Uploads: a file that somebody hands over by HTTP goes the way of every other payload, at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.dock import Dock

CHANNEL = "upload"  #: under which uploads stand in the ledger; no file describes it
NOTE = Path("uploaded") / "latest"  #: renamed into its place, relative to home, once what was uploaded is translated


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
        _note(dock.settings.home / NOTE, record.id)
    return record.id


def _note(place: Path, payload: int) -> None:
    """Let whoever watches know. Where that cannot be written, schedules find out."""
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        fresh = place.with_name(f".{place.name}")
        fresh.write_text(f"{payload}\n", encoding="ascii")
        fresh.replace(place)
