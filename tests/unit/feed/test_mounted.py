"""The console within another application: its links, who is let in, and what the answers say of themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from crossdock.console.pages import routes
from crossdock.console.workplace import workplace_of
from crossdock.dock import Dock
from crossdock.feed.app import api_and_console
from crossdock.feed.mounted import Mounted
from crossdock.feed.service import service_of
from crossdock.visibility import Audience, Viewer

Asking = Callable[..., httpx.Response]


async def known_by_header(request: Request) -> Viewer:
    """Whoever says an audience is of it."""
    if not (named := request.headers.get("x-audience")):
        raise HTTPException(401, "Log in first.")
    return Viewer(audience=Audience(named), name="anna")


@pytest.fixture
def ask(known: Any, dock: Dock, orders: Callable[..., str]) -> Callable[..., httpx.Response]:
    """Asks the outer application: ``ask("POST", path, audience=...)``."""
    known.drop("a.jsonl", orders(("1", "10"), {"order_no": "2", "line_no": "10", "item_no": 'X" href="/evil'}))
    known.run("run")
    service = service_of(dock)
    outer = FastAPI()
    outer.mount(
        "/crossdock", Mounted(lambda: api_and_console(service, routes(workplace_of(dock, service))), known_by_header)
    )

    def ask(method: str, path: str, *, audience: str = "integration", **options: Any) -> httpx.Response:
        headers = {"x-audience": audience, **options.pop("headers", {})}
        return asyncio.run(_asked(outer, method, path, headers=headers, **options))

    return ask


async def _asked(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://airflow") as client:
        return await client.request(method, path, **options)


class Links(HTMLParser):
    """Where a page leads to and what it loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src", "action") and value]


def test_every_link_of_every_page_stays_below_the_place_of_mounting(ask: Asking) -> None:
    seen: set[str] = set()
    ahead = ["/crossdock/"]
    while ahead:
        path = ahead.pop()
        seen.add(path)
        answer = ask("GET", path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for link in Links(answer.text).found:
            assert link.startswith(("/crossdock/", "#")), f"{path} leads to {link}"
            bare = link.partition("#")[0]
            if bare and bare not in seen and "/fix" not in bare and "/reject" not in bare:
                ahead.append(bare)
                seen.add(bare)
    pages = {re.sub(r"[?].*|doc-\w+", "", path) for path in seen}
    assert pages >= {"/crossdock/documents", "/crossdock/parked", "/crossdock/supply", "/crossdock/static/console.css"}


def test_the_page_one_is_on_is_marked(ask: Asking) -> None:
    page = ask("GET", "/crossdock/parked").text
    assert re.search(r'href="/crossdock/parked" aria-current="page"', page)


def test_a_form_leads_back_to_a_page_below(ask: Asking) -> None:
    answer = ask("POST", "/crossdock/parked/fix", data={"partner": "ACME", "code": "item.unknown", "value": "x"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/crossdock/parked?")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(ask: Asking, headers: dict[str, str]) -> None:
    answer = ask("POST", "/crossdock/parked/fix", headers=headers)
    assert answer.status_code == 403


def test_an_audience_enters_only_what_is_for_it(ask: Asking) -> None:
    def asked(path: str) -> int:
        return ask("GET", path, audience="planner").status_code

    assert (asked("/crossdock/supply"), asked("/crossdock/v1/events")) == (200, 200)
    assert {asked(f"/crossdock/{page}") for page in ("documents", "parked", "partners")} == {403}
    assert asked("/crossdock/") == 303
    assert ask("GET", "/crossdock/", audience="planner").headers["location"] == "/crossdock/supply"


def test_nobody_gets_nothing_and_is_told_so(ask: Asking) -> None:
    answer = ask("GET", "/crossdock/", audience="")
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Log in first."


def test_pages_may_stand_in_frames_of_their_own_origin(ask: Asking) -> None:
    policy = ask("GET", "/crossdock/").headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy


def test_a_body_that_is_too_long_is_not_taken(ask: Asking) -> None:
    answer = ask("POST", "/crossdock/v1/documents", content=b"x", headers={"content-length": "30000000"})
    assert answer.status_code == 413
