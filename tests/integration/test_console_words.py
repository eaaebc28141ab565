"""What waits for a person's word, in a real browser: a sheet whose header changed, a mail that nothing proves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import SCREENS, require_for_everybody
from tests.conftest import Installation

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery"
CROSSDOCK = str(Path(sys.executable).with_name("crossdock"))
PARTNER = """\
partner: ACME          # by mail, every Monday
identities: {email: ["*@acme.example"]}
documents:
  # their stock list
  workbook.stock:
    extends: standard/workbook_stock
    columns: [Part, Where, Amount, Measure, As of, Remark]
    header: {item: [Part], site: [Where], quantity: [Amount], unit: [Measure], lot: [Remark]}
"""
CHANNEL = """\
channel: mail
source: {kind: maildir, path: mail}
authentication: {server: mx.ravensmoor.example}
"""
PROVEN = "mx.ravensmoor.example; dmarc=pass header.from="
OTHER_HEADER = "Part;Where;On the shelf, as of Monday;Measure;As of;Remarks;Colour\nP-100;N1;5;EA;2026-03-01;L1;red\n"
AS_BEFORE = "Part;Where;Amount;Measure;As of;Remark\nP-200;N1;7;EA;2026-03-01;L2\n"


class Site:
    """An installation that has read three mails, and its console."""

    def __init__(self, installation: Installation) -> None:
        self.home = installation.home
        self._run = installation.run
        (self.home / "partners" / "acme.yaml").write_text(PARTNER)
        (self.home / "channels" / "mail.yaml").write_text(CHANNEL)
        for folder in ("cur", "new", "tmp"):
            (self.home / "mail" / folder).mkdir(parents=True)
        self._mail(1, "stock@acme.example", OTHER_HEADER, PROVEN + "acme.example")
        self._mail(2, "boss@acme.example", AS_BEFORE, "")
        self._mail(3, "ana@elsewhere.example", AS_BEFORE, PROVEN + "elsewhere.example")
        assert installation.run("run").exit_code == 0
        self.process = subprocess.Popen(
            [CROSSDOCK, "serve", "--port", "0"],
            env=os.environ | installation.environment | {"CROSSDOCK_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split("console at ")[1].split(";")[0]

    def _mail(self, number: int, sender: str, sheet: str, proof: str) -> None:
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = sender, "supply@ravensmoor.example", f"Our stock, mail {number}"
        mail["Message-ID"] = f"<{number}@acme.example>"
        if proof:
            mail["Authentication-Results"] = proof
        mail.set_content("As every Monday.")
        mail.add_attachment(sheet.encode(), maintype="text", subtype="csv", filename=f"stock {number}.csv")
        (self.home / "mail" / "new" / f"{number}.mail").write_bytes(mail.as_bytes())

    @property
    def told(self) -> dict[str, str]:
        events = [json.loads(line) for line in self._run("events", "--jsonl").stdout.splitlines()]
        return {one["subject"]: one["data"]["quantity"] for one in events}

    @property
    def trail(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._run("audit", "--json").stdout.splitlines()]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def site(known: Installation) -> Iterator[Site]:
    made = Site(known)
    yield made
    made.close()


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_(path: str, *, theme: str = "light", width: int = 1280) -> Page:
        context = chromium.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            http_credentials={"username": "crossdock", "password": TOKEN},
            base_url=site.address,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()


def require_for_all(visit: Callable[..., Page], *paths: str) -> None:
    for theme, width in SCREENS:
        page = visit(paths[0], theme=theme, width=width)
        for path in paths:
            require_for_everybody(page, path)


def test_a_changed_header_is_confirmed_and_what_waited_for_it_is_read(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/")
    page.get_by_role("link", name="Say what its columns are").click()
    page.wait_for_url("**/headers/*")
    require_for_all(visit, "/headers", page.url)
    page = visit("/headers")
    assert "1 sheet with a header" in page.locator("header").inner_text()
    page.get_by_role("link", name="stock 1.csv").click()
    columns = page.locator("tbody tr")
    assert columns.filter(has_text="Remarks").locator("td").first.inner_text() == "Remark"
    assert columns.filter(has_text="Colour").last.inner_text().split() == ["Colour", "–", "new", "red"]
    which = page.get_by_label("Which column holds quantity")
    which.select_option("")
    page.evaluate("document.querySelector('form.say').noValidate = true")
    page.get_by_role("button", name="Confirm this header").click()
    assert "no column holds quantity" in page.get_by_role("alert").inner_text()
    assert (site.home / "partners" / "acme.yaml").read_text() == PARTNER
    which.select_option("On the shelf, as of Monday")
    assert page.get_by_label("Which column holds lot").input_value() == "Remarks"
    page.get_by_label("Why").fill("their new warehouse program")
    page.get_by_role("button", name="Confirm this header").click()
    assert "1 sheet released" in page.get_by_role("status").inner_text()
    assert "Every sheet has the header that was confirmed" in page.locator("main").inner_text()
    assert site.told == {"stock/ACME/N1//P-100/L1": "5"}
    text = (site.home / "partners" / "acme.yaml").read_text()
    assert "# their stock list" in text
    page.goto("/partners/ACME")
    assert "On the shelf, as of Monday" in page.locator("pre").inner_text()
    (entry,) = [one for one in site.trail if one["action"] == "header.confirmed"]
    assert (entry["actor"], entry["reason"]) == ("person crossdock", "their new warehouse program")


def test_mails_that_wait_are_let_in_or_turned_down(visit: Callable[..., Page], site: Site) -> None:
    require_for_all(visit, "/mail")
    page = visit("/mail")
    assert page.locator("section.card h2").all_inner_texts() == ["Our stock, mail 3", "Our stock, mail 2"]
    stranger, doubtful = page.locator("section.card").all()
    assert "ana@elsewhere.example" in stranger.inner_text()
    doubtful.get_by_label("Why it may be read").fill("she told us on the phone")
    doubtful.get_by_role("button", name="Read it").click()
    assert page.get_by_role("status").inner_text() == "Read: 1 document, 1 event, 0 lines wait."
    assert site.told == {"stock/ACME/N1//P-200/L2": "7"}
    page.get_by_text("Turn it down").click()
    page.get_by_label("Why nothing of it is used").fill("spam")
    page.get_by_role("button", name="Keep it, and never use it").click()
    assert page.get_by_role("status").inner_text() == "1 file turned down."
    assert "No mail waits." in page.locator("main").inner_text()
    assert len(site.told) == 1
    assert {one["action"] for one in site.trail} >= {"mail.released", "mail.rejected"}
