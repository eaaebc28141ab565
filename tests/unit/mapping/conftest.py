"""A shelf of mappings to write into, small master data, chunks of lines, and a format made of JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pytest

from connectors.base import Plans, ReadItem
from crossdock.translation import Context, Translated, compile_with, translate_stream
from mappings.library import CompiledMapping, Library
from mappings.master_data import MasterData
from schemas.documents import (
    LENGTH,
    LOCATION,
    OFFSET,
    ORDINAL,
    PLACE_SUFFIX,
    DocumentEnd,
    DocumentStart,
    LineChunk,
    LinePlan,
)
from schemas.findings import Finding, Severity, Stage
from schemas.master import MASTER_TABLES

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
collect_ignore = [] if CORPUS.is_dir() else ["test_corpus_documents.py"]

PAYLOAD = "ab" * 32

NOTICE = """\
document: told.notice
kind: ship_notice
fields:
  document_number: no
  document_time: {path: made, format: iso}
  purpose: {path: purpose, codes: purpose}
  shipment: {path: no, required: true}
  order: po
  order_line: po_line
  item: {path: [ours, theirs], lookup: item, required: true}
  site: {path: site, lookup: site, required: true}
  quantity: {path: qty, required: true}
  unit: {path: unit, lookup: unit, required: true}
  description: text
  lot: lot
  shipped_at: {path: [shipped, sent], clock: clock, format: CCYYMMDD}
  ordered_quantity: ordered
"""

PURPOSES = """\
"00": original
"01": cancel
"04": change
"""

GOOD = {
    "no": "S1",
    "made": "2026-03-30T08:45:00Z",
    "ours": "P1",
    "site": "PLANT",
    "qty": "5",
    "unit": "EA",
    "po": "4711",
}


class Told:
    """A format of JSON lines, each a document's start, line, finding or end; ``chunk`` lines go together."""

    name = "told"

    def __init__(self, chunk: int = 1000) -> None:
        self.chunk = chunk

    @staticmethod
    def written(*told: Mapping[str, Any]) -> bytes:
        return "".join(f"{json.dumps(one)}\n" for one in told).encode()

    def recognises(self, head: bytes, name: str) -> bool:
        return head.startswith(b'{"')

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        return LinePlan(type=type, line=line, paths=tuple(paths), options=options, compiled=self)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:
        ordinal, lines, paths = 0, list[dict[str, Any]](), tuple[str, ...]()
        count = 0
        for raw in stream:
            told = json.loads(raw)
            if "start" in told:
                ordinal, count, lines = ordinal + 1, 0, []
                start = DocumentStart(
                    ordinal=ordinal, **{"type": "told.notice", "location": "document", **told["start"]}
                )
                plan = plans.for_document(start)
                paths = plan.paths if plan else ()
                yield start
            elif "line" in told:
                count += 1
                lines.append(told["line"] | {ORDINAL: count})
                if len(lines) == self.chunk:
                    yield from self._chunk(ordinal, lines, paths)
                    lines = []
            elif "finding" in told:
                yield Finding(**{"severity": Severity.ERROR, "stage": Stage.SYNTAX, "message": "", **told["finding"]})
            elif "end" in told:
                yield from self._chunk(ordinal, lines, paths)
                yield DocumentEnd(ordinal=ordinal, lines=count, **told["end"])
                lines = []
        yield from self._chunk(ordinal, lines, paths)

    def _chunk(self, ordinal: int, lines: list[dict[str, Any]], paths: tuple[str, ...]) -> Iterator[LineChunk]:
        if lines and paths:
            yield LineChunk(ordinal=ordinal, table=table(lines, paths))


def table(lines: Iterable[Mapping[str, Any]], paths: Iterable[str]) -> pl.DataFrame:
    """Lines as a reader gives them; ``line 1, qty`` is where the quantity of the first one stands."""
    rows = [dict(line) for line in lines]
    for number, row in enumerate(rows, 1):
        row.setdefault(ORDINAL, number)
    columns: dict[str, list[Any]] = {path: [row.get(path) for row in rows] for path in paths}
    for path in list(columns):
        columns[path + PLACE_SUFFIX] = [f"line {row[ORDINAL]}, {path}" for row in rows]
    schema: dict[str, Any] = dict.fromkeys(columns, pl.String) | {
        ORDINAL: pl.Int64,
        LOCATION: pl.String,
        OFFSET: pl.Int64,
        LENGTH: pl.Int64,
    }
    columns |= {
        ORDINAL: [row[ORDINAL] for row in rows],
        LOCATION: [f"line {row[ORDINAL]}" for row in rows],
        OFFSET: [row[ORDINAL] * 100 for row in rows],
        LENGTH: [90 for _ in rows],
    }
    return pl.DataFrame(columns, schema=schema)


class Bench:
    """Mappings in a temporary folder, with what it takes to run them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("standard", "codes", "partners"):
            (root / folder).mkdir()
        self.write("codes/purpose.yaml", PURPOSES)
        self.write("standard/told_notice.yaml", NOTICE)
        self.write(
            "partners/acme.yaml", "partner: ACME\nidentities: {email: desk@acme.example}\ntimezone: Europe/Berlin"
        )

    def write(self, name: str, content: str) -> None:
        (self.root / name).write_text(content, "utf-8")

    def library(self) -> Library:
        compile = compile_with({"told": Told(), "workbook": Told(), "rows": Told()})
        return Library.load(self.root / "standard", self.root / "partners", compile=compile)

    def mapping(self, body: str = NOTICE) -> CompiledMapping:
        """The compiled form of one standard mapping."""
        self.write("standard/told_notice.yaml", body)
        (mapping,) = self.library().standard.values()
        return mapping

    def translate(
        self, *told: Mapping[str, Any], chunk: int = 1000, lenient: bool = False, **metadata: str
    ) -> list[Translated]:
        """All that comes of these items of the format ``Told``; ACME sends them unless ``metadata`` says otherwise."""
        content = Told.written(*told)
        context = Context(library=self.library(), master=master_data(), formats={"told": Told(chunk)}, lenient=lenient)
        given = {"from": "desk@acme.example", **{name.rstrip("_"): value for name, value in metadata.items()}}
        return list(
            translate_stream(io.BytesIO(content), payload=PAYLOAD, name="told.jsonl", metadata=given, context=context)
        )


def master_data() -> MasterData:
    rows: dict[str, list[tuple[str, ...]]] = {
        "partners": [("ACME", "Acme", "DE", "", "", "", "")],
        "sites": [("PLANT", "Plant 1", "DE", "", "UTC", "", ""), ("DEPOT", "Depot", "DE", "", "UTC", "", "")],
        "items": [("P1", "Pump", "EA", "active", "", ""), ("P2", "Oil", "LTR", "active", "", "")],
        "units": [("P1", "XCT", "EA", "12", "", "")],
        "cross_references": [
            ("ACME", "item", "A-1", "P1", "", ""),
            ("ACME", "item", "A-OLD", "P1", "", "2025-12-31"),
            ("", "site", "1000", "PLANT", "", ""),
            ("ACME", "unit", "KASTEN", "XCT", "", ""),
        ],
    }
    return MasterData.of(
        {name: pl.DataFrame(some, schema=list(MASTER_TABLES[name]), orient="row") for name, some in rows.items()}
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def master() -> MasterData:
    return master_data()
