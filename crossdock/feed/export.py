"""What holds as a file to take along: a workbook for people, CSV or Parquet for programs, all of it in one go."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from crossdock.feed.access import viewer_of
from crossdock.feed.events import Text
from crossdock.feed.service import Service
from crossdock.feed.tables import CSV, PARQUET, XLSX, event_table, rendered
from crossdock.ledger import Ledger, StoredEvent
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View
from schemas.events import Stream

MOST = 20_000  #: events of one file; `crossdock export` writes any number


class Ending(StrEnum):
    XLSX = "xlsx"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA = {Ending.XLSX: XLSX, Ending.CSV: CSV, Ending.PARQUET: PARQUET}


class Asked(BaseModel):
    """What may be asked for; a parameter of another name is refused."""

    model_config = ConfigDict(extra="forbid")

    stream: Stream | None = Field(None, description="Only this stream.")
    partner: Text | None = Field(None, description="Only of this partner.")
    item: Text | None = Field(None, description="Only of this item.")
    site: Text | None = Field(None, description="Only at this site.")
    at: AwareDatetime | None = Field(None, description="As things stood at this instant; now, where it is left out.")


_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"The latest event of each key, as far as who asks may see it: at most {MOST:,}. A workbook has "
        "a sheet for each stream, numbers as numbers and dates as dates, and nothing that is run as a formula.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
    }
}


def routes(service: Service) -> APIRouter:
    """Files of what holds."""
    router = APIRouter(prefix="/v1", tags=["state"])

    @router.get(
        "/export.{ending}", response_class=Response, responses=_FILE, summary="What holds, as a file to take along"
    )
    def export(request: Request, ending: Ending, asked: Annotated[Asked, Query()]) -> Response:
        from crossdock.feed.workbooks import workbook

        view = service.visibility.view(viewer_of(request))
        found = holding(service.ledger, view, asked)
        content = workbook(found) if ending is Ending.XLSX else rendered(event_table(found), MEDIA[ending])
        name = "-".join(
            ["crossdock", *filter(None, map(_plain, (asked.stream, asked.partner, asked.item, asked.site)))]
        )
        named = f'attachment; filename="{name}-{asked.at or datetime.now(UTC):%Y-%m-%d}.{ending}"'
        return Response(content, media_type=MEDIA[ending], headers={"Content-Disposition": named})

    return router


def holding(ledger: Ledger, view: View, asked: Asked) -> list[StoredEvent]:
    """The latest events that are seen. Raises HTTPException (422) where they are too many for a file."""
    streams = [stream for stream in view.streams if asked.stream in (None, stream)]
    if not streams or (view.partner is not None and asked.partner not in (None, view.partner)):
        return []
    ledger.spans.follow(seconds=5)
    at = None if asked.at is None else ledger.spans.standing_at(asked.at)
    wanted = Wanted(streams=streams, partner=view.partner or asked.partner, item=asked.item, site=asked.site)
    found = list(islice(view.events(ledger.spans.every_latest(wanted, at=at)), MOST + 1))
    if len(found) > MOST:
        raise HTTPException(
            422, f"More than {MOST:,} hold. Say a stream, a partner, an item or a site; crossdock export writes all."
        )
    return found


def _plain(word: str | None) -> str:
    """The word as it may stand in a file's name."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in word or "")
