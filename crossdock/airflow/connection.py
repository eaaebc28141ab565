"""Airflow's connections in our terms."""

from __future__ import annotations

import json

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from connectors.connections import Connection, parse_connection
from schemas.errors import ConfigError


def connection(conn_id: str) -> Connection:
    """Airflow's connection ``conn_id``. Raises ConfigError when Airflow has none."""
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigError(
            f"connection {conn_id!r} is not known to Airflow",
            hint=f"add it under Admin > Connections, or set AIRFLOW_CONN_{conn_id.upper()}",
        ) from error
    parts = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    return parse_connection(conn_id, json.dumps({part: getattr(found, part) for part in parts}))
