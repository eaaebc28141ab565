"""Where connections are found when nobody hands them in."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from connectors.connections import Connection
from crossdock.conn_ids import connection
from schemas.errors import ConfigError


@pytest.fixture(autouse=True)
def keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that keeps secrets, and one connection in the environment."""
    module = ModuleType("keeper")
    module.find = lambda conn_id: Connection(conn_id=conn_id, type="http", host="kept")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keeper", module)
    monkeypatch.setenv("AIRFLOW_CONN_HUB", "http://environment")


@pytest.mark.parametrize(
    ("elsewhere", "conn_id", "host"),
    [("", "hub", "environment"), ("keeper:find", "hub", "environment"), ("keeper:find", "erp", "kept")],
)
def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, elsewhere: str, conn_id: str, host: str) -> None:
    monkeypatch.setenv("CROSSDOCK_CONNECTIONS", elsewhere)
    assert connection(conn_id).host == host


def test_what_is_nowhere_names_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSDOCK_CONNECTIONS", raising=False)
    with pytest.raises(ConfigError, match="set AIRFLOW_CONN_ERP; CROSSDOCK_CONNECTIONS=airflow asks the Airflow"):
        connection("erp")


@pytest.mark.parametrize("elsewhere", ["keeper", "keeper:", "keeper:lose", "nobody:find", ":find", "airflo"])
def test_a_name_that_means_nothing_is_told(monkeypatch: pytest.MonkeyPatch, elsewhere: str) -> None:
    monkeypatch.setenv("CROSSDOCK_CONNECTIONS", elsewhere)
    with pytest.raises(ConfigError, match=f"CROSSDOCK_CONNECTIONS={elsewhere} names nothing that can be called"):
        connection("erp")
