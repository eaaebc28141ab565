"""The application that ``crossdock serve`` runs, put together from its parts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from crossdock import __version__
from crossdock.feed import as2, documents, events, export, state
from crossdock.feed.access import Door
from crossdock.feed.problems import answer_with_problems, with_problems_described
from crossdock.feed.service import Service
from crossdock.ledger.text import storable

STATIC = Path(__file__).parent / "static"


def feed_app(service: Service, token: str, console: APIRouter | None = None) -> ASGIApp:
    """API of ``service`` and the pages of ``console``, for who shows ``token`` or one of the ledger's tokens.

    The caller closes the ledger.
    """
    ledger = service.ledger
    app = api_and_console(service, console)
    app.include_router(as2.routes(service.stations))

    @app.get("/healthz", summary="Whether the ledger answers; open to everybody")
    def healthz() -> JSONResponse:
        ledger.master_version()
        return JSONResponse({"status": "ok"})

    door: ASGIApp = Door(app, token, ledger, most_bytes=service.most_bytes)
    if not service.origins:
        return door
    return CORSMiddleware(
        door,
        allow_origins=list(service.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Accept", "Last-Event-ID"],
        expose_headers=["Link", "Retry-After", "Crossdock-Next", "Crossdock-More"],
    )


def api_and_console(service: Service, console: APIRouter | None = None) -> FastAPI:
    """The API and the pages, guarded by nobody: who mounts it says in each request's state who the ``viewer`` is."""
    app = api(service)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    if console is not None:
        app.include_router(console)
    return app


def api(service: Service) -> FastAPI:
    """The API alone."""
    # The pages that would try the API out load their scripts from elsewhere; the description itself does not.
    app = FastAPI(
        title="Crossdock",
        version=__version__,
        description=(
            "The feed of demand, shipment and inventory events, and what holds by it. Every answer shows only what the "
            "token's audience may see (docs/visibility.md). Errors are problem documents (RFC 9457)."
        ),
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(_Storable)
    answer_with_problems(app)
    with_problems_described(app)
    for part in (events, state, export, documents):
        app.include_router(part.routes(service))
    return app


class _Storable:
    """Asks for what the ledger holds in place of a NUL, which PostgreSQL refuses even in a question."""

    INSTEAD = quote(storable("\0")).encode()

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = scope["query_string"].replace(b"%00", self.INSTEAD)
            scope = {**scope, "path": storable(scope["path"]), "query_string": query}
        await self._app(scope, receive, send)
