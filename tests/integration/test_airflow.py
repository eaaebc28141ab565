"""A real Airflow (scheduler, DAG processor, API server, triggerer) runs the real DAGs on the demo company."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crossdock.dock import Dock
from crossdock.local.arrivals import ledgered, not_arrived, not_delivered, not_found_out, not_taken
from crossdock.local.flow import run_round, wait_for_dags
from crossdock.local.rest import DagRun, Rest
from crossdock.local.services import Installation, Running, free_port, started
from crossdock.settings import Settings
from crossdock.simulate import Simulation, connection_environment, simulate

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SHIPPED = Settings.from_environment({})

ORPHAN = """
channel: orphan
source: {kind: odbc, conn_id: nowhere, queries: [{name: stock, sql: SELECT 1 AS one, key: [one]}]}
schedule: null
"""
STUCK = """
channel: stuck
source: {kind: folder, path: stuck, quiet: 0s, done: /dev/null/done}
schedule: null
"""
BROKEN = "channel: broken\nsource: {kind: fodler}\n"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running Airflow, the company it works for, and the dock it works at."""

    running: Running
    simulation: Simulation
    dock: Dock
    channels: tuple[str, ...]

    @property
    def rest(self) -> Rest:
        return self.running.installation.rest

    def round(self) -> list[DagRun]:
        feed = self.dock.settings.feed
        return run_round(self.running, self.channels, delivered=lambda: not not_delivered(self.dock.ledger, feed))

    def alone(self, dag_id: str) -> DagRun:
        """One run of one DAG, to its end."""
        self.rest.unpause(dag_id)
        run = self.rest.trigger(dag_id)
        deadline = time.monotonic() + 60
        while not run.ended and time.monotonic() < deadline:
            time.sleep(0.5)
            [run] = self.rest.runs(dag_id)
        return run


@contextmanager
def opened(home: Path, channels: Path, settings: Mapping[str, str]) -> Iterator[Site]:
    """Airflow at work for a fresh demo company in ``home``; nothing of it runs any more afterwards."""
    simulation = simulate(home, seed=7, lines=1000)
    settings = {**connection_environment(home), "CROSSDOCK_CHANNELS": str(channels), **settings}
    installation = Installation(home=home, port=free_port(), settings=settings)
    with started(installation) as running, Dock.open(Settings.from_environment(installation.environment())) as dock:
        wait_for_dags(running, {"master_data", "publish", *(f"inbound_{name}" for name in simulation.channels)})
        yield Site(running=running, simulation=simulation, dock=dock, channels=simulation.channels)
    assert list(processes_of(installation)) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo company with three channels more: each has something the matter with it."""
    home = tmp_path_factory.mktemp("site")
    channels = home / "channels"
    shutil.copytree(SHIPPED.channels, channels)
    for name, content in (("broken", BROKEN), ("orphan", ORPHAN), ("stuck", STUCK)):
        (channels / f"{name}.yaml").write_text(content, encoding="utf-8")
    with opened(home, channels, {}) as site:
        yield site


def processes_of(installation: Installation) -> Iterator[str]:
    """The names of processes that work in the installation's folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(installation.home):
                yield (process / "cmdline").read_text(encoding="utf-8").replace("\0", " ")


@pytest.fixture(scope="module")
def first_round(site: Site) -> list[DagRun]:
    return site.round()


def test_everything_that_was_sent_is_in_the_feed_once(site: Site, first_round: list[DagRun]):
    assert not_taken(site.simulation) == []
    assert not_arrived(site.simulation, site.dock.ledger) == []
    assert not_found_out(site.simulation, site.dock.ledger) == []
    assert not_delivered(site.dock.ledger, site.dock.settings.feed) == []


def test_publishing_was_started_by_the_asset(first_round: list[DagRun]):
    assert any(run.dag_id == "publish" and run.run_id.startswith("asset_triggered") for run in first_round)


def test_xcom_carries_ids_and_nothing_else(site: Site, first_round: list[DagRun]):
    carried = [
        site.rest.xcom(run, task) for run in first_round if run.dag_id.startswith("inbound_") for task in ("receive",)
    ]
    batches = [batch for value in carried if value is not None for batch in value]
    assert batches
    assert all(isinstance(id, int) for batch in batches for id in batch)


def test_the_same_input_again_brings_no_new_event(site: Site, first_round: list[DagRun]):
    before = list(ledgered(site.dock.ledger))
    simulate(site.simulation.directory, seed=7, lines=1000)
    time.sleep(3)
    site.round()
    assert not_taken(site.simulation) == []
    assert list(ledgered(site.dock.ledger)) == before
    assert not_delivered(site.dock.ledger, site.dock.settings.feed) == []


def test_a_broken_channel_is_an_import_error_and_the_others_ran(site: Site, first_round: list[DagRun]):
    errors = site.rest.import_errors()
    assert errors.keys() == {"broken_configuration.py"}
    assert "unknown kind 'fodler'; did you mean 'folder'?" in errors["broken_configuration.py"]
    assert {run.dag_id for run in first_round} >= {f"inbound_{name}" for name in site.channels}
    assert "inbound_broken" not in site.rest.dag_ids()


def test_what_no_retry_mends_is_tried_once(site: Site):
    run = site.alone("inbound_orphan")
    [failed] = [task for task in site.rest.failed_tasks(run) if task.task_id == "receive"]
    assert failed.tries == 1
    assert "connection 'nowhere' is not known to Airflow" in failed.log


def test_what_cannot_be_taken_in_to_the_end_is_translated_all_the_same_and_the_run_fails(site: Site):
    folder = site.simulation.directory / "stuck"
    folder.mkdir()
    (folder / "empty.edi").touch()
    run = site.alone("inbound_stuck")
    assert run.state == "failed"
    assert {("receive", "success"), ("translate", "success"), ("translate", "failed")} <= site.rest.task_states(run)
    [failed] = site.rest.failed_tasks(run)
    assert "stuck: not everything could be taken in" in failed.log
    [row] = [row for row in site.dock.ledger.summary() if row["channel"] == "stuck"]
    assert row["quarantined"] == 1


@pytest.mark.timeout(600)
def test_the_same_on_postgresql(tmp_path: Path, postgres: Any):
    """As docker-compose.yml runs it: Airflow's database and the ledger both on PostgreSQL, through psycopg."""
    database = postgres.database().replace("postgresql://", "postgresql+psycopg://", 1)
    settings = {
        "CROSSDOCK_LEDGER": postgres.database(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
    }
    with opened(tmp_path, SHIPPED.channels, settings) as site:
        site.round()
        assert not_arrived(site.simulation, site.dock.ledger) == []
        assert not_delivered(site.dock.ledger, site.dock.settings.feed) == []
