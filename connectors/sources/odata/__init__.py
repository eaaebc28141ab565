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
``delta: true`` the link that the last page gives continues the next pull; of what it says is removed, as much of the
``key`` as it tells arrives apart, and becomes cancelled. ``reconcile: {every: 1d, columns: [supplier_id]}`` asks for
the keys of all rows. Reading needs no CSRF token, so that none is asked for; numbers keep every digit; links to other
hosts are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.base import State
from connectors.connections import Connections
from connectors.pulls.source import PullingSource
from connectors.sources.odata.query import Asked, pages
from connectors.web import pulling
from connectors.web.options import ServiceOptions, ServiceQuery
from connectors.web.session import WebSession
from schemas.configuration import Strict

__all__ = ["Options", "Query", "open_source"]


class Watermark(Strict):
    """The property that grows with every change, and the column it is in."""

    column: str
    property: str
    type: Literal["datetime", "datetimeoffset", "date", "string", "number"] = "datetimeoffset"


class Query(ServiceQuery):
    """An entity set and what of it becomes rows."""

    entity: Annotated[str, Field(pattern=r"^/?[^?#\s]+$")]  #: the entity set's path on the host
    select: list[str] = []
    expand: list[str] = []
    filter: str | None = None
    order: list[str] = []  #: what pages of ours are ordered by; the watermark's property comes first
    rows: str = ""  #: the nested lists of which each element is a row, as ``to_Item/to_ScheduleLine``
    version: Literal[2, 4] | None = None  #: where it is not the source's own
    watermark: Watermark | None = None
    delta: bool = False
    page: Annotated[int, Field(ge=1, le=50_000)] | None = (
        1_000  #: entities asked for at once; null: as many as there are
    )

    @model_validator(mode="after")
    def _mark_fits(self) -> Query:
        if self.delta and self.watermark:
            raise ValueError("delta: a delta link continues by itself; leave out watermark or delta")
        self.check_columns("watermark.column", [self.watermark.column] if self.watermark else [])
        return self


class Options(ServiceOptions):
    """``source: {kind: odata, ...}``; see the package."""

    version: Literal[2, 4] = 4
    profile: str | None = None  #: queries that come with Crossdock, by the ERP they read
    take: list[str] = []  #: which of the profile's queries; all of them by default
    queries: Sequence[Query] = []  #: beside the profile's; one of the same name says what is other than there
    parameters: dict[str, str | int] = {}  #: go with every request
    timezone: str | None = None  #: of moments written without a zone; left as they are where it is not said


def open_source(
    options: Options, *, home: Path, state: State, connections: Connections
) -> PullingSource[pulling.Asked]:
    session = options.session(connections)
    pulls = [_pull(query, options, session) for query in options.queries]
    return options.source(session, pulls, home=home, state=state)


def _pull(query: Query, options: Options, session: WebSession) -> pulling.Asked:
    asked = _asked(query, options)
    mark = query.watermark.column if query.watermark else None
    names = query.key_columns(mark)
    keys = replace(
        asked,
        columns={name: query.columns[name] for name in names},
        select=tuple(query.reconcile.select) if query.reconcile else (),
        mark=None,
        delta=False,
        conditional=False,
    )
    return pulling.Asked(
        name=query.name,
        columns=tuple(query.columns),
        pages=partial(pages, session, asked),
        watermark=mark,
        key=tuple(query.key),
        overlap=query.overlap,
        initial=query.initial,
        continues=query.delta,
        reconcile=query.reconciled,
        key_columns=tuple(names),
        keys=partial(pages, session, keys),
    )


def _asked(query: Query, options: Options) -> Asked:
    return Asked(
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
        key=tuple(query.key),
        conditional=query.watermark is None and not query.delta,
        page=query.page,
        parameters={name: str(value) for name, value in options.parameters.items()},
        timezone=options.timezone,
    )
