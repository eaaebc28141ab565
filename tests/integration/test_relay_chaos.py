"""Relays that are killed at random hand the feed to a receiver that fails in every way a receiver can."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crossdock.ledger import Ledger
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened
from mappings.normalise import empty_events
from schemas.documents import DocumentStart

pytestmark = pytest.mark.integration

KEYS, REVISIONS = 20, 15
RUNNER = Path(__file__).with_name("relay_runs.py")


class Chaos:
    """Takes a batch, or fails at it: refuses, is busy, breaks off before or after it took it, hangs."""

    def __init__(self, seed: int | None) -> None:
        self.kind = seed is None
        self.arrived: list[dict[str, Any]] = []
        self.misbehaved: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._chance = random.Random(seed)
        self._sour = {
            f"PO{n}": 2 for n in range(0, KEYS, 9) if not self.kind
        }  #: subjects that are refused, and how often yet
        chaos = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                mood = chaos.mood()
                if mood == "dies half-way":
                    self.rfile.read(length // 2)
                    self.close_connection = True
                    return
                body = json.loads(self.rfile.read(length))
                status = chaos.take(body, mood)
                if mood == "hangs":
                    time.sleep(0.2)
                if status is None:
                    self.close_connection = True
                    return
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def mood(self) -> str:
        moods = ("busy", "dies half-way", "takes and dies", "takes and fails", "hangs")
        if self.kind:
            return "well"
        with self._lock:
            mood = self._chance.choices((*moods, "well"), weights=(5, 5, 5, 5, 1, 79))[0]
            self.misbehaved[mood] += 1
            return mood

    def take(self, batch: list[dict[str, Any]], mood: str) -> int | None:
        """What to answer; None: nothing at all. Some answers come although the batch was taken."""
        with self._lock:
            if mood == "busy":
                return 503
            sour = [event["subject"] for event in batch if self._sour.get(event["subject"], 0) > 0]
            if sour:
                if len(batch) == 1:
                    self._sour[sour[0]] -= 1
                self.misbehaved["refuses"] += 1
                return 422
            self.arrived += batch
            return {"takes and dies": None, "takes and fails": 500}.get(mood, 204)


@pytest.fixture(params=[1, 2])
def chaos(request: pytest.FixtureRequest) -> Iterator[Chaos]:
    with receiving(request.param) as receiver:
        yield receiver


@pytest.fixture
def kind() -> Iterator[Chaos]:
    with receiving(None) as receiver:
        yield receiver


@contextmanager
def receiving(seed: int | None) -> Iterator[Chaos]:
    receiver = Chaos(seed)
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres").database())


def fill(ledger: Ledger) -> None:
    """Every key in every revision, each round a document of its own."""
    for revision in range(1, REVISIONS + 1):
        rows = [_row(f"PO{number}", revision) for number in range(KEYS)]
        payload = ledger.record_payload(
            sha256=f"{revision:064x}",
            size=1,
            channel="edi",
            key=str(revision),
            name="n",
            received_at=datetime.now(UTC),
            metadata={},
        )
        document = Document(
            id=f"d{revision}",
            payload=payload.sha256,
            start=DocumentStart(ordinal=1, type="x12.850"),
            partner="ACME",
            mapping="m",
            mapping_version="1",
        )
        table = pl.DataFrame(rows, schema=empty_events().schema)
        closed = DocumentClosed(document=document, status="accepted", lines=KEYS, events=KEYS, parked=0)
        ledger.store(
            payload.id,
            [
                DocumentOpened(document=document),
                DocumentLines(lines=table, events=table, parked=pl.DataFrame()),
                closed,
            ],
        )


def _row(subject: str, revision: int) -> dict[str, object]:
    lineage = {"payload": "a" * 64, "document": "d", "location": "l", "mapping": "m", "mapping_version": "1"}
    data = {"kind": "changed", "partner": "ACME", "item": "P-1", "site": "N1", "unit": "C62", "base_unit": "C62"}
    data |= {"quantity": str(revision), "base_quantity": str(revision), "references": {}, "lineage": lineage}
    key = sha256(subject.encode()).hexdigest()[:20]
    return {
        "id": f"{key}{revision:012x}",
        "fingerprint": f"{revision:016x}",
        "stream": "demand",
        "kind": "changed",
        "subject": subject,
        "time": "2026-03-01T08:00:00Z",
        "partner": "ACME",
        "item": "P-1",
        "site": "N1",
        "line": 1,
        "data": json.dumps(data),
    }


def relays(url: str, receiver: Chaos, number: int, *, kills: int) -> None:
    done = subprocess.run(
        [sys.executable, str(RUNNER), url, receiver.url, str(number), str(kills), "7"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stderr


def in_feed(url: str) -> dict[str, dict[str, Any]]:
    with Ledger.open(url) as ledger:
        assert ledger.held_events() == []
        return {event.id: json.loads(event.cloud_event()) for event in ledger.events()}


def test_every_event_arrives_in_order_by_key_and_twice_only_as_the_same(chaos: Chaos, url: str) -> None:
    with Ledger.open(url) as ledger:
        fill(ledger)
    relays(url, chaos, 3, kills=20)
    expected = in_feed(url)
    assert len(expected) == KEYS * REVISIONS
    assert all(expected[event["id"]] == event for event in chaos.arrived)
    assert {event["id"] for event in chaos.arrived} == set(expected)
    by_key: dict[str, list[int]] = defaultdict(list)
    for id in dict.fromkeys(event["id"] for event in chaos.arrived):
        by_key[expected[id]["subject"]].append(expected[id]["sequence"])
    assert all(sequences == list(range(1, REVISIONS + 1)) for sequences in by_key.values())
    kinds = {"busy", "dies half-way", "takes and dies", "takes and fails", "refuses", "well"}
    assert kinds <= set(chaos.misbehaved)
    assert len(chaos.arrived) > len(expected), "nothing came twice: the receiver was too kind to prove anything"


def test_relays_at_once_hand_every_event_over_once_and_in_order(kind: Chaos, url: str) -> None:
    with Ledger.open(url) as ledger:
        fill(ledger)
    relays(url, kind, 4, kills=0)
    assert [event["id"] for event in kind.arrived] == list(in_feed(url))
