"""``GET /v1/events``: the feed, a page at a time or live, in the order events were committed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from crossdock.feed.access import may_still_ask, viewer_of
from crossdock.feed.bell import Bell
from crossdock.feed.examples import EVENT
from crossdock.feed.service import Service
from crossdock.feed.tables import CSV, EVENT_STREAM, JSON, JSON_LINES, PARQUET, event_table, preferred, rendered
from crossdock.ledger import Ledger, StoredEvent
from crossdock.ledger.spans import Wanted
from crossdock.visibility import View, Viewer
from schemas.errors import DeniedError
from schemas.events import Stream

MOST = 1000  #: events of one page
LAST = 2**63 - 1  #: no position is higher; it is the largest integer of the ledger's databases
_LOOKED_AT = 50_000  #: events gone through for one page, where few of them are for who asks
_BEAT = (
    15.0  #: seconds after which who follows live is told that we are still there, and its rights are looked at again
)

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Asked(BaseModel):
    """What may be asked of the feed; a parameter of another name is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=LAST, description="Only what follows this position; 0 is the feed's beginning.")
    limit: int = Field(100, ge=1, le=MOST, description="At most so many events.")
    stream: Stream | None = Field(None, description="Only this stream.")
    partner: Text | None = Field(None, description="Only events of this partner.")
    item: Text | None = Field(None, description="Only events of this item.")
    site: Text | None = Field(None, description="Only events of this site.")
    since: AwareDatetime | None = Field(None, description="Only what was recorded at this instant or later.")

    def wanted(self, view: View) -> Wanted | None:
        """What to look for; None where the viewer would see nothing of it."""
        streams: tuple[str, ...] | None = view.streams
        if self.stream is not None:
            streams = (self.stream.value,) if self.stream.value in view.streams else ()
        if view.partner is not None and self.partner not in (None, view.partner):
            return None
        if not streams:
            return None
        every = len(streams) == len(Stream)
        partner = view.partner or self.partner
        return Wanted(streams=None if every else streams, partner=partner, item=self.item, site=self.site)


_PAGE = {
    "type": "object",
    "required": ["events", "next", "more"],
    "properties": {
        "events": {"type": "array", "items": {"type": "object", "description": "a CloudEvent 1.0"}},
        "next": {"type": "integer", "minimum": 0, "description": "the `after` of the page that follows"},
        "more": {"type": "boolean", "description": "whether the page that follows may hold something already"},
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events after the position `after`, in order. `next` is the `after` of the page that follows, and the "
            "Link header holds its address; while `more` is true that page is worth asking for at once. "
            "With `Accept: text/event-stream` the feed goes on live, each event with its position for an id."
        ),
        "content": {
            JSON: {"schema": _PAGE, "example": {"events": [EVENT], "next": 4711, "more": False}},
            JSON_LINES: {"schema": {"type": "string", "description": "one CloudEvent 1.0 a line"}},
            CSV: {"schema": {"type": "string", "description": "one event a line, flat; formulas are made harmless"}},
            PARQUET: {"schema": {"type": "string", "format": "binary", "description": "the same, every value exact"}},
            EVENT_STREAM: {"schema": {"type": "string", "description": "server-sent events, one CloudEvent each"}},
        },
    }
}


def routes(service: Service) -> APIRouter:
    """The feed's part of the API."""
    router = APIRouter(prefix="/v1", tags=["feed"])
    ledger = service.ledger
    bell = Bell(ledger)

    @router.get("/events", response_class=Response, responses=_ANSWERS, summary="The feed, a page at a time, or live")
    async def events(
        request: Request,
        asked: Annotated[Asked, Query()],
        accept: Annotated[str, Header()] = JSON,
        last_event_id: Annotated[str, Header(pattern="^[0-9]{0,18}$")] = "",
    ) -> Response:
        viewer = viewer_of(request)
        media = preferred(accept, (JSON, JSON_LINES, CSV, PARQUET, EVENT_STREAM))
        if media == EVENT_STREAM:
            begin = asked.model_copy(update={"after": int(last_event_id)}) if last_event_id else asked

            def rights() -> View | None:
                with suppress(DeniedError):
                    return service.visibility.view(viewer) if may_still_ask(request) else None
                return None

            await to_thread.run_sync(service.visibility.view, viewer)  # who may not be told hears it now

            return StreamingResponse(live(ledger, begin, rights, bell), media_type=EVENT_STREAM)
        root = request.scope.get("root_path", "")
        return await to_thread.run_sync(_answer, service, asked, viewer, media, root)

    return router


