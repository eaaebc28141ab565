"""Airflow's connections in our terms: to its own processes, and to ours that run beside it."""

from __future__ import annotations

import json
import threading
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from connectors.connections import Connection, parse_connection
from schemas.errors import ConfigError, TransientError


def connection(conn_id: str) -> Connection:
    """Airflow's connection ``conn_id``, in a process of Airflow's. Raises ConfigError when Airflow has none."""
    try:
        return _ours(conn_id, BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        raise _unknown(conn_id) from None


def beside(conn_id: str) -> Connection:
    """The same in a process that Airflow knows nothing of, which shares its configuration (AIRFLOW_HOME, its database
    and Fernet key): what its secrets backends say, its metastore among them.

    Raises ConfigError when none of them knows it, TransientError when one of them could not be asked.
    """
    from airflow.configuration import ensure_secrets_loaded

    failures: list[str] = []
    with _one_at_a_time:  # what the first who asks imports, several would import into one another
        for backend in ensure_secrets_loaded():
            try:
                found = backend.get_connection(conn_id=conn_id)
            except Exception as error:  # anybody's backend, anybody's errors
                failures.append(f"{type(backend).__name__}: {error}".splitlines()[0])
                continue
            if found is not None:
                return _ours(conn_id, found)
    if failures:
        raise TransientError(f"Airflow's connection {conn_id!r} cannot be looked up: {'; '.join(failures)}")
    raise _unknown(conn_id)


_one_at_a_time = threading.Lock()
_PARTS = ("conn_type", "host", "port", "login", "password", "schema", "extra")


def _ours(conn_id: str, found: Any) -> Connection:
    return parse_connection(conn_id, json.dumps({part: getattr(found, part) for part in _PARTS}))


def _unknown(conn_id: str) -> ConfigError:
    return ConfigError(
        f"connection {conn_id!r} is not known to Airflow",
        hint=f"add it under Admin > Connections, or set AIRFLOW_CONN_{conn_id.upper()}",
    )
