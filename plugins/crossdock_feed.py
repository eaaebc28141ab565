"""Console and API within Airflow's API server, at ``/crossdock``, with Airflow's own login and roles.

Whoever may change Airflow's configuration (by default Op and Admin) runs the dock and sees everything. Whoever else is
let in by the auth manager to a custom view ``Crossdock <audience>`` sees the feed as that audience; the first of
planner, quality and buyer counts. Airflow finds it by ``AIRFLOW__CORE__PLUGINS_FOLDER=/opt/crossdock/plugins``, has
Crossdock in its navigation, and on each run of a DAG the documents that it read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from crossdock.visibility import Viewer

AUDIENCES = ("planner", "quality", "buyer")
PREFIX = "/crossdock"


def root() -> str:
    """The path at which Airflow itself is reached: empty, or that of ``[api] base_url``."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


async def viewer_of(request: Request) -> Viewer:
    """The audience of who is logged in to Airflow.

    Raises HTTPException: 401 for a program that shows no login, 303 to Airflow's login for a person, 403 for who has
    no audience.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
    from starlette.exceptions import HTTPException

    from crossdock.visibility import Audience, Viewer

    try:
        user = await get_user(request, None, await bearer_scheme(request))
    except HTTPException as error:
        if error.status_code == 401 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            login = f"{root()}/api/v2/auth/login?{urlencode({'next': str(request.url)})}"
            raise HTTPException(303, "Log in to Airflow first.", headers={"Location": f"/.{login}"}) from None
        raise
    manager = get_auth_manager()
    if manager.is_authorized_configuration(method="PUT", user=user):
        return Viewer(audience=Audience.INTEGRATION, name=user.get_name())
    for audience in AUDIENCES:
        if manager.is_authorized_custom_view(method="GET", resource_name=f"Crossdock {audience}", user=user):
            return Viewer(audience=Audience(audience), name=user.get_name())
    raise HTTPException(403, "No role of yours sees the feed; ask for the view `Crossdock planner`.")


def made() -> ASGIApp:
    """API and console over the installation that the environment describes. Connections come from Airflow."""
    from crossdock.airflow.connection import connection
    from crossdock.console.pages import routes
    from crossdock.console.workplace import workplace_of
    from crossdock.dock import Dock
    from crossdock.feed.app import api_and_console
    from crossdock.feed.service import service_of

    dock = Dock.open(connections=connection)
    service = service_of(dock)
    return api_and_console(service, routes(replace(workplace_of(dock, service), airflow=f"/.{root()}")))


@cache
def mounted() -> ASGIApp:
    from crossdock.feed.mounted import Mounted

    return Mounted(made, viewer_of)


async def feed(scope: Scope, receive: Receive, send: Send) -> None:
    """The application. Every process of Airflow imports its plugins; what it takes is imported by the first request."""
    await mounted()(scope, receive, send)


class CrossdockFeed(AirflowPlugin):
    """See the module."""

    name = "crossdock_feed"
    fastapi_apps = [{"app": feed, "url_prefix": PREFIX, "name": "Crossdock"}]
    external_views = [
        {
            "name": "Crossdock",
            "href": f"{root()}{PREFIX}/",
            "icon": f"{root()}{PREFIX}/static/crossdock.svg",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "crossdock",  # within Airflow's own frame: its 3.3.2 shows entries without as dead buttons
        },
        {
            "name": "Documents",
            "href": f"{root()}{PREFIX}/documents?dag={{DAG_ID}}&run={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "crossdock-documents",
        },
    ]
