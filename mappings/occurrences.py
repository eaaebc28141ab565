"""How often a business key stood in a document so far, at eight bytes of memory a line.

A document may repeat a line word for word, on purpose. Its second occurrence needs a key of its own
(``...#2``), wherever the document happens to be cut into chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import polars as pl

KEY_SIZE = 10  #: bytes of a key's hash


def key_hashes(stream: str, subjects: Iterable[str]) -> list[str]:
    """The key of each event: 20 hex digits for its stream and subject."""
    begin = hashlib.blake2b(f"{stream}\x1f".encode(), digest_size=KEY_SIZE).copy  # half the cost of a new one
    keys = []
    for subject in subjects:
        key = begin()
        key.update(subject.encode())
        keys.append(key.hexdigest())
    return keys


class Occurrences:
    """State of one document, chunk after chunk.

    Keys are remembered by 64 bits of their hash, as sorted runs that are merged when they are
    alike in size, so that adding ``n`` keys costs O(n log n) in all.
    """

    def __init__(self) -> None:
        self._runs: list[pl.Series] = []
        self._counts: dict[str, int] = {}  # only of keys that stood there twice or more

    def numbers(self, keys: Sequence[str]) -> dict[int, int]:
        """Position in ``keys`` -> occurrence number, of those that are not the first of their kind."""
        hashes = pl.Series(keys, dtype=pl.String).str.head(16).str.to_integer(base=16, dtype=pl.UInt64)
        again = self._seen(hashes) | ~hashes.is_first_distinct()
        numbers = {}
        for position in again.arg_true():
            key = keys[position]
            numbers[position] = self._counts[key] = self._counts.get(key, 1) + 1
        self._remember(hashes)
        return numbers

    def _seen(self, hashes: pl.Series) -> pl.Series:
        seen = pl.repeat(False, len(hashes), dtype=pl.Boolean, eager=True)
        for run in self._runs:
            places = run.search_sorted(hashes).clip(upper_bound=len(run) - 1)
            seen |= run.gather(places) == hashes
        return seen

    def _remember(self, hashes: pl.Series) -> None:
        run = hashes.unique().sort()
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = pl.concat([self._runs.pop(), run]).unique().sort()
        if len(run):
            self._runs.append(run)
