"""The feed's API within Airflow's API server, at ``/crossdock/v1``, with Airflow's own login and roles.

Whoever may change Airflow's configuration (by default Op and Admin) runs the dock and sees everything. Whoever else is
let in by the auth manager to a custom view ``Crossdock <audience>`` sees the feed as that audience; the first of
planner, quality and buyer counts. Airflow finds it by ``AIRFLOW__CORE__PLUGINS_FOLDER=/opt/crossdock/plugins``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from crossdock.visibility import Viewer

AUDIENCES = ("planner", "quality", "buyer")


async def viewer_of(request: Request) -> Viewer:
    """The audience of who is logged in to Airflow. Raises HTTPException 401 for nobody, 403 for who has none."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
    from starlette.exceptions import HTTPException

    from crossdock.visibility import Audience, Viewer

    user = await get_user(request, None, await bearer_scheme(request))
    manager = get_auth_manager()
    if manager.is_authorized_configuration(method="PUT", user=user):
        return Viewer(audience=Audience.INTEGRATION, name=user.get_name())
    for audience in AUDIENCES:
        if manager.is_authorized_custom_view(method="GET", resource_name=f"Crossdock {audience}", user=user):
            return Viewer(audience=Audience(audience), name=user.get_name())
    raise HTTPException(403, "No role of yours sees the feed; ask for the view `Crossdock planner`.")


def made() -> ASGIApp:
    """The API over the installation that the environment describes. Connections come from Airflow."""
    from crossdock.dock import Dock
    from crossdock.feed.app import api
    from crossdock.feed.service import service_of

    return api(service_of(Dock.open()))


def feed() -> Any:
    from crossdock.feed.mounted import Mounted

    return Mounted(made, viewer_of)


class CrossdockFeed(AirflowPlugin):
    """See the module."""

    name = "crossdock_feed"
    fastapi_apps = [{"app": feed(), "url_prefix": "/crossdock", "name": "Crossdock"}]
