"""What holds: the latest event of each key now or at any past moment, forecasts added up, and the supply of an item."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from crossdock.feed.access import viewer_of
from crossdock.feed.events import LAST, MOST, Text
from crossdock.feed.examples import EVENT, FORECAST, SUPPLY
from crossdock.feed.service import Service
from crossdock.feed.supply import Supply, newest_releases, supply
from crossdock.feed.tables import CSV, JSON, JSON_LINES, PARQUET, XLSX, event_table, preferred, rendered, table
from crossdock.ledger import Ledger
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View
from schemas.events import Stream

_encode = msgspec.json.Encoder(decimal_format="string").encode


class What(StrEnum):
    DEMAND = "demand"
    INVENTORY = "inventory"
    SHIPMENTS = "shipments"

    @property
    def stream(self) -> str:
        return (Stream.SHIPMENT if self is What.SHIPMENTS else Stream(self.value)).value


class Asked(BaseModel):
    """What may be asked of a state; a parameter of another name is refused."""

    model_config = ConfigDict(extra="forbid")

    partner: Text | None = Field(None, description="Only of this partner.")
    item: Text | None = Field(None, description="Only of this item.")
    site: Text | None = Field(None, description="Only at this site.")
    at: AwareDatetime | None = Field(None, description="As things stood at this instant; now, where it is left out.")
    after: int = Field(0, ge=0, le=LAST, description="Only keys whose latest event has a higher position.")
    limit: int = Field(100, ge=1, le=MOST, description="At most so many keys.")


_STATE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The latest event of each key. `position` is how far of the feed this takes into account.",
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["events", "next", "more", "position"],
                    "properties": {
                        "events": {"type": "array", "items": {"type": "object", "description": "a CloudEvent 1.0"}},
                        "next": {"type": "integer", "minimum": 0},
                        "more": {"type": "boolean"},
                        "position": {"type": "integer", "minimum": 0},
                    },
                },
                "example": {"events": [EVENT], "next": 4711, "more": False, "position": 4711},
            },
            JSON_LINES: {"schema": {"type": "string"}},
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_SUPPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Demand, stock, what is on its way, and the projected balance by day and week. Quantities are "
        "decimal strings in the item's base unit; `balance` is null where stock is not for who asks.",
        "content": {JSON: {"schema": {"type": "object"}, "example": SUPPLY}},
    }
}
_BUCKETS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What is forecast, added up by week or month: for those who do not see forecasts one by one.",
        "content": {
            JSON: {"schema": {"type": "object"}, "example": {"forecast": [FORECAST]}},
            CSV: {"schema": {"type": "string"}},
        },
    }
}


def routes(service: Service) -> APIRouter:
    """States, forecasts and supply."""
    router = APIRouter(prefix="/v1", tags=["state"])
    ledger = service.ledger

    @router.get("/state/{what}", response_class=Response, responses=_STATE, summary="What holds, or held at any moment")
    def state(
        request: Request, what: What, asked: Annotated[Asked, Query()], accept: Annotated[str, Header()] = JSON
    ) -> Response:
        view = service.visibility.view(viewer_of(request))
        media = preferred(accept, (JSON, JSON_LINES, CSV, PARQUET, XLSX))
        return _state(ledger, view, what.stream, asked, media)

    @router.get("/forecast", response_class=Response, responses=_BUCKETS, summary="Forecasts by week or month")
    def forecast(
        request: Request,
        item: Annotated[Text | None, Query(description="Only of this item.", examples=["P10014"])] = None,
        site: Annotated[Text | None, Query(description="Only at this site.")] = None,
        accept: Annotated[str, Header()] = JSON,
    ) -> Response:
        view = service.visibility.view(viewer_of(request))
        if item is None and view.partner is None:
            raise HTTPException(422, "Say for which item: only a supplier may ask for all of its own.")
        ledger.spans.follow()
        wanted = Wanted(streams=["demand"], partner=view.partner, item=item, site=site)
        buckets = [asdict(one) for one in view.sums(newest_releases(ledger.spans.digests(wanted)))]
        if preferred(accept, (JSON, CSV)) == CSV:
            columns = ("partner", "item", "site", "starts", "period", "quantity", "unit", "events")
            return Response(rendered(table(buckets, columns), CSV), media_type=CSV)
        return Response(_encode({"forecast": buckets}), media_type=JSON)

    @router.get(
        "/supply/{item}/{site}", response_class=Response, responses=_SUPPLY, summary="The supply of an item at a site"
    )
    def supply_of(
        request: Request,
        item: Annotated[str, Path(min_length=1, max_length=200, examples=["P10014"])],
        site: Annotated[str, Path(min_length=1, max_length=200, examples=["RAVENSMOOR"])],
        horizon: Annotated[int, Query(ge=1, le=730, description="Days ahead.")] = 91,
    ) -> Response:
        view = service.visibility.view(viewer_of(request))
        found = look_up_supply(ledger, view, item, site, now=service.now(), horizon=horizon)
        return Response(_encode(found), media_type=JSON)

    return router


def look_up_supply(ledger: Ledger, view: View, item: str, site: str, *, now: datetime, horizon: int = 91) -> Supply:
    """The supply of an item at a site as the viewer may see it, from what the feed holds at this moment."""
    ledger.spans.follow()
    digests = ledger.spans.digests(Wanted(item=item, site=site))
    return supply(view, digests, item=item, site=site, today=now.date(), horizon=horizon)


def _state(ledger: Ledger, view: View, stream: str, asked: Asked, media: str) -> Response:
    position = ledger.spans.follow()
    at = None if asked.at is None else ledger.spans.standing_at(asked.at)
    partner = view.partner or asked.partner
    following, seen, full = asked.after, [], False
    if stream in view.streams and asked.partner in (None, partner):
        wanted = Wanted(streams=[stream], partner=partner, item=asked.item, site=asked.site)
        found = ledger.spans.latest(wanted, at=at, after=asked.after, limit=asked.limit)
        full = len(found) == asked.limit
        following = found[-1].position if found else asked.after
        seen = list(view.events(found))
    headers = {"Vary": "Accept", "Crossdock-Next": str(following), "Crossdock-More": str(full).lower()}
    if media == XLSX:
        from crossdock.feed.workbooks import workbook

        return Response(workbook(seen), media_type=XLSX, headers=headers)
    if media in (CSV, PARQUET):
        return Response(rendered(event_table(seen), media), media_type=media, headers=headers)
    events = [event.cloud_event() for event in seen]
    if media == JSON_LINES:
        return Response(b"".join(event + b"\n" for event in events), media_type=media, headers=headers)
    told = (b",".join(events), following, b"true" if full else b"false", position if at is None else at)
    return Response(b'{"events":[%b],"next":%d,"more":%b,"position":%d}' % told, media_type=JSON, headers=headers)
