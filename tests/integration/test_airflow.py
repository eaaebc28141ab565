"""A real Airflow (scheduler, DAG processor, API server, triggerer) runs the real DAGs on the demo company."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, sync_playwright

from crossdock.dock import Dock
from crossdock.local.arrivals import ledgered, not_arrived, not_delivered, not_found_out, not_taken
from crossdock.local.flow import load_master_data, run_round, wait_for_dags, wait_for_watches
from crossdock.local.rest import DagRun, Rest
from crossdock.local.services import Installation, Running, free_port, started
from crossdock.settings import Settings
from crossdock.simulate import Simulation, connection_environment, simulate
from crossdock.simulate.renumbered import renumbered

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

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
#: Its schedule is due once a year: a run of it that is not of January was started by something else.
LANDING = """
channel: landing
source: {kind: folder, path: landing, pattern: "*.edi", quiet: 1s}
schedule: "@yearly"
"""
BROKEN = "channel: broken\nsource: {kind: fodler}\n"
PATIENCE = 400.0  #: seconds for any step; no promise of speed, for other tests keep the processors busy meanwhile


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running Airflow, the company it works for, and the dock it works at."""

    running: Running
    simulation: Simulation
    dock: Dock
    channels: tuple[str, ...]

    @property
    def installation(self) -> Installation:
        return self.running.installation

    @property
    def rest(self) -> Rest:
        return self.installation.rest

    def until(self, holds: Callable[[], bool]) -> None:
        """Return once it holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            self.running.check()
            assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s"
            time.sleep(0.3)

    def round(self) -> list[DagRun]:
        feed = self.dock.settings.feed

        def delivered() -> bool:
            return not not_delivered(self.dock.ledger, feed)

        return run_round(self.running, self.channels, delivered=delivered, within=PATIENCE)

    def alone(self, dag_id: str) -> DagRun:
        """One run of one DAG, to its end."""
        self.rest.unpause(dag_id)
        self.rest.trigger(dag_id)
        self.until(lambda: all(run.ended for run in self.rest.runs(dag_id)))
        [run] = self.rest.runs(dag_id)
        return run


@contextmanager
def opened(home: Path, channels: Path, settings: Mapping[str, str]) -> Iterator[Site]:
    """Airflow at work for a fresh demo company in ``home``; nothing of it runs any more afterwards."""
    simulation = simulate(home, seed=7, lines=1000)
    settings = {**connection_environment(home), "CROSSDOCK_CHANNELS": str(channels), **settings}
    installation = Installation(home=home, port=free_port(0), settings=settings, others={"vera": "viewer", "nora": ""})
    with (
        started(installation, within=PATIENCE) as running,
        Dock.open(Settings.from_environment(installation.environment())) as dock,
    ):
        expected = {"master_data", "publish", *(f"inbound_{name}" for name in simulation.channels)}
        wait_for_dags(running, expected, within=PATIENCE)
        yield Site(running=running, simulation=simulation, dock=dock, channels=simulation.channels)
    assert list(processes_of(installation)) == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo company with four channels more: one for what lands, and three that have something the matter."""
    home = tmp_path_factory.mktemp("site")
    channels = home / "channels"
    shutil.copytree(SHIPPED.channels, channels)
    for name, content in (("broken", BROKEN), ("orphan", ORPHAN), ("stuck", STUCK), ("landing", LANDING)):
        (channels / f"{name}.yaml").write_text(content, encoding="utf-8")
    (home / "landing").mkdir()
    with opened(home, channels, {"AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10"}) as site:
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
    assert any(value is not None for value in carried)
    assert all(isinstance(id, int) for batch in batches for id in batch)


def test_great_expectations_looks_at_batches_within_the_dag_that_took_them_in(site: Site, first_round: list[DagRun]):
    states = {
        (run.dag_id, state)
        for run in first_round
        if run.dag_id.startswith("inbound_") and run.ended  # a schedule's next run may have begun meanwhile
        for task, state in site.rest.task_states(run)
        if task == "expectations"
    }
    assert {state for _, state in states} == {"success", "skipped"}
    said = {one["referee"] for one in site.dock.ledger.verdicts.listing(partner="EASTERBY")}
    assert "agrees" in said
    assert "differs" not in said


