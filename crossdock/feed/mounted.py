"""The API within another application that logs people in by itself: Airflow's API server.

``crossdock/feed`` knows nothing of Airflow; ``plugins/crossdock_feed.py`` says who somebody is there.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from crossdock.feed.access import described
from crossdock.feed.problems import problem
from crossdock.visibility import Viewer

#: Who asks, by the other application's own login. Raises HTTPException for somebody it does not know or let in.
Knows = Callable[[Request], Awaitable[Viewer]]


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
        answering = described(send, tls=scope.get("scheme") == "https")
        try:
            viewer = await self._knows(Request(scope, receive))
        except HTTPException as error:
            refusal = problem(error.status_code, str(error.detail), headers=error.headers)
            await refusal(scope, receive, answering)
            return
        inside = await to_thread.run_sync(self._first) if self._made is None else self._made
        state = {**scope.get("state", {}), "viewer": viewer}
        await inside({**scope, "state": state}, receive, answering)

    def _first(self) -> ASGIApp:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
