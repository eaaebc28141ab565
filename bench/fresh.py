"""From a file's landing to its events readable in the feed, with a whole Airflow at work.

Airflow and the feed are started as ``make up`` starts them, for a fresh demo company. Once Airflow watches the inbox,
and one landing that is not counted has gone through, ship notices land one by one in the EDI inbox, at moments that
have nothing to do with each other, and ``GET /v1/events`` is asked until it has them.
What is promised is a time in itself: 5 seconds, 95 of 100 times. ``make bench NAME=fresh``.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Benchmark, Measurement
from crossdock.local.flow import load_master_data, wait_for_dags, wait_for_watches
from crossdock.local.services import Installation, free_port, started
from crossdock.simulate import connection_environment, simulate
from crossdock.simulate.renumbered import renumbered
from schemas.errors import TransientError

LANDINGS = int(os.environ.get("BENCH_FRESH_LANDINGS", "24"))
LIMIT = 5.0  #: seconds
_GLANCE = 0.05
_GIVE_UP = 60.0
_INBOX = Path("inbox") / "edi"
_CHANNEL = "inbound_edi-inbox"
_WATCHED = ("crossdock_landed_edi-inbox", "crossdock_events")


def landing_to_feed() -> Iterator[Measurement]:
    """``fresh.landing_to_feed``: seconds from the rename into the inbox to the answer that has the file's events."""
    with tempfile.TemporaryDirectory(prefix="crossdock-fresh-") as folder:
        home = Path(folder)
        simulate(home, seed=1, lines=1000)
        notice = (home / _INBOX / "anvilgate-asn-0001.edi").read_text(encoding="ascii")
        for file in (home / _INBOX).iterdir():
            file.unlink()
        installation = Installation(home=home, port=free_port(), settings=connection_environment(home))
        with started(installation) as running:
            wait_for_dags(running, {"master_data", "publish", "respond", _CHANNEL})
            load_master_data(running)
            installation.rest.unpause(_CHANNEL, "publish", "respond")
            wait_for_watches(running, _WATCHED)
            _land(installation, renumbered(notice, 1))  # everything was used once
            seconds = [_one(installation, renumbered(notice, number)) for number in range(2, LANDINGS + 2)]
    print("one by one:", *(f"{one:.1f}" for one in seconds), file=sys.stderr)
    seconds.sort()
    at_95 = seconds[-(-len(seconds) * 95 // 100) - 1]
    middle = seconds[len(seconds) // 2]
    yield Measurement(name="fresh.landing_to_feed.at_95_percent", value=at_95, unit="s", limit=LIMIT)
    yield Measurement(name="fresh.landing_to_feed.median", value=middle, unit="s")


def _one(installation: Installation, content: str) -> float:
    time.sleep(random.uniform(1, 5))  # so that no landing keeps step with the scheduler
    return _land(installation, content)


def _land(installation: Installation, content: str) -> float:
    """Let a file land as a transfer does that renames at its end; the seconds until its events can be read."""
    inbox, feed = installation.home / _INBOX, installation.feed
    last = feed.end()
    half = inbox / ".coming.part"
    half.write_text(content, encoding="ascii")
    begun = time.perf_counter()
    half.rename(inbox / f"notice-{time.time_ns()}.edi")
    while feed.end(after=last) == last:
        if time.perf_counter() - begun > _GIVE_UP:
            raise TransientError(f"the file is not in the feed after {_GIVE_UP:.0f} s", hint=str(installation.logs))
        time.sleep(_GLANCE)
    return time.perf_counter() - begun


BENCHMARKS: dict[str, Benchmark] = {"fresh.landing_to_feed": landing_to_feed}
