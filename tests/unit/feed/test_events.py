"""Paging through the feed, in either form, and what becomes of a wrong question."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest

from crossdock.feed.app import feed_app
from crossdock.feed.service import Service
from crossdock.feed.tables import JSON, JSON_LINES, preferred
from crossdock.ledger import Ledger
from schemas.errors import CrossdockError, GivenUpError, PermanentError, TransientError

from .conftest import TOKEN, Browser


def ids(response: httpx.Response) -> list[str]:
    return [event["id"] for event in response.json()["events"]]


def test_a_page_holds_cloud_events_in_order_and_says_where_to_go_on(browser, five):
    response = browser.get("/v1/events?limit=2")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert ids(response) == five[:2]
    assert response.json()["next"] == 2
    [first, _] = response.json()["events"]
    assert first["specversion"] == "1.0"
    assert first["type"] == "crossdock.demand.v1"
    assert first["data"]["item"] == "P-100"


def test_following_the_links_leads_through_everything_once(browser, five):
    found: list[str] = []
    response = browser.get("/v1/events?limit=2")
    while page := ids(response):
        found += page
        response = browser.get(response.links["next"]["url"])
    assert found == five
    assert response.json() == {"events": [], "next": 5, "more": False}


def test_json_lines_hold_the_same_events_and_the_link_goes_on(browser, five):
    response = browser.get("/v1/events?limit=3", headers={"Accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in response.text.splitlines()] == five[:3]
    assert response.links["next"]["url"] == "/v1/events?after=3&limit=3"


def test_an_empty_page_of_json_lines_is_empty(browser):
    response = browser.get("/v1/events", headers={"Accept": "application/x-ndjson"})
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(("stream", "count"), [("demand", 5), ("shipment", 0)])
def test_one_stream_alone(browser, five, stream, count):
    response = browser.get(f"/v1/events?stream={stream}")
    assert len(ids(response)) == count
    assert f"stream={stream}" in response.links["next"]["url"]


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("application/x-ndjson", True),
        ("*/*", False),
        ("application/json, application/x-ndjson;q=0.5", False),
        ("application/json;q=0.1, Application/X-NDJSON", True),
        ("application/x-ndjson;q=0", False),
        ("application/x-ndjson;q=much", False),
    ],
)
def test_the_form_is_the_one_preferred(accept, lines):
    assert (preferred(accept, (JSON, JSON_LINES)) == JSON_LINES) is lines


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("after=-1", "after"),
        ("after=9223372036854775808", "after"),
        ("stream=orders", "stream"),
        ("afer=7", "afer"),
    ],
)
def test_a_wrong_question_is_a_problem_that_names_the_parameter(browser, query, parameter):
    response = browser.get(f"/v1/events?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (document["type"], document["status"]) == ("about:blank", 422)
    assert document["title"].startswith("Unprocessable")
    [fault] = document["errors"]
    assert fault["parameter"] == parameter
    assert fault["given"] == query.partition("=")[2]


def test_all_faults_are_told_at_once(browser):
    told = browser.get("/v1/events?afer=7&limit=0").json()["detail"]
    assert "afer: there is no such parameter" in told
    assert "limit: Input should be greater than or equal to 1" in told


def test_the_largest_question_is_answered(browser, five):
    assert ids(browser.get("/v1/events?limit=1000&after=9223372036854775807")) == []


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/v1/nothing", 404), ("/static/none.css", 404)])
def test_what_is_not_there_is_a_problem_too(browser, path, status):
    response = browser.get(path)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code == status
    assert path in response.json()["detail"]


def test_nothing_can_be_written(browser):
    response = browser.post("/v1/events")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == "GET"


@dataclass
class Away:
    """A ledger that only ever fails."""

    error: Exception

    @property
    def spans(self) -> Away:
        return self

    def events(self, *_: Any, **__: Any) -> Any:
        raise self.error

    def master_version(self) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (TransientError("the database is locked", retry_after=2.5), 503, "the database is locked"),
        (PermanentError("event 7 breaks the contract", hint="mend its mapping"), 500, "event 7 breaks the contract"),
        (GivenUpError("what stood was given up", hint="ask for a later time"), 410, "what stood was given up"),
        (CrossdockError("no"), 500, "no"),
        (RuntimeError("password is hunter2"), 500, "This should not happen"),
    ],
)
def test_a_failing_ledger_is_told_as_a_problem(error, status, told):
    response = Browser(feed_app(Service(ledger=cast(Ledger, Away(error))), TOKEN)).get("/v1/events")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert told in response.json()["detail"]
    assert "hunter2" not in response.text
    assert response.headers.get("retry-after") == ("3" if status == 503 else None)


def test_it_is_not_well_when_the_ledger_is_away():
    browser = Browser(feed_app(Service(ledger=cast(Ledger, Away(TransientError("away")))), TOKEN))
    assert browser.get("/healthz", token=None).status_code == 503


def test_the_api_describes_itself(browser):
    described = browser.get("/v1/openapi.json").json()
    [operation] = described["paths"]["/v1/events"].values()
    assert {one["name"] for one in operation["parameters"]} >= {"after", "limit", "stream"}
    assert operation["responses"]["200"]["content"].keys() >= {"application/json", "application/x-ndjson", "text/csv"}
