"""The pull itself: incremental, restartable, in payloads of bounded size, out of whatever system gives rows.

What a system adds is how it is asked (``System``). What is to be remembered (how far a query came, its columns, a link
that continues it) is kept in the source's state when the arrival is settled, so that a crash before that repeats
the pull. Memory holds one batch of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from connectors.base import Arrival, State
from connectors.pulls.again import again, done
from connectors.pulls.batch import Batch
from connectors.pulls.shape import Change, Column
from connectors.pulls.spool import Spool, Spooled
from connectors.pulls.watermark import Rank, Reach, Watermark, Window, furthest, written_as
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """How the keys of all rows there are get compared with what was pulled."""

    every: timedelta
    most: float  #: share of the keys known that may be gone at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One query as the source runs it. ``watermark`` and ``key`` are names of columns."""

    name: str
    watermark: str | None = None
    key: tuple[str, ...] = ()
    overlap: timedelta = timedelta(0)
    initial: datetime | date | int | str = ""
    continues: bool = False  #: it goes on by itself (a delta link), without a watermark
    reconcile: Reconcile | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """The columns by which its rows can be put in order and told apart; empty where nothing tells them apart."""
        if not self.key:
            return ()
        first = (self.watermark,) if self.watermark else ()
        return (*first, *(name for name in self.key if name != self.watermark))


@dataclass(slots=True)
class Told:
    """A system's answer, whose ``batches`` come once. The rest may become known only as they are read."""

    columns: Sequence[Column]
    batches: Iterator[Batch]
    remember: dict[str, str] = field(default_factory=dict)  #: once settled, by keys of the query's own
    changes: Sequence[Change] = ()  #: how the columns differ from those of the pull before
    policy: str = ""  #: by which the changes were dealt with; empty: they are no news
    unchanged: bool = False  #: the system says that nothing is other than last time
    gone: Batch | None = None  #: keys of rows of which the system says that they are no more


P = TypeVar("P", bound=Pull)
Q_contra = TypeVar("Q_contra", bound=Pull, contravariant=True)


#: What earlier answers of the query said to remember, by its key.
Kept: TypeAlias = Callable[[str], str | None]


class System(Protocol[Q_contra]):
    """Where the rows are. All it raises are errors of ours."""

    @property
    def rank(self) -> Rank | None:
        """What its watermarks are compared by; None: they themselves."""
        ...

    def ready(self) -> None:
        """Raises TransientError while it is to be left alone."""
        ...

    def reach(self, pull: Q_contra) -> Reach:
        """What may be relied on at this pull, by the system's own clock."""
        ...

    def ask(self, pull: Q_contra, since: Any, kept: Kept) -> AbstractContextManager[Told]:
        """The rows from ``since`` on."""
        ...

    def ask_keys(self, pull: Q_contra) -> AbstractContextManager[Told]:
        """The keys of all rows there are."""
        ...

    def done(self, error: BaseException | None) -> None:
        """Nothing more is read of this pull, because of ``error`` if there is one."""
        ...

    def close(self) -> None: ...


