"""A look at what a channel's queries give, for whoever is connecting an ERP: a few rows, and what may go wrong."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.connections import Connections
from connectors.pulls.shape import Column
from connectors.pulls.watermark import Reach
from connectors.sources.odbc import Options, as_pulls
from connectors.sources.odbc.driver import Session, connect, translated
from connectors.sources.odbc.rows import Result
from connectors.sources.odbc.statement import MARKER, Query
from schemas.configuration import unknown
from schemas.errors import CrossdockError

#: How the column's name says that its numbers are counted or paid, which a binary fraction is not good for.
_EXACT = ("quantity", "qty", "price", "amount", "rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One query: its columns, its first rows as a payload would have them, and what is wrong or might become so."""

    query: str
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str | None]] = ()
    seconds: float = 0.0
    keys: Sequence[str] = ()  #: columns of the query that gives the keys
    errors: Sequence[str] = ()
    warnings: Sequence[str] = field(default=())


def look(options: Options, connections: Connections, *, rows: int = 5) -> Iterator[Looked]:
    """Connect, run each query and take its first ``rows``. Nothing is remembered.

    Raises what connecting raises; what a query raises stands in its ``errors``.
    """
    session = connect(
        connections(options.conn_id),
        login_timeout=options.login_timeout.total_seconds(),
        timeout=options.timeout.total_seconds(),
        timezone=options.timezone,
    )
    session.dialect = replace(session.dialect, page=rows if session.dialect.page else None)
    zone = ZoneInfo(options.timezone) if options.timezone else None
    with closing(session):
        for pull in as_pulls(options):
            begin = time.perf_counter()
            try:
                looked = _query(session, pull, rows, zone)
                keys = _keys(session, pull)
            except CrossdockError as error:
                session.end()
                yield Looked(query=pull.name, errors=(str(error),), seconds=time.perf_counter() - begin)
                continue
            session.end()
            warnings = [*looked.warnings, *_of_reconcile(pull, keys)]
            yield replace(looked, keys=keys, warnings=warnings, seconds=time.perf_counter() - begin)


def _query(session: Session, pull: Query, rows: int, zone: ZoneInfo | None) -> Looked:
    with translated(f"query {pull.name}"):
        now = session.now()
        values = pull.statement.values({**pull.parameters, MARKER: pull.initial})
        text, mark = pull.statement.text, pull.watermark
        result = Result(session, text, values, size=rows, zone=zone, mark=mark, order=pull.order)
        with closing(result):
            names = [column.name.casefold() for column in result.columns]
            wanted = dict.fromkeys((*((mark,) if mark else ()), *pull.key))
            if missing := [name for name in wanted if name.casefold() not in names]:
                errors = [unknown("column", name, names) for name in missing]
                return Looked(query=pull.name, columns=result.columns, errors=errors)
            batch = next(result.batches(range(len(result.columns))), None)
    given = [] if batch is None else [json.loads(line) for line in batch.lines[:rows]]
    sound = [row for row in given if isinstance(row, list)]
    marks = [] if batch is None else batch.marks[:rows]
    return Looked(
        query=pull.name,
        columns=result.columns,
        rows=sound,
        errors=[row["unreadable"] for row in given if isinstance(row, dict)],
        warnings=[
            *_of_marks(pull, marks, Reach(pull.overlap, now, zone)),
            *_of_keys(pull, result.columns, sound),
            *_of_columns(result.columns, zone),
        ],
    )


def _keys(session: Session, pull: Query) -> Sequence[str]:
    if pull.keys is None:
        return ()
    with translated(f"keys of query {pull.name}"):
        cursor = session.run(pull.keys.text, pull.keys.values(pull.parameters))
        try:
            return [column[0] for column in cursor.description]
        finally:
            cursor.close()


def _of_reconcile(pull: Query, keys: Sequence[str]) -> Iterator[str]:
    given = {name.casefold() for name in keys}
    if given and pull.watermark and (lacking := [name for name in pull.order if name.casefold() not in given]):
        yield f"reconcile does not give {', '.join(lacking)}, so rows committed after the overlap are never noticed"


def _of_marks(pull: Query, marks: Sequence[Any], reach: Reach) -> Iterator[str]:
    if not pull.watermark:
        return
    known = [mark for mark in marks if mark is not None]
    if len(known) < len(marks):
        yield f"{pull.watermark} is NULL in some rows, which are never pulled"
    if sorted(known) != known:
        yield f"rows are not in the order of {pull.watermark}: ORDER BY {', '.join(pull.order) or pull.watermark}"
    if any(reach.held_back(mark) != mark for mark in known):
        yield f"{pull.watermark} is ahead of the server's clock ({reach.now.astimezone(UTC):%H:%M:%S} UTC)"
    if known and isinstance(known[0], date | datetime | str) and not pull.overlap:
        yield "there is no overlap: a transaction that commits after a later one is passed over"
    if known and isinstance(known[0], date) and not isinstance(known[0], datetime) and pull.overlap < timedelta(days=1):
        yield f"{pull.watermark} tells days only: the overlap should be a day"
    if pull.keys is None and pull.key:
        yield "without reconcile, rows that are deleted are never noticed"


def _of_keys(pull: Query, columns: Sequence[Column], rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    if not pull.key:
        yield "there is no key: say which columns tell one row from another"
        return
    names = [column.name.casefold() for column in columns]
    places = [names.index(name.casefold()) for name in pull.key]
    counted = Counter(tuple(row[place] for place in places) for row in rows)
    if twice := [key for key, number in counted.items() if number > 1]:
        yield f"the key ({', '.join(pull.key)}) is not unique: {', '.join(map(str, twice[0]))} stands there twice"


def _of_columns(columns: Sequence[Column], zone: ZoneInfo | None) -> Iterator[str]:
    for column in columns:
        if column.type == "float" and any(word in column.name.casefold() for word in _EXACT):
            yield f"{column.name} is a binary fraction (float) in the database: cast it to DECIMAL if digits matter"
    moments = [column.name for column in columns if column.type == "timestamp"]
    if moments and zone is None:
        yield f"no timezone is given, so {', '.join(moments)} are taken for the partner's"
