"""Clients with tokens of their own: what each is shown, how often, and what is written down of it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of
from tests.masters import in_force

from .conftest import TOKEN, Browser
from .test_access import basic


def audit_of(dock: Any) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    from crossdock.ledger.tables import audit

    with dock.ledger._database.read() as connection:
        rows = connection.execute(sa.select(audit).where(audit.c.action == "feed.access").order_by(audit.c.id))
        return [dict(row._mapping) for row in rows]


@pytest.fixture
def two_partners(known, dock, orders) -> None:
    """Three orders to ACME, two to OTHER."""
    (known.home / "partners" / "other.yaml").write_text("partner: OTHER\nname: Other Works\n")
    rows = [{"order_no": str(n), "line_no": "10", "supplier_id": "ACME" if n < 4 else "OTHER"} for n in range(1, 6)]
    import polars as pl

    from schemas.master import MASTER_TABLES

    columns = MASTER_TABLES["partners"]
    frame = pl.DataFrame(
        [{**dict.fromkeys(columns, ""), "partner": name, "name": name} for name in ("ACME", "OTHER")],
        schema=dict.fromkeys(columns, pl.String),
    )
    dock.ledger.load_master("partners", frame, source="test", actor="test")
    known.drop("po.jsonl", orders(*({**row, "unit_price": "777003.5", "currency": "EUR"} for row in rows)))
    dock.run()
    assert {event.partner for event in dock.ledger.events()} == {"ACME", "OTHER"}


def partners(response) -> set[str]:
    return {event["data"]["partner"] for event in response.json()["events"]}


def test_each_sees_what_its_audience_sees(browser, token, two_partners):
    assert partners(browser.get("/v1/events", token=token("planner"))) == {"ACME", "OTHER"}
    assert partners(browser.get("/v1/events", token=token(partner="ACME"))) == {"ACME"}
    assert browser.get("/v1/events", token=token("quality")).json() == {"events": [], "next": 0, "more": False}
    assert browser.get("/v1/events?partner=OTHER", token=token(partner="ACME")).json()["events"] == []


PATHS = [
    "/v1/events",
    "/v1/state/demand",
    "/v1/supply/P-100/N1",
    "/v1/forecast?item=P-100",
    "/v1/documents",
    "/v1/export.csv",
]


@pytest.mark.parametrize("path", [*PATHS, "/v1/partners"])
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/csv"])
def test_nothing_of_another_partner_and_no_hidden_field_comes_by_any_path(browser, token, two_partners, path, accept):
    shown = browser.get(path, token=token(partner="ACME"), headers={"Accept": accept})
    assert shown.status_code == 200
    assert "OTHER" not in shown.text
    assert "Other Works" not in shown.text
    planner = browser.get(path, token=token("planner"), headers={"Accept": accept})
    assert planner.status_code == 200
    assert "777003.5" not in planner.text


def test_a_supplier_gets_in_nowhere_but_where_suppliers_may(browser, token, five):
    mine = token(partner="ACME")
    assert browser.get("/documents", token=mine).status_code == 403
    for who, home in ((mine, "/supplier"), (token("buyer"), "/supply")):
        answer = browser.get("/", token=who)
        assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert browser.get("/", token=token("integration")).status_code == 200
    assert browser.get("/static/console.css", token=mine).status_code == 200


def test_whatever_a_supplier_asks_is_in_the_audit_trail_before_it_is_answered(browser, dock, token, five):
    mine = token(partner="ACME")
    for path in (*PATHS, "/v1/nowhere?x=1"):
        browser.get(path, token=mine)
    browser.get("/v1/events", token=token("planner"))
    trail = audit_of(dock)
    assert [json.loads(entry["detail"])["path"] for entry in trail] == [
        path.partition("?")[0] for path in (*PATHS, "/v1/nowhere")
    ]
    assert {(entry["actor"], entry["subject"]) for entry in trail} == {("client ACME", "partner/ACME")}
    assert json.loads(trail[-1]["detail"])["query"] == "x=1"


def test_a_token_opens_the_pages_as_a_password_too(browser, token):
    shown = {"Authorization": basic("anybody", token("planner"))}
    assert browser.get("/v1/events", token=None, headers=shown).status_code == 200


def test_who_asks_too_often_is_told_when_again(browser, token):
    hasty = token("planner", per_minute=3)
    answers = [browser.get("/v1/events", token=hasty) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
    assert browser.get("/v1/events").status_code == 200


def test_an_ended_or_revoked_token_opens_nothing(browser, dock, token):
    ended, revoked = token("planner", days=-1), token("planner")
    dock.ledger.tokens.revoke([revoked.split("_")[1]])
    assert browser.get("/v1/events", token=ended).status_code == 401
    assert browser.get("/v1/events", token=revoked).status_code == 401


def test_a_body_that_is_too_long_is_not_read(dock):
    browser = Browser(feed_app(service_of(dock, most_bytes=1000), TOKEN))
    assert browser.post("/v1/documents?name=a.edi", content=b"x" * 1001).status_code == 413

    async def growing() -> AsyncIterator[bytes]:  # without saying how long it will be
        for _ in range(11):
            yield b"x" * 100

    answer = browser.post("/v1/documents?name=a.edi", content=growing())
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_pages_of_other_origins_may_ask_only_where_that_is_said(dock, browser):
    asked = {"Origin": "https://planner.example", "Access-Control-Request-Method": "GET"}
    allowed = Browser(feed_app(service_of(dock, origins=["https://planner.example"]), TOKEN))
    answer = allowed.get("/v1/events", headers={"Origin": "https://planner.example"})
    assert answer.headers["access-control-allow-origin"] == "https://planner.example"
    assert "access-control-allow-origin" not in browser.get("/v1/events", headers=asked).headers
    stranger = allowed.get("/v1/events", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers


def test_tokens_are_made_listed_and_revoked_by_command(known, browser):
    assert known.run("token", "new", "hub", "--audience", "supplier").exit_code == 2
    assert "did you mean 'ACME'" in known.run("token", "new", "hub", "-a", "supplier", "-p", "ACMEE").stderr
    made = known.run("token", "new", "hub", "--audience", "supplier", "--partner", "ACME").stdout.strip()
    assert browser.get("/v1/partners", token=made).json()["partners"] == [
        {"partner": "ACME", "name": "Acme Pumps", "tier": "transactional"}
    ]
    listed = known.run("token", "list").stdout
    assert "supplier ACME" in listed
    assert made.split("_", 2)[2] not in listed
    assert known.run("token", "revoke", "hub").exit_code == 0
    assert browser.get("/v1/partners", token=made).status_code == 401
    assert known.run("token", "revoke", "hub").exit_code == 1


X12 = (
    "ISA*00*          *00*          *ZZ*ACMEINC        *ZZ*HUB            *260301*0800*U*00401*000000001*0*P*>~"
    "GS*PO*ACMEINC*HUB*20260301*0800*1*X*004010~ST*850*0001~BEG*00*SA*4500009**20260301~PO1*10*5*XX*1**BP*P-999~"
    "CTT*1~SE*5*0001~GE*1*1~IEA*1*000000001~"
)


def test_a_supplier_hands_over_edi_and_is_told_what_is_wrong_with_it_at_once(browser, token, dock):
    mine = token(partner="ACME")
    answer = browser.post("/v1/documents?name=po.edi", token=mine, content=X12.encode())
    assert answer.status_code == 201
    told = answer.json()
    assert told["documents"][0]["type"] == "x12.850"
    assert {finding["code"] for finding in told["findings"]} >= {"item.unknown"}
    again = browser.post("/v1/documents?name=po.edi", token=mine, content=X12.encode())
    assert again.json()["payload"] == told["payload"]
    listed = browser.get("/v1/documents", token=mine).json()["documents"]
    assert [one["document"] for one in listed] == [told["documents"][0]["document"]]
    one = browser.get(f"/v1/documents/{listed[0]['document']}", token=mine).json()
    assert one["findings"]
    assert browser.get("/v1/documents/nothing", token=mine).status_code == 404


def test_what_only_an_erp_may_say_is_not_taken_from_a_supplier(browser, token, orders):
    pull = orders(("1", "10")).encode()
    assert browser.post("/v1/documents?name=po.jsonl", token=token(partner="ACME"), content=pull).status_code == 415
    assert browser.post("/v1/documents?name=x.edi", token=token(partner="ACME"), content=b"").status_code == 415
    assert browser.post("/v1/documents?name=x.edi", token=token("buyer"), content=X12.encode()).status_code == 403


def test_a_partner_is_lowered_by_one_line_while_the_service_goes_on(browser, known, token, two_partners):
    """The next request knows its tier; whose file is gone sees nothing any more."""
    mine = token(partner="OTHER")
    file = known.home / "partners" / "other.yaml"
    assert browser.get("/v1/partners", token=mine).json()["partners"] == [
        {"partner": "OTHER", "name": "Other Works", "tier": "transactional"}
    ]
    file.write_text("partner: OTHER\nname: Other Works\ntier: preferred\ntier_from: {2026-01-01: strategic}\n")
    assert [one["tier"] for one in browser.get("/v1/partners", token=mine).json()["partners"]] == ["strategic"]
    file.unlink()
    assert browser.get("/v1/events", token=mine).json()["detail"] == "there is no partner 'OTHER'"


@pytest.mark.parametrize("path", [*PATHS, "/v1/partners", "/v1/documents/x", "/v1/export.xlsx", "/supplier"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_supplier_whose_partner_file_is_gone_is_told_nothing(browser, token, known, five, path, accept):
    mine = token(partner="ACME")
    (known.home / "partners" / "acme.yaml").unlink()
    answer = browser.get(path, token=mine, headers={"Accept": accept})
    assert answer.status_code == 403
    assert "there is no partner 'ACME'" in answer.json()["detail"]


def test_nor_may_it_hand_anything_over(browser, dock, token, known):
    mine = token(partner="ACME")
    (known.home / "partners" / "acme.yaml").unlink()
    assert browser.post("/v1/documents?name=a.edi", token=mine, content=b"ISA*00*").status_code == 403
    assert dock.ledger.summary() == []


def test_what_was_read_again_counts_once(browser, dock, token, known):
    """By the API, on the supplier's page and on the Dock: a replay adds revisions, not documents or lines that wait."""
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    known.drop("stock.csv", "Item,Site,On hand,Unit,As of\nP-100,N1,5,EA,2026-03-01\nP-999,N1,5,EA,2026-03-01\n")
    known.run("run")
    mine = token(partner="ACME")

    def told() -> list[Any]:
        own = browser.get("/v1/documents", token=mine).json()["documents"]
        everybodys = browser.get("/v1/documents").json()["documents"]
        pages = [browser.get(path, token=who).text for path, who in (("/supplier", mine), ("/", TOKEN))]
        totals = [re.search(r'<dl class="totals">.*?</dl>', page, re.DOTALL)[0] for page in pages]
        numbers = [re.findall(r"<dt>([^<]+)</dt><dd>\D*?(\d+)", total.replace("\n", "")) for total in totals]
        return [[(one["document"], one["parked"]) for one in (*own, *everybodys)], *numbers]

    before = told()
    assert ("lines that wait", "1") in before[1]
    assert ("lines parked", "1") in before[2]
    in_force(dock, "cross_references", {"kind": "unit", "theirs": "EA", "ours": "DZN"})
    assert "1 change" in known.run("replay", "--all", "--reason", "dozens").output
    *same, dock_after = told()
    assert same == before[:2]
    assert [one for one in dock_after if one[0] != "events"] == [one for one in before[2] if one[0] != "events"]
    assert dict(dock_after)["events"] == "2"
