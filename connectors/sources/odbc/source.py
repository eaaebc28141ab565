"""The pull itself; see the package."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Arrival, State
from connectors.sources.odbc.driver import translated
from connectors.sources.odbc.statement import Pull
from connectors.sources.odbc.values import TYPE_NAMES, texts
from connectors.sources.odbc.watermark import DIGEST, Watermark, Window, before
from schemas.configuration import unknown
from schemas.errors import ConfigError, TransientError

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Pulled:
    """The outcome of one query: its rows in a file, and what is to be remembered once they are settled."""

    header: bytes
    rows: IO[bytes]
    count: int
    mark: Watermark | None  #: None for a query pulled whole
    since: str
    digest: str


class OdbcSource:
    """See the package. ``open_`` makes a connection; ``spool`` is a folder with room for the largest pull."""

    def __init__(
        self,
        open_: Callable[[], Any],
        pulls: Sequence[Pull],
        *,
        state: State,
        spool: Path,
        zone: ZoneInfo | None = None,
        rows: int = 5_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open = open_
        self._pulls = pulls
        self._state = state
        self._spool = spool
        self._zone = zone
        self._rows = rows
        self._now = now
        self._connection: Any = None
        self._waiting: dict[str, _Pulled] = {}

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """One arrival for each query that has something new, in the channel's order.

        The query runs, and ends, before its arrival is handed out.
        """
        found = 0
        for pull in self._pulls:
            if found == limit:
                return
            moment = self._now()
            pulled = self._pulled(pull, moment)
            if self._is_known(pull, pulled):
                pulled.rows.close()
                continue
            found += 1
            arrival = self._arrival(pull, pulled, moment)
            self._forget(arrival.key)
            self._waiting[arrival.key] = pulled
            if pulled.mark is not None:
                # which rows of the overlap it holds is too much for the arrival itself to carry
                self._state.set(_handed_key(pull.name), _encode([arrival.key, pulled.mark.dump()]).decode())
            yield arrival

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
        """Remember how far the query was pulled; a watermark never goes back."""
        name = arrival.metadata["query"]
        if "watermark" in arrival.metadata:
            mark = self._handed_out(name, arrival.key) or Watermark.load(arrival.metadata["watermark"])
            known = self._mark(name)
            if known is not None and known.value == mark.value:
                mark = Watermark(mark.value, mark.seen | known.seen)
            if known is None or not known.is_past(mark.value):
                self._state.set(_mark_key(name), mark.dump())
        else:
            self._state.set(_digest_key(name), arrival.metadata["digest"])
        self._forget(arrival.key)

    def close(self) -> None:
        """Leave the database. Idempotent."""
        for key in list(self._waiting):
            self._forget(key)
        self._disconnect()

    # -- one query --------------------------------------------------------------------------------

    def _pulled(self, pull: Pull, moment: datetime) -> _Pulled:
        known = self._mark(pull.name) if pull.watermark else None
        since = before(known.value, pull.overlap) if known else pull.initial
        self._spool.mkdir(parents=True, exist_ok=True)
        rows = tempfile.TemporaryFile(dir=self._spool)  # noqa: SIM115 - it lives until the arrival is settled
        try:
            with translated(f"query {pull.name}"):
                return self._run(pull, since, known, rows, moment)
        except BaseException:
            rows.close()
            self._disconnect()
            raise

    def _run(self, pull: Pull, since: Any, known: Watermark | None, rows: IO[bytes], moment: datetime) -> _Pulled:
        if self._connection is None:
            self._connection = self._open()
        cursor = self._connection.cursor()
        try:
            cursor.execute(pull.statement.text, *(since for _ in pull.statement.markers))
            names = [column[0] for column in cursor.description]
            kinds = [column[1] for column in cursor.description]
            _check_columns(pull, names)
            at = _index(names, pull.watermark) if pull.watermark else None
            window, digest, count = Window(pull.overlap), hashlib.sha256(), 0
            seen = known.seen if known else frozenset()
            while batch := cursor.fetchmany(self._rows):
                columns = list(zip(*batch, strict=True))
                written = [texts(column, kind, self._zone) for column, kind in zip(columns, kinds, strict=True)]
                lines = [_encode(row) for row in zip(*written, strict=True)]
                if at is not None:
                    marks = _marks(columns[at])
                    digests = [hashlib.blake2b(line, digest_size=DIGEST).digest() for line in lines]
                    window.add(marks, digests)
                    lines = [line for line, hash_ in zip(lines, digests, strict=True) if hash_ not in seen]
                if lines:
                    block = b"\n".join(lines) + b"\n"
                    rows.write(block)
                    digest.update(block)
                    count += len(lines)
        finally:
            cursor.close()
            with suppress(Exception):
                self._connection.rollback()
        mark = _later(known, window) if pull.watermark else None
        header = _header(pull, names, kinds, moment=moment, since=since, mark=mark)
        return _Pulled(header, rows, count, mark, str(since), digest.hexdigest())

    def _is_known(self, pull: Pull, pulled: _Pulled) -> bool:
        if pull.watermark:
            return pulled.count == 0
        last = self._state.get(_digest_key(pull.name))
        return last == pulled.digest or (last is None and pulled.count == 0)

    def _arrival(self, pull: Pull, pulled: _Pulled, moment: datetime) -> Arrival:
        metadata = {"query": pull.name, "rows": str(pulled.count), "digest": pulled.digest}
        reach = ""
        if pulled.mark is not None:
            metadata["watermark"] = Watermark(pulled.mark.value).dump()
            reach = f"{pulled.since}..{pulled.mark}"
        return Arrival(
            key=f"{pull.name}@{reach}#{pulled.digest[:16]}", name=pull.name, received_at=moment, metadata=metadata
        )

    def _mark(self, name: str) -> Watermark | None:
        kept = self._state.get(_mark_key(name))
        return Watermark.load(kept) if kept else None

    def _handed_out(self, name: str, key: str) -> Watermark | None:
        kept = self._state.get(_handed_key(name))
        last, mark = msgspec.json.decode(kept, type=tuple[str, str]) if kept else ("", "")
        return Watermark.load(mark) if last == key else None

    def _forget(self, key: str) -> None:
        if (pulled := self._waiting.pop(key, None)) is not None:
            pulled.rows.close()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # a connection that broke cannot be closed any better
            with suppress(Exception):
                connection.close()


_encode = msgspec.json.Encoder().encode


def _header(
    pull: Pull, names: list[str], kinds: list[type], *, moment: datetime, since: Any, mark: Watermark | None
) -> bytes:
    reach = {"column": pull.watermark, "from": str(since), "to": str(mark)} if mark else None
    header = {
        "query": pull.name,
        "columns": names,
        "types": [TYPE_NAMES.get(kind, kind.__name__) for kind in kinds],
        "key": pull.key,
        "pulled_at": moment.isoformat(),
        "watermark": reach,
    }
    return _encode(header) + b"\n"


def _check_columns(pull: Pull, names: list[str]) -> None:
    """Raises ConfigError for a watermark or key column that the query does not give."""
    known = [name.casefold() for name in names]
    wanted = [("watermark", pull.watermark)] if pull.watermark else []
    wanted += [("key", name) for name in pull.key]
    problems = tuple(
        f"queries.{pull.name}.{what}: {unknown('column', name, known)}"
        for what, name in wanted
        if name.casefold() not in known
    )
    if problems:
        raise ConfigError(f"query {pull.name} does not give the columns that its channel names", problems=problems)


def _index(names: list[str], wanted: str) -> int:
    return [name.casefold() for name in names].index(wanted.casefold())


def _marks(column: Sequence[Any]) -> list[Any]:
    """Watermark values as they are compared and bound again."""
    return [value.rstrip(" ") if isinstance(value, str) else value for value in column]


def _later(known: Watermark | None, window: Window) -> Watermark | None:
    if window.highest is None:
        return known
    if known is not None and known.is_past(window.highest):
        return Watermark(known.value, known.seen | window.remembered())
    return Watermark(window.highest, window.remembered())


def _mark_key(name: str) -> str:
    return f"watermark.{name}"


def _handed_key(name: str) -> str:
    return f"handed_out.{name}"


def _digest_key(name: str) -> str:
    return f"digest.{name}"
