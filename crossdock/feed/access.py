"""The door: who may ask at all, and what every answer says about itself.

It stands before everything else, so that a page or route that is added later is guarded without
anybody thinking of it; what is open to everybody is listed here and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossdock.feed import as2
from crossdock.feed.problems import problem
from schemas.errors import ConfigError

USER = "crossdock"  #: who logs in to the pages, with the token for a password
SHORTEST = 16  #: characters of a token
OPEN = frozenset({"/healthz"})
PROVEN_OTHERWISE = (as2.PREFIX,)  #: what begins so is for who proves itself by the message

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_HINT = "set CROSSDOCK_TOKEN; python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one"


def token_from(environment: Mapping[str, str]) -> str:
    """The token of ``CROSSDOCK_TOKEN``. Raises ConfigError when it is missing, short, or no plain ASCII."""
    token = environment.get("CROSSDOCK_TOKEN", "")
    if not token:
        raise ConfigError("nobody could be let in: there is no token", hint=_HINT)
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"CROSSDOCK_TOKEN must be {SHORTEST} or more plain characters without blanks", hint=_HINT)
    return token


class Door:
    """An ASGI application that lets through to ``inner`` who shows the token, as bearer or as Basic password."""

    def __init__(self, inner: ASGIApp, token: str) -> None:
        self._inner = inner
        self._token = token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            path = scope["path"]
            may = path in OPEN or path.startswith(PROVEN_OTHERWISE) or self._knows(scope)
            inside = self._inner if may else _refuse
            await inside(scope, receive, _described(send))

    def _knows(self, scope: Scope) -> bool:
        scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                shown = credentials.strip().encode("latin-1")
            case "basic":
                shown = _password(credentials)
            case _:
                return False
        return hmac.compare_digest(shown, self._token)


def _password(credentials: str) -> bytes:
    """The password of Basic credentials (RFC 7617) for our one user; empty for any other."""
    try:
        user, _, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b""
    return password if user == USER.encode("ascii") else b""


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """401, with the challenge that fits: programs send a bearer token, a browser asks its user."""
    challenge = "Bearer" if scope["path"].startswith("/v1/") else f'Basic realm="{USER}", charset="UTF-8"'
    answer = problem(
        401,
        f"Show the token of CROSSDOCK_TOKEN: as bearer token, or as the password of the user {USER}.",
        headers={"WWW-Authenticate": challenge},
    )
    await answer(scope, receive, send)


def _described(send: Send) -> Send:
    async def described(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(SECURITY_HEADERS)
        await send(message)

    return described
