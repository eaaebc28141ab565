"""Moving a sink's cursor along the feed: one runner per sink at a time, batches in order.

The turn is a lock that ends with the process that holds it, so nobody waits for a lease to run out
after a kill, and nobody who was only slow finds another at work. PostgreSQL: the cursor's
row, locked for as long as its batch is being handed over. SQLite: a lock on a file beside it.

What goes wrong falls into three kinds. The receiver is away or busy (``TransientError``): the sink
waits, longer each time, and the batch is offered again. The receiver refuses what it was handed
(``RefusedError``): the batch is halved until the events it means are found; they are held back with
whatever follows of their keys (``held``), and the others go on. Anything else stops the sink where it is.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crossdock.ledger import feed, held
from crossdock.ledger.database import Database
from crossdock.ledger.held import Held, Key, key_of
from crossdock.ledger.paging import Paging
from crossdock.ledger.records import StoredEvent
from crossdock.ledger.tables import cursors, deliveries, documents
from crossdock.ledger.tables import feed as head
from schemas.errors import CrossdockError, PermanentError, RefusedError, TransientError

HandOver = Callable[[Sequence[StoredEvent]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient a sink is dealt with.

    After the n-th failure in a row the sink is left alone for ``first * 2**(n-1)``, at most ``longest``,
    of which the second half is left to chance so that relays that failed together do not come back
    together; a receiver that names a longer time gets it. Waits that are over within ``patience`` are
    waited for, longer ones end the run. An event is offered ``attempts`` times before it is a dead letter;
    after ``brake`` events that were refused with none taken between them, the sink is paused: then it is
    not the events. ``delay`` of zero, the default, never waits.
    """

    first: timedelta = timedelta(0)
    longest: timedelta = timedelta(minutes=10)
    patience: timedelta = timedelta(0)
    attempts: int = 5
    brake: int = 20

    def wait(self, failures: int, chance: float = 1.0) -> timedelta:
        """The wait after so many failures in a row; ``chance`` between 0 and 1 says how much of the second half."""
        whole: timedelta = min(self.first * 2.0 ** min(failures - 1, 20), self.longest)
        return whole / 2 + whole / 2 * chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(slots=True)
class Offered:
    """What became of the events that were offered, in their order: the first ``settled`` of them are done with."""

    settled: int = 0
    taken: list[StoredEvent] = field(default_factory=list)
    refused: list[tuple[StoredEvent, RefusedError]] = field(default_factory=list)
    behind: list[StoredEvent] = field(default_factory=list)
    error: CrossdockError | None = None  #: what stopped it before the end


def deliver(
    database: Database,
    sink: str,
    hand_over: HandOver,
    *,
    batch: int,
    policy: Policy | None = None,
    begin: int = 0,
    ahead: Callable[[Sequence[StoredEvent]], None] | None = None,
    clock: Clock | None = None,
) -> int:
    """See ``Ledger.deliver``."""
    if batch < 1:
        raise ValueError(f"a batch holds at least one event, not {batch}")
    _know(database, sink, begin)
    with _turn(database.file, sink) as mine, Paging(database, batch, ahead) as pages:
        runner = _Runner(
            database, sink, hand_over, batch=batch, pages=pages, policy=policy or Policy(), clock=clock or Clock()
        )
        return runner.run() if mine else 0


def offer(events: Sequence[StoredEvent], hand_over: HandOver, blocked: set[Key]) -> Offered:
    """Hand over ``events``, but for those whose key is ``blocked``; of a refused batch all that can go.

    Keys of refused events are added to ``blocked``.
    """
    offered = Offered()
    try:
        _offer(events, hand_over, blocked, offered)
    except CrossdockError as error:
        offered.error = error
    return offered