def test_the_same_input_again_brings_no_new_event(site: Site, first_round: list[DagRun]):
    before = list(ledgered(site.dock.ledger))
    simulate(site.simulation.directory, seed=7, lines=1000)
    time.sleep(3)
    site.round()
    assert not_taken(site.simulation) == []
    assert list(ledgered(site.dock.ledger)) == before
    assert not_delivered(site.dock.ledger, site.dock.settings.feed) == []


def test_a_database_that_is_locked_for_a_while_ends_no_service(site: Site, first_round: list[DagRun]):
    with closing(sqlite3.connect(site.installation.airflow_home / "airflow.db", isolation_level=None)) as another:
        another.execute("PRAGMA busy_timeout = 60000")
        site.rest.trigger("publish")  # so that the scheduler has something to write
        another.execute("BEGIN IMMEDIATE")
        time.sleep(25)  # longer than a scheduler that waits five seconds at a time would try
        another.execute("ROLLBACK")
    site.until(lambda: all(run.ended for run in site.rest.runs("publish")) and not site.installation.unwell())


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
    assert {("receive", "success"), ("translate", "failed")} <= site.rest.task_states(run)
    [failed] = [task for task in site.rest.failed_tasks(run) if task.task_id == "translate"]
    assert "stuck: not everything could be taken in" in failed.log
    [row] = [row for row in site.dock.ledger.summary() if row["channel"] == "stuck"]
    assert row["quarantined"] == 1


# -- what lands ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(site: Site) -> Site:
    """Master data is in force, and the channel ``landing`` switched on and watched."""
    load_master_data(site.running, within=PATIENCE)
    site.rest.unpause("inbound_landing")
    wait_for_watches(site.running, {"crossdock_landed_landing"})
    return site


def land(site: Site, *numbers: int) -> list[str]:
    """Let that many ship notices land in one moment; the names of their files."""
    [made] = (site.simulation.directory / "inbox" / "edi").rglob("anvilgate-asn-0001.edi")
    notice = made.read_text(encoding="ascii")
    folder = site.simulation.directory / "landing"
    names = [f"notice-{number}.edi" for number in numbers]
    for name, number in zip(names, numbers, strict=True):
        (folder / f"{name}.part").write_text(renumbered(notice, number), encoding="ascii")
    for name in names:
        (folder / f"{name}.part").rename(folder / name)
    return names


def documents_of(site: Site, names: list[str]) -> list[dict[str, Any]]:
    return [row for row in site.dock.ledger.searching.documents("notice-", limit=1000) if row["name"] in names]


def test_a_file_that_lands_is_in_the_feed_without_any_schedule(watched: Site):
    before = len(list(watched.installation.feed.events()))
    names = land(watched, 1)
    watched.until(lambda: len(list(watched.installation.feed.events())) > before)
    rows = documents_of(watched, names)
    assert rows
    run = watched.dock.ledger.searching.run_of(rows[0]["payload_id"])
    assert run is not None
    assert run.dag == "inbound_landing"
    assert run.run.startswith("asset_triggered__")


def test_files_that_land_together_come_in_together_and_nothing_twice(watched: Site):
    names = land(watched, 2, 3)
    watched.until(lambda: {row["name"] for row in documents_of(watched, names)} == set(names))
    watched.until(lambda: all(run.ended for run in watched.rest.runs("inbound_landing")))
    rows = documents_of(watched, names)
    assert len(rows) == len({(row["name"], row["document"]) for row in rows})
    subjects = [event["subject"] for event in watched.installation.feed.events()]
    of_these = [one for one in subjects if re.search("F00[23]0000", one)]
    assert of_these
    assert len(of_these) == len(set(of_these))


