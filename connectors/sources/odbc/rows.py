"""A query's rows on their way into a payload: fetched in batches, each row a line of JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.pulls.batch import Batch
from connectors.pulls.shape import Column
from connectors.sources.odbc.driver import Session
from connectors.sources.odbc.guarded import Guard
from connectors.sources.odbc.statement import page_after
from connectors.sources.odbc.values import TYPE_NAMES, Texts, texts
from connectors.sources.odbc.written import Kind, Written
from schemas.errors import ConfigError

_ENCODER = msgspec.json.Encoder()


class Result:
    """The rows of a statement: ``columns`` are known at once, ``batches`` comes once."""

    def __init__(
        self,
        session: Session,
        text: str,
        values: Sequence[Any],
        *,
        size: int,
        zone: ZoneInfo | None,
        mark: str | None = None,
        order: Sequence[str] = (),
    ) -> None:
        self._session = session
        self._text = text
        self._values = values
        self._size = size
        self._zone = zone
        self._mark = mark
        self._order = order
        self._page = session.dialect.page if order else None
        self._guard: Guard | None = None
        self._batches: Generator[Batch] | None = None
        none = f"SELECT * FROM ({text}\n) AS pulled LIMIT 0"  # noqa: S608 - the channel's own query; data are bound
        apart = session.dialect.writes or session.dialect.loose
        self._cursor = session.run(none, values) if apart else session.run(*self._asked(None))
        self.columns = [Column(one[0], TYPE_NAMES.get(one[1], one[1].__name__)) for one in self._cursor.description]
        if session.dialect.loose:
            self._again()
        self._kinds = [Kind(one[1], one[3]) for one in self._cursor.description]
        if session.dialect.loose:
            self._guard = Guard([kind.type for kind in self._kinds])
            self._again()

    def close(self) -> None:
        if self._batches is not None:
            self._batches.close()
        with suppress(Exception):
            self._cursor.close()

    def batches(self, chosen: Sequence[int | None]) -> Iterator[Batch]:
        """The rows with the ``chosen`` columns, by their places among ``columns``; None is an empty one."""
        self._batches = self._put_together(chosen, _place(self.columns, self._mark) if self._mark else None)
        return self._batches

    def _put_together(self, chosen: Sequence[int | None], at: int | None) -> Generator[Batch]:
        if self._session.dialect.writes:
            names = [column.name for column in self.columns]
            self._cursor.close()
            if len(set(names)) == len(names):
                yield from self._written(Written(self._text, names, self._kinds, chosen, mark=at, zone=self._zone))
                return
            self._cursor = self._session.run(*self._asked(None))  # columns of one name cannot be told apart
        for rows, faults in self._rows():
            yield self._batch(rows, faults, chosen, at)

    def _written(self, written: Written) -> Iterator[Batch]:
        """The rows as the database writes them: it makes the next ones while these are put together."""
        self._cursor = self._session.run(written.text, self._values)
        with ThreadPoolExecutor(1, "fetching ahead") as ahead:
            coming = ahead.submit(self._cursor.fetchmany, self._size)
            while rows := coming.result():
                coming = ahead.submit(self._cursor.fetchmany, self._size)
                yield written.batch(rows)

    def _batch(self, rows: list[Any], faults: list[str], chosen: Sequence[int | None], at: int | None) -> Batch:
        columns = list(zip(*rows, strict=True))
        nothing: Texts = [None] * len(rows)
        written = [
            nothing
            if place is None
            else texts(columns[place], self._kinds[place].type, self._zone, self._kinds[place].size)
            for place in (chosen if rows else ())
        ]
        if self._guard is not None and rows:
            self._guard.mend(written, chosen, columns)
        lines = [*zip(*written, strict=True), *({"unreadable": fault} for fault in faults)]
        marks = [] if at is None else [*(_marks(columns[at]) if rows else ()), *(None for _ in faults)]
        return Batch(_ENCODER.encode_lines(lines), len(lines), marks)

    # -- fetching -----------------------------------------------------------------------------------

    def _rows(self) -> Iterator[tuple[list[Any], list[str]]]:
        if self._page is None:
            yield from self._fetched(None)
            return
        places = [_place(self.columns, name) for name in self._order]
        last: tuple[Any, ...] | None = None
        alike: list[Any] = []  # the rows so far that are at that place
        while True:
            count, after, had = 0, last, Counter(map(_comparable, alike))
            for rows, faults in self._fetched(after):
                count += len(rows) + len(faults)
                fresh = []
                for row in rows:
                    key = tuple([row[place] for place in places])
                    if key != last:
                        last, alike = key, [row]
                    elif had[_comparable(row)] > 0:
                        had[_comparable(row)] -= 1
                        continue
                    else:
                        alike.append(row)
                    fresh.append(row)
                yield fresh, faults
            if count < self._page:
                return
            if last == after:
                raise ConfigError(
                    f"{self._page} rows are the same in {', '.join(self._order)}, so that nothing tells them apart",
                    hint="name as key the columns that tell one row from another",
                )
            self._again(last)

    def _again(self, last: Sequence[Any] | None = None) -> None:
        """The statement once more, from the row ``last`` on."""
        self._cursor.close()
        self._cursor = self._session.run(*self._asked(last))

    def _asked(self, last: Sequence[Any] | None) -> tuple[str, list[Any]]:
        if self._page is None:
            text = self._text if self._guard is None else self._guard.text(self._text)
            return text, list(self._values)
        text, values = page_after(self._text, self._order, last, size=self._page, quotes=self._session.dialect.quotes)
        return text, [*self._values, *values]

    def _fetched(self, last: Sequence[Any] | None) -> Iterator[tuple[list[Any], list[str]]]:
        """Batches of the open cursor; where one holds a value that no Python type can hold, row by row."""
        consumed = 0
        faults: list[str]
        while True:
            try:
                rows, faults = self._cursor.fetchmany(self._size), []
            except (ValueError, OverflowError):
                self._again(last)
                self._pass_over(consumed)
                rows, faults = self._one_by_one()
            if not rows and not faults:
                return
            consumed += len(rows) + len(faults)
            yield rows, faults

    def _pass_over(self, count: int) -> None:
        """Rows that were handed on before, some of which may be unreadable."""
        for _ in range(count):
            with suppress(ValueError, OverflowError):
                self._cursor.fetchone()

    def _one_by_one(self) -> tuple[list[Any], list[str]]:
        rows: list[Any] = []
        faults: list[str] = []
        while len(rows) + len(faults) < self._size:
            try:
                row = self._cursor.fetchone()
            except (ValueError, OverflowError) as error:
                before = f"; the row before it begins {', '.join(map(str, rows[-1][:3]))}" if rows else ""
                faults.append(f"the driver gives a value that cannot be: {error}{before}")
                continue
            if row is None:
                break
            rows.append(row)
        return rows, faults


def _place(columns: Sequence[Column], wanted: str) -> int:
    return [column.name.casefold() for column in columns].index(wanted.casefold())


def _comparable(row: Any) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, bytearray) else value for value in row)


def _marks(column: Sequence[Any]) -> list[Any]:
    """Watermark values as they are compared and bound again."""
    if str not in set(map(type, column)):
        return list(column)
    return [value.rstrip(" ") if isinstance(value, str) else value for value in column]
