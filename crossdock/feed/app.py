"""The application that ``crossdock serve`` runs, put together from its parts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from crossdock import __version__
from crossdock.display import clock, count, place, quoted, size
from crossdock.feed import as2, documents, events, state
from crossdock.feed.access import Door
from crossdock.feed.dock_page import dock_page
from crossdock.feed.problems import answer_with_problems, with_problems_described
from crossdock.feed.service import Service

STATIC = Path(__file__).parent / "static"


def feed_app(service: Service, token: str) -> ASGIApp:
    """API and console of ``service``, for who shows ``token`` or one of the ledger's. The caller closes the ledger."""
    ledger = service.ledger
    app = api(service)
    app.include_router(as2.routes(service.stations))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    page = templates().get_template("dock.html")

    @app.get("/healthz", summary="Whether the ledger answers; open to everybody")
    def healthz() -> JSONResponse:
        ledger.master_version()
        return JSONResponse({"status": "ok"})

    @app.get("/", include_in_schema=False)
    def dock() -> HTMLResponse:
        return HTMLResponse(page.render(page=dock_page(ledger, datetime.now(UTC))))

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


def api(service: Service) -> FastAPI:
    """The API alone. Whoever mounts it says in each request's state who the ``viewer`` is."""
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
    answer_with_problems(app)
    with_problems_described(app)
    for part in (events, state, documents):
        app.include_router(part.routes(service))
    return app


def templates() -> Environment:
    """The pages' templates: everything escaped, nothing silently missing."""
    made = Environment(
        loader=PackageLoader("crossdock.feed"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clock": clock, "count": count, "place": place, "quoted": quoted, "size": size}
    return made