def test_what_is_uploaded_goes_out_without_any_schedule(watched: Site):
    watched.rest.unpause("publish")
    [made] = (watched.simulation.directory / "inbox" / "edi").rglob("anvilgate-asn-0001.edi")
    before = {run.run_id for run in watched.rest.runs("publish")}
    answer = requests.post(
        f"{watched.installation.feed.url}/v1/documents",
        params={"name": "uploaded.edi"},
        data=renumbered(made.read_text(encoding="ascii"), 7),
        headers={"Authorization": f"Bearer {watched.installation.token}"},
        timeout=120,
    )
    assert answer.ok, answer.text
    feed = watched.dock.settings.feed
    watched.until(lambda: any("F0070000" in file.read_text("utf-8") for file in feed.glob("*.jsonl")))

    def started_by_word() -> bool:
        """A scheduled run may have been there first; the upload's own comes all the same."""
        fresh = {run.run_id for run in watched.rest.runs("publish")} - before
        return any(run.startswith("asset_triggered__") for run in fresh)

    watched.until(started_by_word)


def test_a_watch_outlives_the_triggerer(watched: Site):
    watched.running.kill("triggerer")
    missed = land(watched, 4)
    watched.running.begin("triggerer")
    watched.until(lambda: documents_of(watched, missed) != [])
    names = land(watched, 5)
    watched.until(lambda: documents_of(watched, names) != [])


# -- the console within Airflow ------------------------------------------------------------------------


@pytest.fixture
def logged_in(watched: Site) -> Iterator[Callable[[str], Page]]:
    """A browser in which somebody has logged in to Airflow, on the way to Crossdock."""
    program = shutil.which("chromium")
    assert program, "no chromium: `.ci/install-debian $(cat .ci/debian-packages-for-tests.txt)` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])

        def log_in(user: str) -> Page:
            page = browser.new_context(base_url=watched.installation.url).new_page()
            page.set_default_timeout(90_000)
            page.goto("/crossdock/")
            page.locator("input[name=username]").fill(user)
            page.locator("input[name=password]").fill(watched.installation.password)
            page.locator("button[type=submit]").click()
            page.wait_for_url(re.compile("/crossdock/"), wait_until="commit")
            page.wait_for_load_state()
            return page

        yield log_in
        browser.close()


def test_crossdock_is_in_airflows_navigation_and_a_run_leads_to_its_documents_and_back(
    watched: Site, logged_in: Callable[[str], Page]
):
    names = land(watched, 6)
    watched.until(lambda: documents_of(watched, names) != [])
    row = documents_of(watched, names)[0]
    run = watched.dock.ledger.searching.run_of(row["payload_id"])
    assert run is not None
    page = logged_in("admin")
    assert page.title() == "Dock · Crossdock"
    page.goto("/")
    page.get_by_text("Crossdock", exact=True).click()
    inside = page.frame_locator("iframe")
    inside.get_by_role("heading", name="Dock").wait_for()
    inside.get_by_role("link", name="Documents", exact=True).click()
    inside.get_by_role("heading", name="Documents").wait_for()
    page.goto(f"/dags/{run.dag}/runs/{quote(run.run)}")
    page.get_by_role("link", name="Documents", exact=True).click()
    listed = inside.get_by_role("link", name=f"{row['type']} {row['control_number']}", exact=True)
    listed.first.wait_for()
    inside.get_by_text(run.run, exact=True).wait_for()
    page.goto("/")
    page.get_by_text("Crossdock", exact=True).click()
    inside.get_by_role("link", name="Documents", exact=True).click()
    listed.first.click()
    inside.get_by_role("link", name="in Airflow").click()  # out of the frame, not into it
    page.wait_for_url(re.compile(f"/dags/{run.dag}/runs/"))
    page.get_by_text(run.run).first.wait_for()
    assert page.locator("iframe").count() == 0


def test_a_role_sees_what_is_for_its_audience_and_who_has_none_sees_nothing(logged_in: Callable[[str], Page]):
    planner = logged_in("vera")
    assert planner.url.endswith("/crossdock/supply")
    assert planner.get_by_role("heading", name="Supply").count() == 1
    refused = planner.request.get("/crossdock/documents")
    assert refused.status == 403
    nobody = logged_in("nora")
    assert "No role of yours sees the feed" in nobody.locator("body").inner_text()
    assert nobody.request.get("/crossdock/v1/events").status == 403
    nobody.goto("/")
    nobody.wait_for_load_state("networkidle")
    assert nobody.get_by_text("Crossdock", exact=True).count() == 0


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
