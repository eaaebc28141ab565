"""Pulls of rows over HTTP: incremental, restartable, and the same payload that the ODBC source writes.

A query gives pages of rows. What is to be remembered (how far it came, which link continues it) is kept in the
source's state when the arrival is settled, so that a crash before that repeats the pull.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Protocol

import msgspec

from connectors.base import Arrival, State
from connectors.web.circuit import Circuit
from connectors.web.columns import NOW, Row
from schemas.errors import ConfigError, TransientError

_PIECE = 1 << 20
_DIGEST = 8
MOST_REMEMBERED = 100_000  #: rows of an overlap that are remembered; of a larger one all come again


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows; ``more`` says whether others follow. ``remember`` is kept once the pull is settled."""

    rows: Sequence[Row]
    more: bool
    remember: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False  #: the system says that nothing is other than last time
    absent: Mapping[str, str] = field(default_factory=dict)  #: columns that nothing could fill, and their paths


class Pages(Protocol):
    """How a query's pages are asked for."""

    def __call__(self, since: str, kept: Callable[[str], str | None]) -> Iterator[Page]:
        """From ``since`` on (empty: from the beginning); ``kept`` is what earlier pulls said to remember."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One query as the source runs it. ``watermark`` and ``key`` are names of columns."""

    name: str
    columns: tuple[str, ...]
    pages: Pages
    watermark: str | None = None
    key: tuple[str, ...] = ()
    overlap: timedelta = timedelta(0)
    initial: str = ""
    incremental: bool = False  #: it continues by itself (a delta link), without a watermark


class _Mark(msgspec.Struct):
    value: str
    seen: list[str] = []


@dataclass(slots=True)
class _Pulled:
    """The outcome of one query: its rows in a file, and what is to be remembered."""

    rows: IO[bytes]
    count: int = 0
    digest: str = ""
    header: bytes = b""
    mark: _Mark | None = None
    remember: dict[str, str] = field(default_factory=dict)
    unchanged: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)


