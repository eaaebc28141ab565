"""Connections in Airflow's two forms, and secrets that stay secret."""

from __future__ import annotations

import json

import pytest

from connectors.connections import Connection, from_environment
from schemas.errors import ConfigError


def test_a_uri() -> None:
    written = "postgresql://reader:p%40ss%2Fword@erp.example:5433/tryton?sslmode=require"
    connection = from_environment("demo-erp", {"AIRFLOW_CONN_DEMO-ERP": written})
    assert connection == Connection(
        conn_id="demo-erp",
        type="postgres",
        host="erp.example",
        port=5433,
        login="reader",
        password="p@ss/word",
        schema="tryton",
        extra={"sslmode": "require"},
    )


def test_a_uri_of_a_file() -> None:
    connection = from_environment("erp", {"AIRFLOW_CONN_ERP": "sqlite:////var/lib/erp.db"})
    assert (connection.type, connection.host, connection.schema) == ("sqlite", "", "/var/lib/erp.db")


def test_nested_extra_of_a_uri() -> None:
    written = "http://hub.example/?__extra__=%7B%22token%22%3A+%22t%22%2C+%22n%22%3A+1%7D"
    assert from_environment("hub", {"AIRFLOW_CONN_HUB": written}).extra == {"token": "t", "n": "1"}


@pytest.mark.parametrize("extra", [{"driver": "FreeTDS"}, '{"driver": "FreeTDS"}'])
def test_json(extra: object) -> None:
    written = json.dumps({"conn_type": "mssql", "host": "erp", "port": "1433", "login": "sa", "extra": extra})
    connection = from_environment("erp", {"AIRFLOW_CONN_ERP": written})
    assert (connection.type, connection.port, connection.extra) == ("mssql", 1433, {"driver": "FreeTDS"})


def test_none_there_says_which_variable_to_set() -> None:
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_ERP"):
        from_environment("erp", {})


@pytest.mark.parametrize(
    "written", ["postgres://u:s3cret@host:port/db", '{"conn_type": ', "s3cret", "{}", '["s3cret"]']
)
def test_what_cannot_be_read_is_never_shown(written: str) -> None:
    with pytest.raises(ConfigError) as told:
        from_environment("erp", {"AIRFLOW_CONN_ERP": written})
    assert "s3cret" not in str(told.value)


def test_a_password_is_not_in_the_repr() -> None:
    connection = Connection(conn_id="erp", type="postgres", password="s3cret", extra={"token": "s3cret"})
    assert "s3cret" not in repr(connection)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("https://hub.example", 8443, "https://hub.example:8443"),
        ("https://hub.example/in", 8443, "https://hub.example:8443/in"),
        ("https://us:pw@[::1]", 8443, "https://us:pw@[::1]:8443"),
        ("https://hub.example:1/in", 8443, "https://hub.example:1/in"),
        ("https://[::1]:1/in", 8443, "https://[::1]:1/in"),
        ("https://hub.example/in", None, "https://hub.example/in"),
        ("hub.example", 8443, ""),
    ],
)
def test_a_host_that_is_a_url_has_the_port_that_stands_beside_it(host: str, port: int | None, url: str) -> None:
    assert Connection(conn_id="hub", type="http", host=host, port=port).url == url
