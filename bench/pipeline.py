"""Bytes to durable events: the whole way of an 856, beside pyx12 merely reading the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Benchmark, Measurement, in_child, in_turn

LINES = 50_000
ROUNDS = 3


def to_durable_events(file: str, home: str) -> dict[str, int]:
    """Archive, read, judge, map, normalise and commit ``file`` into a fresh SQLite ledger under ``home``.

    Every step is the one production takes. Returns the number of events and of lines.
    """
    from connectors.archive import Archive
    from connectors.registry import formats
    from crossdock.ledger import Ledger
    from crossdock.process import process
    from crossdock.settings import Settings
    from crossdock.simulate.large import large_master
    from crossdock.translation import Context
    from mappings.library import Library
    from mappings.master_data import MasterData

    settings = Settings.from_environment({"CROSSDOCK_HOME": tempfile.mkdtemp(dir=home)})
    path = Path(file)
    archive = Archive(settings.archive)
    with path.open("rb") as source:
        stored = archive.write(iter(lambda: source.read(1 << 20), b""))
    ledger = Ledger.open(settings.ledger_url)
    record = ledger.record_payload(
        sha256=stored.sha256,
        size=stored.size,
        channel="bench",
        key=path.name,
        name=path.name,
        received_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        metadata={},
    )
    context = Context(
        library=Library.load(settings.mappings, settings.partners),
        master=MasterData.of(large_master(1_000)),
        formats=formats(),
    )
    (summary,) = process([record.id], archive=archive, ledger=ledger, context=context)
    ledger.close()
    return {"events": summary.events, "lines": summary.lines}


def merely_read(file: str) -> int:
    """Segments that pyx12's X12Reader yields from ``file``."""
    from pyx12.x12file import X12Reader

    with Path(file).open(encoding="ascii") as source:
        return sum(1 for _ in X12Reader(source))


def measure() -> Iterator[Measurement]:
    """``pipeline.x12_856``: lines a second from bytes to durable events, and the memory it takes."""
    from crossdock.simulate.large import large_856

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "856.edi"
        large_856(file, LINES)
        arguments = {"file": str(file)}
        ours, theirs = in_turn(
            ROUNDS,
            lambda: in_child("bench.pipeline", "to_durable_events", {**arguments, "home": folder}),
            lambda: in_child("bench.pipeline", "merely_read", arguments),
        )
        if ours.result != {"events": LINES, "lines": LINES}:
            raise RuntimeError(f"{LINES} lines went in, {ours.result} came out: the figure would mean nothing")
    yield Measurement(
        name="pipeline.x12_856.lines_per_second",
        value=LINES / ours.seconds,
        unit="lines/s",
        peer="pyx12 X12Reader, reading only",
        peer_value=LINES / theirs.seconds,
        ratio=theirs.seconds / ours.seconds,
    )
    yield Measurement(
        name="pipeline.x12_856.peak_memory",
        value=ours.peak_mb,
        unit="MB",
        peer="pyx12 X12Reader, reading only",
        peer_value=theirs.peak_mb,
        ratio=theirs.peak_mb / ours.peak_mb,
    )


BENCHMARKS: dict[str, Benchmark] = {"pipeline.x12_856": measure}
