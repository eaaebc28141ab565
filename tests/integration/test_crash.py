"""A pipeline killed again and again ends exactly where an undisturbed one does."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from connectors.archive import Archive
from crossdock.ledger import Ledger, StoredEvent
from schemas.events import CloudEvent
from schemas.master import MASTER_TABLES

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

GOLDEN = Path(__file__).parent.parent / "golden"
CHANNEL = """\
channel: inbox
partner: RAVENSMOOR
source: {kind: folder, path: in, quiet: 0s}
batch: 3
"""
OUTLET = """\
outlet: feed
sink: {kind: folder, path: feed}
batch: 2
"""

PHASES = ("receive", "translate", "publish")


@dataclass(frozen=True)
class Home:
    """An installation of its own, and what is in it."""

    folder: Path
    ledger_url: str

    @classmethod
    def make(cls, folder: Path, ledger_url: str) -> Home:
        for place, name, text in (("channels", "inbox.yaml", CHANNEL), ("outlets", "feed.yaml", OUTLET)):
            (folder / place).mkdir(parents=True)
            (folder / place / name).write_text(text)
        (folder / "in").mkdir()
        with Ledger.open(ledger_url) as ledger:
            for table in MASTER_TABLES:
                rows = pl.read_csv(GOLDEN / "master" / f"{table}.csv", infer_schema=False)
                ledger.load_master(table, rows, source="golden", actor="test")
        return cls(folder, ledger_url)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CROSSDOCK_")}
        return kept | {
            "CROSSDOCK_HOME": str(self.folder),
            "CROSSDOCK_CHANNELS": str(self.folder / "channels"),
            "CROSSDOCK_OUTLETS": str(self.folder / "outlets"),
            "CROSSDOCK_LEDGER": self.ledger_url,
            "POLARS_MAX_THREADS": "1",
        }

    def drop(self, number: int, name: str, content: bytes) -> None:
        """Let a file arrive, whole; ``number`` decides when, so that every home sees the same times."""
        place = self.folder / "in" / f".{name}"
        place.write_bytes(content)
        os.utime(place, (1_770_000_000 + number, 1_770_000_000 + number))
        place.rename(self.folder / "in" / name)


class Runs:
    """The process that forks the runs, see crash_runs.py."""

    def __init__(self, home: Home) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_runs.py"))],
            env=home.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def run(self, phase: str = "-", patience: float = 0) -> str:
        """What became of one run: ``done``, or ``killed`` that many seconds after it entered ``phase``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{phase} {patience}\n")
        self._process.stdin.flush()
        outcome = self._process.stdout.readline().strip()
        assert outcome in ("done", "killed"), "the run failed by itself"
        return outcome


def arrivals() -> Iterator[tuple[str, bytes]]:
    """Files without end: X12, workbooks and broken things from the golden cases, mails, and pulls of orders that
    change from one to the next; the golden ones come again under other names, with the same bytes."""
    golden = [path for path in sorted(GOLDEN.glob("cases/*/*/input.*")) if not (path.parent / "partners").exists()]
    random.Random(4).shuffle(golden)
    number = 0
    while True:
        number += 1
        path = golden[number % len(golden)]
        yield f"{number:03}-{path.parent.name}{path.suffix}", path.read_bytes()
        yield f"{number:03}-pulled.jsonl", orders(number)
        if number % 5 == 0:
            yield f"{number:03}-mail.eml", mail(number)


def orders(number: int) -> bytes:
    """Forty order lines, of which the pull before had half: some unchanged, some with another quantity."""
    columns = [
        "order_no",
        "line_no",
        "supplier_id",
        "item_no",
        "plant",
        "quantity",
        "unit",
        "due_on",
        "status",
        "changed_at",
    ]
    at = f"2026-03-{number % 28 + 1:02}T10:00:00Z"
    item = pl.read_csv(GOLDEN / "master" / "items.csv", infer_schema=False)["item"][0]
    partner = pl.read_csv(GOLDEN / "master" / "partners.csv", infer_schema=False)["partner"][0]
    site = pl.read_csv(GOLDEN / "master" / "sites.csv", infer_schema=False)["site"][0]
    rows = [
        [str(4500000 + n), "10", partner, item, site, str(10 + (n * number) % 3), "EA", "2026-06-01", "open", at]
        for n in range(number * 20, number * 20 + 40)
    ]
    header = {"query": "purchase_orders", "columns": columns, "types": [], "pulled_at": at}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (header, *rows))


