"""How tasks retry, and where they get their connections."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from schemas.errors import ConfigError, PermanentError, TransientError

DAGS = Path(__file__).resolve().parent.parent.parent / "dags"


@pytest.fixture(scope="module")
def dock_tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module as a task finds it: the bundle's folder is on the path, Airflow has a home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.syspath_prepend(DAGS)
        import dock_tasks

        yield dock_tasks
        sys.modules.pop("dock_tasks")


def verdict(dock_tasks: ModuleType, error: BaseException):
    """What the policy says to ``error`` as it comes out of a task's process."""
    return dock_tasks.ByErrorClass().evaluate(pickle.loads(pickle.dumps(error)), try_number=1, max_tries=3)


def test_a_busy_world_is_tried_again_with_the_tasks_own_pauses(dock_tasks):
    decision = verdict(dock_tasks, TransientError("the ledger is locked"))
    assert decision.action.name == "RETRY"
    assert decision.retry_delay is None
    assert decision.reason == "the ledger is locked"


def test_a_busy_world_that_names_a_time_is_tried_again_then(dock_tasks):
    decision = verdict(dock_tasks, TransientError("too many requests", retry_after=42))
    assert decision.action.name == "RETRY"
    assert decision.retry_delay == timedelta(seconds=42)


@pytest.mark.parametrize("kind", [ConfigError, PermanentError])
def test_what_no_retry_mends_fails_at_once(dock_tasks, kind):
    decision = verdict(dock_tasks, kind("the receiver says no", hint="ask them"))
    assert decision.action.name == "FAIL"
    assert decision.reason == "the receiver says no (ask them)"


def test_a_subclass_counts_as_its_class(dock_tasks):
    assert verdict(dock_tasks, Locked("locked")).action.name == "RETRY"


def test_a_fault_nobody_foresaw_has_the_ordinary_retries(dock_tasks):
    assert verdict(dock_tasks, ZeroDivisionError()).action.name == "DEFAULT"


def test_a_connection_comes_from_airflow(dock_tasks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_ERP", "postgres://reader:s%40crit@ERP.example:5433/tryton?sslmode=require")
    from crossdock.airflow.connection import connection

    found = connection("erp")
    assert (found.type, found.port, found.login, found.password) == ("postgres", 5433, "reader", "s@crit")
    assert (found.schema, dict(found.extra)) == ("tryton", {"sslmode": "require"})


def test_an_unknown_connection_says_what_to_do(dock_tasks):
    from crossdock.airflow.connection import connection

    with pytest.raises(ConfigError, match=r"connection 'nowhere' is not known to Airflow.*AIRFLOW_CONN_NOWHERE"):
        connection("nowhere")


class Locked(TransientError):
    """A kind of its own."""
