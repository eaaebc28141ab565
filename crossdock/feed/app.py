"""The application that ``crossdock serve`` runs, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from crossdock import __version__
from crossdock.display import clock, count, place, quoted, size
from crossdock.feed import as2, events
from crossdock.feed.access import Door
from crossdock.feed.dock_page import dock_page
from crossdock.feed.problems import answer_with_problems
from crossdock.ledger import Ledger

if TYPE_CHECKING:
    from connectors.as2.station import Station

STATIC = Path(__file__).parent / "static"


def feed_app(ledger: Ledger, token: str, stations: Mapping[str, Station] = MappingProxyType({})) -> ASGIApp:
    """API and console over ``ledger``, for who shows ``token``; partners reach ``stations`` over AS2.

    The caller closes the ledger.
    """
    # The pages that would try the API out load their scripts from elsewhere; the description itself does not.
    app = FastAPI(title="Crossdock", version=__version__, openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None)
    answer_with_problems(app)
    app.include_router(events.routes(ledger))
    app.include_router(as2.routes(stations))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    page = templates().get_template("dock.html")

    @app.get("/healthz", summary="Whether the ledger answers; open to everybody")
    def healthz() -> JSONResponse:
        ledger.master_version()
        return JSONResponse({"status": "ok"})

    @app.get("/", include_in_schema=False)
    def dock() -> HTMLResponse:
        return HTMLResponse(page.render(page=dock_page(ledger, datetime.now(UTC))))

    return Door(app, token)


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
