"""Waiting for DAGs and runs, with a stand-in for Airflow that moves on a little each time it is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crossdock.local.flow import run_round, wait_for_dags, wait_for_watches
from crossdock.local.rest import DagRun, FailedTask, Rest
from crossdock.local.services import Installation, Running
from schemas.errors import PermanentError, TransientError


@dataclass
class Scripted(Rest):
    """An Airflow in which a run takes two glances, and the end of an inbound DAG starts ``publish``."""

    fails: str = ""
    known: set[str] = field(default_factory=lambda: {"master_data", "publish", "inbound_edi", "inbound_erp"})
    errors: dict[str, str] = field(default_factory=dict)
    unpaused: list[str] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    states: dict[str, list[str]] = field(default_factory=dict)

    def dag_ids(self) -> set[str]:
        return self.known

    def import_errors(self) -> dict[str, str]:
        return self.errors

    def unpause(self, *dag_ids: str) -> None:
        self.unpaused += dag_ids

    def watched(self) -> set[str]:
        return {"crossdock_landed_edi"} if self.unpaused else set()

    def trigger(self, dag_id: str) -> DagRun:
        self.triggered.append(dag_id)
        self.states[dag_id] = ["failed" if dag_id == self.fails else "success", "running", "queued"]
        return DagRun(dag_id=dag_id, run_id=f"manual__{dag_id}", state="queued")

    def runs(self, dag_id: str = "~") -> list[DagRun]:
        found = []
        for name, states in list(self.states.items()):
            state = states.pop() if len(states) > 1 else states[0]
            found.append(DagRun(dag_id=name, run_id=f"manual__{name}", state=state))
            if state == "success" and name.startswith("inbound"):
                self.states.setdefault("publish", ["success", "running"])
        return found

    def task_states(self, run: DagRun) -> set[tuple[str, str | None]]:
        return {("receive", "success"), ("translate", "success")}

    def failed_tasks(self, run: DagRun) -> list[FailedTask]:
        task = {
            "task_id": "receive",
            "map_index": -1,
            "state": "failed",
            "tries": 1,
            "log": "ConfigError: no such folder",
        }
        return [FailedTask(dag_id=run.dag_id, run_id=run.run_id, **task)]  # type: ignore[arg-type]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A service that runs for as long as the test."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossdock.local.flow.GLANCE", 0.001)


def running(tmp_path: Path, process: subprocess.Popen[bytes], rest: Rest) -> Running:
    installation = Installation(home=tmp_path, port=1)
    installation.__dict__["rest"] = rest
    return Running(installation=installation, processes={"scheduler": process})


def test_what_airflow_watches_is_waited_for(tmp_path: Path, process):
    rest = Scripted()
    begun = running(tmp_path, process, rest)
    with pytest.raises(TransientError, match="does not watch crossdock_landed_edi"):
        wait_for_watches(begun, {"crossdock_landed_edi"}, within=0)
    rest.unpause("inbound_edi")
    wait_for_watches(begun, {"crossdock_landed_edi"}, within=0)


def test_master_data_ends_before_the_channels_begin(tmp_path: Path, process):
    rest = Scripted()
    runs = run_round(running(tmp_path, process, rest), ["edi", "erp"], delivered=lambda: "publish" in rest.states)
    assert rest.triggered == ["master_data", "inbound_edi", "inbound_erp"]
    assert rest.unpaused == ["master_data", "publish", "respond", "inbound_edi", "inbound_erp"]
    assert {run.dag_id: run.state for run in runs} == dict.fromkeys(
        ("master_data", "inbound_edi", "inbound_erp", "publish"), "success"
    )


def test_a_failed_task_ends_the_round_and_is_quoted(tmp_path: Path, process):
    rest = Scripted(fails="inbound_erp")
    with pytest.raises(PermanentError, match=r"inbound_erp\.receive failed: ConfigError: no such folder"):
        run_round(running(tmp_path, process, rest), ["edi", "erp"], delivered=lambda: True)


def test_channels_do_not_begin_on_master_data_that_failed(tmp_path: Path, process):
    rest = Scripted(fails="master_data")
    with pytest.raises(PermanentError, match="master_data"):
        run_round(running(tmp_path, process, rest), ["edi"], delivered=lambda: True)
    assert rest.triggered == ["master_data"]


def test_what_is_never_delivered_ends_in_an_error_that_says_where_to_look(tmp_path: Path, process):
    with pytest.raises(TransientError, match=r"not done after 0 s: nothing is running \(the logs are in .*logs"):
        run_round(running(tmp_path, process, Scripted()), ["edi"], delivered=lambda: False, within=0.2)


def test_a_missing_dag_is_told_with_the_import_errors(tmp_path: Path, process):
    rest = Scripted(known={"publish"}, errors={"inbound.py": "ConfigError: no such folder"})
    with pytest.raises(PermanentError, match=r"no DAG inbound_edi \(inbound\.py: ConfigError: no such folder\)"):
        wait_for_dags(running(tmp_path, process, rest), {"publish", "inbound_edi"}, within=0.01)


def test_a_service_that_ends_meanwhile_ends_the_waiting(tmp_path: Path, process):
    process.kill()
    process.wait()
    with pytest.raises(PermanentError, match="scheduler ended"):
        wait_for_dags(running(tmp_path, process, Scripted(known=set())), {"publish"}, within=60)
