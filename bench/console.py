"""The console at a million events: how long each page takes, over a ledger of 20,000 documents.

Each page is asked for with the application in process, once after what serve does at its start (what is made only then
counts), and then several times. What is done at the start, beside the answers, is told too. A page within 300 ms is
promised; the processor's time is measured, for pages wait for nothing.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.feed import make_ledger
from bench.measure import Benchmark, Measurement, in_child

if TYPE_CHECKING:
    from starlette.types import ASGIApp

EVENTS = int(os.environ.get("BENCH_CONSOLE_EVENTS", "1000000"))
TOGETHER = 50  #: events of a document
LOOKS = 5
_TOKEN = "x" * 20
_WARMING, _RECKONING = "looked_at_beforehand", "reckoned_beforehand"
_MIDDLE = EVENTS // 2 // TOGETHER

#: What is asked for; ``own`` is a supplier's token, the others are integration's.
PAGES: tuple[tuple[str, str], ...] = (
    ("dock", "/"),
    ("documents", "/documents"),
    ("documents.of_partner", "/documents?partner=P7&status=rejected"),
    ("documents.order", f"/documents?q=45{EVENTS // 2}"),
    ("documents.item", "/documents?q=I4711"),
    ("documents.control_number", f"/documents?q={_MIDDLE}"),
    ("documents.file", f"/documents?q=po-{_MIDDLE:06d}"),
    ("documents.nothing", "/documents?q=nobody-says-this"),
    ("documents.order_line", f"/documents?q=45{EVENTS // 2}+/+10"),
    ("documents.later_page", f"/documents?q=I47&before={_MIDDLE}"),
    ("document", f"/documents/doc-{_MIDDLE:020x}"),
    ("files", "/files"),
    ("files.name", f"/files?q=po-{_MIDDLE:06d}"),
    ("file", f"/files/{_MIDDLE}"),
    ("events", "/events"),
    ("events.item", "/events?item=I4711"),
    ("answers", "/answers"),
    ("event", f"/events/{EVENTS // 2}"),
    ("parked", "/parked"),
    ("parked.cause", "/parked?partner=P20&code=item.unknown&value=V-20"),
    ("supply", "/supply"),
    ("supply.search", "/supply?q=I47"),
    ("supply.item", "/supply/I4711/S1"),
    ("partners", "/partners"),
    ("partner", "/partners/P7"),
    ("own", "/supplier"),
    ("own.document", f"/supplier/documents/doc-{_MIDDLE // 50 * 50 + 7:020x}"),
)


def make_company(home: str, events: int) -> None:
    """A ledger below ``home`` in which each twentieth document has lines that wait, and a few were rejected."""
    from crossdock.ledger import Ledger
    from crossdock.ledger import tables as t

    url = f"sqlite:///{home}/ledger.db"
    make_ledger(url, events, together=TOGETHER)
    now = datetime.now(UTC)
    troubled = range(20, events // TOGETHER + 1, 20)
    with Ledger.open(url) as ledger, ledger._database.write() as connection:
        connection.execute(t.findings.insert(), [_finding(number, line, now) for number in troubled for line in (1, 2)])
        connection.execute(
            t.parked_lines.insert(), [_parked(number, line, now) for number in troubled for line in (1, 2)]
        )
        connection.exec_driver_sql("UPDATE documents SET parked = 2, errors = 2 WHERE id % 20 = 0")
        connection.exec_driver_sql("UPDATE documents SET status = 'rejected', errors = 1 WHERE id % 97 = 0")
        connection.exec_driver_sql("ANALYZE")


def _finding(number: int, line: int, now: datetime) -> dict[str, Any]:
    value = f"V-{number % 1000}"
    place = {"payload_id": number, "document_id": number, "line": line, "location": f"row {line}"}
    said = {"message": f"no item {value} is known", "value": value, "expected": "an item of master data"}
    return place | said | {"code": "item.unknown", "severity": "error", "stage": "reference", "standard": "{}"} | {
        "found_at": now
    }  # fmt: skip


def _parked(number: int, line: int, now: datetime) -> dict[str, Any]:
    fields = f'{{"partner":"P{number % 50}","partner_item":"V-{number % 1000}","quantity":"12"}}'
    place = {"document_id": number, "line": line, "location": f"row {line}"}
    return place | {
        "cause": "item.unknown", "fields": fields, "status": "waiting", "parked_at": now, "status_at": now
    }  # fmt: skip


def visit(home: str) -> dict[str, list[float]]:
    """Milliseconds of the processor for each page: at the first look, and then the median."""
    import asyncio

    import httpx

    from connectors.archive import Archive
    from crossdock.console.pages import routes
    from crossdock.console.rendering import Rendering
    from crossdock.console.warming import warm
    from crossdock.console.workplace import workplace_of
    from crossdock.dock import Dock
    from crossdock.feed import serving
    from crossdock.feed.app import feed_app
    from crossdock.feed.outlook import reckon
    from crossdock.feed.service import service_of
    from crossdock.settings import Settings

    channels, partners = Path(home, "channels"), Path(home, "partners")  # no channel: what is there is looked at
    for folder in (channels, partners):
        folder.mkdir(exist_ok=True)
    (partners / "p7.yaml").write_text('partner: P7\nname: P7\ntier: strategic\nidentities: {email: ["*@p7.example"]}\n')
    settings = Settings.from_environment(
        {"CROSSDOCK_HOME": home, "CROSSDOCK_CHANNELS": str(channels), "CROSSDOCK_PARTNERS": str(partners)}
    )
    found: dict[str, list[float]] = {}

    async def walk(dock: Dock, app: ASGIApp) -> None:
        ends = datetime.now(UTC) + timedelta(days=1)
        who = {"name": "bench", "audience": "supplier", "partner": "P7"}
        own = dock.ledger.tokens.new(**who, expires_at=ends, per_minute=100_000, by="bench")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://dock", timeout=120) as client:
            for name, path in PAGES:
                taken = []
                for _ in range(LOOKS + 1):
                    start = time.process_time()
                    token = own if name.startswith("own") else _TOKEN
                    answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                    taken.append((time.process_time() - start) * 1000)
                    if answer.is_error:
                        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
                found[name] = [taken[0], statistics.median(taken[1:])]

    with Dock.open(settings) as dock:
        _file_of_the_middle(Archive(settings.archive), dock)
        serving.give_memory_back()
        place = workplace_of(dock, service_of(dock))
        rendering = Rendering()
        app = feed_app(place.service, _TOKEN, routes(place, rendering))
        begun = time.process_time()
        warm(app, _TOKEN, rendering)  # as serve does at its start, beside its answers
        found[_WARMING] = [(time.process_time() - begun) * 1000]
        begun = time.process_time()
        reckon(place.service, seconds=600)  # likewise, and then only what changes
        found[_RECKONING] = [(time.process_time() - begun) * 1000]
        asyncio.run(walk(dock, app))
    return found


def _file_of_the_middle(archive: Any, dock: Any) -> None:
    """The one document that is looked at has its bytes."""
    stored = archive.write([b'{"order":"45","line":"10","item":"I4711","quantity":"12"}\n' * TOGETHER])
    with dock.ledger._database.write() as connection:
        connection.exec_driver_sql("UPDATE payloads SET sha256 = ? WHERE id = ?", (stored.sha256, _MIDDLE))


def pages() -> Iterator[Measurement]:
    """``console.pages``: every page at a million events."""
    kept = os.environ.get("BENCH_CONSOLE_HOME")  # made before, and left
    with tempfile.TemporaryDirectory() as folder:
        home = Path(kept or folder)
        if not (home / "ledger.db").exists():
            home.mkdir(parents=True, exist_ok=True)
            make_company(str(home), EVENTS)
        run = in_child("bench.console", "visit", {"home": str(home)})
    found: dict[str, list[float]] = run.result
    for name in (_WARMING, _RECKONING):
        yield Measurement(name=f"console.pages.{name}", value=found.pop(name)[0], unit="ms")
    for name, (first, usual) in found.items():
        yield Measurement(name=f"console.pages.{name}.first", value=first, unit="ms", limit=300.0)
        yield Measurement(name=f"console.pages.{name}", value=usual, unit="ms", limit=300.0)
    yield Measurement(name="console.pages.memory_of_serve", value=run.peak_mb, unit="MB", limit=300.0)


BENCHMARKS: dict[str, Benchmark] = {"console.pages": pages}