def _answer(service: Service, asked: Asked, viewer: Viewer, media: str, root: str) -> Response:
    seen, following, more = page(service.ledger, asked, service.visibility.view(viewer))
    link = f'<{root}{_address(asked, following)}>; rel="next"'
    headers = {"Link": link, "Vary": "Accept", "Crossdock-Next": str(following), "Crossdock-More": str(more).lower()}
    if media in (CSV, PARQUET):
        return Response(rendered(event_table(seen), media), media_type=media, headers=headers)
    events = [event.cloud_event() for event in seen]
    if media == JSON_LINES:
        return Response(b"".join(event + b"\n" for event in events), media_type=JSON_LINES, headers=headers)
    body = b'{"events":[%b],"next":%d,"more":%b}' % (b",".join(events), following, b"true" if more else b"false")
    return Response(body, media_type=JSON, headers=headers)


def page(ledger: Ledger, asked: Asked, view: View) -> _Page:
    """What is seen of the feed after ``asked.after``, the position to go on from, and whether there may be more now."""
    wanted = asked.wanted(view)
    after = asked.after
    if asked.since is not None:
        after = max(after, ledger.spans.position_at(asked.since))
    if wanted is None:
        return [], after, False
    newest = ledger.spans.follow() if wanted.narrows else LAST
    looked_at = 0
    while looked_at < _LOOKED_AT:
        found = ledger.spans.events(wanted, after=after, limit=asked.limit)
        after = found[-1].position if found else after
        full = len(found) == asked.limit
        if (seen := list(view.events(found))) or not full:
            return seen, after, full or (newest < LAST and ledger.spans.position() < ledger.spans.newest())
        looked_at += len(found)
    return [], after, True


async def live(ledger: Ledger, asked: Asked, rights: Callable[[], View | None], bell: Bell) -> AsyncIterator[bytes]:
    """Server-sent events from ``asked.after`` on, until who follows goes away or has no ``rights`` any more, which are
    looked up anew each time. What a supplier follows is in the audit trail before it is told."""
    told = time.monotonic()
    yield b"retry: 2000\n\n"
    while True:
        struck = bell.struck
        found = await to_thread.run_sync(_noted_page, ledger, asked, rights)
        if found is None:
            return
        seen, following, more = found
        for event in seen:
            yield b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.stream.encode(), event.cloud_event())
        asked = asked.model_copy(update={"after": following, "since": None})
        now = time.monotonic()
        if seen:
            told = now
        elif now - told > _BEAT:
            told = now
            yield b": still here\n\n"
        if not more:
            await bell.wait(struck, _BEAT)


_Page = tuple[list[StoredEvent], int, bool]


def _noted_page(ledger: Ledger, asked: Asked, rights: Callable[[], View | None]) -> _Page | None:
    """The next page for who follows live; None: it may not any more."""
    view = rights()
    if view is None:
        return None
    seen, following, more = page(ledger, asked, view)
    if seen and view.viewer.is_supplier:
        about = {"path": "/v1/events", "live": True, "first": seen[0].position, "last": seen[-1].position}
        ledger.tokens.note_access(view.viewer.name, view.viewer.partner, about | {"events": len(seen)})
    return seen, following, more


def _address(asked: Asked, following: int) -> str:
    """Where the next page is, relative to whatever address we are reached by."""
    chosen: dict[str, Any] = {"after": following, "limit": asked.limit}
    for name in ("stream", "partner", "item", "site"):
        if (value := getattr(asked, name)) is not None:
            chosen[name] = value
    return f"/v1/events?{urlencode(chosen)}"
