"""Rows of an ERP over OData V2 or V4, pulled incrementally; the payload is the ODBC source's.

::

    source:
      kind: odata
      conn_id: s4                      # https://host, login and password or OAuth 2 (docs/sap.md)
      version: 2
      parameters: {sap-client: "100"}  # goes with every request
      queries:
        - name: purchase_orders
          entity: /sap/opu/odata/sap/API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder
          expand: [to_PurchaseOrderItem/to_ScheduleLine]
          rows: to_PurchaseOrderItem/to_ScheduleLine
          columns: {order_no: PurchaseOrder, line_no: to_PurchaseOrderItem/PurchaseOrderItem, ...}
          watermark: {column: changed_at, property: LastChangeDateTime, type: datetimeoffset}
          key: [order_no, line_no, schedule_no]
          overlap: 10m

Pages are the server's (``__next``, ``@odata.nextLink``) where it makes any, else ours by ``$top`` and ``$skip``. With
``delta: true`` the link that the last page gives continues the next pull; what is gone comes as a row of its keys,
for which ``@removed/reason`` may be a column's path. Reading needs no CSRF token, so that none is asked for; numbers
keep every digit; links to other hosts are refused.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors import profiles
from connectors.base import State
from connectors.connections import Connections
from connectors.sources.odata.query import Asked, pages
from connectors.web.columns import Columns
from connectors.web.pulling import Pull, PullingSource
from schemas.configuration import Strict, unknown
from schemas.durations import Duration

__all__ = ["Options", "Query", "open_source"]


class Watermark(Strict):
    """The property that grows with every change, and the column it is in."""

    column: str
    property: str
    type: Literal["datetime", "datetimeoffset", "date", "string", "number"] = "datetimeoffset"


class Query(Strict):
    """One query; its name is the document type (``rows.<name>``)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    entity: Annotated[str, Field(pattern=r"^/?[^?#\s]+$")]  #: the entity set's path on the host
    columns: Columns
    select: list[str] = []
    expand: list[str] = []
    filter: str | None = None
    order: list[str] = []  #: what pages of ours are ordered by; the watermark's property comes first
    rows: str = ""  #: the nested lists of which each element is a row, as ``to_Item/to_ScheduleLine``
    keep: dict[str, list[str]] = {}  #: column -> what it has to say for the row to be taken
    version: Literal[2, 4] | None = None  #: where it is not the source's own
    watermark: Watermark | None = None
    key: list[str] = []
    overlap: Duration = Field(timedelta(0), ge=timedelta(0))
    initial: str = ""
    delta: bool = False
    page: Annotated[int, Field(ge=1, le=50_000)] | None = (
        1_000  #: entities asked for at once; null: as many as there are
    )

    @model_validator(mode="after")
    def _fits(self) -> Query:
        if self.delta and self.watermark:
            raise ValueError("delta: a delta link continues by itself; leave out watermark or delta")
        wanted = [("key", name) for name in self.key]
        wanted += [("keep", name) for name in self.keep]
        wanted += [("watermark.column", self.watermark.column)] if self.watermark else []
        for what, name in wanted:
            if name not in self.columns:
                raise ValueError(f"{what}: {unknown('column', name, self.columns)}")
        return self


class Options(Strict):
    """``source: {kind: odata, ...}``; see the package."""

    conn_id: str
    version: Literal[2, 4] = 4
    profile: str | None = None  #: queries that come with Crossdock, by the ERP they read
    take: list[str] = []  #: which of the profile's queries; all of them by default
    queries: list[Query] = []  #: beside the profile's; one of the same name says what is other than there
    parameters: dict[str, str | int] = {}  #: go with every request
    timezone: str | None = None  #: of moments written without a zone; left as they are where it is not said
    payload_rows: Annotated[int, Field(ge=1)] = 100_000
    connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0))

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, given: object) -> object:
        return profiles.merged(given) if isinstance(given, dict) and given.get("profile") is not None else given

    @model_validator(mode="after")
    def _queries_fit(self) -> Options:
        if not self.queries:
            raise ValueError("queries: is missing; write some, or name a profile")
        names = [query.name for query in self.queries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"queries: more than one is called {', '.join(twice)}")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> PullingSource:
    from connectors.web.session import WebSession

    timeouts = options.connect_timeout.total_seconds(), options.timeout.total_seconds()
    session = WebSession(connections(options.conn_id), timeouts=timeouts)
    parameters = {name: str(value) for name, value in options.parameters.items()}
    pulls = []
    for query in options.queries:
        asked = Asked(
            version=query.version or options.version,
            entity=query.entity,
            select=tuple(query.select),
            expand=tuple(query.expand),
            filter=query.filter or "",
            order=tuple(query.order),
            way=tuple(query.rows.split("/")) if query.rows else (),
            columns=query.columns,
            keep=query.keep,
            mark=(query.watermark.property, query.watermark.type) if query.watermark else None,
            delta=query.delta,
            page=query.page,
            parameters=parameters,
            timezone=options.timezone,
        )
        pulls.append(
            Pull(
                name=query.name,
                columns=tuple(query.columns),
                pages=partial(pages, session, asked),
                watermark=query.watermark.column if query.watermark else None,
                key=tuple(query.key),
                overlap=query.overlap,
                initial=query.initial,
                incremental=query.delta,
            )
        )
    return PullingSource(
        pulls, state=state, spool=home / "spool", close=session.close, payload_rows=options.payload_rows
    )
