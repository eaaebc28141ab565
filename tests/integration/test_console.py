"""The console in a real browser (Debian's Chromium) over the demo company: each page, its actions, who sees what."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Browser, Page

from crossdock.simulate.demo import connection_environment, simulate
from tests.browser import SCREENS, require_for_everybody

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery"
CROSSDOCK = str(Path(sys.executable).with_name("crossdock"))
PAGES = (
    *("/", "/documents", "/files", "/events", "/answers", "/parked", "/headers", "/mail", "/supply", "/partners"),
    *("/partners/BRIGHTSEAL", "/events/1", "/outlets", "/outlets/feed", "/data-docs"),
)


class Site:
    """The demo company, run once and served. ``environment`` is that of its commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        simulate(home, lines=1000)
        own = {
            "CROSSDOCK_HOME": str(home),
            "CROSSDOCK_TOKEN": TOKEN,
            "CROSSDOCK_AIRFLOW_URL": "http://airflow.example/",
        }
        self.environment = os.environ | connection_environment(home) | own
        self.run("run")
        self.process = subprocess.Popen(
            [CROSSDOCK, "serve", "--port", "0"], env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split("console at ")[1].split(";")[0]

    def run(self, *arguments: str) -> str:
        ran = subprocess.run([CROSSDOCK, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("events", "--jsonl").splitlines()]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("company"))
    yield made
    made.close()


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """A page as somebody sees it; what the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_(path: str, *, theme: str = "light", width: int = 1280, token: str = TOKEN) -> Page:
        context = chromium.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            http_credentials={"username": "crossdock", "password": token},
            base_url=site.address,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def links(page: Page, begins: str) -> list[str]:
    found = page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    return [str(one) for one in found if one and one.startswith(begins)]


@pytest.mark.parametrize(("theme", "width"), SCREENS)
def test_every_page_is_for_everybody_in_both_themes_and_on_a_phone(
    visit: Callable[..., Page], theme: str, width: int
) -> None:
    page = visit("/documents?status=rejected", theme=theme, width=width)
    document = links(page, "/documents/")[0]
    page.goto("/parked")
    cause = next(one for one in links(page, "/parked?") if "code=" in one)
    page.goto("/supply")
    places = links(page, "/supply/")
    for path in (*PAGES, document, f"{document}/replay", cause, places[0], places[-1]):
        require_for_everybody(page, path)


def test_no_page_runs_a_script(visit: Callable[..., Page]) -> None:
    page = visit("/")
    for path in PAGES:
        response = page.goto(path)
        assert response is not None
        assert "script-src" not in response.headers["content-security-policy"]
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert page.locator("script").count() == 0


def test_the_keyboard_alone_leads_through(visit: Callable[..., Page]) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/documents")
    assert page.locator("[aria-label=Pages] [aria-current=page]").inner_text() == "Documents"


def test_every_number_of_what_came_in_leads_on(visit: Callable[..., Page]) -> None:
    page = visit("/")
    for cell in page.locator("table[aria-labelledby=channels] td.number, [aria-labelledby=channels] td.number").all():
        assert cell.inner_text() == "0" or cell.locator("a").count() == 1, cell.inner_html()
    row = page.locator("[aria-labelledby=channels] tbody tr").filter(has_text="mailbox")
    shipments = int(row.locator("td[data-name=shipment]").inner_text())
    row.locator("td[data-name=shipment] a").click()
    page.wait_for_url("**/documents?**")
    shown = page.locator("tbody td[data-name=events]").all_inner_texts()
    assert sum(int(number) for number in shown) == shipments
    hour = visit("/").locator(".chart a").first.get_attribute("href")
    assert hour is not None
    page.goto(hour)
    assert page.locator("tbody tr").count() >= 1


def test_what_holds_is_taken_along_as_a_workbook(visit: Callable[..., Page], site: Site, tmp_path: Path) -> None:
    token = site.run("token", "new", "Brightseal's desk", "--audience", "supplier", "--partner", "BRIGHTSEAL")
    theirs = re.search(r"cd_\S+", token)
    assert theirs is not None
    for path, button, whose in (
        ("/supply", "Everything that holds", {"ANVILGATE", "BRIGHTSEAL"}),
        ("/supplier", "Everything shared with you", {"BRIGHTSEAL"}),
    ):
        page = visit(path, token=theirs[0] if path == "/supplier" else TOKEN)
        with page.expect_download() as coming:
            page.get_by_role("link", name=button).click()
        taken = tmp_path / coming.value.suggested_filename
        coming.value.save_as(taken)
        book = openpyxl.load_workbook(taken)
        header, *rows = book["shipment"].iter_rows(values_only=True)
        partners = {row[header.index("partner")] for row in rows}
        assert partners >= whose
        assert partners == whose or path == "/supply"


def test_a_movement_leads_to_its_event_and_that_to_its_bytes(visit: Callable[..., Page], site: Site) -> None:
    shipment = next(one for one in site.events if ".shipment." in one["type"])
    page = visit(f"/documents/{shipment['correlationid']}")
    page.get_by_role("link", name="shipment notified").first.click()
    page.wait_for_url("**/events/*")
    assert shipment["subject"] in page.locator("main").inner_text()
    assert "feed, " in page.locator("section[aria-labelledby=delivered]").inner_text()
    page.get_by_role("link", name="of its document").click()
    page.wait_for_url(f"**/documents/{shipment['correlationid']}#byte-*")
    assert page.locator(":target").count() == 1


def test_documents_are_found_by_whatever_stands_on_them(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/documents")
    shipment = next(one for one in site.events if ".shipment." in one["type"])
    number = shipment["subject"].split("/")[2]
    for text in (number, shipment["data"]["item"]):
        page.get_by_label("Order (with / line)").fill(text)
        page.get_by_role("button", name="Search").click()
        page.wait_for_url(f"**q={text}**")
        assert f"/documents/{shipment['correlationid']}" in links(page, "/documents/"), text
    page.get_by_label("Order (with / line)").fill("surely nowhere")
    page.get_by_role("button", name="Search").click()
    assert "Nothing says “surely nowhere”" in page.locator("main").inner_text()


def test_a_document_shows_its_bytes_with_what_is_wrong_in_place(visit: Callable[..., Page]) -> None:
    page = visit("/documents?q=brightseal-asn-0001.edi&status=rejected")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/documents/doc-*")
    marked = page.locator("tr.marked").filter(has_text="set.count")
    assert marked.locator("code").inner_text().startswith("SE|")
    assert "997 sent as" in page.locator(".timeline").inner_text()
    there = page.get_by_role("link", name="in Airflow").get_attribute("href")
    assert there == "http://airflow.example/dags/inbound_edi-inbox"


def test_a_cross_reference_lets_lines_go_on(visit: Callable[..., Page], site: Site) -> None:
    before = len(site.events)
    page = visit("/parked")
    page.get_by_role("link", name="item “CLM0999Z”").click()
    meant = page.get_by_label("calls “CLM0999Z” is our item").input_value()
    assert meant.startswith("P10"), "what they call nearly so is an item of ours by our number"
    page.goto("/parked")
    page.get_by_role("link", name="item “P1O101”").click()
    proposed = page.get_by_label("calls “P1O101” is our item").input_value()
    page.get_by_label("calls “P1O101” is our item").fill("P-NONE")
    page.get_by_role("button", name="let 1 line go on").click()
    assert "P-NONE" in page.get_by_role("alert").inner_text()
    page.get_by_label("calls “P1O101” is our item").fill(proposed)
    page.get_by_label("Why", exact=True).fill("a zero typed as a letter")
    page.get_by_role("button", name="let 1 line go on").click()
    assert page.get_by_role("status").inner_text() == f"P1O101 is {proposed}: 1 line released, 1 event published"
    assert page.get_by_role("link", name="item “P1O101”").count() == 0
    assert len(site.events) == before + 1
    assert "person crossdock" in {entry["actor"] for entry in site.json("audit")}


def test_lines_are_given_back_with_a_reason(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/parked")
    page.get_by_role("link", name="item “P99999”").click()
    page.get_by_text("Give the lines back").click()
    page.get_by_label("the supplier reads it").fill("there is no such item")
    page.get_by_role("button", name="Reject 1 line").click()
    assert page.get_by_role("status").inner_text() == "1 line given back: there is no such item"
    assert "P99999" not in site.run("parked", "--json")


def test_a_document_is_read_again_after_a_preview(visit: Callable[..., Page], site: Site) -> None:
    shipment = next(one for one in site.events if ".shipment." in one["type"])
    page = visit(f"/documents/{shipment['correlationid']}")
    page.get_by_role("link", name="Read again").click()
    assert "Nothing would change." in page.locator("main").inner_text()


def test_an_outlet_is_paused_and_goes_on(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/outlets")
    page.get_by_role("link", name="feed", exact=True).click()
    page.get_by_label("Why, for those who wonder").fill("they move house")
    page.get_by_role("button", name="Pause it").click()
    assert "they move house" in page.locator("main").inner_text()
    assert "paused" in site.run("outlets")
    page.get_by_role("button", name="Go on").click()
    assert page.get_by_role("status").inner_text() == "feed goes on."
    assert "paused" not in site.run("outlets")


def test_supply_leads_from_the_chart_to_the_events(visit: Callable[..., Page]) -> None:
    page = visit("/supply")
    for path in links(page, "/supply/"):
        page.goto(path)
        if page.locator(".chart a").count():
            break
    there = page.locator(".chart a").first.get_attribute("href")
    assert there is not None
    page.locator(".chart a").first.focus()
    page.keyboard.press("Enter")
    movements = page.locator(there).locator("li")
    movements.first.wait_for()  # it stands open: the address leads into it
    assert movements.count() >= 1


def test_who_is_not_of_the_house_sees_what_it_may(visit: Callable[..., Page], site: Site) -> None:
    supplier = site.run("token", "new", "Brightseal's clerk", "--audience", "supplier", "--partner", "BRIGHTSEAL")
    planner = site.run("token", "new", "Planning", "--audience", "planner")
    secrets = [re.search(r"cd_\S+", told) for told in (supplier, planner)]
    assert all(secrets)
    theirs, planning = (one[0] for one in secrets if one)
    page = visit("/supplier", token=theirs)
    assert page.locator("h1").inner_text() == "Brightseal Mechanical Seals Co."
    assert page.locator("nav.site a").all_inner_texts() == ["Your documents and orders"]
    page.locator("tbody a").first.click()
    assert "What was found" in page.locator("main").inner_text()
    for path, token in (("/documents", theirs), ("/parked", theirs), ("/supply", theirs), ("/parked", planning)):
        assert status(site, path, token) == 403, path
    assert status(site, "/supply", planning) == 200
    assert status(site, "/events/1", planning) == 200
    assert status(site, "/events/1", theirs) == 403
    assert status(site, "/supplier", TOKEN) == 403


def test_no_other_page_sends_our_forms(site: Site) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert status(site, "/parked/fix", TOKEN, b"kind=item&theirs=x&ours=y", **headers) == 403


def status(site: Site, path: str, token: str, body: bytes | None = None, **headers: str) -> int:
    asked = urllib.request.Request(site.address + path, body, {"Authorization": f"Bearer {token}", **headers})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_headline_counts_what_its_pages_show(visit: Callable[..., Page]) -> None:
    page = visit("/")
    tiles = {
        tile.locator("dt").inner_text(): (int(tile.locator("dd").inner_text().replace(",", "")), tile.locator("a"))
        for tile in page.locator(".totals > div").all()
    }
    for name, (number, link) in tiles.items():
        assert link.count() == (number > 0), name
    there = {name: link.get_attribute("href") for name, (number, link) in tiles.items() if number}
    for name in ("documents rejected", "files not readable"):
        page.goto(str(there[name]))
        assert page.locator("main tbody tr").count() == tiles[name][0], name
    page.goto(str(there["lines parked"]))
    waiting = page.locator("td[data-name=lines]").all_inner_texts()
    assert sum(map(int, waiting)) >= tiles["lines parked"][0]  # a line may wait for two things


def test_what_could_not_be_read_is_looked_at_all_the_same(visit: Callable[..., Page]) -> None:
    page = visit("/documents?q=bolts.xlsx")
    page.get_by_role("link", name="bolts.xlsx").click()
    assert "no partner file claims the sender" in page.locator("main").inner_text()
    assert page.locator(".sheet tbody tr").count() > 1, "its rows are shown"


def test_a_cell_that_is_wrong_is_marked_in_its_sheet(visit: Callable[..., Page]) -> None:
    page = visit("/documents?q=CLM0999Z")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/documents/doc-*")
    assert "CLM0999Z" in page.locator(".sheet mark").all_inner_texts()
    assert "approx. 40" in page.locator(".sheet mark").all_inner_texts()


def test_parts_of_words_find_what_is_parked(visit: Callable[..., Page], site: Site) -> None:
    line = next(one for one in site.json("parked") if one["fields"].get("order"))
    order, number = line["fields"]["order"], line["fields"]["order_line"]
    for text in (f"{order} / {number}", f"{order[2:]} {line['partner'].lower()[:5]}", line["name"][:-4].upper()):
        page = visit("/documents")
        page.get_by_label("Order (with / line)").fill(text)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=**")
        assert f"/documents/{line['document']}" in links(page, "/documents/"), text


def test_a_list_is_leafed_through(visit: Callable[..., Page], site: Site) -> None:
    page, seen = visit("/events?stream=shipment"), []
    while True:
        seen += links(page, "/events/")
        older = page.get_by_role("link", name="Older ones")
        if not older.count():
            break
        page.goto(str(older.get_attribute("href")))
    assert len(seen) == len(set(seen)) == sum(".shipment." in one["type"] for one in site.events)


def test_what_is_not_there_or_not_for_somebody_is_a_page(visit: Callable[..., Page], site: Site) -> None:
    asked = urllib.request.Request(
        site.address + "/documents/none", headers={"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    )
    with pytest.raises(urllib.error.HTTPError, match="404") as missing:
        urllib.request.urlopen(asked, timeout=20)
    with missing.value as answer:
        assert answer.headers["content-type"].startswith("text/html")
        told = answer.read().decode()
    assert "There is no document none." in told
    assert 'href="/parked"' in told, "the navigation is there"
