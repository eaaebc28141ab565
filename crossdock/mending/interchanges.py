"""Interchanges that were held back, and how they go on: used after all, or dropped for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.archive import Archive
from crossdock.ledger import Ledger

_PIECE = 1 << 20


def use(id: int, reason: str, *, ledger: Ledger, archive: Archive) -> int:
    """Let it be read as if it had just come; the id of the payload that waits for that now.

    Raises PermanentError where nothing of that id is held back.
    """
    held = ledger.held_interchange(id)
    stored = archive.write(_bytes(held, archive))
    return ledger.use_interchange(id, reason, stored.sha256).id


def _bytes(held: dict[str, Any], archive: Archive) -> Iterator[bytes]:
    end = held["offset"] + held["length"]
    for at in range(held["offset"], end, _PIECE):
        yield archive.read_range(held["sha256"], at, min(_PIECE, end - at))
