"""Airflow's API as we use it, with a stand-in behind ``requests``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from crossdock.local.rest import DagRun, Rest
from schemas.errors import PermanentError, TransientError

Answer = tuple[int, Any]


class Airflow(BaseAdapter):
    """Answers by method and path, and remembers what was asked."""

    def __init__(self, answers: dict[str, Answer | Callable[[dict[str, str]], Answer]]) -> None:
        super().__init__()
        self.answers = {"POST /auth/token": (201, {"access_token": "t0ken"})} | answers
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        parts = urlsplit(str(request.url))
        answer = self.answers[f"{request.method} {parts.path}"]
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        status, body = answer(query) if callable(answer) else answer
        response = requests.Response()
        response.status_code = status
        response.url = str(request.url)
        response._content = json.dumps(body).encode() if body is not None else b""
        return response

    def close(self) -> None: ...


class Silent(BaseAdapter):
    """Nobody listens."""

    def send(self, *_: Any, **__: Any) -> requests.Response:
        raise requests.ConnectionError("connection refused")

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rest, "_pause", staticmethod(lambda _: 0))


def client(adapter: BaseAdapter) -> Rest:
    session = requests.Session()
    session.mount("http://", adapter)
    return Rest("http://airflow", "admin", "secret", session=session)


def page(name: str, items: list[Any]) -> Callable[[dict[str, str]], Answer]:
    """A listing that gives at most two items at a time."""

    def answer(query: dict[str, str]) -> Answer:
        offset = int(query["offset"])
        return 200, {name: items[offset : offset + 2], "total_entries": len(items)}

    return answer


def test_it_logs_in_once():
    airflow = Airflow({"GET /api/v2/dags": (200, {"dags": [], "total_entries": 0})})
    rest = client(airflow)
    rest.dag_ids()
    rest.dag_ids()
    assert [request.method for request in airflow.asked] == ["POST", "GET", "GET"]
    assert json.loads(airflow.asked[0].body or "") == {"username": "admin", "password": "secret"}
    assert airflow.asked[-1].headers["Authorization"] == "Bearer t0ken"


def test_listings_are_read_to_the_end():
    rest = client(Airflow({"GET /api/v2/dags": page("dags", [{"dag_id": name} for name in "abcde"])}))
    assert rest.dag_ids() == set("abcde")


def test_import_errors_are_told_by_file():
    found = [{"filename": "broken.py", "stack_trace": "Traceback\nValueError: x"}]
    rest = client(Airflow({"GET /api/v2/importErrors": page("import_errors", found)}))
    assert rest.import_errors() == {"broken.py": "Traceback\nValueError: x"}


def test_what_is_not_healthy_is_named():
    parts = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}, "triggerer": {"status": None}}
    assert client(Airflow({"GET /api/v2/monitor/health": (200, parts)})).unwell() == ["scheduler", "triggerer"]


def test_an_api_server_that_does_not_listen_yet_is_unwell():
    assert client(Silent()).unwell() == ["api-server"]


def test_a_run_is_triggered_for_now():
    airflow = Airflow(
        {"POST /api/v2/dags/publish/dagRuns": (200, {"dag_id": "publish", "dag_run_id": "r1", "state": "queued"})}
    )
    assert client(airflow).trigger("publish") == DagRun(dag_id="publish", run_id="r1", state="queued")
    asked = json.loads(airflow.asked[-1].body or "")
    assert asked.pop("dag_run_id").startswith("manual__")
    assert asked == {"logical_date": None}


def test_what_airflow_fails_at_is_asked_again():
    answers = iter([(500, {"detail": "Database error"})] * 3 + [(200, {"file_token": "f"})])
    airflow = Airflow(
        {"PATCH /api/v2/dags/publish": lambda _: next(answers), "PUT /api/v2/parseDagFile/f": (201, None)}
    )
    client(airflow).unpause("publish")
    assert [request.method for request in airflow.asked[1:]] == ["PATCH"] * 4 + ["PUT"]


def test_dags_that_are_switched_on_are_read_at_once_each_file_once():
    dags = {"publish": "p", "inbound_edi": "i", "inbound_erp": "i"}
    airflow = Airflow(
        {f"PATCH /api/v2/dags/{dag_id}": (200, {"file_token": file}) for dag_id, file in dags.items()}
        | {"PUT /api/v2/parseDagFile/p": (409, {"detail": "is asked for"}), "PUT /api/v2/parseDagFile/i": (201, None)}
    )
    client(airflow).unpause(*dags)
    assert [str(one.url).rpartition("/")[2] for one in airflow.asked[1:]] == [*dags, "p", "i"]


def test_only_what_has_a_watcher_is_watched():
    assets = [{"name": "crossdock_events", "watchers": [{"name": "word"}]}, {"name": "other", "watchers": []}]
    assert client(Airflow({"GET /api/v2/assets": page("assets", assets)})).watched() == {"crossdock_events"}


def test_a_run_that_was_made_although_airflow_failed_is_not_made_again():
    run = {"dag_id": "publish", "dag_run_id": "r1", "state": "queued"}
    answers = iter([(500, {"detail": "Database error"}), (409, {"detail": "already exists"})])

    class Failing(Airflow):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            if request.method == "GET":
                name = str(request.url).rpartition("/")[2]
                self.answers[f"GET /api/v2/dags/publish/dagRuns/{name}"] = (200, run | {"dag_run_id": name})
            return super().send(request)

    airflow = Failing({"POST /api/v2/dags/publish/dagRuns": lambda _: next(answers)})
    made = client(airflow).trigger("publish")
    asked = {json.loads(request.body or "")["dag_run_id"] for request in airflow.asked[1:3]}
    assert asked == {made.run_id}


def test_a_failed_task_brings_its_last_error_along():
    run = DagRun(dag_id="publish", run_id="r1", state="failed")
    base = "/api/v2/dags/publish/dagRuns/r1/taskInstances"
    tasks = [
        {"task_id": "fine", "map_index": -1, "state": "success", "try_number": 1},
        {"task_id": "bad", "map_index": 4, "state": "failed", "try_number": 2},
        {"task_id": "after", "map_index": -1, "state": "upstream_failed", "try_number": 0},
    ]
    chain = [{"exc_type": "ConfigError", "exc_value": "no"}, {"exc_type": "KeyError", "exc_value": "x"}]
    log = [
        {"event": "::group::", "level": "info"},
        {"event": "Task failed", "level": "error", "error_detail": chain},
    ]
    answers = {f"GET {base}": page("task_instances", tasks), f"GET {base}/bad/logs/2": (200, {"content": log})}
    told = [str(task) for task in client(Airflow(answers)).failed_tasks(run)]
    assert told == ["publish.bad[4] failed: ConfigError: no", "publish.after upstream_failed: never started"]


@pytest.mark.parametrize(("status", "kind"), [(404, PermanentError), (401, PermanentError), (503, TransientError)])
def test_a_refusal_is_told_with_its_reason(status, kind):
    rest = client(Airflow({"PATCH /api/v2/dags/x": (status, {"detail": "so there"})}))
    with pytest.raises(kind, match=f"{status}.*so there"):
        rest.unpause("x")


def test_silence_is_worth_another_try():
    with pytest.raises(TransientError, match="does not answer"):
        client(Silent()).dag_ids()
