"""Connections that Airflow holds, in a process that is none of Airflow's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: The metastore's tables that matter here, with a connection in it; then the database is gone.
SCENE = """
import json
from airflow import settings
from airflow.models.connection import Connection
from airflow.models.team import Team
from crossdock.conn_ids import connection
from schemas.errors import CrossdockError

Connection.metadata.create_all(settings.engine, tables=[Team.__table__, Connection.__table__])
kept = {"host": "hub.example", "login": "us", "password": "s3cret-of-hub", "extra": '{"token": "a-token"}'}
with settings.Session() as session:
    session.add(Connection(conn_id="hub", conn_type="http", port=8443, **kept))
    session.commit()

def told(conn_id):
    try:
        found = connection(conn_id)
    except CrossdockError as error:
        return f"{type(error).__name__}: {error}"
    return [found.type, found.host, found.port, found.login, found.password, dict(found.extra)]

said = [told("hub"), told("ours"), told("nowhere")]
Connection.__table__.drop(settings.engine)
print(json.dumps([*said, told("hub"), told("ours")]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    home = tmp_path_factory.mktemp("beside")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CROSSDOCK_", "_AIRFLOW"))}
    done = subprocess.run(
        [sys.executable, "-c", SCENE],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
        env=inherited
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_OURS": "http://us:of-the-environment@here:80",
            "CROSSDOCK_CONNECTIONS": "airflow",
        },
    )
    said: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_what_the_metastore_holds_is_found(told: list[Any]) -> None:
    assert told[0] == ["http", "hub.example", 8443, "us", "s3cret-of-hub", {"token": "a-token"}]


def test_the_environment_comes_first_and_needs_no_airflow(told: list[Any]) -> None:
    assert told[1] == told[4] == ["http", "here", 80, "us", "of-the-environment", {}]


def test_what_nobody_holds_is_an_error_of_configuration(told: list[Any]) -> None:
    assert told[2].startswith("ConfigError: connection 'nowhere' is not known to Airflow")
    assert "AIRFLOW_CONN_NOWHERE" in told[2]


def test_a_metastore_that_is_away_is_worth_another_try(told: list[Any]) -> None:
    assert told[3].startswith("TransientError: Airflow's connection 'hub' cannot be looked up: MetastoreBackend")
