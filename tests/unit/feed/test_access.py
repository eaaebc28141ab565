"""Who is let in, and what every answer says about itself."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from crossdock.feed.access import SECURITY_HEADERS, bounded, token_from
from schemas.errors import ConfigError

from .conftest import TOKEN

EVERYTHING = ["/", "/v1/events", "/v1/openapi.json", "/static/console.css", "/nowhere", "/healthz/", "/Healthz"]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("path", EVERYTHING)
def test_nothing_is_shown_to_strangers(browser, path):
    response = browser.get(path, token=None)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer" if path.startswith("/v1/") else "Basic")


def test_whether_it_is_well_is_told_to_everybody(browser):
    assert browser.get("/healthz", token=None).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Token {TOKEN}",
        basic("admin", TOKEN),
        basic("crossdock", "wrong-wrong-wrong-wrong"),
        basic("crossdock", ""),
        "Basic not-base64!",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        b"Bearer \xe9\xff",
    ],
)
def test_the_wrong_words_open_nothing(browser, authorization):
    assert browser.get("/v1/events", token=None, headers={"Authorization": authorization}).status_code == 401


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic("crossdock", TOKEN)])
@pytest.mark.parametrize("path", ["/", "/v1/events"])
def test_the_token_opens_both_ways(browser, authorization, path):
    assert browser.get(path, token=None, headers={"Authorization": authorization}).status_code == 200


@pytest.mark.parametrize("path", [*EVERYTHING, "/healthz"])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_every_answer_carries_the_security_headers(browser, path, token):
    headers = browser.get(path, token=token).headers
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)


@pytest.mark.parametrize(
    "token", ["", "short", "fifteen-letters", "blanks in a long token", "x" * 20 + "é", "x" * 20 + "\n"]
)
def test_no_service_without_a_good_token(token):
    with pytest.raises(ConfigError, match="CROSSDOCK_TOKEN"):
        token_from({"CROSSDOCK_TOKEN": token})


def test_a_missing_token_is_told_with_how_to_make_one(installation):
    done = installation.run("serve")
    assert done.exit_code == 2
    assert "secrets.token_urlsafe" in done.stderr


def taken(pieces: Sequence[bytes], *, most: int) -> bytes:
    """What gets through of a body that comes in pieces and does not say how long it is."""
    got: list[bytes] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        async for piece in Request(scope, receive).stream():
            got.append(piece)

    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return waiting.pop(0)

    async def asked() -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await bounded(inner, scope, most)(scope, receive, None)

    with suppress(HTTPException):
        asyncio.run(asked())
    return b"".join(got)


def test_a_body_that_grows_without_an_end_breaks_off() -> None:
    assert taken([b"x" * 40, b"y" * 40, b"z" * 40], most=100) == b"x" * 40 + b"y" * 40
    assert taken([b"x" * 40, b"y" * 60], most=100) == b"x" * 40 + b"y" * 60
