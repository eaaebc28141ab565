"""What a visitor should not wait for, done beside the answering of requests: each page is looked at once at the start,
and what goes short is reckoned as the feed goes on.

Imports, templates, the statements of the pages' queries and the engine of the charts are made when they are first
needed; together that is some seconds of work, half of it the engine's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from threading import Event

from starlette.types import ASGIApp, Message, Scope

from crossdock.console import charts
from crossdock.console.rendering import Rendering
from crossdock.feed.outlook import reckon_on
from crossdock.feed.service import Service
from schemas.errors import CrossdockError

#: Pages that need no id, those first with which a day begins.
PAGES = ("/", "/documents", "/parked", "/supply", "/partners", "/files", "/events", "/answers", "/outlets")

_AGAIN = 60.0  #: seconds

log = logging.getLogger(__name__)


def beside(app: ASGIApp, end: Event, *, service: Service, token: str, rendering: Rendering) -> None:
    """What ``crossdock serve`` does meanwhile, until ``end`` is set."""
    warm(app, token, rendering)
    while not end.is_set():
        try:
            reckon_on(service, end.wait)
        except CrossdockError as error:  # the database is away, or busy with something else
            log.warning("what goes short could not be reckoned: %s", error)
            end.wait(_AGAIN)


def warm(app: ASGIApp, token: str, rendering: Rendering) -> None:
    """Look at ``PAGES`` as who shows ``token`` would, then make what other pages need.

    Nothing depends on it: a page that cannot be had now is told to the log, and is asked for again by a visitor.
    """
    try:
        asyncio.run(_look(app, token, PAGES))
        rendering.prepare()
        charts.prepare()
    except Exception:  # a thread of its own has nobody to tell
        log.warning("the console was not looked at before its visitors do", exc_info=True)


async def _look(app: ASGIApp, token: str, paths: Sequence[str]) -> None:
    for path in paths:
        answered: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message, answered: list[Message] = answered) -> None:
            answered.append(message)

        await app(_request(path, token), receive, send)
        if (status := answered[0]["status"]) != 200:
            log.warning("%s answered %d when it was looked at first", path, status)


def _request(path: str, token: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"dock"), (b"authorization", f"Bearer {token}".encode("ascii"))],
        "client": None,
        "server": None,
    }
