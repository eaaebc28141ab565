"""The pull itself; see the package."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Arrival, State
from connectors.sources.odbc import shape
from connectors.sources.odbc.driver import Session, translated
from connectors.sources.odbc.rows import Batch, Result
from connectors.sources.odbc.shape import Change, Column
from connectors.sources.odbc.statement import MARKER, Drift, Keys, Pull
from connectors.sources.odbc.watermark import Reach, Watermark, Window
from schemas.configuration import unknown
from schemas.errors import ConfigError, PermanentError, TransientError

_PIECE = 1 << 20


@dataclass(slots=True)
class _Spooled:
    """One payload in the making: its rows in a file, and what is to be remembered once it is settled."""

    rows: IO[bytes]
    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    header: bytes = b""
    mark: Watermark | None = None
    remember: dict[str, str] = field(default_factory=dict)

    def add(self, block: bytes, count: int) -> None:
        self.rows.write(block)
        self.digest.update(block)
        self.count += count


class OdbcSource:
    """See the package. ``open_`` makes a session; ``spool`` is a folder with room for ``payload_rows`` rows."""

    def __init__(
        self,
        open_: Callable[[], Session],
        pulls: Sequence[Pull],
        *,
        state: State,
        spool: Path,
        zone: ZoneInfo | None = None,
        rows: int = 5_000,
        payload_rows: int = 100_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open = open_
        self._pulls = pulls
        self._state = state
        self._spool = spool
        self._zone = zone
        self._rows = rows
        self._payload_rows = payload_rows
        self._now = now
        self._session: Session | None = None
        self._waiting: dict[str, _Spooled] = {}

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """What each query has that is new, in the channel's order; one with much comes in several arrivals.

        The next arrival of a query is made once the one before is settled; if it is not, the rest of that
        query waits for another run.
        """
        found = 0
        for pull in self._pulls:
            if found == limit:
                return
            with closing(self._of(pull)) as arrivals:
                for arrival in arrivals:
                    found += 1
                    yield arrival
                    if found == limit:
                        return

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The pull's payload. Raises TransientError for an arrival of another run: it has to be pulled anew."""
        spooled = self._waiting.get(arrival.key)
        if spooled is None:
            raise TransientError(f"the rows of {arrival.name} are no longer at hand", hint="they are pulled again")
        yield spooled.header
        spooled.rows.seek(0)
        while piece := spooled.rows.read(_PIECE):
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
        elif "keys" in arrival.metadata:
            self._state.set(_keys_key(name), arrival.metadata["keys"])
        else:
            self._state.set(_digest_key(name), arrival.metadata["digest"])
        spooled = self._waiting.get(arrival.key)
        for key, value in (spooled.remember if spooled else {}).items():
            if self._state.get(key) != value:
                self._state.set(key, value)
        self._forget(arrival.key)

    def close(self) -> None:
        """Leave the database. Idempotent."""
        for key in list(self._waiting):
            self._forget(key)
        self._disconnect()

    # -- one query --------------------------------------------------------------------------------

    def _of(self, pull: Pull) -> Generator[Arrival]:
        moment = self._now()
        try:
            for arrival in self._rows_of(pull, moment):
                yield arrival
                if arrival.key in self._waiting:
                    return
            if pull.keys is not None and self._is_due(pull.name, pull.keys, moment):
                yield self._keys_of(pull, pull.keys, moment)
        except GeneratorExit:
            raise
        except BaseException:
            self._disconnect()
            raise
        finally:
            if self._session is not None:
                self._session.end()

    def _rows_of(self, pull: Pull, moment: datetime) -> Iterator[Arrival]:
        known = self._mark(pull.name) if pull.watermark else None
        with translated(f"query {pull.name}"):
            session = self._connected()
            reach = Reach(pull.overlap, session.now() if pull.watermark else moment, self._zone)
            since = reach.begin(known.value) if known else pull.initial
            values = pull.statement.values({**pull.parameters, MARKER: since})
            result = self._result(session, pull, pull.statement.text, values)
        with closing(result):
            _check_columns(pull, result.columns)
            columns, changes = self._shape(pull, result)
            remember = {_shape_key(pull.name): shape.dump(columns), _drift_key(pull.name): _encode(changes).decode()}
            # columns that stay as they were would otherwise be spoken of at every pull
            told = (
                pull.drift is Drift.FREEZE and self._state.get(_drift_key(pull.name)) == remember[_drift_key(pull.name)]
            )
            news = bool(changes) and not told
            for spooled in self._payloads(pull, result, columns, Window(reach), known):
                if not news and self._is_known(pull, spooled):
                    spooled.rows.close()
                    continue
                facts = {"drift": changes, "policy": pull.drift.value} if news else {}
                spooled.header = _header(pull, columns, moment, since=since, mark=spooled.mark, **facts)
                spooled.remember = remember
                news = False
                yield self._arrival(pull, spooled, since, moment)

    def _payloads(
        self, pull: Pull, result: Result, columns: Sequence[Column], window: Window, known: Watermark | None
    ) -> Iterator[_Spooled]:
        """All rows in order, ``payload_rows`` at a time as far as their watermark puts them in order."""
        seen = known.seen if known else frozenset()
        batches = result.batches(_places(result.columns, columns))
        cut: Any = None  # the watermark of what was handed on
        in_order = pull.watermark is not None
        spooled = self._spooled()
        try:
            while (batch := _next(pull, batches)) is not None:
                marks = [mark for mark in batch.marks if mark is not None]
                if in_order and marks:
                    in_order = sorted(marks) == marks and (window.highest is None or window.highest <= marks[0])
                if cut is not None and marks and min(marks) < cut:
                    self._state.set(_mark_key(pull.name), known.dump() if known else "")
                    raise _out_of_order(pull)
                window.add(batch.marks, batch.digests)
                spooled.add(*batch.without(seen))
                if in_order and spooled.count >= self._payload_rows:
                    spooled.mark, cut = window.mark(known), window.highest
                    yield spooled
                    spooled = self._spooled()
            if pull.watermark:
                spooled.mark = window.mark(known, last=True)
        except GeneratorExit:  # what was handed out is no longer ours to close
            raise
        except BaseException:
            spooled.rows.close()
            raise
        yield spooled

    def _keys_of(self, pull: Pull, keys: Keys, moment: datetime) -> Arrival:
        """The keys of all rows there are, in one payload."""
        with translated(f"keys of query {pull.name}"):
            values = keys.statement.values(pull.parameters)
            result = self._result(self._connected(), pull, keys.statement.text, values, keys=True)
        spooled = self._spooled()
        with closing(result):
            batches = result.batches(range(len(result.columns)))
            while (batch := _next(pull, batches)) is not None:
                spooled.add(batch.block, batch.count)
        spooled.header = _header(pull, result.columns, moment, keys={"most": keys.most})
        return self._arrival(pull, spooled, "", moment, keys=True)

    def _result(self, session: Session, pull: Pull, text: str, values: Sequence[Any], *, keys: bool = False) -> Result:
        return Result(
            session,
            text,
            values,
            size=self._rows,
            zone=self._zone,
            mark=None if keys else pull.watermark,
            order=pull.key if keys else pull.order,
        )

    def _shape(self, pull: Pull, result: Result) -> tuple[list[Column], list[Change]]:
        """The columns that the payload gets, and how the result's own differ from those known.

        Raises PermanentError where they must not.
        """
        kept = self._state.get(_shape_key(pull.name))
        was = shape.load(kept) if kept else result.columns
        found = shape.changes(was, result.columns, typed=result.types_tell)
        if found and pull.drift is Drift.STOP:
            raise PermanentError(
                f"query {pull.name} has changed: {'; '.join(map(str, found))}",
                hint="mend the query, or let one run have `drift: evolve`, which accepts it",
            )
        return (was if pull.drift is Drift.FREEZE else result.columns), found

    def _is_known(self, pull: Pull, spooled: _Spooled) -> bool:
        if pull.watermark:
            return spooled.count == 0
        last = self._state.get(_digest_key(pull.name))
        return last == spooled.digest.hexdigest() or (last is None and spooled.count == 0)

    def _is_due(self, name: str, keys: Keys, moment: datetime) -> bool:
        last = self._state.get(_keys_key(name))
        return not last or moment - datetime.fromisoformat(last) >= keys.every

    def _arrival(self, pull: Pull, spooled: _Spooled, since: Any, moment: datetime, *, keys: bool = False) -> Arrival:
        digest = spooled.digest.hexdigest()
        metadata = {"query": pull.name, "rows": str(spooled.count), "digest": digest}
        reach = ""
        if keys:
            metadata["keys"] = reach = moment.isoformat()
        elif spooled.mark is not None:
            metadata["watermark"] = Watermark(spooled.mark.value).dump()
            reach = f"{since}..{spooled.mark}"
        name = f"{pull.name} keys" if keys else pull.name
        arrival = Arrival(key=f"{name}@{reach}#{digest[:16]}", name=name, received_at=moment, metadata=metadata)
        self._forget(arrival.key)
        self._waiting[arrival.key] = spooled
        if spooled.mark is not None:
            # which rows of the overlap it holds is too much for the arrival itself to carry
            self._state.set(_handed_key(pull.name), _encode([arrival.key, spooled.mark.dump()]).decode())
        return arrival

    # -- what is held ------------------------------------------------------------------------------

    def _connected(self) -> Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _spooled(self) -> _Spooled:
        self._spool.mkdir(parents=True, exist_ok=True)
        return _Spooled(tempfile.TemporaryFile(dir=self._spool))

    def _mark(self, name: str) -> Watermark | None:
        kept = self._state.get(_mark_key(name))
        return Watermark.load(kept) if kept else None

    def _handed_out(self, name: str, key: str) -> Watermark | None:
        kept = self._state.get(_handed_key(name))
        last, mark = msgspec.json.decode(kept, type=tuple[str, str]) if kept else ("", "")
        return Watermark.load(mark) if last == key else None

    def _forget(self, key: str) -> None:
        if (spooled := self._waiting.pop(key, None)) is not None:
            spooled.rows.close()