class PullingSource(Generic[P]):
    """connectors.base.Source of pulls. ``spool`` is a folder with room for ``payload_rows`` rows."""

    def __init__(
        self,
        system: System[P],
        pulls: Sequence[P],
        *,
        state: State,
        spool: Path,
        payload_rows: int = 100_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._system = system
        self._pulls = pulls
        self._state = state
        self._spool = Spool(spool, state)
        self._payload_rows = payload_rows
        self._now = now

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """What each query has that is new, in the channel's order; one with much comes in several arrivals.

        The next arrival of a query is made once the one before is settled; if it is not, the rest of that
        query waits for another run.
        """
        found = 0
        self._system.ready()
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
        return self._spool.fetch(arrival)

    def settle(self, arrival: Arrival) -> None:
        """Remember how far the query was pulled; a watermark never goes back."""
        merge = partial(furthest, rank=self._system.rank)
        self._spool.settle(arrival, {_mark_key(arrival.metadata["query"]): merge})

    def close(self) -> None:
        """Leave the system. Idempotent."""
        self._spool.close()
        self._system.close()

    # -- one query --------------------------------------------------------------------------------

    def _of(self, pull: P) -> Generator[Arrival]:
        moment = self._now()
        error: BaseException | None = None
        try:
            for arrival in self._rows_of(pull, moment):
                yield arrival
                if self._spool.waits(arrival):
                    return
            if pull.reconcile is not None and self._is_due(pull.name, pull.reconcile, moment):
                yield self._keys_of(pull, pull.reconcile, moment)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._system.done(error)

    def _rows_of(self, pull: P, moment: datetime) -> Iterator[Arrival]:
        known = self._mark(pull.name) if pull.watermark else None
        reach = self._system.reach(pull)
        late = done(self._state, pull.name) if known else {}
        since = self._begin(pull, known, reach)
        with self._system.ask(pull, since, lambda key: self._state.get(f"{key}.{pull.name}")) as told:
            for spooled, last in self._payloads(pull, told, Window(reach), known):
                if told.gone is None:  # else it is not all had with this payload
                    spooled.remember = _own(pull, told.remember)
                spooled.remember |= late if last else {}
                if told.unchanged or (not told.policy and self._is_known(pull, spooled)):
                    spooled.close()
                    self._keep(spooled.remember if last else {})
                    continue
                facts: dict[str, Any] = {"drift": told.changes, "policy": told.policy} if told.policy else {}
                if spooled.mark is not None:
                    facts["watermark"] = {"column": pull.watermark, "from": str(since), "to": str(spooled.mark)}
                spooled.header = _header(pull, told, moment, **facts)
                told.changes, told.policy = (), ""
                yield self._handed_out(pull, spooled, moment, reach=f"{since}..{spooled.mark}" if spooled.mark else "")
            if told.gone is not None:
                told.batches = iter([told.gone])
                yield self._listed(pull, told, moment, "gone", keys={"most": 1.0, "gone": True})

    def _payloads(self, pull: P, told: Told, window: Window, known: Watermark | None) -> Iterator[tuple[Spooled, bool]]:
        """All rows in order, ``payload_rows`` at a time as far as their watermark puts them in order; which is last."""
        seen = known.seen if known else frozenset()
        cut: Any = None  # the watermark of what was handed on
        in_order = pull.watermark is not None
        spooled = self._spool.begin()
        try:
            for batch in told.batches:
                marks = [mark for mark in batch.marks if mark is not None]
                in_order = in_order and window.goes_on_with(marks)
                if cut is not None and window.falls_below(cut, marks):
                    self._state.set(_mark_key(pull.name), known.dump() if known else "")
                    raise _out_of_order(pull)
                window.add(batch.marks, batch.digests)
                spooled.add(batch.without(seen))
                if in_order and spooled.count >= self._payload_rows:
                    spooled.mark, cut = window.mark(known), window.highest
                    yield spooled, False
                    spooled = self._spool.begin()
            if pull.watermark:
                spooled.mark = window.mark(known, last=True)
        except GeneratorExit:  # what was handed out is no longer ours to close
            raise
        except BaseException:
            spooled.close()
            raise
        yield spooled, True

    def _begin(self, pull: P, known: Watermark | None, reach: Reach) -> Any:
        """Where the pull begins: an overlap before where the last one ended, or where late rows were found to be."""
        if known is None:
            return pull.initial
        usual = reach.begin(known.value)
        late = again(self._state, pull.name)
        if late is None:
            return usual
        try:
            there = reach.begin(written_as(known.value, late, reach.zone))
        except (ValueError, ArithmeticError):
            return pull.initial
        return there if reach.past(usual, there) else usual

    def _keys_of(self, pull: P, reconcile: Reconcile, moment: datetime) -> Arrival:
        """The keys of all rows there are, in one payload."""
        known = self._mark(pull.name) if pull.watermark else None
        # rows from there on will be pulled anyway
        begin = self._system.reach(pull).told(known.value) if known else None
        reach = {"column": pull.watermark, "from": begin} if pull.watermark else None
        with self._system.ask_keys(pull) as told:
            told.remember["keys"] = moment.isoformat()
            return self._listed(pull, told, moment, "keys", watermark=reach, keys={"most": reconcile.most})

    def _listed(self, pull: P, told: Told, moment: datetime, what: str, **facts: Any) -> Arrival:
        """Keys, which are no rows, as an arrival."""
        spooled = self._spool.begin()
        try:
            for batch in told.batches:
                spooled.add(batch)
        except BaseException:
            spooled.close()
            raise
        spooled.remember = _own(pull, told.remember)
        spooled.header = _header(pull, told, moment, **facts)
        return self._handed_out(pull, spooled, moment, what=what, reach=moment.isoformat())

    def _handed_out(self, pull: P, spooled: Spooled, moment: datetime, *, what: str = "", reach: str = "") -> Arrival:
        if spooled.mark is not None:
            spooled.remember[_mark_key(pull.name)] = spooled.mark.dump()
        elif not what and not pull.continues:
            spooled.remember[_digest_key(pull.name)] = spooled.digest
        name = f"{pull.name} {what}".rstrip()
        return self._spool.hand_out(name, spooled, query=pull.name, moment=moment, reach=reach)

    def _is_known(self, pull: P, spooled: Spooled) -> bool:
        if pull.watermark or pull.continues:
            return spooled.count == 0
        last = self._state.get(_digest_key(pull.name))
        return last == spooled.digest or (last is None and spooled.count == 0)

    def _is_due(self, name: str, keys: Reconcile, moment: datetime) -> bool:
        last = self._state.get(f"keys.{name}")
        return not last or moment - datetime.fromisoformat(last) >= keys.every

    def _mark(self, name: str) -> Watermark | None:
        kept = self._state.get(_mark_key(name))
        return Watermark.load(kept) if kept else None

    def _keep(self, remember: Mapping[str, str]) -> None:
        for key, value in remember.items():
            if self._state.get(key) != value:
                self._state.set(key, value)


def _own(pull: Pull, remember: Mapping[str, str]) -> dict[str, str]:
    return {f"{key}.{pull.name}": value for key, value in remember.items()}


def _header(pull: Pull, told: Told, moment: datetime, **facts: Any) -> bytes:
    """A payload's first line, as ``connectors.formats.rows`` reads it."""
    said = {
        "query": pull.name,
        "columns": [column.name for column in told.columns],
        "types": [column.type for column in told.columns],
        "key": pull.key,
        "pulled_at": moment.isoformat(),
    }
    return msgspec.json.encode(said | facts) + b"\n"


def _out_of_order(pull: Pull) -> ConfigError:
    order = ", ".join(pull.order) or pull.watermark
    return ConfigError(
        f"query {pull.name} gives its rows in the order of {pull.watermark} at first and not in the end",
        hint=f"let it end in ORDER BY {order}; it is pulled again from where this run began",
    )


def _mark_key(name: str) -> str:
    return f"watermark.{name}"


def _digest_key(name: str) -> str:
    return f"digest.{name}"
