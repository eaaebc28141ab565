"""What holds, by HTTP: now and at any past moment, in every form, and the supply of an item."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from urllib.parse import quote

import polars as pl
import pytest


@pytest.fixture
def changed(known, dock, orders) -> str:
    """Three orders, then one of them changed; an instant between."""
    known.drop("po1.jsonl", orders(*((str(n), "10") for n in (1, 2, 3))))
    dock.run()
    time.sleep(0.01)
    between = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    known.drop(
        "po2.jsonl", orders({"order_no": "2", "line_no": "10", "quantity": "99", "changed_at": "2026-03-02T10:00:00Z"})
    )
    dock.run()
    return between


def quantities(response) -> list[str]:
    return [event["data"]["quantity"] for event in response.json()["events"]]


def test_the_latest_of_each_key_now_and_then(browser, changed):
    assert quantities(browser.get("/v1/state/demand")) == ["12", "12", "99"]
    then = browser.get(f"/v1/state/demand?at={quote(changed)}")
    assert quantities(then) == ["12", "12", "12"]
    assert then.json()["position"] == 3
    assert quantities(browser.get("/v1/state/demand?at=2020-01-01T00:00:00Z")) == []
    assert quantities(browser.get("/v1/state/inventory")) == quantities(browser.get("/v1/state/shipments")) == []


def test_states_come_in_pages(browser, changed):
    first = browser.get("/v1/state/demand?limit=2").json()
    assert (len(first["events"]), first["more"]) == (2, True)
    rest = browser.get(f"/v1/state/demand?limit=2&after={first['next']}").json()
    assert (len(rest["events"]), rest["more"]) == (1, False)


@pytest.mark.parametrize("path", ["/v1/state/demand", "/v1/events"])
def test_tables_hold_the_same_in_csv_and_parquet(browser, changed, path):
    asked = browser.get(path).json()["events"]
    csv = browser.get(path, headers={"Accept": "text/csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    read = pl.read_csv(io.BytesIO(csv.content), infer_schema=False)
    exact = pl.read_parquet(io.BytesIO(browser.get(path, headers={"Accept": "application/vnd.apache.parquet"}).content))
    assert read["id"].to_list() == exact["id"].to_list() == [event["id"] for event in asked]
    assert exact["quantity"].to_list() == [event["data"]["quantity"] for event in asked]
    assert exact["reference_order"].to_list() == [event["data"]["references"]["order"] for event in asked]


def test_by_item_partner_site_and_time(browser, changed):
    assert len(quantities(browser.get("/v1/events?item=P-100&partner=ACME&site=N1"))) == 4
    assert (
        quantities(browser.get("/v1/events?item=P-200")) == quantities(browser.get("/v1/events?partner=NOBODY")) == []
    )
    assert quantities(browser.get(f"/v1/events?since={quote(changed)}")) == ["99"]
    assert browser.get("/v1/events?since=yesterday").status_code == 422
    assert browser.get("/v1/events?since=2026-01-01T00:00:00").status_code == 422


def test_supply_by_day_and_week(browser, changed):
    found = browser.get("/v1/supply/P-100/N1?horizon=1").json()
    assert found["unit"] == "C62"
    assert len(found["days"]) == 1
    assert found["days"][0]["demand"] == "123", "all three are overdue"
    assert {one["what"] for one in found["movements"]} == {"order"}
    assert browser.get("/v1/supply/P-100/N1?horizon=0").status_code == 422
    assert browser.get("/v1/supply/NOTHING/HERE").json()["days"][0]["demand"] == "0"


def test_forecasts_are_asked_for_by_item(browser, changed):
    assert browser.get("/v1/forecast").status_code == 422
    assert browser.get("/v1/forecast?item=P-100").json() == {"forecast": []}


@pytest.mark.parametrize("query", ["itme=P-100", "limit=0", "at=now", "after=-1"])
def test_a_faulty_question_is_a_problem(browser, query):
    response = browser.get(f"/v1/state/demand?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_a_spreadsheet_is_given_no_formula():
    from crossdock.feed.tables import CSV, rendered

    told = rendered(pl.DataFrame({"a": ["=1+1", "-5", "+3.5", "@x", "-x", "plain"], "b": "y"}), CSV).decode()
    assert told.split("\r\n") == ["a,b", "'=1+1,y", "-5,y", "+3.5,y", "'@x,y", "'-x,y", "plain,y", ""]
