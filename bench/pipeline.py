"""Bytes to durable events: the whole way of an 856, beside pyx12 merely reading the same file.

Both sides are measured in a process that is up and has seen one small file, as a worker has.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measure import Benchmark, Measurement, Run, in_child, in_turn

LINES = 50_000
SMALL_LINES, SMALL_SET = 25_000, 5
WARMING = 200  #: lines of the small file
ROUNDS = 7  #: of which the median counts: two threads on a shared machine now and then have one processor for both


def to_durable_events(file: str, small: str, master: str, home: str, warm: str) -> Generator[dict[str, int] | None]:
    """Archive, read, judge, map, normalise and commit ``file`` into the empty SQLite ledger under ``home``.

    Every step is the one production takes; ``warm`` is another such home, for the small file. Yields the number of
    events and of lines, once they are durable: to close the ledger, which a worker keeps open, is not measured.
    """
    import polars as pl

    from connectors.archive import Archive
    from connectors.registry import formats
    from crossdock.ledger import Ledger, StoreSummary
    from crossdock.process import process
    from crossdock.settings import Settings
    from crossdock.translation import Context
    from mappings.library import Library
    from mappings.master_data import MasterData

    settings, warming = (Settings.from_environment({"CROSSDOCK_HOME": one}) for one in (home, warm))
    archive = Archive(settings.archive)
    context = Context(
        library=Library.load(settings.mappings, settings.partners),
        master=MasterData.of({file.stem: pl.read_parquet(file) for file in Path(master).glob("*.parquet")}),
        formats=formats(),
    )

    def take_in(path: Path, ledger: Ledger) -> StoreSummary:
        with path.open("rb") as source:
            stored = archive.write(iter(lambda: source.read(1 << 20), b""))
        record = ledger.record_payload(
            sha256=stored.sha256,
            size=stored.size,
            channel="bench",
            key=path.name,
            name=path.name,
            received_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
            metadata={},
        )
        (summary,) = process([record.id], archive=archive, ledger=ledger, context=context)
        return summary

    with Ledger.open(warming.ledger_url) as other:
        take_in(Path(small), other)
    with Ledger.open(settings.ledger_url) as ledger:
        yield None
        summary = take_in(Path(file), ledger)
        yield {"events": summary.events, "lines": summary.lines}


def merely_read(file: str, small: str) -> Generator[None, None, int]:
    """Segments that pyx12's X12Reader yields from ``file``."""
    from pyx12.x12file import X12Reader

    def read(path: str) -> int:
        with Path(path).open(encoding="ascii") as source:
            return sum(1 for _ in X12Reader(source))

    read(small)
    yield
    return read(file)


def ship_notice() -> Iterator[Measurement]:
    """``pipeline.x12_856``: lines a second from bytes to durable events, and the memory it takes."""
    with tempfile.TemporaryDirectory() as folder:
        files = _files(folder, LINES)
        ours, theirs = in_turn(
            ROUNDS,
            lambda: _durable(files, folder),
            lambda: in_child("bench.pipeline", "merely_read", files),
        )
        _require(ours, LINES)
    yield Measurement(
        name="pipeline.x12_856.lines_per_second",
        value=LINES / ours.seconds,
        unit="lines/s",
        peer="pyx12 X12Reader, reading only",
        peer_value=LINES / theirs.seconds,
        ratio=theirs.seconds / ours.seconds,
        floor=3.0,
    )
    yield Measurement(
        name="pipeline.x12_856.peak_memory",
        value=ours.peak_mb,
        unit="MB",
        peer="pyx12 X12Reader, reading only",
        peer_value=theirs.peak_mb,
        ratio=theirs.peak_mb / ours.peak_mb,
        limit=250.0,
    )


def larger() -> Iterator[Measurement]:
    """``pipeline.larger``: four times the lines, in sets as large: what a line costs, and the memory it takes."""
    with tempfile.TemporaryDirectory() as folder:
        large, usual = _files(folder, 4 * LINES), _files(folder, LINES)
        ours, theirs = in_turn(ROUNDS, lambda: _durable(large, folder), lambda: _durable(usual, folder))
        _require(ours, 4 * LINES)
        _require(theirs, LINES)
    cost, usual_cost = ours.cpu / (4 * LINES) * 1e6, theirs.cpu / LINES * 1e6
    yield Measurement(
        name="pipeline.larger.cost_per_line",
        value=cost,
        unit="us",
        peer=f"of {LINES:,} lines",
        peer_value=usual_cost,
        ratio=usual_cost / cost,
        floor=1 / 1.15,
    )
    yield Measurement(
        name="pipeline.larger.peak_memory",
        value=ours.peak_mb,
        unit="MB",
        peer=f"of {LINES:,} lines",
        peer_value=theirs.peak_mb,
        ratio=theirs.peak_mb / ours.peak_mb,
        floor=1 / 1.15,
        limit=250.0,
    )


def small_documents() -> Iterator[Measurement]:
    """``pipeline.small_documents``: thousands of sets of five lines, beside as many lines in large sets."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = _files(folder, SMALL_LINES, SMALL_SET), _files(folder, SMALL_LINES)
        ours, theirs = in_turn(ROUNDS, lambda: _durable(small, folder), lambda: _durable(large, folder))
        _require(ours, SMALL_LINES)
        _require(theirs, SMALL_LINES)
    yield Measurement(
        name="pipeline.small_documents.lines_per_second",
        value=SMALL_LINES / ours.seconds,
        unit="lines/s",
        peer="the same lines in large sets",
        peer_value=SMALL_LINES / theirs.seconds,
        ratio=theirs.seconds / ours.seconds,
    )
    yield Measurement(
        name="pipeline.small_documents.milliseconds_each",
        value=ours.seconds * 1000 / (SMALL_LINES // SMALL_SET),
        unit="ms",
    )


def _files(folder: str, lines: int, lines_in_set: int = 10_000) -> dict[str, Any]:
    """A file of that many lines, and the small one that comes before it."""
    from crossdock.simulate.large import large_856

    place = Path(tempfile.mkdtemp(dir=folder))
    large_856(place / "856.edi", lines, lines_in_set=lines_in_set)
    large_856(place / "small.edi", WARMING)
    return {"file": str(place / "856.edi"), "small": str(place / "small.edi")}


def _durable(files: dict[str, Any], folder: str) -> Run:
    """In an installation that is there already, as a worker finds it."""
    from crossdock.ledger import Ledger
    from crossdock.settings import Settings
    from crossdock.simulate.large import large_master

    with tempfile.TemporaryDirectory(dir=folder) as place:
        homes = {name: str(Path(place, name)) for name in ("home", "warm")}
        for home in homes.values():
            Path(home).mkdir()
            Ledger.open(Settings.from_environment({"CROSSDOCK_HOME": home}).ledger_url).close()
        for name, table in large_master(1_000).items():
            table.write_parquet(Path(place, f"{name}.parquet"))
        return in_child("bench.pipeline", "to_durable_events", {**files, **homes, "master": place})


def _require(run: Run, lines: int) -> None:
    if run.result != {"events": lines, "lines": lines}:
        raise RuntimeError(f"{lines} lines went in, {run.result} came out: the figure would mean nothing")


BENCHMARKS: dict[str, Benchmark] = {
    "pipeline.x12_856": ship_notice,
    "pipeline.larger": larger,
    "pipeline.small_documents": small_documents,
}
