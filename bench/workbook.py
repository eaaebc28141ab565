"""A workbook to durable events, beside calamine merely reading it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measure import Benchmark, Measurement, Run, in_child, in_turn

ROWS, WARMING = 100_000, 200
ITEMS = 1_000
ROUNDS = 3

_HEADER = ("Part no", "Site", "Bin", "Lot", "On hand", "Unit", "Status", "As of", "Description", "Remark")
_PARTNER = """\
partner: BENCH
name: Bench
timezone: Europe/London
documents:
  workbook.stock: {extends: standard/workbook_stock}
"""


def to_durable_events(file: str, small: str, home: str) -> Generator[dict[str, int] | None]:
    """Archive, read, map, normalise and commit ``file`` into a fresh SQLite ledger, as production does.

    What is committed is durable; the ledger is closed, as a process does at its end, once the clock has stopped.
    """
    from connectors.archive import Archive
    from connectors.registry import formats
    from crossdock.ledger import Ledger, StoreSummary
    from crossdock.process import process
    from crossdock.settings import Settings
    from crossdock.translation import Context, compile_with
    from mappings.library import Library

    places = [
        Settings.from_environment({"CROSSDOCK_HOME": tempfile.mkdtemp(dir=home)}) for _ in ("measured", "warming")
    ]
    partners = Path(tempfile.mkdtemp(dir=home))
    (partners / "bench.yaml").write_text(_PARTNER)
    archive = Archive(places[0].archive)
    library = Library.load(places[0].mappings, partners, compile=compile_with(formats()))
    context = Context(library=library, master=_master(), formats=formats())

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
            metadata={"partner": "BENCH"},
        )
        (summary,) = process([record.id], archive=archive, ledger=ledger, context=context)
        return summary

    with Ledger.open(places[1].ledger_url) as other:
        take_in(Path(small), other)
    with Ledger.open(places[0].ledger_url) as ledger:
        yield None
        summary = take_in(Path(file), ledger)
        yield {"events": summary.events, "lines": summary.lines}


def merely_read(file: str, small: str) -> Generator[None, None, int]:
    """Rows that calamine yields from ``file``."""
    from python_calamine import CalamineWorkbook

    def read(path: str) -> int:
        with Path(path).open("rb") as stream:
            return len(CalamineWorkbook.from_filelike(stream).get_sheet_by_index(0).to_python())

    read(small)
    yield
    return read(file)


def stock_list() -> Iterator[Measurement]:
    """``workbook.stock``: 100,000 rows of ten columns, from .xlsx to durable events; its time and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"file": f"{folder}/stock.xlsx", "small": f"{folder}/small.xlsx"}
        _write(Path(files["file"]), ROWS)
        _write(Path(files["small"]), WARMING)
        ours, theirs = in_turn(
            ROUNDS,
            lambda: in_child("bench.workbook", "to_durable_events", {**files, "home": folder}),
            lambda: in_child("bench.workbook", "merely_read", files),
        )
        _require(ours)
    yield Measurement(
        name="workbook.stock.rows_per_second",
        value=ROWS / ours.seconds,
        unit="rows/s",
        peer="calamine, reading only",
        peer_value=ROWS / theirs.seconds,
        ratio=theirs.seconds / ours.seconds,
        floor=0.25,
    )
    yield Measurement(name="workbook.stock.peak_memory", value=ours.peak_mb, unit="MB", limit=400)


def _require(run: Run) -> None:
    if run.result != {"events": ROWS, "lines": ROWS}:
        raise RuntimeError(f"{ROWS} rows went in, {run.result} came out: the figure would mean nothing")


def _write(path: Path, rows: int) -> None:
    """A stock list as programs export it: text, numbers and dates."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    chance = random.Random(1)
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("Stock")
    sheet.append(_HEADER)
    for number in range(rows):
        day = WriteOnlyCell(sheet, datetime(2026, 3, chance.randint(1, 28)))  # noqa: DTZ001
        day.number_format = "yyyy-mm-dd"
        item = f"P{number % ITEMS:05}"
        row = (item, "N1", f"B-{number}", f"L{number % 97}", chance.randint(0, 10**6) / 1000, "EA", "free", day)
        sheet.append((*row, f"Part number {item}", "" if number % 3 else "counted"))
    book.save(path)


def _master() -> Any:
    import polars as pl

    from mappings.master_data import MasterData
    from schemas.master import MASTER_TABLES

    tables = {
        "partners": [{"partner": "BENCH", "name": "Bench"}],
        "sites": [{"site": "N1", "name": "North"}],
        "items": [{"item": f"P{n:05}", "base_unit": "C62", "status": "active"} for n in range(ITEMS)],
        "units": [],
        "cross_references": [{"kind": "unit", "theirs": "EA", "ours": "C62"}],
    }
    return MasterData.of(
        {
            name: pl.DataFrame(
                [{column: row.get(column, "") for column in MASTER_TABLES[name]} for row in rows],
                schema=dict.fromkeys(MASTER_TABLES[name], pl.String),
            )
            for name, rows in tables.items()
        }
    )


BENCHMARKS: dict[str, Benchmark] = {"workbook.stock": stock_list}
