"""The application over a small ledger, asked in process: no socket, no server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from crossdock.console.pages import routes
from crossdock.console.workplace import workplace_of
from crossdock.dock import Dock
from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of

TOKEN = "correct-horse-battery"


@dataclass(frozen=True)
class Browser:
    """Somebody who asks ``app``; with the token unless told otherwise."""

    app: ASGIApp

    def get(self, path: str, *, token: str | None = TOKEN, **options: Any) -> httpx.Response:
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return asyncio.run(self._ask("GET", path, headers=headers, **options))

    def post(self, path: str, *, token: str = TOKEN, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, headers={"Authorization": f"Bearer {token}"}, **options))

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://dock") as client:
            return await client.request(method, path, **options)


@pytest.fixture
def dock(known: Any) -> Iterator[Dock]:
    with Dock.open(known.settings) as opened:
        yield opened


@pytest.fixture
def browser(dock: Dock) -> Browser:
    service = service_of(dock)
    return Browser(feed_app(service, TOKEN, routes(workplace_of(dock, service))))


@pytest.fixture
def token(dock: Dock) -> Callable[..., str]:
    """Makes a token for an audience; ``partner`` makes it a supplier's."""

    def make(audience: str = "", *, partner: str = "", per_minute: int = 600, days: float = 1) -> str:
        ends = datetime.now(UTC) + timedelta(days=days)
        who = {"name": f"{audience}{partner}", "audience": audience or "supplier", "partner": partner}
        return dock.ledger.tokens.new(**who, expires_at=ends, per_minute=per_minute, by="test")

    return make


@pytest.fixture
def five(known: Any, dock: Dock, orders: Callable[..., str]) -> list[str]:
    """Five orders are in the feed; their ids, in order."""
    known.drop("po.jsonl", orders(*(("1", str(line)) for line in range(1, 6))))
    dock.run()
    return [event.id for event in dock.ledger.events()]
