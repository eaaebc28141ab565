"""The demo company under Airflow: ``make demo``, ``make up`` and ``make down``.

A plainly fictional maker of pumps is written into ``var/demo``: its ERP, its EDI inbox, its mailbox,
with some defects planted on purpose. Airflow's own scheduler runs the real DAGs on it until the last
event is published, and once more over the same input, of which nothing new may come. What came of
it is held against what was made; exit status 1 says that something did not arrive, and why.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from crossdock.dock import Dock
from crossdock.feed.access import USER
from crossdock.local.arrivals import ledgered, not_arrived, not_delivered, not_found_out, not_readable, not_taken
from crossdock.local.flow import load_master_data, run_round, wait_for_dags
from crossdock.local.services import Installation, Running, free_port, start, stop_left_over
from crossdock.settings import Settings
from crossdock.simulate import Simulation, connection_environment, simulate
from crossdock.views import display, report
from schemas.errors import CrossdockError

VAR = Path(__file__).resolve().parent.parent.parent / "var"

#: Seconds after which the folder source takes a file for complete, and one more.
QUIET = 3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=("demo", "up", "down"), default="demo")
    parser.add_argument("--lines", type=int, default=3000, help="how many lines the company writes, about")
    parser.add_argument("--seed", type=int, default=1, help="another number, another company")
    asked = parser.parse_args(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    console = display.console()
    try:
        match asked.action:
            case "demo":
                return demo(console, seed=asked.seed, lines=asked.lines)
            case "up":
                return up(console, seed=asked.seed, lines=asked.lines)
            case _:
                return down(console)
    except CrossdockError as error:
        console.print(display.error_view(error))
    except KeyboardInterrupt:
        console.print(Text("interrupted; everything that was started is stopped", style="yellow"))
    return 1


def demo(console: Console, *, seed: int, lines: int) -> int:
    """The whole demonstration; 0 when every event arrived, once, and the second round brought none."""
    begun = time.monotonic()
    home = VAR / "demo"
    stop_left_over(home)
    shutil.rmtree(home, ignore_errors=True)
    simulation = make_company(console, home, seed=seed, lines=lines)
    installation = install(home)
    with dock_of(installation) as dock:
        with airflow(console, installation) as running:
            one_round(console, running, simulation, dock, "the DAGs run, to the last published event")
            feed = dock.settings.feed
            problems = [
                *not_taken(simulation),
                *not_arrived(simulation, dock.ledger),
                *not_found_out(simulation, dock.ledger),
                *not_delivered(dock.ledger, feed),
                *unread(console, installation, dock),
            ]
            first = list(ledgered(dock.ledger))
            simulate(home, seed=seed, lines=lines)
            time.sleep(QUIET)
            one_round(console, running, simulation, dock, "the same input comes in a second time")
        if fresh := len(list(ledgered(dock.ledger))) - len(first):
            problems.append(f"the second round over the same input published {fresh} event(s), and none was new")
        problems += [
            f"second round: {problem}" for problem in (*not_taken(simulation), *not_delivered(dock.ledger, feed))
        ]
        console.print(outcome(dock, simulation))
    console.print(verdict(problems, time.monotonic() - begun))
    return 1 if problems else 0


def up(console: Console, *, seed: int, lines: int) -> int:
    """Airflow with the demo company, left running; what it remembers is kept from one ``up`` to the next."""
    home = VAR / "up"
    stop_left_over(home)
    if not (home / "PLANTED.md").exists():
        make_company(console, home, seed=seed, lines=lines)
    installation = install(home)
    running = started(console, installation)
    try:
        wait_for_dags(running, {"master_data", "publish", "respond"})
        with step(console, "master data comes into force"):
            load_master_data(running)
        installation.rest.unpause(*installation.rest.dag_ids())
    except BaseException:
        running.stop()
        raise
    console.print(
        Group(
            Text.assemble("Airflow runs at ", (installation.url, "bold")),
            Text.assemble("login ", (installation.user, "bold"), ", password ", (installation.password, "bold")),
            Text("Crossdock is in its navigation, and what lands in an inbox starts its run at once"),
            Text.assemble("the console is at ", (installation.feed.url, "bold")),
            Text.assemble("login ", (USER, "bold"), ", password ", (installation.token, "bold")),
            Text(f"programs read {installation.feed.url}/v1/events with that password as their bearer token"),
            Text(f"everything of it is in {home}, its logs in {installation.logs}"),
            Text("`make down` stops it", style="bold"),
        )
    )
    return 0


def down(console: Console) -> int:
    stopped = [name for home in (VAR / "up", VAR / "demo") for name in stop_left_over(home)]
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


# -- the steps --------------------------------------------------------------------------------------


def make_company(console: Console, home: Path, *, seed: int, lines: int) -> Simulation:
    with step(console, "the demo company writes its files") as said:
        simulation = simulate(home, seed=seed, lines=lines)
        events = display.count(sum(simulation.events.values()), "event")
        said(
            f"the demo company wrote {display.count(simulation.lines, 'line')} in "
            f"{display.count(simulation.documents, 'document')}, which should give {events}"
        )
    return simulation


def install(home: Path) -> Installation:
    return Installation(home=home, port=free_port(), settings=connection_environment(home))


def dock_of(installation: Installation) -> Dock:
    """The dock at which the installation's tasks work, for looking at."""
    return Dock.open(Settings.from_environment(installation.environment()))


