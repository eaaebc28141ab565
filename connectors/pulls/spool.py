"""Pulled rows between a system and the archive: payloads in unnamed files, and what is kept when they settle."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from connectors.base import Arrival, State
from connectors.pulls.batch import Batch
from connectors.pulls.watermark import Watermark
from schemas.errors import TransientError

_PIECE = 1 << 20
_encode = msgspec.json.Encoder().encode

#: What is kept once a payload is settled: what it says to keep, and what is kept by now.
Merge = Callable[[str, str | None], str]


@dataclass(slots=True)
class Spooled:
    """One payload in the making: its rows in a file, a header, and what its source remembers once it is settled."""

    rows: IO[bytes]
    count: int = 0
    header: bytes = b""
    mark: Watermark | None = None  #: how far the query has been pulled with it
    remember: dict[str, str] = field(default_factory=dict)
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, batch: Batch) -> None:
        self.rows.write(batch.block)
        self._digest.update(batch.known_by)
        self.count += batch.count

    @property
    def digest(self) -> str:
        """By which its rows are known again."""
        return str(self._digest.hexdigest())

    def close(self) -> None:
        self.rows.close()


class Spool:
    """Where a source's pulls wait until they are settled.

    ``folder`` has room for a payload. The system is done with us before anybody reads on. What a payload gives to
    remember is noted in ``state`` as it is handed out, because another process may have to settle it, and it is too
    much for the arrival itself to carry.
    """

    def __init__(self, folder: Path, state: State) -> None:
        self._folder = folder
        self._state = state
        self._waiting: dict[str, Spooled] = {}

    def begin(self) -> Spooled:
        """An empty payload."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Spooled(tempfile.TemporaryFile(dir=self._folder))

    def hand_out(self, name: str, spooled: Spooled, *, query: str, moment: datetime, reach: str = "") -> Arrival:
        """The payload as an arrival; ``reach`` says how far it goes."""
        key = f"{name}@{reach}#{spooled.digest[:16]}"
        self._forget(key)
        self._waiting[key] = spooled
        self._state.set(_handed_key(name), _encode((key, spooled.remember)).decode())
        metadata = {"query": query, "rows": str(spooled.count), "digest": spooled.digest}
        return Arrival(key=key, name=name, received_at=moment, metadata=metadata | ({"reach": reach} if reach else {}))

    def waits(self, arrival: Arrival) -> bool:
        """Whether it was handed out here and is not settled."""
        return arrival.key in self._waiting

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The payload. Raises TransientError for an arrival of another run: it has to be pulled anew."""
        spooled = self._waiting.get(arrival.key)
        if spooled is None:
            raise TransientError(f"the rows of {arrival.name} are no longer at hand", hint="they are pulled again")
        yield spooled.header
        spooled.rows.seek(0)
        while piece := spooled.rows.read(_PIECE):
            yield piece

    def settle(self, arrival: Arrival, merge: Mapping[str, Merge]) -> None:
        """Remember what it says; by ``merge`` where what is remembered by now counts too. Idempotent."""
        spooled = self._waiting.get(arrival.key)
        remember = self._handed(arrival) if spooled is None else spooled.remember
        for key, value in remember.items():
            known = self._state.get(key)
            kept = merge[key](value, known) if key in merge else value
            if kept != known:
                self._state.set(key, kept)
        self._forget(arrival.key)

    def close(self) -> None:
        """Idempotent."""
        for key in list(self._waiting):
            self._forget(key)

    def _handed(self, arrival: Arrival) -> dict[str, str]:
        kept = self._state.get(_handed_key(arrival.name))
        key, remember = msgspec.json.decode(kept, type=tuple[str, dict[str, str]]) if kept else ("", {})
        return remember if key == arrival.key else {}

    def _forget(self, key: str) -> None:
        if (spooled := self._waiting.pop(key, None)) is not None:
            spooled.close()


def _handed_key(name: str) -> str:
    return f"handed_out.{name}"