class PullingSource:
    """connectors.base.Source of pulls over HTTP."""

    def __init__(
        self,
        pulls: Sequence[Pull],
        *,
        state: State,
        spool: Path,
        close: Callable[[], None],
        payload_rows: int = 100_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pulls = pulls
        self._state = state
        self._spool = spool
        self._close = close
        self._payload_rows = payload_rows
        self._now = now
        self._circuit = Circuit(state, now)
        self._waiting: dict[str, _Pulled] = {}

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """What each query has that is new, in the channel's order; one with very much goes on at the next run."""
        found = 0
        self._circuit.check()
        for pull in self._pulls:
            if found == limit:
                return
            try:
                pulled = self._pull(pull)
            except TransientError as error:
                self._circuit.failed(error)
                raise
            self._circuit.worked()
            if pulled is None:
                continue
            found += 1
            yield self._arrival(pull, pulled)

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The pull's payload. Raises TransientError for an arrival of another run: it has to be pulled anew."""
        pulled = self._waiting.get(arrival.key)
        if pulled is None:
            raise TransientError(f"the rows of {arrival.name} are no longer at hand", hint="they are pulled again")
        yield pulled.header
        pulled.rows.seek(0)
        while piece := pulled.rows.read(_PIECE):
            yield piece

    def settle(self, arrival: Arrival) -> None:
        """Remember how far the query was pulled."""
        name = arrival.metadata["query"]
        pulled = self._waiting.get(arrival.key)
        kept = self._state.get(_handed_key(name))
        handed = msgspec.json.decode(kept, type=tuple[str, dict[str, str]]) if kept else ("", {})
        if pulled is None and handed[0] != arrival.key:
            return
        for key, value in handed[1].items():
            self._state.set(key, value)
        self._forget(arrival.key)

    def close(self) -> None:
        """Idempotent."""
        for key in list(self._waiting):
            self._forget(key)
        self._close()

    # -- one query ----------------------------------------------------------------------------------------

    def _pull(self, pull: Pull) -> _Pulled | None:
        """What is new, or None."""
        mark = self._mark(pull)
        since = before(mark.value, pull.overlap) if mark else pull.initial
        self._spool.mkdir(parents=True, exist_ok=True)
        pulled = _Pulled(tempfile.TemporaryFile(dir=self._spool))  # noqa: SIM115 - it is read after the pull
        try:
            self._spool_pages(pull, pulled, since, set(mark.seen) if mark else set(), mark)
        except BaseException:
            pulled.rows.close()
            raise
        if pulled.unchanged or self._is_known(pull, pulled):
            pulled.rows.close()
            for key, value in pulled.remember.items():
                self._state.set(key, value)
            return None
        reach = {"column": pull.watermark, "from": since, "to": pulled.mark.value} if pulled.mark else None
        header = {
            "query": pull.name,
            "columns": pull.columns,
            "types": ["text"] * len(pull.columns),
            "key": pull.key,
            "pulled_at": self._now().isoformat(),
            "watermark": reach,
            **self._drift(pull, pulled),
        }
        pulled.header = _encode(header) + b"\n"
        return pulled

    def _drift(self, pull: Pull, pulled: _Pulled) -> dict[str, object]:
        """Columns that nothing could fill, told once: as if the system had dropped them."""
        key, now = _kept_key(pull.name, "absent"), ",".join(pulled.absent)
        if (self._state.get(key) or "") == now:
            return {}
        pulled.remember[key] = now
        dropped = [{"column": name, "change": "dropped", "was": path} for name, path in pulled.absent.items()]
        return {"drift": dropped, "policy": "evolve"}

    def _spool_pages(self, pull: Pull, pulled: _Pulled, since: str, seen: set[str], mark: _Mark | None) -> None:
        place = _place(pull)
        digest = hashlib.sha256()
        window: list[tuple[str, str]] = []
        highest = mark.value if mark else ""
        whole = True
        moment = _encode(self._now().isoformat())
        for page in pull.pages(since, lambda key: self._state.get(_kept_key(pull.name, key))):
            pulled.remember |= {_kept_key(pull.name, key): value for key, value in page.remember.items()}
            pulled.unchanged = page.unchanged
            pulled.absent = pulled.absent or page.absent
            last = highest
            for row in page.rows:
                line = _encode(row)
                name = hashlib.sha256(line).hexdigest()[: 2 * _DIGEST]
                value = row[place] if place is not None else None
                if value:
                    highest = value if not highest or order_of(value) > order_of(highest) else highest
                    window.append((value, name))
                if name in seen:
                    continue
                pulled.rows.write(line.replace(_NOW, moment) + b"\n")
                digest.update(line)
                pulled.count += 1
            # a full payload is cut only where the watermark has moved, so that the next pull gets past it
            if place is not None and page.more and pulled.count >= self._payload_rows and highest != last:
                whole = False
                break
        pulled.digest = digest.hexdigest()
        if pull.watermark and highest:
            start = order_of(before(highest, pull.overlap))
            recent = [name for value, name in window if order_of(value) >= start]
            kept = (
                [*(mark.seen if mark and mark.value == highest else ()), *recent] if pull.overlap or whole else recent
            )
            pulled.mark = _Mark(highest, list(dict.fromkeys(kept)) if len(kept) <= MOST_REMEMBERED else [])

    def _is_known(self, pull: Pull, pulled: _Pulled) -> bool:
        if pull.watermark or pull.incremental:
            return pulled.count == 0
        last = self._state.get(_digest_key(pull.name))
        return last == pulled.digest or (last is None and pulled.count == 0)

    def _arrival(self, pull: Pull, pulled: _Pulled) -> Arrival:
        metadata = {"query": pull.name, "rows": str(pulled.count), "digest": pulled.digest}
        remember = dict(pulled.remember)
        if pulled.mark is not None:
            remember[_mark_key(pull.name)] = _encode(pulled.mark).decode()
        elif not pull.incremental:
            remember[_digest_key(pull.name)] = pulled.digest
        reach = pulled.mark.value if pulled.mark else ""
        key = f"{pull.name}@{reach}#{pulled.digest[:16]}"
        self._forget(key)
        self._waiting[key] = pulled
        # another run may have to settle it, and what is to be remembered is too much for the arrival to carry
        self._state.set(_handed_key(pull.name), _encode([key, remember]).decode())
        return Arrival(key=key, name=pull.name, received_at=self._now(), metadata=metadata)

    def _mark(self, pull: Pull) -> _Mark | None:
        kept = self._state.get(_mark_key(pull.name)) if pull.watermark else None
        return msgspec.json.decode(kept, type=_Mark) if kept else None

    def _forget(self, key: str) -> None:
        if (pulled := self._waiting.pop(key, None)) is not None:
            pulled.rows.close()


_encode = msgspec.json.Encoder().encode
_NOW = _encode(NOW)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def before(value: str, overlap: timedelta) -> str:
    """``value`` less ``overlap``: a moment or a day in the way it was written; a number as many less as there are
    seconds; other text as it is."""
    if not overlap:
        return value
    if _DAY.fullmatch(value):
        return (datetime.fromisoformat(value) - timedelta(days=-(-overlap // timedelta(days=1)))).date().isoformat()
    if _DAY.match(value):
        try:
            moment = datetime.fromisoformat(value) - overlap
        except ValueError:
            return value
        return moment.isoformat().replace("+00:00", "Z") if value.endswith("Z") else moment.isoformat()
    try:
        return str(Decimal(value) - Decimal(int(overlap.total_seconds())))
    except InvalidOperation:
        return value


def order_of(value: str) -> tuple[int, Decimal, str]:
    """What watermarks are compared by: moments in time, numbers by size, other text letter by letter."""
    if _DAY.match(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return 2, Decimal(0), value
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return 0, Decimal(str(aware.timestamp())), ""
    try:
        return 1, Decimal(value), ""
    except InvalidOperation:
        return 2, Decimal(0), value


def _place(pull: Pull) -> int | None:
    if pull.watermark is None:
        return None
    if pull.watermark not in pull.columns:
        raise ConfigError(f"query {pull.name}: watermark {pull.watermark!r} is none of its columns")
    return pull.columns.index(pull.watermark)


def _mark_key(name: str) -> str:
    return f"watermark.{name}"


def _handed_key(name: str) -> str:
    return f"handed_out.{name}"


def _digest_key(name: str) -> str:
    return f"digest.{name}"


def _kept_key(name: str, key: str) -> str:
    return f"{key}.{name}"
