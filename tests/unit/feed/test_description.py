"""The API's own description: complete, and with examples that the answers' own parts would pass."""

from __future__ import annotations

from typing import Any


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
        if path.startswith("/v1/")
    ]


def test_every_operation_says_what_it_answers_with_an_example(browser):
    found = operations(browser.get("/v1/openapi.json").json())
    assert len(found) >= 9
    for name, operation in found:
        assert operation["summary"], name
        [good] = [answer for status, answer in operation["responses"].items() if status in ("200", "201")]
        assert good["description"], name
        told = good["content"].get("application/json")
        assert "example" in told if told else "export" in name, name
        assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), name
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                example = answer["content"]["application/problem+json"]["example"]
                assert str(example["status"]) == status, name


def test_every_error_is_a_problem_of_its_own(browser, token, five):
    asked = (
        (browser.get("/v1/nothing"), 404),
        (browser.get("/v1/documents/none"), 404),
        (browser.post("/v1/events"), 405),
        (browser.get("/v1/events?limit=0&nonsense=1"), 422),
        (browser.get("/v1/events", token=None), 401),
        (browser.get("/parked", token=token("planner")), 403),
        (browser.post("/v1/documents?name=x.bin", content=b"\x00noise"), 415),
    )
    for answer, status in asked:
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["type"], told["status"]) == ("about:blank", status)
        assert told["title"] != told["detail"]
    assert [fault["parameter"] for fault in asked[3][0].json()["errors"]] == ["limit", "nonsense"]


def test_partners_are_a_table_too(browser):
    answer = browser.get("/v1/partners", headers={"Accept": "text/csv"})
    assert answer.text.splitlines() == ["partner,name,tier", "ACME,Acme Pumps,transactional"]
