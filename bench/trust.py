"""Waiting lines let go on, and a preview of everything, beside reading the same lines for the first time.

All in one process that is up and has seen one small file, as a worker has.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import Benchmark, Measurement, Run, in_child

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger
    from crossdock.translation import Context

WAITING = 100_000  #: lines that wait
#: lines of the preview; ``BENCH_PREVIEWED=1000000`` takes minutes
PREVIEWED = int(os.environ.get("BENCH_PREVIEWED", "100000"))
WARMING = 200


@dataclass(frozen=True)
class _Place:
    """An installation of its own."""

    ledger: Ledger
    archive: Archive
    context: Callable[[bool], Context]  #: with the items known, or not

    def take_in(self, file: str, *, known: bool) -> int:
        """Archive, translate and store the file; its lines."""
        from crossdock.process import process

        path = Path(file)
        with path.open("rb") as source:
            stored = self.archive.write(iter(lambda: source.read(1 << 20), b""))
        record = self.ledger.record_payload(
            sha256=stored.sha256,
            size=stored.size,
            channel="bench",
            key=path.name,
            name=path.name,
            received_at=datetime(2026, 2, 1, 12, tzinfo=UTC),
            metadata={},
        )
        (summary,) = process([record.id], archive=self.archive, ledger=self.ledger, context=self.context(known))
        return summary.lines


def _place(home: str) -> _Place:
    from connectors.archive import Archive
    from connectors.registry import formats
    from crossdock.ledger import Ledger
    from crossdock.settings import Settings
    from crossdock.simulate.large import large_master
    from crossdock.translation import Context
    from mappings.library import Library
    from mappings.master_data import MasterData

    settings = Settings.from_environment({"CROSSDOCK_HOME": tempfile.mkdtemp(dir=home)})
    library = Library.load(settings.mappings, settings.partners)
    tables = large_master(1_000)
    nothing = {"items": tables["items"].head(0), "cross_references": tables["cross_references"].tail(2)}
    masters = {True: MasterData.of(tables), False: MasterData.of(tables | nothing)}

    def context(known: bool) -> Context:
        return Context(library=library, master=masters[known], formats=formats(), master_version=f"known:{known}")

    return _Place(Ledger.open(settings.ledger_url), Archive(settings.archive), context)


def let_go(file: str, small: str, home: str) -> Generator[None, None, dict[str, int]]:
    """Release every line of ``file``, all of which wait; how many went on."""
    from crossdock.mending.release import release

    place = _place(home)
    place.take_in(small, known=True)
    place.take_in(file, known=False)
    yield
    done = release(archive=place.archive, ledger=place.ledger, context=place.context(True))
    return {"released": done.released, "published": done.published}


def look_ahead(file: str, small: str, home: str) -> Generator[None, None, dict[str, float]]:
    """Take ``file`` in, then preview a replay of it under a mapping that changes nothing; seconds of CPU of either."""
    from crossdock.ledger.selecting import Selection
    from crossdock.mending.replay import Replayed, preview

    place = _place(home)
    place.take_in(small, known=True)
    yield
    began = time.process_time()
    lines = place.take_in(file, known=True)
    first = time.process_time() - began
    total = Replayed()
    began = time.process_time()
    parts: dict[str, Any] = {"archive": place.archive, "ledger": place.ledger, "context": place.context(True)}
    changed = sum(1 for _ in preview(Selection(), **parts, total=total))
    return {"lines": lines, "changed": changed, "first": first, "preview": time.process_time() - began}


def _files(folder: str, lines: int) -> dict[str, Any]:
    from crossdock.simulate.large import large_856

    large_856(Path(folder) / "856.edi", lines, lines_in_set=10_000)
    large_856(Path(folder) / "small.edi", WARMING)
    return {"file": str(Path(folder) / "856.edi"), "small": str(Path(folder) / "small.edi"), "home": folder}


def releasing() -> Iterator[Measurement]:
    """``trust.release``: seconds until 100,000 lines that waited are published."""
    with tempfile.TemporaryDirectory() as folder:
        run: Run = in_child("bench.trust", "let_go", _files(folder, WAITING))
    # the first lines of both files say the same
    if run.result != {"released": WAITING, "published": WAITING - WARMING}:
        raise RuntimeError(f"{WAITING} lines waited, {run.result} went on: the figure would mean nothing")
    yield Measurement(name="trust.release.seconds", value=run.seconds, unit="s", limit=60)
    yield Measurement(name="trust.release.peak_memory", value=run.peak_mb, unit="MB", limit=1500)


def previewing() -> Iterator[Measurement]:
    """``trust.preview``: lines a second of a preview, beside reading them for the first time."""
    with tempfile.TemporaryDirectory() as folder:
        run: Run = in_child("bench.trust", "look_ahead", _files(folder, PREVIEWED))
    taken = run.result
    if (taken["lines"], taken["changed"]) != (PREVIEWED, 0):
        raise RuntimeError(f"{PREVIEWED} lines went in, {taken} came out: the figure would mean nothing")
    yield Measurement(
        name="trust.preview.lines_per_second",
        value=PREVIEWED / taken["preview"],
        unit="lines/s",
        peer="reading them for the first time",
        peer_value=PREVIEWED / taken["first"],
        ratio=taken["first"] / taken["preview"],
        floor=0.5,
    )
    yield Measurement(name="trust.preview.peak_memory", value=run.peak_mb, unit="MB", limit=1500)


BENCHMARKS: dict[str, Benchmark] = {"trust.release": releasing, "trust.preview": previewing}
