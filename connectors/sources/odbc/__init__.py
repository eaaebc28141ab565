"""Rows of an ERP's database over ODBC, pulled incrementally and exactly.

A channel names the queries. ``:watermark`` in a query stands for the point it continues from and is
bound as a parameter, never written into the text::

    source:
      kind: odbc
      conn_id: demo_erp
      timezone: Europe/Berlin
      queries:
        - name: purchase_orders
          sql: SELECT ... FROM purchase_orders WHERE changed_at >= :watermark ORDER BY changed_at, order_no, line_no
          watermark: changed_at
          key: [order_no, line_no]
          overlap: 5m

Each pull begins ``overlap`` before the highest watermark seen, because a transaction commits later
than the time it wrote; rows of that stretch that were handed over before are left out. With nothing
new there is no arrival. A query without a watermark is pulled whole, and arrives when anything
in it is other than last time.

What arrives is JSON Lines as ``connectors.formats.rows`` reads them. Memory holds one batch of rows; a pull
is spooled to an unnamed file, so that the database is done with us before anybody reads on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from connectors.base import State
from connectors.connections import Connections
from connectors.pulls import source as pulling
from connectors.pulls.options import PullOptions, PullQuery, ReconcileOptions
from connectors.pulls.source import PullingSource
from connectors.sources.odbc import statement
from connectors.sources.odbc.source import Database
from connectors.sources.odbc.statement import MARKER, Drift, parse
from schemas.configuration import unknown
from schemas.durations import Duration

__all__ = ["Options", "Query", "open_source"]

#: Microsoft SQL Server's ``datetime`` begins in 1753, so the year 1 would not do.
BEGINNING = datetime(1970, 1, 1)  # noqa: DTZ001 - an ERP's own clock, which has no zone


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise ValueError("not a time zone; write it as in Europe/Berlin") from error
    return name


class Reconcile(ReconcileOptions):
    """By a query of its own."""

    #: Gives what an event's subject is made of, of every row of the query; with its key and watermark, also what no
    #: pull has seen is found.
    sql: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _reads(self) -> Reconcile:
        _check_sql(self.sql)
        if MARKER in parse(self.sql).markers:
            raise ValueError(f"sql: says :{MARKER}, but gives the keys of all rows")
        return self


class Query(PullQuery):
    """A query in SQL."""

    sql: Annotated[str, Field(min_length=1)]
    watermark: str | None = None  #: the column that grows with every change
    initial: datetime | date | int | str = BEGINNING  #: where the first pull begins; of the watermark's own type
    drift: Drift | None = None  #: what happens when its columns change; the source's own by default
    reconcile: Reconcile | None = None

    @model_validator(mode="after")
    def _markers_fit(self) -> Query:
        statement = parse(self.sql)
        _check_sql(self.sql)
        if self.watermark and MARKER not in statement.markers:
            if near := get_close_matches(MARKER, statement.markers, 1):
                raise ValueError(f"sql: says ':{near[0]}'; did you mean ':{MARKER}'?")
            raise ValueError(f"sql: has a watermark, but nowhere says :{MARKER}, so every pull would be a whole one")
        if MARKER in statement.markers and not self.watermark:
            raise ValueError(f"watermark: is missing, but sql says :{MARKER}")
        return self

    @property
    def markers(self) -> set[str]:
        """The parameters it needs."""
        others = parse(self.reconcile.sql).markers if self.reconcile else ()
        return {*parse(self.sql).markers, *others} - {MARKER}


def _check_sql(sql: str) -> None:
    statement = parse(sql)
    if statement.bare:
        raise ValueError(f"sql: a bare '?' stands for nothing; write :{MARKER} or the name of a parameter")
    if re.match(r"(?is)\s*(select|with)\b", statement.text) is None:
        raise ValueError("sql: must begin with SELECT or WITH; nothing is ever written to an ERP")


class Options(PullOptions):
    """``source: {kind: odbc, ...}``; see the package."""

    profile: str | None = None  #: queries that come with Crossdock, by the ERP they read
    take: list[str] = []  #: which of the profile's queries; all of them by default
    queries: Sequence[Query] = []  #: beside the profile's; one of the same name says what is other than there
    parameters: dict[str, str | int] = {}  #: what is bound to the other markers of the queries
    timezone: Annotated[str, AfterValidator(_zone)] | None = None  #: the zone of timestamps that carry none
    drift: Drift = Drift.EVOLVE
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000  #: rows fetched at once
    login_timeout: Duration = Field(timedelta(seconds=15), gt=timedelta(0))
    timeout: Duration = Field(timedelta(minutes=10), gt=timedelta(0))  #: for one statement, and a lock it waits for

    @model_validator(mode="after")
    def _markers_known(self) -> Options:
        for query in self.queries:
            for marker in sorted(query.markers - set(self.parameters)):
                raise ValueError(f"queries.{query.name}: {unknown('marker', f':{marker}', self._known_markers)}")
        return self

    @property
    def _known_markers(self) -> list[str]:
        return [f":{name}" for name in (MARKER, *self.parameters)]


def open_source(
    options: Options, *, home: Path, state: State, connections: Connections
) -> PullingSource[statement.Query]:
    from connectors.sources.odbc.driver import connect

    open_ = partial(
        connect,
        connections(options.conn_id),
        login_timeout=options.login_timeout.total_seconds(),
        timeout=options.timeout.total_seconds(),
        timezone=options.timezone,
    )
    zone = ZoneInfo(options.timezone) if options.timezone else None
    return PullingSource(
        Database(open_, zone=zone, rows=options.rows),
        as_pulls(options),
        state=state,
        spool=home / "spool",
        payload_rows=options.payload_rows,
    )


def as_pulls(options: Options) -> list[statement.Query]:
    """The queries as the source runs them."""
    return [_pull(query, options) for query in options.queries]


def _pull(query: Query, options: Options) -> statement.Query:
    again = query.reconcile
    return statement.Query(
        name=query.name,
        statement=parse(query.sql),
        watermark=query.watermark,
        key=tuple(query.key),
        overlap=query.overlap,
        initial=query.initial,
        parameters=options.parameters,
        drift=query.drift or options.drift,
        keys=parse(again.sql) if again else None,
        reconcile=pulling.Reconcile(every=again.every, most=again.most) if again else None,
    )