_encode = msgspec.json.Encoder().encode


def _header(
    pull: Pull,
    columns: Sequence[Column],
    moment: datetime,
    *,
    since: Any = "",
    mark: Watermark | None = None,
    **facts: Any,
) -> bytes:
    reach = {"column": pull.watermark, "from": str(since), "to": str(mark)} if mark else None
    header = {
        "query": pull.name,
        "columns": [column.name for column in columns],
        "types": [column.type for column in columns],
        "key": pull.key,
        "pulled_at": moment.isoformat(),
        "watermark": reach,
        **facts,
    }
    return _encode(header) + b"\n"


def _next(pull: Pull, batches: Iterator[Batch]) -> Batch | None:
    with translated(f"query {pull.name}"):
        return next(batches, None)


def _check_columns(pull: Pull, columns: Sequence[Column]) -> None:
    """Raises ConfigError for a watermark or key column that the query does not give."""
    known = [column.name.casefold() for column in columns]
    wanted = [("watermark", pull.watermark)] if pull.watermark else []
    wanted += [("key", name) for name in pull.key]
    problems = tuple(
        f"queries.{pull.name}.{what}: {unknown('column', name, known)}"
        for what, name in wanted
        if name.casefold() not in known
    )
    if problems:
        raise ConfigError(f"query {pull.name} does not give the columns that its channel names", problems=problems)


def _out_of_order(pull: Pull) -> ConfigError:
    order = ", ".join(pull.order) or pull.watermark
    return ConfigError(
        f"query {pull.name} gives its rows in the order of {pull.watermark} at first and not in the end",
        hint=f"let it end in ORDER BY {order}; it is pulled again from where this run began",
    )


def _places(given: Sequence[Column], wanted: Sequence[Column]) -> list[int | None]:
    at = {column.name.casefold(): place for place, column in reversed(list(enumerate(given)))}
    return [at.get(column.name.casefold()) for column in wanted]


def _mark_key(name: str) -> str:
    return f"watermark.{name}"


def _handed_key(name: str) -> str:
    return f"handed_out.{name}"


def _digest_key(name: str) -> str:
    return f"digest.{name}"


def _shape_key(name: str) -> str:
    return f"shape.{name}"


def _drift_key(name: str) -> str:
    return f"drift.{name}"


def _keys_key(name: str) -> str:
    return f"keys.{name}"