def mail(number: int) -> bytes:
    """A mail that carries two stock lists."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "stock@copperline.example", "dock@example.org", "Stock"
    message["Message-ID"], message["Date"] = f"<{number}@copperline.example>", "Mon, 02 Mar 2026 08:00:00 +0000"
    message.set_content("Please find attached.", cte="7bit")
    for path in islice(sorted(GOLDEN.glob("cases/workbook.*/*/input.csv")), 2):
        message.add_attachment(path.read_bytes(), maintype="text", subtype="csv", filename=f"{path.parent.name}.csv")
    message.set_boundary("==stock==")
    return message.as_bytes()


@pytest.fixture(params=[("sqlite", 50), ("postgresql", 15)], ids=lambda param: f"{param[0]}-{param[1]}-kills")
def homes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Home, Home, int]:
    """Two equal installations, one to be left alone and one to be killed, and how often."""
    backend, kills = request.param

    def url(name: str) -> str:
        if backend == "postgresql":
            return str(request.getfixturevalue("postgres").database())
        return f"sqlite:///{tmp_path / name / 'ledger.db'}"

    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    return (
        Home.make(tmp_path / "calm", url("calm")),
        Home.make(tmp_path / "killed", url("killed")),
        kills,
    )


def test_kills_at_random_points_lose_nothing_and_double_nothing(homes: tuple[Home, Home, int]) -> None:
    calm, killed, wanted = homes
    files = disturbed(killed, wanted)
    for number, (name, content) in enumerate(islice(arrivals(), files)):
        calm.drop(number, name, content)
    with Runs(calm) as runs:
        assert runs.run() == "done"
    compare(calm, killed)


def disturbed(home: Home, wanted: int) -> int:
    """Run the pipeline while files arrive, killed ``wanted`` times at random moments, then once to the end; how
    many files there were. The moments are spread over the phases, and within one from its first fraction of a
    millisecond to the third of a second that it may take."""
    chance = random.Random(20260301)
    kills: Counter[str] = Counter()
    dropped = 0
    source = arrivals()
    with Runs(home) as runs:
        while kills.total() < wanted:
            for name, content in islice(source, chance.choice((1, 2, 3))):
                home.drop(dropped, name, content)
                dropped += 1
            phase = min(PHASES, key=lambda phase: kills[phase])
            if runs.run(phase, 0.0002 * 1500 ** chance.random()) == "killed":
                kills[phase] += 1
        assert runs.run() == "done"
    return dropped


def compare(calm: Home, killed: Home) -> None:
    with Ledger.open(calm.ledger_url) as undisturbed, Ledger.open(killed.ledger_url) as survivor:
        expected, found = feed(undisturbed), feed(survivor)
        assert [event.position for event in found] == list(range(1, len(found) + 1))
        assert len({event.id for event in found}) == len(found)
        assert [said(event) for event in found] == [said(event) for event in expected]
        assert len(found) > 300
        assert max(event.sequence for event in found) > 1
        assert counted(survivor) == counted(undisturbed)
        assert problems(survivor) == problems(undisturbed)
        assert survivor.waiting() == []
        archive = Archive(killed.folder / "archive")
        assert all(archive.verify(row["sha256"]) for row in survivor.payloads(limit=100_000))
        assert sorted(path.name for path in (killed.folder / "in").iterdir()) == ["done"]
        delivered(killed, found)
        delivered(calm, expected)


def feed(ledger: Ledger) -> list[StoredEvent]:
    return ledger.events(limit=1_000_000)


def said(event: StoredEvent) -> tuple[object, ...]:
    """All of an event but when it was recorded."""
    return event.position, event.id, event.sequence, event.stream, event.subject, event.time, event.data


def counted(ledger: Ledger) -> list[dict[str, Any]]:
    documents = [
        {name: row[name] for name in ("document", "status", "lines", "unchanged", "parked", "errors", "last_position")}
        for row in ledger.documents(limit=1_000_000)
    ]
    return [*ledger.summary(), *documents]


def problems(ledger: Ledger) -> Counter[tuple[object, ...]]:
    return Counter(
        (row["name"], row["document"], row["code"], row["location"], row["value"], row["line"])
        for row in ledger.findings(limit=1_000_000)
    )


def delivered(home: Home, events: list[StoredEvent]) -> None:
    """The sink holds every event, first seen in the feed's order; what it holds twice is the very same."""
    seen: dict[str, bytes] = {}
    for path in sorted((home.folder / "feed").rglob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            event = msgspec.json.decode(line, type=CloudEvent)
            assert seen.setdefault(event.id, line) == line
    expected: Mapping[str, bytes] = {event.id: event.cloud_event() for event in events}
    assert seen == expected
