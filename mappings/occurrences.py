"""How often a business key stood in a document so far, at eight bytes of memory a line.

A document may repeat a line word for word, on purpose. Its second occurrence needs a key of its own
(``...#2``), wherever the document happens to be cut into chunks.
"""

from __future__ import annotations

import secrets
from typing import Final

import polars as pl


class Occurrences:
    """State of one document, chunk after chunk.

    Subjects are remembered by 64 bits of their hash, as sorted runs that are merged when they are
    alike in size, so that adding ``n`` keys costs O(n log n) in all.
    """

    def __init__(self) -> None:
        self._runs: list[pl.Series] = []
        self._counts: dict[str, int] = {}  # only of those that stood there twice or more

    def numbers(self, subjects: pl.Series) -> dict[int, int]:
        """Position in ``subjects`` -> occurrence number, of those that are not the first of their kind."""
        hashes = _hashes(subjects)
        run = hashes.sort()
        again = self._seen(hashes)
        if not (run == run.shift()).any() and not again.any():
            self._remember(run)
            return {}
        numbers = {}
        for position in (again | ~hashes.is_first_distinct()).arg_true():
            subject = subjects[position]
            numbers[position] = self._counts[subject] = self._counts.get(subject, 1) + 1
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


#: Another one in each process, so that nobody can send subjects that are alike in their hash.
_SEED: Final = secrets.randbits(64)


def _hashes(subjects: pl.Series) -> pl.Series:
    return subjects.hash(_SEED)