def started(console: Console, installation: Installation) -> Running:
    """The installation's services once they are healthy. Stopped again when they are not."""
    with step(console, "Airflow starts") as said:
        running = start(installation)
        try:
            running.wait_until_healthy()
        except BaseException:
            running.stop()
            raise
        said(
            f"Airflow is up at {installation.url} (login {installation.user}, password {installation.password}), "
            f"the console at {installation.feed.url} (login {USER}, password {installation.token}); "
            f"logs in {installation.logs}"
        )
    return running


@contextmanager
def airflow(console: Console, installation: Installation) -> Iterator[Running]:
    """Started services, stopped in whatever way the block is left."""
    running = started(console, installation)
    try:
        yield running
    finally:
        with step(console, "Airflow stops") as said:
            running.stop()
            said("Airflow is stopped")


def one_round(console: Console, running: Running, simulation: Simulation, dock: Dock, what: str) -> None:
    """Master data, every channel, and publishing, as Airflow runs them."""
    feed = dock.settings.feed
    configured = [name for name, channel in dock.channels.items() if channel.purpose == "events" and channel.enabled]
    inbound = sorted({*configured, *simulation.channels})
    with step(console, what) as said:
        wait_for_dags(running, {"master_data", "publish", "respond", *(f"inbound_{name}" for name in inbound)})
        before = len(list(ledgered(dock.ledger)))
        runs = run_round(
            running, inbound, delivered=lambda: not not_delivered(dock.ledger, feed) and not waiting_answers(dock)
        )
        fresh = len(list(ledgered(dock.ledger))) - before
        said(f"{what}: {display.count(len(runs), 'DAG run')}, {display.count(fresh, 'new event')} in {feed}")


def unread(console: Console, installation: Installation, dock: Dock) -> list[str]:
    """What the feed's API does not hand out as the ledger holds it."""
    with step(console, "the feed is read over HTTP") as said:
        problems = not_readable(dock.ledger, installation.feed)
        read = display.count(sum(1 for _ in installation.feed.events()), "event")
        said(f"{read} read back over HTTP from {installation.feed.url}/v1/events")
    return problems


def waiting_answers(dock: Dock) -> int:
    """Answers that partners are still owed."""
    return len(dock.ledger.owed(limit=1)) + len(dock.ledger.unsent(limit=1))


# -- what people see --------------------------------------------------------------------------------


@contextmanager
def step(console: Console, what: str) -> Iterator[Said]:
    """A line that moves while the step goes on, and stays, with what was ``said``, when it is done."""
    said = Said(what)
    begun = time.monotonic()
    with console.status(what):
        yield said
    console.print(Text.assemble(("✓ ", "green"), said.text, (f"  {time.monotonic() - begun:.1f} s", display.DIM)))


class Said:
    """What a step has to say for itself when it is done."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, text: str) -> None:
        self.text = text


def outcome(dock: Dock, simulation: Simulation) -> Group:
    """Each channel's counts, every finding that held something back, and where the events are."""
    return Group(
        report.outcome_view(dock.ledger),
        display.Heading("Where it is"),
        Text(f"the events     {dock.settings.feed}/*.jsonl"),
        Text(f"the answers    {dock.settings.home}/outbox/edi/*.edi"),
        Text(f"the ledger     {dock.settings.ledger_url}"),
        Text(f"planted        {simulation.directory / 'PLANTED.md'}"),
        Padding(
            Text.assemble(
                "look further   ",
                (f". {simulation.directory / 'environment'}; .venv/bin/crossdock status", "bold"),
                " (or answers, events, trace, findings, parked)",
            )
        ),
        Padding(
            Text.assemble(
                "in a browser   ",
                (f". {simulation.directory / 'environment'}; ", "bold"),
                ("CROSSDOCK_TOKEN=choose-a-long-one .venv/bin/crossdock serve", "bold"),
            )
        ),
    )


def verdict(problems: Sequence[str], seconds: float) -> Group:
    told = [Text.assemble(("did not arrive: ", "bold red"), problem) for problem in problems]
    end = (
        "Something did not arrive"
        if problems
        else "Everything arrived, each event once, and a second round changed nothing"
    )
    return Group(*told, Text(f"\n{end} ({seconds:.0f} s).", style="bold red" if problems else "bold green"))


def _interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
