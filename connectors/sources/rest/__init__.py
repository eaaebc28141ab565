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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.base import State
from connectors.connections import Connections
from connectors.pulls.source import PullingSource
from connectors.sources.rest.query import SINCE, Asked, Paging, pages
from connectors.web import pulling
from connectors.web.options import ServiceOptions, ServiceQuery
from connectors.web.session import WebSession
from schemas.configuration import Strict

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


class Query(ServiceQuery):
    """An address and what its answers say."""

    path: Annotated[str, Field(pattern=r"^/?[^?#\s]*$")]
    parameters: dict[str, str | int] = {}
    records: str = ""
    rows: str = ""  #: nested lists within a record, of which each element is a row
    paging: PagingOptions = PagingOptions.model_validate({})
    watermark: str | None = None  #: the column that grows with every change

    @model_validator(mode="after")
    def _since_fits(self) -> Query:
        self.check_columns("watermark", [self.watermark] if self.watermark else [])
        asked = any(SINCE in str(value) for value in self.parameters.values())
        if asked and not self.watermark:
            raise ValueError("watermark: is missing, but a parameter says {since}")
        return self


class Options(ServiceOptions):
    """``source: {kind: rest, ...}``; see the package."""

    queries: Sequence[Query]
    headers: Mapping[str, str] = {}


def open_source(
    options: Options, *, home: Path, state: State, connections: Connections
) -> PullingSource[pulling.Asked]:
    session = options.session(connections, headers={"Accept": "application/json", **options.headers})
    return options.source(session, [_pull(query, session) for query in options.queries], home=home, state=state)


def _pull(query: Query, session: WebSession) -> pulling.Asked:
    asked = _asked(query)
    names = query.key_columns(query.watermark)
    keys = replace(asked, columns={name: query.columns[name] for name in names}, conditional=False)
    return pulling.Asked(
        name=query.name,
        columns=tuple(query.columns),
        pages=partial(pages, session, asked),
        watermark=query.watermark,
        key=tuple(query.key),
        overlap=query.overlap,
        initial=query.initial,
        reconcile=query.reconciled,
        key_columns=tuple(names),
        keys=partial(pages, session, keys),
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
        conditional=query.watermark is None,
        paging=Paging(
            kind=paging.kind,
            parameter=paging.parameter,
            size_parameter=paging.size_parameter,
            size=paging.size,
            first=paging.first,
            says=tuple(filter(None, paging.from_.split("/"))),
        ),
    )
