"""The door: who may ask at all, how often, and what every answer says about itself.

It stands before everything else, so that a page or route that is added later is guarded without
anybody thinking of it; what is open to everybody is listed here and nowhere else. Behind it every request
says in its state who the ``viewer`` is, and whatever a supplier asks for is in the audit trail before it is answered.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossdock.feed import as2
from crossdock.feed.problems import problem
from crossdock.feed.throttle import MOST, Throttle, address_of
from crossdock.ledger import Ledger
from crossdock.ledger.tokens import Token
from crossdock.visibility import Audience, Viewer
from schemas.errors import ConfigError, TransientError

USER = "crossdock"  #: who logs in to the pages, with the token for a password
SHORTEST = 16  #: characters of a token
OPEN = frozenset({"/healthz"})
PROVEN_OTHERWISE = (as2.PREFIX,)  #: what begins so is for who proves itself by the message
#: Where a path has to begin so that an audience is let in: what passes all it shows through a ``View``. Who runs the
#: dock (integration) is let in everywhere.
_THROUGH_A_VIEW = ("/v1/", "/static/")
_OURS = ("/supply", "/events")
MAY_ENTER: Mapping[Audience, tuple[str, ...]] = {
    Audience.PLANNER: (*_THROUGH_A_VIEW, *_OURS),
    Audience.BUYER: (*_THROUGH_A_VIEW, *_OURS),
    Audience.QUALITY: (*_THROUGH_A_VIEW, *_OURS),
    Audience.SUPPLIER: (*_THROUGH_A_VIEW, "/supplier"),
}
_STATION = 60_000  #: requests a minute of who shows CROSSDOCK_TOKEN, many times that of a client
WRONG = 30  #: wrong tokens a minute from one address; what is more is answered 429
UNPROVEN = 120  #: AS2 messages a minute from one address of which none is taken; what is more is answered 429

log = logging.getLogger(__name__)

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TLS_ONLY: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}

_HINT = "set CROSSDOCK_TOKEN; python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one"


def token_from(environment: Mapping[str, str]) -> str:
    """The token of ``CROSSDOCK_TOKEN``. Raises ConfigError when it is missing, short, or no plain ASCII."""
    token = environment.get("CROSSDOCK_TOKEN", "")
    if not token:
        raise ConfigError("nobody could be let in: there is no token", hint=_HINT)
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"CROSSDOCK_TOKEN must be {SHORTEST} or more plain characters without blanks", hint=_HINT)
    return token


def viewer_of(request: Request) -> Viewer:
    """Who asks; the door has let it in."""
    viewer: Viewer = request.state.viewer
    return viewer


def may_still_ask(request: Request) -> bool:
    """Whether the token that was shown still opens the door, for an answer that goes on and on."""
    still: Callable[[], bool] = getattr(request.state, "still", lambda: True)
    return still()


class Door:
    """An ASGI application that lets through to ``inner`` who shows a token, as bearer or as Basic password.

    ``token`` is the installation's own and sees everything; the others are the ledger's (``crossdock token new``).
    Where too many wrong ones come from, the installation's own, which a person has chosen, opens nothing for a while
    unless it has been shown there before; a right one of the ledger's, which nobody can guess, always does.
    """

    def __init__(
        self,
        inner: ASGIApp,
        token: str,
        ledger: Ledger,
        *,
        most_bytes: int = 20_000_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._token = token.encode("ascii")
        self._ledger = ledger
        self._most_bytes = most_bytes
        self._now = now
        self._asked = Throttle(seconds)
        self._wrong = Throttle(seconds)
        self._unproven = Throttle(seconds)
        self._warned = Throttle(seconds)
        self._stations: dict[str, None] = {}  #: addresses at which the installation's own token was shown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            inside = await self._inside(scope)
            await inside(scope, receive, described(send, tls=scope.get("scheme") == "https"))

    async def _inside(self, scope: Scope) -> ASGIApp:
        """What answers this request."""
        path: str = scope["path"]
        if path in OPEN:
            return self._inner
        if path.startswith(PROVEN_OTHERWISE):
            return self._who_proves_it(scope)
        address = address_of(scope)
        guessing = address not in self._stations and self._wrong.wait(address, WRONG) > 0
        shown = _shown(Headers(scope=scope).get("authorization", ""))
        try:
            token = await to_thread.run_sync(self._whose, shown, guessing)
        except TransientError as error:
            return problem(503, error.message, headers={"Retry-After": "5"})
        if token is None:
            return self._turned_away(address, path, shown)
        if not token.id:
            self._at_station(address)
        wait = self._asked.take(token.id, token.per_minute)
        if wait:
            return _too_many(f"{token.name} may ask {token.per_minute} times a minute.", wait)
        viewer = Viewer(audience=Audience(token.audience), partner=token.partner, name=token.name)
        scope.setdefault("state", {}).update(viewer=viewer, still=lambda: self._whose(shown) is not None)
        if (refused := refusal(viewer, path)) is not None:
            return refused
        if viewer.is_supplier:
            await to_thread.run_sync(self._note, viewer, token, scope)
        return bounded(self._inner, scope, self._most_bytes)

    def _whose(self, shown: bytes, guessing: bool = False) -> Token | None:
        """Whose token was shown; None: nobody's. While somebody is ``guessing``, it is not held against our own."""
        if not guessing and hmac.compare_digest(shown, self._token):
            return Token(id="", name=USER, audience="integration", partner="", per_minute=_STATION)
        if not shown.startswith(b"cd_"):
            return None
        return self._ledger.tokens.check(shown.decode("latin-1"), self._now())

    def _at_station(self, address: str) -> None:
        """The installation's own token was shown there: what went wrong before was a slip."""
        self._wrong.forget(address)
        self._stations.pop(address, None)
        self._stations[address] = None
        if len(self._stations) > MOST:
            del self._stations[next(iter(self._stations))]

    def _turned_away(self, address: str, path: str, shown: bytes) -> ASGIApp:
        """401; or 429, where too many wrong tokens came from the address. Who shows none at all may always ask."""
        wait = self._wrong.take(address, WRONG) if shown else 0.0
        if not wait:
            return _refuse(path)
        if not self._warned.take(address, 1):
            log.warning("more than %d wrong tokens a minute from %s", WRONG, address or "this machine")
        return _too_many("Too many wrong tokens from your address.", wait)

    def _who_proves_it(self, scope: Scope) -> ASGIApp:
        """What is taken does not count (``as2.proven``): whoever may deliver may do so as often as he likes."""
        address = address_of(scope)
        wait = self._unproven.take(address, UNPROVEN)
        if wait:
            return _too_many("Too much came from your address that could not be taken.", wait)
        scope.setdefault("state", {})["proven"] = lambda: self._unproven.give_back(address)
        return self._inner

    def _note(self, viewer: Viewer, token: Token, scope: Scope) -> None:
        query = scope.get("query_string", b"").decode("latin-1")
        asked = {"method": scope["method"], "path": scope["path"], "query": query, "token": token.id}
        self._ledger.tokens.note_access(viewer.name, viewer.partner, asked)


