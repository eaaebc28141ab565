"""Who waits for the feed to grow is told when it has, and not before."""

from __future__ import annotations

import threading
import time

from crossdock.ledger import Ledger


def test_news_of_another_process_end_the_wait(url: str, ledger: Ledger, workshop) -> None:
    asked = 0.0
    with ledger.listening() as wait, Ledger.open(url) as other:
        later = threading.Timer(0.3, lambda: workshop.store(other, workshop.Paper([workshop.Fact("PO1", "1")])))
        later.start()
        begun = time.monotonic()
        assert wait(0, 20)
        asked = time.monotonic() - begun
        later.join()
    assert asked < 15


def test_without_news_the_time_runs_out(ledger: Ledger) -> None:
    with ledger.listening() as wait:
        ledger.deliver("feed", lambda _events: None)  # something is written, but no event
        assert not wait(0, 0.3)


def test_what_was_written_between_two_waits_is_not_missed(ledger: Ledger, workshop) -> None:
    with ledger.listening() as wait:
        assert not wait(0, 0.01)
        workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "1"), workshop.Fact("PO2", "1")]))
        assert wait(0, 0.01)
        assert not wait(2, 0.01)
