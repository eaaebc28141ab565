"""What stands behind a ``conn_id`` where nobody hands connections in: on the command line and in our own services.

``AIRFLOW_CONN_<ID>`` comes first. What is not there is asked of ``CROSSDOCK_CONNECTIONS``: ``airflow``, for a process
beside Airflow, or ``module:function`` of whoever keeps secrets elsewhere.
"""

from __future__ import annotations

import os
from importlib import import_module

from connectors.connections import Connection, Connections, from_environment, variable_of
from schemas.errors import ConfigError

VARIABLE = "CROSSDOCK_CONNECTIONS"
_AIRFLOW = "crossdock.airflow.connection:beside"


def connection(conn_id: str) -> Connection:
    """The connection. Raises ConfigError when there is none, and what ``CROSSDOCK_CONNECTIONS`` raises."""
    elsewhere = os.environ.get(VARIABLE, "")
    if not elsewhere or os.environ.get(variable_of(conn_id), "").strip():
        return from_environment(conn_id)
    return _named(_AIRFLOW if elsewhere == "airflow" else elsewhere)(conn_id)


def _named(place: str) -> Connections:
    module, _, function = place.partition(":")
    try:
        found: Connections = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{VARIABLE}={os.environ[VARIABLE]} names nothing that can be called: {error}",
            hint="airflow, or module:function",
        ) from None
    return found
