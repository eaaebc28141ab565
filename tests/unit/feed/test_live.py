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

    async def woken() -> float:
        await bell.wait(bell.struck, 20)  # the thread has begun to listen
        struck = bell.struck
        later = threading.Timer(0.5, dock.run)
        later.start()
        begun = time.monotonic()
        await bell.wait(struck, 20)
        later.join()
        assert bell.struck > struck
        return time.monotonic() - begun

    assert 0.3 < asyncio.run(woken()) < 15


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
