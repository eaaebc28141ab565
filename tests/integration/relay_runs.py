"""Relays for one sink, several at once, killed at random: ``relay_runs.py <ledger> <url> <relays> <kills> <seed>``.

Imports everything once and then forks. Ends when all kills are done and one relay has found the end of the feed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from datetime import timedelta

import requests

from connectors.sinks.http import HttpSink
from crossdock.ledger import Ledger, Policy
from crossdock.publish import publish_to
from schemas.errors import CrossdockError

POLICY = Policy(first=timedelta(milliseconds=4), longest=timedelta(milliseconds=30), attempts=1000, brake=10_000)


def relay(url: str, receiver: str, total: int) -> None:
    """Again and again until all is delivered; never returns."""
    with Ledger.open(url, migrate=False) as ledger, requests.Session() as session:
        sink = HttpSink(receiver, session, timeouts=(1.0, 0.15))
        while True:
            with suppress(CrossdockError):
                publish_to("chaos", sink, ledger=ledger, batch=25, policy=POLICY)
            here = ledger.sinks()
            if here and here[0]["position"] == total and not here[0]["waiting"]:
                os._exit(0)
            time.sleep(0.002)


def fork(url: str, receiver: str, total: int) -> int:
    if pid := os.fork():
        return pid
    try:
        relay(url, receiver, total)
    finally:
        os._exit(1)


def main(url: str, receiver: str, relays: str, kills: str, seed: str) -> int:
    chance = random.Random(int(seed))
    with Ledger.open(url, migrate=False) as ledger:
        total = len(ledger.events(limit=100_000))
    running = [fork(url, receiver, total) for _ in range(int(relays))]
    for _ in range(int(kills)):
        time.sleep(chance.uniform(0.0, 0.08))
        place = chance.randrange(len(running))
        os.kill(running[place], signal.SIGKILL)
        os.waitpid(running[place], 0)
        running[place] = fork(url, receiver, total)
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in running)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
