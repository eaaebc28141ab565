"""Pulls of rows over HTTP: pages of text, and the same payload that the ODBC source writes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from connectors.base import State
from connectors.pulls.batch import Batch
from connectors.pulls.shape import Change, Column
from connectors.pulls.source import Kept, Pull, Told
from connectors.pulls.watermark import Reach, order_of
from connectors.web.circuit import Circuit
from connectors.web.columns import NOW, Row
from schemas.errors import TransientError

_ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows. ``remember`` is kept once the pull is settled."""

    rows: Sequence[Row]
    gone: Sequence[Row] = ()  #: rows that are no more, with what tells them from others
    remember: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False  #: the system says that nothing is other than last time
    absent: Mapping[str, str] = field(default_factory=dict)  #: columns that nothing could fill, and their paths


class Pages(Protocol):
    """How a query's pages are asked for."""

    def __call__(self, since: str, kept: Kept) -> Iterator[Page]:
        """From ``since`` on (empty: from the beginning); ``kept`` is what earlier pulls said to remember."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Pull):
    """One query as the service is asked for it. ``keys`` gives those of all rows there are, as ``key_columns``."""

    columns: tuple[str, ...]
    pages: Pages
    key_columns: tuple[str, ...] = ()
    keys: Pages | None = None


class Service:
    """connectors.pulls.source.System over HTTP. One that fails again and again is left alone for a while."""

    rank = staticmethod(order_of)  #: a service's values are text

    def __init__(
        self, state: State, *, close: Callable[[], None], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._close = close
        self._now = now
        self._circuit = Circuit(state, now)

    def ready(self) -> None:
        self._circuit.check()

    def reach(self, pull: Asked) -> Reach:
        return Reach(pull.overlap, self._now(), rank=self.rank)

    @contextmanager
    def ask(self, pull: Asked, since: str, kept: Kept) -> Generator[Told]:
        columns = [Column(name, "text") for name in pull.columns]
        told = Told(columns, iter(()))
        told.batches = self._batches(pull, told, since, kept)
        yield told

    @contextmanager
    def ask_keys(self, pull: Asked) -> Generator[Told]:
        assert pull.keys is not None
        moment = _encode(self._now().isoformat())
        pages = pull.keys("", lambda _: None)
        columns = [Column(name, "text") for name in pull.key_columns]
        yield Told(columns, (_batch(page.rows, None, moment) for page in pages))

    def done(self, error: BaseException | None) -> None:
        if isinstance(error, TransientError):
            self._circuit.failed(error)

    def close(self) -> None:
        """Idempotent."""
        self._close()

    def _batches(self, pull: Asked, told: Told, since: str, kept: Kept) -> Iterator[Batch]:
        """The pages; what else they say goes to ``told``."""
        place = None if pull.watermark is None else pull.columns.index(pull.watermark)
        moment = _encode(self._now().isoformat())
        gone: list[Row] = []
        absent: Mapping[str, str] = {}
        for page in pull.pages(since, kept):
            self._circuit.worked()
            told.remember |= page.remember
            told.unchanged = page.unchanged
            gone += page.gone
            if page.absent and not absent:
                absent = page.absent
                _tell_absent(told, absent, kept)
            yield _batch(page.rows, place, moment)
        if not absent:
            told.remember[_ABSENT] = ""
        told.gone = _batch(gone, None, moment) if gone else None


def _tell_absent(told: Told, absent: Mapping[str, str], kept: Kept) -> None:
    """Columns that nothing could fill, told once: as if the system had dropped them."""
    names = ",".join(absent)
    if (kept(_ABSENT) or "") != names:
        told.changes = [Change(name, "dropped", path) for name, path in absent.items()]
        told.policy = "evolve"
    told.remember[_ABSENT] = names


_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_NOW = _encode(NOW)


def _batch(rows: Sequence[Row], place: int | None, moment: bytes) -> Batch:
    """Rows as lines; ``place`` is that of the watermark, where there is one."""
    block = _encode_lines(rows)
    marks = () if place is None else [row[place] or None for row in rows]
    if _NOW not in block:
        return Batch(block, len(rows), marks)
    return Batch(block.replace(_NOW, moment), len(rows), marks, apart=block)
