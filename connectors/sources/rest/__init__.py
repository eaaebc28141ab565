"""Rows out of any JSON API, by configuration: where the records are, how it pages, how it goes on from last time.

::

    source:
      kind: rest
      conn_id: warehouse               # https://host, and how we show who we are
      queries:
        - name: stock
          path: /api/v2/stock
          parameters: {plant: "1", changed_since: "{since}"}
          records: data/items          # empty: the answer itself is the list
          columns: {item_no: sku, plant: site/code, quantity: on_hand, unit: uom, counted_at: updated_at}
          paging: {kind: cursor, from: meta/next, parameter: cursor}
          watermark: counted_at
          key: [plant, item_no]
          overlap: 5m

``paging`` is one of ``page`` and ``offset`` (``parameter``, ``size_parameter``, ``size``), ``cursor`` (``from``, where
the answer says the next one, and ``parameter``), ``url`` (``from``) and ``link`` (the header
``Link: <...>; rel="next"``, RFC 8288). ``{since}`` is the watermark less the overlap; a parameter that would be empty
is left out. The payload is the ODBC source's, so that mappings are shared. Credentials come from the connection
(``connectors.web.session``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.base import State
from connectors.connections import Connections
from connectors.sources.rest.query import Asked, Paging, pages
from connectors.web.columns import Columns
from connectors.web.pulling import Pull, PullingSource
from schemas.configuration import Strict, unknown
from schemas.durations import Duration

__all__ = ["Options", "Query", "open_source"]


class PagingOptions(Strict):
    """How an API parts long answers."""

    kind: Literal["none", "page", "offset", "cursor", "url", "link"] = "none"
    parameter: str = ""  #: of the page, the offset or the cursor
    size_parameter: str = ""
    size: Annotated[int, Field(ge=1, le=100_000)] = 100
    first: Annotated[int, Field(ge=0, le=1)] = 1  #: the number of the first page
    from_: str = Field("", alias="from")  #: where the answer says the next cursor or address

    @model_validator(mode="after")
    def _fits(self) -> PagingOptions:
        needs = {"page": ("parameter",), "offset": ("parameter",), "cursor": ("parameter", "from_"), "url": ("from_",)}
        for name in needs.get(self.kind, ()):
            if not getattr(self, name):
                raise ValueError(f"{name.rstrip('_')}: is missing; paging by {self.kind} needs it")
        return self


class Query(Strict):
    """One query; its name is the document type (``rows.<name>``)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    path: Annotated[str, Field(pattern=r"^/?[^?#\s]*$")]
    parameters: dict[str, str | int] = {}
    records: str = ""
    rows: str = ""  #: nested lists within a record, of which each element is a row
    columns: Columns
    keep: dict[str, list[str]] = {}  #: column -> what it has to say for the row to be taken
    paging: PagingOptions = PagingOptions.model_validate({})
    watermark: str | None = None  #: the column that grows with every change
    key: list[str] = []
    overlap: Duration = Field(timedelta(0), ge=timedelta(0))
    initial: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Query:
        wanted = [*(("key", name) for name in self.key), *(("keep", name) for name in self.keep)]
        wanted += [("watermark", self.watermark)] if self.watermark else []
        for what, name in wanted:
            if name not in self.columns:
                raise ValueError(f"{what}: {unknown('column', name, self.columns)}")
        asked = any("{since}" in str(value) for value in self.parameters.values())
        if asked and not self.watermark:
            raise ValueError("watermark: is missing, but a parameter says {since}")
        return self


class Options(Strict):
    """``source: {kind: rest, ...}``; see the package."""

    conn_id: str
    queries: Annotated[list[Query], Field(min_length=1)]
    headers: Mapping[str, str] = {}
    payload_rows: Annotated[int, Field(ge=1)] = 100_000
    connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0))

    @model_validator(mode="after")
    def _names_are_unique(self) -> Options:
        names = [query.name for query in self.queries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"queries: more than one is called {', '.join(twice)}")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> PullingSource:
    from connectors.web.session import WebSession

    timeouts = options.connect_timeout.total_seconds(), options.timeout.total_seconds()
    session = WebSession(
        connections(options.conn_id), timeouts=timeouts, headers={"Accept": "application/json", **options.headers}
    )
    pulls = [
        Pull(
            name=query.name,
            columns=tuple(query.columns),
            pages=partial(pages, session, _asked(query)),
            watermark=query.watermark,
            key=tuple(query.key),
            overlap=query.overlap,
            initial=query.initial,
        )
        for query in options.queries
    ]
    return PullingSource(
        pulls, state=state, spool=home / "spool", close=session.close, payload_rows=options.payload_rows
    )


def _asked(query: Query) -> Asked:
    paging = query.paging
    return Asked(
        path=query.path,
        parameters={name: str(value) for name, value in query.parameters.items()},
        records=tuple(filter(None, query.records.split("/"))),
        way=tuple(filter(None, query.rows.split("/"))),
        columns=query.columns,
        keep=query.keep,
        whole=query.watermark is None,
        paging=Paging(
            kind=paging.kind,
            parameter=paging.parameter,
            size_parameter=paging.size_parameter,
            size=paging.size,
            first=paging.first,
            says=tuple(filter(None, paging.from_.split("/"))),
        ),
    )
