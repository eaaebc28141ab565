"""Master data of a large manufacturer: a million items and three million cross-references, loaded and looked up in."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from bench.measure import Benchmark, Measurement, in_child

ITEMS = 1_000_000
OTHERS = ("BRIGHTSEAL", "COPPERLINE")  #: who calls every item by a number of their own, beside who sends the lines
LINES = 1_000_000
WARMING = 200  #: lines of a file that is translated before, so that a worker is up

_CHANNEL = """\
channel: master
purpose: master_data
source: {kind: folder, path: in, quiet: 0s}
"""


def tables() -> dict[str, pl.DataFrame]:
    """The master tables: ``ITEMS`` items, three times as many cross-references, and what these point to."""
    from crossdock.simulate.large import large_master

    few = large_master(ITEMS)
    own = few["items"].select(ours="item")
    codes = [
        own.select(
            partner=pl.lit(other),
            kind=pl.lit("item"),
            theirs=pl.lit(other[:2] + "-") + pl.col("ours"),
            ours="ours",
            valid_from=pl.lit("2020-01-01"),
            valid_to=pl.lit(""),
        )
        for other in OTHERS
    ]
    partners = pl.concat([few["partners"], *(few["partners"].with_columns(partner=pl.lit(one)) for one in OTHERS)])
    return few | {"partners": partners, "cross_references": pl.concat([few["cross_references"], *codes])}


def write(home: str) -> None:
    """A channel of master data under ``home``, and the tables as CSV files before it."""
    place = Path(home)
    for folder in ("channels", "in"):
        (place / folder).mkdir()
    (place / "channels" / "master.yaml").write_text(_CHANNEL)
    for table, rows in tables().items():
        rows.write_csv(place / "in" / f"{table}.csv")


def take_in(home: str) -> Generator[None, None, dict[str, Any]]:
    """Take in what ``write`` wrote, judge it, put it in force; returns the rows and what was held back."""
    from crossdock.dock import Dock
    from crossdock.settings import Settings

    place = Path(home)
    settings = Settings.from_environment({"CROSSDOCK_HOME": home, "CROSSDOCK_CHANNELS": str(place / "channels")})
    yield
    with Dock.open(settings) as dock:
        loads = dock.load_master_data("master")
    return {
        "rows": sum(load.rows for load in loads),
        "held_back": [f"{load.table}: {load.reasons}" for load in loads if load.version is None],
    }


def translate(file: str, small: str) -> Generator[None, None, dict[str, Any]]:
    """Translate ``file`` against the tables, having seen ``small``: lines, events, the seconds, those in look-ups."""
    from connectors.registry import formats
    from crossdock.settings import Settings
    from crossdock.translation import Context, DocumentLines, translate_stream
    from mappings.library import Library
    from mappings.master_data import MasterData

    class Timed(MasterData):
        """Counts the seconds within its answers."""

        seconds = 0.0

        def look_up(self, *asked: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return super().look_up(*asked, **named)
            finally:
                self.seconds += time.perf_counter() - begun

        def convert(self, *asked: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return super().convert(*asked, **named)
            finally:
                self.seconds += time.perf_counter() - begun

    settings = Settings.from_environment({"CROSSDOCK_HOME": tempfile.mkdtemp()})
    master = Timed.of(tables())
    assert isinstance(master, Timed)
    context = Context(library=Library.load(settings.mappings, settings.partners), master=master, formats=formats())

    def translated(name: str) -> tuple[int, int]:
        with Path(name).open("rb") as stream:
            every = translate_stream(stream, payload="0" * 64, name=name, metadata={}, context=context)
            some = [(one.lines.height, one.events.height) for one in every if isinstance(one, DocumentLines)]
        return sum(lines for lines, _ in some), sum(events for _, events in some)

    translated(small)
    yield
    begun, before = time.perf_counter(), master.seconds
    lines, events = translated(file)
    return {
        "lines": lines,
        "events": events,
        "seconds": time.perf_counter() - begun,
        "looking_up": master.seconds - before,
    }


def loading() -> Iterator[Measurement]:
    """``master.load``: seconds from four CSV files to tables in force, every expectation looked at, and the memory."""
    with tempfile.TemporaryDirectory() as home:
        in_child("bench.master", "write", {"home": home})
        run = in_child("bench.master", "take_in", {"home": home})
    if run.result["held_back"]:
        raise RuntimeError(f"held back, which measures nothing: {run.result['held_back']}")
    yield Measurement(name="master.load.rows", value=run.result["rows"], unit="rows")
    yield Measurement(name="master.load.seconds", value=run.seconds, unit="s", limit=60.0)
    yield Measurement(name="master.load.peak_memory", value=run.peak_mb, unit="MB", limit=1536.0)


def looking_up() -> Iterator[Measurement]:
    """``master.look_up``: what look-ups and conversions add to translating lines that name every item once."""
    from crossdock.simulate.large import large_856

    with tempfile.TemporaryDirectory() as folder:
        file, small = Path(folder, "856.edi"), Path(folder, "small.edi")
        large_856(file, LINES, items=ITEMS)
        large_856(small, WARMING, items=ITEMS)
        run = in_child("bench.master", "translate", {"file": str(file), "small": str(small)})
    result = run.result
    if (result["lines"], result["events"]) != (LINES, LINES):
        raise RuntimeError(f"{LINES} lines went in, {result} came out: the figure would mean nothing")
    without = result["seconds"] - result["looking_up"]
    yield Measurement(
        name="master.look_up.time",
        value=result["seconds"],
        unit="s",
        peer="the same without look-ups",
        peer_value=without,
        ratio=without / result["seconds"],
        floor=1 / 1.2,
    )
    yield Measurement(name="master.look_up.peak_memory", value=run.peak_mb, unit="MB", limit=1536.0)


BENCHMARKS: dict[str, Benchmark] = {"master.load": loading, "master.look_up": looking_up}
