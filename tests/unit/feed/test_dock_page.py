"""The Dock page tells what the ledger knows, whatever partners write into it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from crossdock.ledger import Ledger

HOSTILE = "<script>alert(1)</script>\"'&"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_empty_dock_says_so(browser):
    page = Elements(browser.get("/").text)
    assert "Nothing has come in yet" in page.text
    assert "Nothing has been handed to an outlet yet" in page.text


def test_it_tells_what_came_in_what_waits_and_where_it_went(known, dock, browser, orders):
    known.drop("po.jsonl", orders(("1", "10"), ("1", "20"), {"order_no": "2", "item_no": "P-999"}))
    known.drop("noise.bin", b"\x00\x01\x02 nothing anybody reads")
    dock.run()
    text = Elements(browser.get("/").text).text
    for told in ("inbox", "Lines that wait", "item.unknown", "“P-999”", "Files not readable", "noise.bin"):
        assert told in text, told
    for table in ("partners", "sites", "items", "cross_references"):
        assert table in text, table
    assert re.search(r"feed fine 2 0 0 0 \d{4}-", text), text


def test_rejected_master_data_is_shown_until_a_good_load_follows(dock, browser):
    ledger: Ledger = dock.ledger
    ledger.note_rejected_master("items", source="erp", actor="test", reasons=["base_unit is missing in row 3"])
    text = Elements(browser.get("/").text).text
    assert "items held back" in text
    assert "base_unit is missing in row 3" in text
    ledger.load_master("items", ledger.master()["items"].head(1), source="erp", actor="test")
    assert "items held back" not in browser.get("/").text


def test_what_partners_write_stays_text(known, dock, browser, orders):
    known.drop("po.jsonl", orders({"order_no": "2", "item_no": HOSTILE}))
    known.drop("<img src=x onerror=alert(1)>.bin", b"\x00 noise")
    dock.ledger.note_rejected_master("items", source=HOSTILE, actor=HOSTILE, reasons=[HOSTILE])
    dock.run()
    page = Elements(browser.get("/").text)
    assert {tag for tag, _ in page.tags} & {"script", "style", "iframe", "object", "form"} == set()
    assert [attributes["src"] for tag, attributes in page.tags if tag == "img"] == ["/static/crossdock.svg"]
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
    assert HOSTILE in page.text
    assert "<img src=x onerror=alert(1)>.bin" in page.text


def test_everything_the_page_needs_comes_from_here(browser):
    page = Elements(browser.get("/").text)
    addresses = [a.get("href") or a.get("src") for _, a in page.tags if "href" in a or "src" in a]
    assert all(address and address.startswith(("/", "#")) for address in addresses)
    for address in {a for a in addresses if a and a.startswith("/")}:
        assert browser.get(address).status_code == 200, address


def test_a_reader_of_the_page_finds_the_way(browser):
    """Landmarks, a language, one first heading, anchors that exist, and names for what scrolls."""
    page = Elements(browser.get("/").text)
    names = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert [names.count(one) for one in ("h1", "header", "main", "footer", "nav")] == [1, 1, 1, 1, 2]
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for tag, a in page.tags if tag == "a" and str(a["href"]).startswith("#")}
    assert targets <= set(ids)
    assert {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a} <= set(ids)
