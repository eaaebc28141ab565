"""Some rows of a pull, as lines of JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.pulls.watermark import DIGEST


@dataclass(frozen=True, slots=True)
class Batch:
    """``marks`` stand beside the rows where the query has a watermark, else there are none.

    A row that its driver cannot read is a line ``{"unreadable": reason}``, with None for a mark. ``apart``: the
    same lines without what differs from pull to pull, where something does.
    """

    block: bytes
    count: int
    marks: Sequence[Any] = ()
    apart: bytes | None = None

    def digests(self, places: Sequence[int]) -> list[bytes]:
        """What is remembered of the rows at these places: their hashes."""
        if not places:
            return []
        lines = _lines(self.known_by)
        return [_digest(lines[place]) for place in places]

    def without(self, seen: frozenset[bytes]) -> Batch:
        """The rows but for those that were handed over before."""
        if not seen:
            return self
        known = _lines(self.known_by)
        kept = [place for place, line in enumerate(known) if _digest(line) not in seen]
        if len(kept) == self.count:
            return self
        lines = _lines(self.block)
        return Batch(_block(lines, kept), len(kept), apart=None if self.apart is None else _block(known, kept))

    @property
    def lines(self) -> list[bytes]:
        """Line by line; within one, a line's end is escaped."""
        return _lines(self.block)

    @property
    def known_by(self) -> bytes:
        """The lines by which rows are known again."""
        return self.block if self.apart is None else self.apart


def _lines(block: bytes) -> list[bytes]:
    return block.split(b"\n")[:-1]


def _block(lines: Sequence[bytes], places: Sequence[int]) -> bytes:
    return b"".join([lines[place] + b"\n" for place in places])


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=DIGEST).digest()
