"""``GET /v1/events``: the feed, a page at a time, in the order events were committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from crossdock.ledger import Ledger
from schemas.events import Stream

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
MOST = 1000  #: events of one page
LAST = 2**63 - 1  #: no position is higher; it is the largest integer of the ledger's databases


class Asked(BaseModel):
    """What may be asked of the feed; a parameter of another name is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=LAST, description="Only what follows this position; 0 is the feed's beginning.")
    limit: int = Field(100, ge=1, le=MOST, description="At most so many events.")
    stream: Stream | None = Field(None, description="Only this stream.")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events after the position `after`, in order. `next` is the `after` of the page that follows, and the "
            "Link header holds its address; a page without events is the feed's end for now."
        ),
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["events", "next"],
                    "properties": {
                        "events": {"type": "array", "items": {"type": "object", "description": "a CloudEvent 1.0"}},
                        "next": {"type": "integer", "minimum": 0},
                    },
                }
            },
            JSON_LINES: {"schema": {"type": "string", "description": "one CloudEvent 1.0 a line"}},
        },
    }
}


def routes(ledger: Ledger) -> APIRouter:
    """The feed's part of the API."""
    router = APIRouter(prefix="/v1")

    @router.get("/events", response_class=Response, responses=_ANSWERS, summary="The feed, a page at a time")
    def events(asked: Annotated[Asked, Query()], accept: Annotated[str, Header()] = JSON) -> Response:
        stream = asked.stream.value if asked.stream else None
        page = ledger.events(after=asked.after, limit=asked.limit, stream=stream)
        following = page[-1].position if page else asked.after
        headers = {"Link": f'<{_address(asked, following)}>; rel="next"', "Vary": "Accept"}
        rendered = [event.cloud_event() for event in page]
        if wants_lines(accept):
            return Response(b"".join(event + b"\n" for event in rendered), media_type=JSON_LINES, headers=headers)
        body = b'{"events":[%b],"next":%d}' % (b",".join(rendered), following)
        return Response(body, media_type=JSON, headers=headers)

    return router


def wants_lines(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, 12.5.1) prefers JSON Lines to JSON."""
    weights = dict(_ranges(accept))
    lines = weights.get(JSON_LINES, 0.0)
    return lines > 0 and lines >= weights.get(JSON, 0.0)


def _ranges(accept: str) -> Iterable[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            yield media, float(quality)
        except ValueError:
            yield media, 0.0


def _address(asked: Asked, following: int) -> str:
    """Where the next page is, relative to whatever address we are reached by."""
    chosen = {"after": following, "limit": asked.limit, **({"stream": asked.stream.value} if asked.stream else {})}
    return f"/v1/events?{urlencode(chosen)}"
