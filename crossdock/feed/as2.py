"""``POST /as2/<channel>``: where partners deliver over AS2. The message proves who sends it: no token is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from connectors.as2.station import Station

PREFIX = "/as2/"


def routes(stations: Mapping[str, Station]) -> APIRouter:
    """A route for each channel's station."""
    router = APIRouter()

    @router.post(PREFIX + "{channel}", include_in_schema=False)
    async def receive(channel: str, request: Request) -> Response:
        station = stations.get(channel)
        if station is None:
            raise HTTPException(404, f"No channel {channel} receives over AS2.")
        body = await _body(request, station.most)
        reply = await run_in_threadpool(station.receive, request.headers.items(), body, datetime.now(UTC))
        if reply.taken:
            _proven(request)
        response = Response(reply.body, reply.status, background=BackgroundTask(_hand_over_receipts, station))
        for name, value in reply.headers.items():
            response.headers[name] = value
        return response

    return router


def _proven(request: Request) -> None:
    """Let the door know that the message was from who may send it."""
    proven: Callable[[], None] = getattr(request.state, "proven", lambda: None)
    proven()


async def _body(request: Request, most: int) -> bytes:
    """The whole body. Raises HTTPException (413) once it is longer than ``most`` bytes."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise HTTPException(413, f"The message is longer than {most:,} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


def _hand_over_receipts(station: Station) -> None:
    """Receipts that go another way than the answer, after the answer; what fails is tried when the channel runs."""
    import requests

    with requests.Session() as session:
        station.hand_over_receipts(session)
