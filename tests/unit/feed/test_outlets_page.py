"""The Outlets pages: how each does, what it did not take, and what a person does about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from crossdock import word
from crossdock.dock import Dock
from crossdock.ledger import Policy, StoredEvent
from schemas.errors import RefusedError

from .conftest import TOKEN, Browser


@pytest.fixture
def hub(known: Any, dock: Dock, five: list[str]) -> str:
    """An outlet that took all but the second event."""
    (known.home / "outlets" / "hub.yaml").write_text("outlet: hub\nsink: {kind: folder, path: hub}\n")

    def refuse(events: Sequence[StoredEvent]) -> None:
        if any(event.id == five[1] for event in events):
            raise RefusedError("no such item here")

    dock.ledger.deliver("hub", refuse, policy=Policy(attempts=1))
    return "/outlets/hub"


def done(browser: Browser, path: str, **form: str) -> str:
    """What the page says after a form was sent."""
    answer = browser.post(path, data=form)
    assert answer.status_code == 303
    return browser.get(answer.headers["location"]).text


def test_every_outlet_is_there_with_how_it_does(browser: Browser, hub: str) -> None:
    page = browser.get("/outlets").text
    assert 'href="/outlets/hub"' in page
    assert 'href="/outlets/feed"' in page
    shown = browser.get(hub).text
    assert "no such item here" in shown
    assert "order/ACME/1/2" in shown
    assert browser.get("/outlets/nobody").status_code == 404


def test_a_dead_letter_is_offered_again_or_given_up(browser: Browser, dock: Dock, hub: str) -> None:
    assert "1 event is offered again." in done(browser, hub, do="redrive", position="2")
    [letter] = dock.ledger.held_events("hub")
    assert letter["status"] == "waiting"
    assert "0 dead letters given up" in done(browser, hub, do="discard", position="2")
    dock.ledger.deliver("hub", refuse_all, policy=Policy(attempts=1))
    assert "1 dead letter given up" in done(browser, hub, do="discard", position="2")
    assert "Every event was taken." in browser.get(hub).text


def refuse_all(_events: Sequence[StoredEvent]) -> None:
    raise RefusedError("no")


def test_it_is_paused_with_a_reason_and_goes_on(browser: Browser, dock: Dock, known: Any, hub: str) -> None:
    assert "they move house" in done(browser, hub, do="pause", reason="they move house")
    assert dock.ledger.deliver("hub", lambda _: None) == 0
    left = (known.settings.home / word.PLACE).stat().st_ino
    assert "hub goes on." in done(browser, hub, do="resume")
    assert (known.settings.home / word.PLACE).stat().st_ino != left  # Airflow is told as well
    trail = {(entry["action"], entry["actor"]) for entry in dock.ledger.trail.entries()}
    assert {("outlet.paused", "person crossdock"), ("outlet.resumed", "person crossdock")} <= trail


@pytest.mark.parametrize(("begin", "position"), [("beginning", 0), ("3", 2), ("2999-01-01T00:00:00Z", 5)])
def test_it_gets_the_feed_again_from_any_point(
    browser: Browser, dock: Dock, hub: str, begin: str, position: int
) -> None:
    assert "gets the feed again" in done(browser, hub, do="backfill", **{"from": begin})
    assert {row["sink"]: row["position"] for row in dock.ledger.sinks()}["hub"] == position


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"do": "backfill", "from": "yesterday"}, "neither"),
        ({"do": "backfill", "from": "99"}, "the feed has positions"),
        ({"do": "discard"}, "nothing of the kind"),
        ({"do": "redrive", "position": "x"}, "no position"),
        ({"do": "dance"}, "nothing of the kind"),
    ],
)
def test_what_cannot_be_done_is_said(browser: Browser, hub: str, form: dict[str, str], told: str) -> None:
    assert told in done(browser, hub, **form)


def test_nobody_else_may(browser: Browser, token: Any, hub: str) -> None:
    for audience in ("planner", "buyer", "quality"):
        assert browser.get(hub, token=token(audience)).status_code == 403
    assert browser.get(hub, token=token(partner="ACME")).status_code == 403
    assert browser.get(hub, token=TOKEN).status_code == 200