def _offer(events: Sequence[StoredEvent], hand_over: HandOver, blocked: set[Key], offered: Offered) -> None:
    """See ``offer``. An error may say how many were ``taken`` before it; a refusal then means the next one."""
    free = [event for event in events if key_of(event) not in blocked] if blocked else events
    rest: Sequence[StoredEvent] = ()
    try:
        if free:
            hand_over(free)
    except CrossdockError as error:
        taken = error.details.get("taken", 0)
        if not isinstance(error, RefusedError):
            _settle(events[: events.index(free[taken])] if taken else (), free[:taken], offered)
            raise
        if len(free) > 1 and "taken" not in error.details:
            middle = events.index(free[len(free) // 2])
            _offer(events[:middle], hand_over, blocked, offered)
            _offer(events[middle:], hand_over, blocked, offered)
            return
        culprit = free[taken]
        after = events.index(culprit) + 1
        events, free, rest = events[:after], free[:taken], events[after:]
        offered.refused.append((culprit, error))
        blocked.add(key_of(culprit))
    _settle(events, free, offered)
    if rest:
        _offer(rest, hand_over, blocked, offered)


def _settle(events: Sequence[StoredEvent], taken: Sequence[StoredEvent], offered: Offered) -> None:
    """Those are done with; what of them was neither taken nor refused stands behind something."""
    offered.taken += taken
    if len(taken) < len(events):
        done = {event.position for event in taken} | {event.position for event, _ in offered.refused}
        offered.behind += [event for event in events if event.position not in done]
    offered.settled += len(events)


class _Runner:
    """One run for one sink, whose turn it is."""

    def __init__(
        self,
        database: Database,
        sink: str,
        hand_over: HandOver,
        *,
        batch: int,
        pages: Paging,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sink = sink
        self._hand_over = hand_over
        self._batch = batch
        self._pages = pages
        self._policy = policy
        self._clock = clock
        self._held: list[Held] = []

    def run(self) -> int:
        """Until the feed's end, a pause, or an error that is not over soon. The events handed over."""
        delivered = 0
        patience = self._policy.patience
        while True:
            settled = 0
            try:
                for step in (self._again, self._on):
                    offered = step()
                    settled += offered.settled
                    delivered += len(offered.taken)
            except _Waiting as waiting:
                delivered += waiting.delivered
                if waiting.seconds is None or waiting.seconds > patience.total_seconds():
                    raise waiting.error from waiting.error.__cause__
                patience -= timedelta(seconds=waiting.seconds)
                self._clock.sleep(waiting.seconds)
                continue
            if not settled:
                return delivered

    def _again(self) -> Offered:
        """Offer what was held back and whose time has come."""

        def step(connection: Connection, row: Any) -> Sequence[StoredEvent]:  # noqa: ARG001
            self._held = held.of_sink(connection, self._sink)
            due = [one.position for one in held.due(self._held, self._clock.now())]
            return feed.at(connection, due[: self._batch])

        return self._step(step, lambda _connection, _events, _offered: None, set())

    def _on(self) -> Offered:
        """Offer the batch behind the cursor; nothing at the feed's end."""

        def step(connection: Connection, row: Any) -> Sequence[StoredEvent]:
            self._held = held.of_sink(connection, self._sink)
            return self._pages.after(connection, row.position)

        def settle(connection: Connection, events: Sequence[StoredEvent], offered: Offered) -> None:
            if offered.settled:
                _move(connection, self._sink, events[: offered.settled], self._clock.now())

        return self._step(step, settle, None)

    def _step(
        self,
        choose: Callable[[Connection, Any], Sequence[StoredEvent]],
        settle: Callable[[Connection, Sequence[StoredEvent], Offered], None],
        blocked: set[Key] | None,
    ) -> Offered:
        """Choose events, offer them, write down what became of them.

        PostgreSQL does all of it in the transaction that holds the cursor's row.
        """
        database = self._database
        with database.write() if database.is_postgres else database.read() as connection:
            row = _cursor(connection, self._sink, locked=database.is_postgres)
            if row is None or row.paused_at is not None:
                return Offered()
            self._not_before(row)
            events = choose(connection, row)
            if not events:
                return Offered()
            if database.is_postgres:
                offered = self._offer(events, blocked)
                self._write(connection, row, events, offered, settle)
        if not database.is_postgres:
            offered = self._offer(events, blocked)
            with database.write() as connection:
                self._write(connection, row, events, offered, settle)
        self._tell(row, offered)
        return offered

    def _offer(self, events: Sequence[StoredEvent], blocked: set[Key] | None) -> Offered:
        keys = {one.key for one in self._held} if blocked is None else blocked
        return offer(events, self._hand_over, keys)

    def _not_before(self, row: Any) -> None:
        if row.retry_at is None or (seconds := (row.retry_at - self._clock.now()).total_seconds()) <= 0:
            return
        error = TransientError(
            f"{self._sink} is left alone for {seconds:.0f} s more after {row.failures} failures: {row.failure}",
            retry_after=seconds,
            hint=f"`crossdock outlets resume {self._sink}` tries at once",
        )
        raise _Waiting(error, seconds)

    def _write(
        self,
        connection: Connection,
        row: Any,
        events: Sequence[StoredEvent],
        offered: Offered,
        settle: Callable[[Connection, Sequence[StoredEvent], Offered], None],
    ) -> None:
        now = self._clock.now()
        if self._held:
            held.let_go(connection, self._sink, [event.position for event in offered.taken])
        tried = {one.position: one.attempts for one in self._held}
        rows = [self._refused(event, error, tried.get(event.position, 0) + 1, now) for event, error in offered.refused]
        rows += [self._behind(event, now) for event in offered.behind if event.position not in tried]
        held.hold(connection, self._sink, rows)
        settle(connection, events, offered)
        values = self._state(row, offered, now)
        connection.execute(cursors.update().where(cursors.c.sink == self._sink).values(**values))

    def _state(self, row: Any, offered: Offered, now: datetime) -> dict[str, Any]:
        """What the cursor's row says of the sink's health after this step."""
        known = {one.position for one in self._held}
        new = sum(event.position not in known for event, _ in offered.refused)
        refusals = new if offered.taken else row.refusals + new
        values: dict[str, Any] = {"failures": 0, "failure": "", "retry_at": None, "refusals": refusals}
        if offered.error is not None:
            failures = 1 if offered.taken else row.failures + 1
            values |= {"failures": failures, "failure": str(offered.error)[:2000]}
            if isinstance(offered.error, TransientError):
                values["retry_at"] = now + self._wait(failures, offered.error)
        elif new and refusals >= self._policy.brake:
            cause = f"{refusals} events refused in a row, the last: {offered.refused[-1][1]}"
            values |= {"paused_at": now, "refusals": 0, "pause_reason": cause[:2000]}
        return values

    def _wait(self, failures: int, error: TransientError) -> timedelta:
        wait = self._policy.wait(failures, self._clock.chance())
        return max(wait, timedelta(seconds=error.retry_after or 0)) if self._policy.first else timedelta(0)

    def _refused(self, event: StoredEvent, error: RefusedError, attempts: int, now: datetime) -> dict[str, Any]:
        dead = attempts >= self._policy.attempts
        wait = self._policy.wait(attempts, self._clock.chance())
        return _row(event, now) | {
            "attempts": attempts,
            "status": held.DEAD if dead else held.WAITING,
            "retry_at": None if dead else now + wait,
            "cause": str(error)[:2000],
        }

    @staticmethod
    def _behind(event: StoredEvent, now: datetime) -> dict[str, Any]:
        return _row(event, now) | {
            "attempts": 0,
            "status": held.WAITING,
            "retry_at": None,
            "cause": "waits behind an earlier event of its key",
        }

    def _tell(self, row: Any, offered: Offered) -> None:
        """Raise what stopped the step, once what it did is written down."""
        if (error := offered.error) is None:
            return
        seconds = None
        if isinstance(error, TransientError):
            failures = 1 if offered.taken else row.failures + 1
            seconds = self._wait(failures, error).total_seconds()
            error.retry_after = seconds or error.retry_after
        raise _Waiting(error, seconds or None, delivered=len(offered.taken))


class _Waiting(Exception):
    """The sink cannot go on for now; ``seconds`` is None where waiting is no use."""

    def __init__(self, error: CrossdockError, seconds: float | None, *, delivered: int = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds
        self.delivered = delivered


def _row(event: StoredEvent, now: datetime) -> dict[str, Any]:
    stream, subject = key_of(event)
    return {"position": event.position, "id": event.id, "stream": stream, "subject": subject, "held_at": now}


# -- cursors ----------------------------------------------------------------------------------------


def _know(database: Database, sink: str, begin: int) -> None:
    """A sink that is new begins after the position ``begin``."""
    with database.read() as connection:
        if connection.scalar(sa.select(cursors.c.sink).where(cursors.c.sink == sink)):
            return
    insert = postgresql.insert if database.is_postgres else sqlite.insert
    with database.write() as connection:
        connection.execute(
            insert(cursors).values(sink=sink, position=begin, moved_at=datetime.now(UTC)).on_conflict_do_nothing()
        )


def _cursor(connection: Connection, sink: str, *, locked: bool) -> Any:
    """The sink's row; None where another relay has it locked."""
    query = sa.select(cursors).where(cursors.c.sink == sink)
    return connection.execute(query.with_for_update(skip_locked=True) if locked else query).one_or_none()


def _move(connection: Connection, sink: str, events: Sequence[StoredEvent], now: datetime) -> None:
    """From just before the first of ``events`` to the last."""
    first, last = events[0].position, events[-1].position
    moved = connection.execute(
        cursors.update()
        .where(cursors.c.sink == sink, cursors.c.position == first - 1)
        .values(position=last, moved_at=now)
    )
    if moved.rowcount != 1:
        raise TransientError(
            f"the cursor of sink {sink!r} was moved by someone else while events {first} to {last} were handed over",
            hint="it will go on from where the cursor stands; events may arrive there twice, with the same ids",
        )
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"sink": sink, "first_position": first, "last_position": last, "delivered_at": now}
    again = {name: row[name] for name in ("first_position", "delivered_at")}
    key = [deliveries.c.sink, deliveries.c.last_position]
    connection.execute(insert(deliveries).values(row).on_conflict_do_update(index_elements=key, set_=again))


@contextmanager
def _turn(ledger: Path | None, sink: str) -> Iterator[bool]:
    """Whether it is this caller's turn at the sink. PostgreSQL (no file) settles that batch by batch."""
    if ledger is None:
        yield True
        return
    place = ledger.with_name(f"{ledger.name}.{quote(sink, safe='')}.lock")
    try:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise PermanentError(
            f"the lock {place} could not be made: {error.strerror}", hint="let this user write to that folder"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


# -- what people do with sinks ------------------------------------------------------------------------


def pause(connection: Connection, sink: str, reason: str, now: datetime) -> bool:
    """Hand nothing over until it is resumed; False: there is no such sink. A batch under way comes to its end."""
    done = connection.execute(cursors.update().where(cursors.c.sink == sink).values(paused_at=now, pause_reason=reason))
    return bool(done.rowcount)


def resume(connection: Connection, sink: str) -> bool:
    """Go on, and at once: waits after failures are over too."""
    values = {"paused_at": None, "pause_reason": "", "retry_at": None, "failures": 0, "refusals": 0}
    return bool(connection.execute(cursors.update().where(cursors.c.sink == sink).values(**values)).rowcount)


def backfill(connection: Connection, sink: str, after: int, now: datetime) -> None:
    """Let the sink's cursor stand after the position ``after``, whether it was known or not.

    What was held back beyond there is offered anew by the cursor.
    """
    newest = connection.scalar(sa.select(head.c.position)) or 0
    if not 0 <= after <= newest:
        raise PermanentError(f"the feed has positions 1 to {newest}; nothing begins after {after}")
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"position": after, "moved_at": now}
    connection.execute(
        insert(cursors).values(sink=sink, **values).on_conflict_do_update(index_elements=["sink"], set_=values)
    )
    later = [one.position for one in held.of_sink(connection, sink) if one.position > after]
    held.let_go(connection, sink, later)


def position_at(connection: Connection, instant: datetime) -> int:
    """The position after which begins what was stored at ``instant`` or later."""
    first = sa.select(sa.func.min(documents.c.first_position)).where(documents.c.stored_at >= instant)
    position = connection.scalar(first)
    return connection.scalar(sa.select(head.c.position)) or 0 if position is None else position - 1
