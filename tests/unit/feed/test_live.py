"""Who follows the feed live is told at once, and only for as long as its token is good."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from crossdock.dock import Dock
from crossdock.feed.bell import Bell

from .conftest import Browser
from .test_clients import audit_of


def test_the_bell_strikes_when_something_is_committed(known: Any, dock: Dock, orders: Callable[..., str]) -> None:
    dock.run()
    known.drop("po.jsonl", orders(("1", "10")))
    bell = Bell(dock.ledger)

    async def woken() -> int:
        later = threading.Timer(0.5, dock.run)
        later.start()
        waited = 0
        struck = bell.struck
        while not dock.ledger.spans.newest():
            await bell.wait(struck, 60)
            waited, struck = waited + 1, bell.struck
        later.join()
        return waited

    begun = time.monotonic()
    assert asyncio.run(woken()) in (1, 2)  # once when somebody begins to listen, once for the news
    assert time.monotonic() - begun < 50


def test_a_live_stream_ends_with_its_token_and_what_was_told_is_in_the_trail(
    known: Any, dock: Dock, browser: Browser, token: Callable[..., str], orders: Callable[..., str], five: list[str]
) -> None:
    def revoke_and_go_on() -> None:
        dock.ledger.tokens.revoke(["ACME"])
        known.drop("more.jsonl", orders(("2", "10")))
        dock.run()

    later = threading.Timer(0.5, revoke_and_go_on)
    mine = token(partner="ACME")
    later.start()
    answer = browser.get("/v1/events", token=mine, headers={"Accept": "text/event-stream"})
    later.join()
    assert re.findall(r"^id: (\d+)$", answer.text, re.MULTILINE) == [str(n) for n in range(1, len(five) + 1)]
    told = json.loads(audit_of(dock)[-1]["detail"])
    assert (told["live"], told["first"], told["last"], told["events"]) == (True, 1, 5, 5)


def test_a_live_stream_ends_when_the_partners_file_goes(
    known: Any, dock: Dock, browser: Browser, token: Callable[..., str], orders: Callable[..., str], five: list[str]
) -> None:
    def goes() -> None:
        (known.home / "partners" / "acme.yaml").unlink()
        known.drop("more.jsonl", orders(("2", "10")))
        dock.run()

    later = threading.Timer(0.5, goes)
    later.start()
    answer = browser.get("/v1/events", token=token(partner="ACME"), headers={"Accept": "text/event-stream"})
    later.join()
    assert answer.status_code == 200
    assert len(re.findall(r"^id: (\d+)$", answer.text, re.MULTILINE)) == len(five)
