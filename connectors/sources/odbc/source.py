"""A database as a system that is pulled from; see the package."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.pulls import shape
from connectors.pulls.batch import Batch
from connectors.pulls.shape import Change, Column
from connectors.pulls.source import Kept, Told
from connectors.pulls.watermark import Reach
from connectors.sources.odbc.driver import Session, translated
from connectors.sources.odbc.rows import Result
from connectors.sources.odbc.statement import MARKER, Drift, Query
from schemas.configuration import unknown
from schemas.errors import ConfigError, PermanentError

_SHAPE, _DRIFT = "shape", "drift"


class Database:
    """connectors.pulls.source.System: ``open_`` makes a session, which serves until it breaks."""

    rank = None  #: values of a database are compared as they are

    def __init__(
        self,
        open_: Callable[[], Session],
        *,
        zone: ZoneInfo | None = None,
        rows: int = 5_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open = open_
        self._zone = zone
        self._rows = rows
        self._now = now
        self._session: Session | None = None

    def ready(self) -> None:
        """A database is always asked."""

    def reach(self, pull: Query) -> Reach:
        if not pull.watermark:
            return Reach(pull.overlap, self._now(), self._zone)
        with translated(f"query {pull.name}"):
            return Reach(pull.overlap, self._connected().now(), self._zone)

    @contextmanager
    def ask(self, pull: Query, since: Any, kept: Kept) -> Generator[Told]:
        values = pull.statement.values({**pull.parameters, MARKER: since})
        with self._result(pull, pull.statement.text, values, mark=pull.watermark, order=pull.order) as result:
            _check_columns(pull, result.columns)
            columns, changes = _shape(pull, result, kept)
            remember = {_SHAPE: shape.dump(columns), _DRIFT: msgspec.json.encode(changes).decode()}
            # columns that stay as they were would otherwise be spoken of at every pull
            told = pull.drift is Drift.FREEZE and kept(_DRIFT) == remember[_DRIFT]
            yield Told(
                columns,
                _translated(pull.name, result.batches(_places(result.columns, columns))),
                remember=remember,
                changes=changes,
                policy=pull.drift.value if changes and not told else "",
            )

    @contextmanager
    def ask_keys(self, pull: Query) -> Generator[Told]:
        assert pull.keys is not None
        with self._result(pull, pull.keys.text, pull.keys.values(pull.parameters), order=pull.key) as result:
            yield Told(result.columns, _translated(pull.name, result.batches(range(len(result.columns)))))

    def done(self, error: BaseException | None) -> None:
        if error is not None:
            self.close()
        elif self._session is not None:
            self._session.end()

    def close(self) -> None:
        """Leave the database. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _connected(self) -> Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    @contextmanager
    def _result(self, pull: Query, text: str, values: Sequence[Any], **asked: Any) -> Generator[Result]:
        with translated(f"query {pull.name}"):
            result = Result(self._connected(), text, values, size=self._rows, zone=self._zone, **asked)
        with closing(result):
            yield result


def _translated(name: str, batches: Iterator[Batch]) -> Iterator[Batch]:
    while True:
        with translated(f"query {name}"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _shape(pull: Query, result: Result, kept: Kept) -> tuple[Sequence[Column], list[Change]]:
    """The columns that the payload gets, and how the result's own differ from those known.

    Raises PermanentError where they must not.
    """
    known = kept(_SHAPE)
    was = shape.load(known) if known else result.columns
    found = shape.changes(was, result.columns)
    if found and pull.drift is Drift.STOP:
        raise PermanentError(
            f"query {pull.name} has changed: {'; '.join(map(str, found))}",
            hint="mend the query, or let one run have `drift: evolve`, which accepts it",
        )
    return (was if pull.drift is Drift.FREEZE else result.columns), found


def _check_columns(pull: Query, columns: Sequence[Column]) -> None:
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


def _places(given: Sequence[Column], wanted: Sequence[Column]) -> list[int | None]:
    at = {column.name.casefold(): place for place, column in reversed(list(enumerate(given)))}
    return [at.get(column.name.casefold()) for column in wanted]
