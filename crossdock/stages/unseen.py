"""Rows that stand in an ERP and that no pull has seen: their transaction committed after more than the overlap, or
they have no watermark.

A pull of keys brings, beside the key of every row there is, its watermark. Such a pair has been handed over if it
stands in one of the payloads of the query, all of which are in the archive. Those since the keys before are looked
through, and the keys before themselves, so that each payload is read once. What is left and lies below where the
next pull begins is asked for: the next pull begins there (``connectors.pulls.again``), and what it brings
that is known makes no event. What is left and has no watermark can only be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import polars as pl

from connectors.archive import Archive
from connectors.base import State
from connectors.formats.rows import Header
from connectors.pulls.again import again, ask_again
from connectors.pulls.watermark import order_of
from crossdock.ledger import Ledger, PayloadRecord
from schemas.errors import PermanentError
from schemas.findings import Finding, Severity, Stage

#: Pairs that were asked for and have not come which are remembered; of more, all are asked for once more.
MOST_REMEMBERED = 10_000
_PIECE = 4 << 20  #: bytes of a payload in memory
_NAMED = 5  #: keys that a finding names
_header = msgspec.json.Decoder(Header)
_lines = msgspec.json.Decoder(list[str | None] | dict[str, str])


class _Pair(NamedTuple):
    key: str
    mark: str

    def __str__(self) -> str:
        return f"{self.key}\x1f{self.mark}"


def unseen(record: PayloadRecord, *, archive: Archive, ledger: Ledger) -> tuple[Finding, ...]:
    """If the payload holds keys: let what no pull has seen be pulled again, and say so. The same payload once more
    asks for the same."""
    query = record.metadata.get("query", "")
    if not query or record.name != f"{query} keys":
        return ()
    try:
        there = _Pairs.of(archive, record.sha256)
    except PermanentError:  # translating it says so
        return ()
    if there is None:
        return ()
    state = ledger.state(f"source:{record.channel}")
    asked = _asked(state, query)
    missed = [
        pair
        for pair in there.missing(_handed_over(record, query, asked, archive, ledger))
        if not pair.mark or there.is_late(pair)
    ]
    fresh = [pair for pair in missed if str(pair) not in asked]
    found = []
    if late := [pair for pair in fresh if pair.mark]:
        waiting = again(state, query)  # asked for by the keys before, and not pulled yet
        since = min((*(pair.mark for pair in late), *([waiting] if waiting else [])), key=order_of)
        ask_again(state, query, since, record.received_at)
        found.append(_late(query, late, since))
    if unmarked := [pair for pair in fresh if not pair.mark]:
        found.append(_unmarked(query, unmarked, there.column))
    kept = sorted(map(str, missed)) if len(missed) <= MOST_REMEMBERED else []
    if kept != sorted(asked):  # last: what was remembered and not asked for would never be asked for
        state.set(_asked_key(query), msgspec.json.encode(kept).decode())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The key and watermark of each row of a payload; ``begin``: where the next pull begins."""

    archive: Archive
    sha256: str
    columns: Sequence[int]  #: of the key, then of the watermark
    column: str  #: of the watermark
    begin: str

    @classmethod
    def of(cls, archive: Archive, sha256: str) -> _Pairs | None:
        """None where the payload does not give them all."""
        with archive.open(sha256) as stream:
            header = _header.decode(stream.readline())
        watermark = header.watermark or {}
        column, begin = watermark.get("column") or "", watermark.get("from") or ""
        names = [name.casefold() for name in header.columns]
        wanted = [name.casefold() for name in (*header.key, column)]
        if not header.key or not set(wanted) <= set(names):
            return None
        return cls(archive, sha256, [names.index(name) for name in wanted], column, begin)

    def is_late(self, pair: _Pair) -> bool:
        return bool(self.begin) and order_of(pair.mark) < order_of(self.begin)

    def hashes(self, without: frozenset[str] = frozenset()) -> Iterator[pl.Series]:
        for pairs in self._read():
            yield _hashes(pairs if not without else [pair for pair in pairs if str(pair) not in without])

    def missing(self, known: pl.Series) -> Iterator[_Pair]:
        known = known.sort()
        for pairs in self._read():
            yield from (pairs[row] for row in lacking(_hashes(pairs), known).arg_true())

    def _read(self) -> Iterator[list[_Pair]]:
        *key, mark = self.columns
        with self.archive.open(self.sha256) as stream:
            stream.readline()
            while lines := stream.readlines(_PIECE):
                rows = [row for row in _lines.decode_lines(b"".join(lines)) if isinstance(row, list)]
                yield [_Pair("/".join([row[at] or "" for at in key]), row[mark] or "") for row in rows]


def lacking(asked: pl.Series, known: pl.Series) -> pl.Series:
    """Which of the numbers ``asked`` are not among ``known``, which are in order."""
    if not len(known):
        return pl.repeat(True, len(asked), dtype=pl.Boolean, eager=True)
    return known.gather(known.search_sorted(asked).clip(upper_bound=len(known) - 1)) != asked


def _hashes(pairs: Iterable[_Pair]) -> pl.Series:
    return pl.Series([str(pair) for pair in pairs], dtype=pl.String).hash(seed=1)


def _handed_over(
    record: PayloadRecord, query: str, asked: frozenset[str], archive: Archive, ledger: Ledger
) -> pl.Series:
    """Hashes of all pairs that a payload held before, but for those of the keys before that had not come then."""
    hashes = [pl.Series(dtype=pl.UInt64)]
    for name, sha256 in ledger.reconciling.handed_over(record.channel, query, before=record.id):
        try:
            pairs = _Pairs.of(archive, sha256)
        except PermanentError:  # its bytes were given up: what it held comes once more and makes no event
            continue
        if pairs is not None:
            hashes += pairs.hashes(asked if name != query else frozenset())
    return pl.concat(hashes)


def _asked(state: State, query: str) -> frozenset[str]:
    kept = state.get(_asked_key(query))
    return frozenset(msgspec.json.decode(kept, type=list[str])) if kept else frozenset()


def _asked_key(query: str) -> str:
    return f"asked_again.{query}"


def _late(query: str, pairs: Sequence[_Pair], since: str) -> Finding:
    return _finding(
        "keys.unseen",
        Severity.INFO,
        query,
        pairs,
        what="rows were committed after more than the overlap, so that no pull saw them; "
        f"the next one begins at {since}",
        expected="an overlap longer than the longest transaction",
    )


def _unmarked(query: str, pairs: Sequence[_Pair], column: str) -> Finding:
    return _finding(
        "keys.unmarked",
        Severity.WARNING,
        query,
        pairs,
        what=f"rows have no {column}, so that no pull by it sees them",
        expected=f"a {column} in every row, or a query that makes one up: COALESCE({column}, ...)",
    )


def _finding(code: str, severity: Severity, query: str, pairs: Sequence[_Pair], *, what: str, expected: str) -> Finding:
    named = ", ".join(pair.key for pair in pairs[:_NAMED]) + (", ..." if len(pairs) > _NAMED else "")
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.BUSINESS,
        message=f"{len(pairs):,} {what}: {named}",
        location=f"keys of query {query}",
        value=str(len(pairs)),
        expected=expected,
    )
