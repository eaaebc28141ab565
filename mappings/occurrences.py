"""How often a business key stood in a document so far, at eight bytes of memory a line.

A document may repeat a line word for word, on purpose. Its second occurrence needs a key of its own
(``...#2``), wherever the document happens to be cut into chunks.
"""

from __future__ import annotations

import hashlib

import polars as pl

KEY_SIZE = 10  #: bytes of a key's hash


def key_hashes(stream: str, subjects: pl.Series) -> pl.Series:
    """The key of each event: the hash (Binary) of its stream and subject."""
    begin = hashlib.blake2b(f"{stream}\x1f".encode(), digest_size=KEY_SIZE).copy  # half the cost of a new one
    keys = []
    for subject in subjects.cast(pl.Binary).to_list():
        key = begin()
        key.update(subject)
        keys.append(key.digest())
    return pl.Series(keys, dtype=pl.Binary)


class Occurrences:
    """State of one document, chunk after chunk.

    Keys are remembered by 64 bits of their hash, as sorted runs that are merged when they are
    alike in size, so that adding ``n`` keys costs O(n log n) in all.
    """

    def __init__(self) -> None:
        self._runs: list[pl.Series] = []
        self._counts: dict[bytes, int] = {}  # only of keys that stood there twice or more

    def numbers(self, keys: pl.Series) -> dict[int, int]:
        """Position in ``keys`` (Binary) -> occurrence number, of those that are not the first of their kind."""
        hashes = keys.bin.head(8).bin.reinterpret(dtype=pl.UInt64, endianness="big")
        run = hashes.sort()
        again = self._seen(hashes)
        if not (run == run.shift()).any() and not again.any():
            self._remember(run)
            return {}
        numbers = {}
        for position in (again | ~hashes.is_first_distinct()).arg_true():
            key = keys[position]
            numbers[position] = self._counts[key] = self._counts.get(key, 1) + 1
        self._remember(run.unique(maintain_order=True))
        return numbers

    def _seen(self, hashes: pl.Series) -> pl.Series:
        seen = pl.repeat(False, len(hashes), dtype=pl.Boolean, eager=True)
        for run in self._runs:
            places = run.search_sorted(hashes).clip(upper_bound=len(run) - 1)
            seen |= run.gather(places) == hashes
        return seen

    def _remember(self, run: pl.Series) -> None:
        """Keep a sorted run of keys."""
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = pl.concat([self._runs.pop(), run]).unique().sort()
        if len(run):
            self._runs.append(run)
