"""Connections: host, login and password, kept out of every file.

A channel names a ``conn_id``; what stands behind it comes from Airflow inside a DAG and from the
environment variable ``AIRFLOW_CONN_<ID>`` elsewhere (``crossdock/conn_ids.py``), in either of Airflow's two forms::

    AIRFLOW_CONN_DEMO_ERP='postgres://reader:secret@erp.example:5432/tryton?sslmode=require'
    AIRFLOW_CONN_DEMO_ERP='{"conn_type": "postgres", "host": "erp.example", "login": "reader", ...}'
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a system is and who we are to it. ``schema`` is what Airflow calls the database or path.

    Its ``repr`` never shows the password or ``extra``, so that it may stand in a log.
    """

    conn_id: str
    type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """A host that is written as a URL, with the port that stands beside it, as Airflow reads it; else empty."""
        if "://" not in self.host:
            return ""
        parts = urlsplit(self.host)
        if self.port is None or parts.netloc.rpartition("@")[2].rpartition("]")[2].count(":"):
            return self.host
        return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{self.port}"))


#: Finds the connection behind a ``conn_id``. Raises ConfigError when there is none.
Connections = Callable[[str], Connection]


def variable_of(conn_id: str) -> str:
    """The environment variable that holds a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def from_environment(conn_id: str, environment: Mapping[str, str] | None = None) -> Connection:
    """The connection in ``AIRFLOW_CONN_<ID>`` of ``environment`` (default: the process's)."""
    variable = variable_of(conn_id)
    written = (os.environ if environment is None else environment).get(variable, "").strip()
    if not written:
        raise ConfigError(
            f"there is no connection {conn_id!r}",
            hint=f"set {variable}; CROSSDOCK_CONNECTIONS=airflow asks the Airflow that runs here",
        )
    return parse_connection(conn_id, written)


def parse_connection(conn_id: str, written: str) -> Connection:
    """A connection from Airflow's URI or JSON form. Raises ConfigError; the text itself is never shown."""
    try:
        return _from_json(conn_id, written) if written.startswith("{") else _from_uri(conn_id, written)
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(
            f"connection {conn_id!r} is neither a URI nor JSON as Airflow writes them",
            hint="type://login:password@host:port/database?option=value, special characters percent-encoded",
        ) from None


def _from_json(conn_id: str, written: str) -> Connection:
    given = json.loads(written)
    extra = given.get("extra") or {}
    return Connection(
        conn_id=conn_id,
        type=_type(given["conn_type"] if given.get("conn_type") else ""),
        host=given.get("host") or "",
        port=int(given["port"]) if given.get("port") else None,
        login=given.get("login") or "",
        password=given.get("password") or "",
        schema=given.get("schema") or "",
        extra=_texts(json.loads(extra) if isinstance(extra, str) else extra),
    )


def _from_uri(conn_id: str, written: str) -> Connection:
    parts = urlsplit(written)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    nested = options.pop("__extra__", "")
    # Airflow hides a second scheme in the host: http://https%3A%2F%2Fhost or http://host/https
    return Connection(
        conn_id=conn_id,
        type=_type(parts.scheme),
        host=unquote(parts.hostname or ""),
        port=parts.port,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path[1:]),
        extra=_texts(json.loads(nested)) | options if nested else options,
    )


def _type(scheme: str) -> str:
    if not scheme:
        raise ValueError("no connection type")
    return {"postgresql": "postgres"}.get(scheme.lower(), scheme.lower().replace("-", "_"))


def _texts(extra: Mapping[str, object]) -> dict[str, str]:
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in extra.items()}