def _shown(authorization: str) -> bytes:
    """The token in an Authorization header; empty where there is none."""
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip().encode("latin-1")
        case "basic":
            return _password(credentials)
        case _:
            return b""


def _password(credentials: str) -> bytes:
    """The password of Basic credentials (RFC 7617): of our one user, or, whoever the user is, a client's token."""
    try:
        user, _, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b""
    return password if user == USER.encode("ascii") or password.startswith(b"cd_") else b""


def _too_many(told: str, wait: float) -> ASGIApp:
    return problem(429, told, headers={"Retry-After": str(int(wait) + 1)})


def _refuse(path: str) -> ASGIApp:
    """401, with the challenge that fits: programs send a bearer token, a browser asks its user."""
    challenge = "Bearer" if path.startswith("/v1/") else f'Basic realm="{USER}", charset="UTF-8"'
    return problem(
        401,
        f"Show the token of CROSSDOCK_TOKEN: as bearer token, or as the password of the user {USER}; "
        "or one that `crossdock token new` made.",
        headers={"WWW-Authenticate": challenge},
    )


def refusal(viewer: Viewer, path: str) -> ASGIApp | None:
    """What answers a viewer whose audience a path is not for; the root leads to the page on which the audience begins.

    None where it may enter.
    """
    entrances = MAY_ENTER.get(viewer.audience, ("/",))
    if path.startswith(entrances):
        return None
    told = f"This is not for the audience {viewer.audience}."
    if path not in ("", "/"):
        return problem(403, told)
    return problem(303, told, headers={"Location": next(one for one in entrances if not one.endswith("/"))})


def bounded(inner: ASGIApp, scope: Scope, most: int) -> ASGIApp:
    """``inner`` for this request, or 413 where its body is longer than ``most`` bytes: at once where it says so, else
    where it has grown beyond that."""
    written = Headers(scope=scope).get("content-length", "")
    if written.isdecimal() and int(written) > most:
        return problem(413, f"{int(written):,} bytes are too many; {most:,} can be taken.")

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise HTTPException(413, f"More than {most:,} bytes cannot be taken.")
            return message

        await inner(scope, counted, send)

    return within


def described(send: Send, *, tls: bool, framed: bool = False) -> Send:
    """``send`` with our headers in every answer; ``framed`` pages may stand in frames of their own origin, and have a
    script of ours that leads out of them."""
    headers = {**SECURITY_HEADERS, **_TLS_ONLY} if tls else dict(SECURITY_HEADERS)
    if framed:
        policy = headers["Content-Security-Policy"]
        headers["Content-Security-Policy"] = policy.replace(
            "frame-ancestors 'none'", "frame-ancestors 'self'; script-src 'self'"
        )

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return with_headers
