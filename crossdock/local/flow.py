"""Running the real DAGs once, from outside: master data, then every channel, then what Airflow starts by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from crossdock.local.rest import DagRun, Rest
from crossdock.local.services import Running
from schemas.errors import PermanentError, TransientError

#: Seconds between two looks.
GLANCE = 0.5


def wait_for_dags(running: Running, wanted: Iterable[str], *, within: float = 30) -> None:
    """Return once Airflow knows these DAGs.

    Raises PermanentError with the import errors when it does not in time, or when a service ends.
    """
    rest = running.installation.rest
    if missing := _still_missing(running, wanted, rest.dag_ids, within):
        errors = [f"{file}: {text.strip()}" for file, text in rest.import_errors().items()]
        raise PermanentError(
            f"Airflow has no DAG {', '.join(sorted(missing))}",
            hint="; ".join(errors) or f"the logs are in {running.installation.logs}",
        )


def wait_for_watches(running: Running, assets: Iterable[str], *, within: float = 60) -> None:
    """Return once Airflow watches these assets: what lands from now on starts its run at once.

    Raises TransientError when it does not in time, PermanentError when a service ends.
    """
    if missing := _still_missing(running, assets, running.installation.rest.watched, within):
        raise TransientError(
            f"Airflow does not watch {', '.join(sorted(missing))}",
            hint=f"the logs are in {running.installation.logs}",
        )


def _still_missing(
    running: Running, wanted: Iterable[str], there: Callable[[], set[str]], within: float
) -> frozenset[str]:
    """What is not there yet of ``wanted`` when the time is over. Raises PermanentError when a service ends."""
    wanted, deadline = frozenset(wanted), time.monotonic() + within
    while missing := wanted - there():
        running.check()
        if time.monotonic() > deadline:
            break
        time.sleep(GLANCE)
    return missing


def run_round(
    running: Running, channels: Sequence[str], *, delivered: Callable[[], bool], within: float = 180
) -> list[DagRun]:
    """Load master data, run the channels' DAGs; publishing and responding follow by their asset until ``delivered``.

    The DAGs are switched on first. Gives the runs that took place, also those that Airflow's
    timetable started meanwhile. Raises PermanentError that quotes each failed task, TransientError
    when a step takes longer than ``within`` seconds.
    """
    rest = running.installation.rest
    inbound = [f"inbound_{channel}" for channel in channels]
    one = load_master_data(running, within=within)
    rest.unpause("publish", "respond", *inbound)
    for dag_id in inbound:
        rest.trigger(dag_id)
    one.wait_until(lambda: one.ended(*inbound))
    if one.translated():
        one.wait_until(lambda: any(run.dag_id == "publish" for run in one.runs()))
    one.wait_until(lambda: delivered() and one.ended("publish", "respond"))
    return one.runs()


def load_master_data(running: Running, *, within: float = 180) -> Round:
    """Put master data in force: without it, every line would be parked. The round that this begins."""
    rest = running.installation.rest
    one = Round(running=running, before=frozenset(run.run_id for run in rest.runs()), within=within)
    rest.unpause("master_data")
    rest.trigger("master_data")
    one.wait_until(lambda: one.ended("master_data"))
    return one


@dataclass(frozen=True, kw_only=True)
class Round:
    """The runs that are not among those of ``before``."""

    running: Running
    before: frozenset[str]
    within: float

    @property
    def rest(self) -> Rest:
        return self.running.installation.rest

    def runs(self) -> list[DagRun]:
        return [run for run in self.rest.runs() if run.run_id not in self.before]

    def ended(self, *dag_ids: str) -> bool:
        """Whether no run of these DAGs is queued or running."""
        return all(run.ended for run in self.runs() if run.dag_id in dag_ids)

    def translated(self) -> bool:
        """Whether anything was translated, so that Airflow owes us a run of ``publish``."""
        inbound = [run for run in self.runs() if run.dag_id.startswith("inbound_")]
        done = {("receive", "success"), ("translate", "success")}
        return any(done & self.rest.task_states(run) for run in inbound)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Raises PermanentError as soon as a run has failed or a service has ended, TransientError when time is up."""
        deadline = time.monotonic() + self.within
        while not holds():
            self.running.check()
            self.refuse_failures()
            if time.monotonic() > deadline:
                waited_for = [f"{run.dag_id} is {run.state}" for run in self.runs() if not run.ended]
                raise TransientError(
                    f"not done after {self.within:.0f} s: {', '.join(waited_for) or 'nothing is running'}",
                    hint=f"the logs are in {self.running.installation.logs}",
                )
            time.sleep(GLANCE)
        self.refuse_failures()

    def refuse_failures(self) -> None:
        failed = [run for run in self.runs() if run.state == "failed"]
        if failed:
            told = [str(task) for run in failed for task in self.rest.failed_tasks(run)]
            raise PermanentError(
                "; ".join(told) or f"failed: {', '.join(run.dag_id for run in failed)}",
                hint=f"the logs are in {self.running.installation.logs}",
            )
