"""Airflow's public REST API, as far as we need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from schemas.errors import PermanentError, TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRun:
    """One run of a DAG. ``state``: queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str

    @property
    def ended(self) -> bool:
        return self.state in ("success", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """A task instance that ended badly, and the end of its log."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    tries: int
    log: str

    def __str__(self) -> str:
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id}{index} {self.state}: {self.log}"


class Rest:
    """A client that logs in when it is first needed.

    Every method raises TransientError when Airflow does not answer, PermanentError when it refuses. What fails within
    Airflow is tried again before that: on SQLite its API server locks itself out of its database now and then (it
    writes its audit log in the event loop, which another request needs to end its own transaction), and answers 500.
    """

    #: Seconds before each further try.
    _pause = staticmethod(wait_exponential(multiplier=0.5, max=5))

    def __init__(self, url: str, user: str, password: str, *, session: requests.Session | None = None) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._session = session or requests.Session()

    # -- health -----------------------------------------------------------------------------------

    def unwell(self) -> list[str]:
        """The components that do not report themselves healthy; ``api-server`` if it does not answer."""
        try:
            parts = self._once("GET", "/api/v2/monitor/health", headers={"Accept": "application/json"})
        except (TransientError, PermanentError):
            return ["api-server"]
        return [name for name, part in parts.items() if (part or {}).get("status") != "healthy"]

    # -- DAGs -------------------------------------------------------------------------------------

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow knows and that are not stale, paused or not."""
        return {dag["dag_id"] for dag in self._pages("dags", "dags")}

    def import_errors(self) -> dict[str, str]:
        """What went wrong while parsing, by file."""
        return {e["filename"]: e["stack_trace"] for e in self._pages("importErrors", "import_errors")}

    def unpause(self, *dag_ids: str) -> None:
        """Switch these DAGs on, and let Airflow read their files now: it begins to watch for a DAG when it reads it."""
        on = [self._call("PATCH", f"dags/{dag_id}", json={"is_paused": False}) for dag_id in dag_ids]
        for file in dict.fromkeys(dag["file_token"] for dag in on):
            with suppress(_Conflict):  # it is to be read anyway
                self._call("PUT", f"parseDagFile/{file}")

    def watched(self) -> set[str]:
        """The names of the assets that a trigger watches."""
        return {asset["name"] for asset in self._pages("assets", "assets") if asset["watchers"]}

    def trigger(self, dag_id: str) -> DagRun:
        """Start a run now; one, however often it has to be asked for."""
        name = f"manual__{uuid4()}"
        try:
            return _run(self._call("POST", f"dags/{dag_id}/dagRuns", json={"dag_run_id": name, "logical_date": None}))
        except _Conflict:
            return _run(self._get(f"dags/{dag_id}/dagRuns/{name}"))

    def runs(self, dag_id: str = "~") -> list[DagRun]:
        """The runs of one DAG, or of all, oldest first."""
        return [_run(run) for run in self._pages(f"dags/{dag_id}/dagRuns", "dag_runs", order_by="run_after")]

    def task_states(self, run: DagRun) -> set[tuple[str, str | None]]:
        """Each task of ``run`` with every state that its instances are in."""
        path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        return {(found["task_id"], found["state"]) for found in self._pages(path, "task_instances")}

    def failed_tasks(self, run: DagRun) -> list[FailedTask]:
        """The task instances of ``run`` that failed, with the end of their logs."""
        return [
            FailedTask(
                dag_id=run.dag_id,
                run_id=run.run_id,
                task_id=found["task_id"],
                map_index=found["map_index"],
                state=found["state"],
                tries=found["try_number"],
                log=self._log(run, found),
            )
            for found in self._pages(f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", "task_instances")
            if found["state"] in ("failed", "upstream_failed")
        ]

    def xcom(self, run: DagRun, task_id: str) -> Any:
        """What the unmapped task returned; None if it returned nothing."""
        base = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/xcomEntries"
        if not any(entry["key"] == "return_value" for entry in self._pages(base, "xcom_entries")):
            return None
        return self._get(f"{base}/return_value", deserialize=False, stringify=False)["value"]

    def _log(self, run: DagRun, task: dict[str, Any]) -> str:
        if not task["try_number"]:
            return "never started"
        path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self._get(path, map_index=task["map_index"])["content"]
        errors = [entry for entry in content if isinstance(entry, dict) and entry.get("level") == "error"]
        raised = [detail for entry in errors[-1:] for detail in entry.get("error_detail") or []]
        if raised:  # the first is what was raised, the others are what caused it
            return f"{raised[0]['exc_type']}: {raised[0]['exc_value']}"
        return str(errors[-1]["event"]) if errors else "(its log tells no error)"

    # -- HTTP -------------------------------------------------------------------------------------

    def _pages(self, path: str, items: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a listing, page by page."""
        seen = 0
        while True:
            page = self._get(path, limit=100, offset=seen, **query)
            yield from page[items]
            seen += len(page[items])
            if not page[items] or seen >= page["total_entries"]:
                return

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._call("GET", path, params=query, headers={"Accept": "application/json"})

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        if "Authorization" not in self._session.headers:
            token = self._send("POST", "/auth/token", json=self._login)["access_token"]
            self._session.headers["Authorization"] = f"Bearer {token}"
        return self._send(method, f"/api/v2/{path}", **arguments)

    def _send(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        trying = Retrying(
            retry=retry_if_exception_type(_Failed), stop=stop_after_attempt(_TRIES), wait=self._pause, reraise=True
        )
        return trying(self._once, method, path, **arguments)

    def _once(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.url + path, timeout=30, **arguments)
        except requests.RequestException as error:
            raise TransientError(f"Airflow at {self.url} does not answer: {error}") from error
        if answer.status_code >= 500:
            raise _Failed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        if answer.status_code == requests.codes.conflict:
            raise _Conflict(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        if not answer.ok:
            raise PermanentError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


_TRIES = 5  #: of a request that Airflow fails at


class _Failed(TransientError):
    """Airflow answered that it failed."""


class _Conflict(PermanentError):
    """What was to be made is there already."""


def _run(answer: dict[str, Any]) -> DagRun:
    return DagRun(dag_id=answer["dag_id"], run_id=answer["dag_run_id"], state=answer["state"])
