"""API and console within another application that logs people in by itself: Airflow's API server.

``crossdock/feed`` knows nothing of Airflow; ``plugins/crossdock_feed.py`` says who somebody is there. The pages' links
start at the root, as under ``crossdock serve``; on their way out they are put below the place of mounting.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossdock.feed.access import bounded, described, refusal
from crossdock.feed.problems import problem
from crossdock.visibility import Viewer

#: Who asks, by the other application's own login. Raises HTTPException for somebody it does not know or let in.
Knows = Callable[[Request], Awaitable[Viewer]]

#: A link to the root of our own pages. One that begins with ``/./`` means the other application's.
_LINK = re.compile(rb'(?<= )(href|src|action)="/(?![./])')
_MOST_BYTES = 20_000_000  #: of a request's body


class Mounted:
    """An ASGI application: ``make`` makes what is mounted when it is first asked for, in a thread."""

    def __init__(self, make: Callable[[], ASGIApp], knows: Knows) -> None:
        self._make = make
        self._knows = knows
        self._made: ASGIApp | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        place: str = scope.get("root_path", "")
        answering = below(place, described(send, tls=scope.get("scheme") == "https", framed=True))
        try:
            viewer = await self._knows(Request(scope, receive))
        except HTTPException as error:
            await problem(error.status_code, str(error.detail), headers=error.headers)(scope, receive, answering)
            return
        scope = {**scope, "state": {**scope.get("state", {}), "viewer": viewer, "framed": True}}
        if (refused := refusal(viewer, scope["path"].removeprefix(place))) is not None:
            await refused(scope, receive, answering)
            return
        made = await to_thread.run_sync(self._first) if self._made is None else self._made
        await bounded(made, scope, _MOST_BYTES)(scope, receive, answering)

    def _first(self) -> ASGIApp:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def below(place: str, send: Send) -> Send:
    """``send``, with the links of pages, and where answers lead to, put below ``place``."""
    start: Message | None = None
    page = b""

    async def moved(message: Message) -> None:
        nonlocal start, page
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            location = headers.get("location", "")
            if location.startswith("/") and not location.startswith(("//", "/.", f"{place}/")):
                headers["location"] = f"{place}{location}"
            if headers.get("content-type", "").startswith("text/html"):
                start = message
                return
        elif start is not None:
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = _LINK.sub(rb'\1="%b/' % place.encode(), page)
            MutableHeaders(scope=start)["content-length"] = str(len(page))
            await send(start)
            message = {"type": "http.response.body", "body": page}
        await send(message)

    return moved
