"""A document mended and sent again: its lines have the keys that they would have had if all had been right."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.archive import Archive
from crossdock.ledger import Ledger
from crossdock.process import process
from crossdock.translation import Context, gathered, standard_context, translate_stream
from mappings.master_data import MasterData
from schemas.master import MASTER_TABLES

ITEMS = ("P-1", "P-2")
HEADER = "Item;Site;On hand;Unit;Lot;As of"
#: What may be wrong with a row, and in which place; those of the key say nothing of which key it would be.
FAULTS = {"quantity": (2, "about 4"), "unit": (3, "??"), "nothing": (2, ""), "item": (0, "P-9"), "site": (1, "N9")}
OF_THE_KEY = {"item", "site"}

Row = tuple[str, str, str, str, str, str]


@pytest.fixture(scope="module")
def context() -> Context:
    rows: dict[str, list[dict[str, str]]] = {
        "partners": [{"partner": "ACME", "name": "Acme"}],
        "sites": [{"site": "N1", "name": "North"}],
        "items": [{"item": item, "base_unit": "C62", "status": "active"} for item in ITEMS],
        "units": [],
        "cross_references": [{"kind": "unit", "theirs": "EA", "ours": "C62"}],
    }
    tables = {
        name: pl.DataFrame(
            [{column: row.get(column, "") for column in columns} for row in rows.get(name, ())],
            schema=dict.fromkeys(columns, pl.String),
        )
        for name, columns in MASTER_TABLES.items()
    }
    return replace(standard_context(), master=MasterData.of(tables))


def right(number: int, item: str, lot: str) -> Row:
    return item, "N1", str(number + 1), "EA", lot, "2026-03-30"


def wrong(row: Row, fault: str) -> Row:
    place, value = FAULTS[fault]
    cells = [*row[:place], value, *row[place + 1 :]]
    return cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]


def sheet(rows: Sequence[Row]) -> bytes:
    return "\n".join([HEADER, *(";".join(row) for row in rows), ""]).encode()


def keys(rows: Sequence[Row], context: Context) -> Mapping[int, str]:
    """By the number of its row, what each event speaks of."""
    payload = sheet(rows)
    told = gathered(
        translate_stream(
            io.BytesIO(payload),
            payload=hashlib.sha256(payload).hexdigest(),
            name="stock.csv",
            metadata={"partner": "ACME", "received_at": "2026-03-31T06:00:00+00:00"},
            context=context,
        )
    )
    return dict(told.events.select("line", "subject").rows())


Sheets = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.sampled_from(["", "L1"]), st.sampled_from([None, None, *FAULTS])), min_size=1
).map(lambda told: [(right(n, item, lot), fault) for n, (item, lot, fault) in enumerate(told)])


@settings(max_examples=40)
@given(sheet=Sheets)
def test_accepted_lines_keep_their_keys_when_others_are_mended(sheet: list[tuple[Row, str | None]], context: Context):
    whole = keys([row for row, _ in sheet], context)
    assert len(whole) == len(set(whole.values())) == len(sheet)
    faults = [fault if fault not in OF_THE_KEY else None for _, fault in sheet]
    first = keys([wrong(row, fault) if fault else row for (row, _), fault in zip(sheet, faults, strict=True)], context)
    assert first == {line: key for line, key in whole.items() if faults[line - 1] is None}


def test_across_the_cuts_of_a_long_document(context: Context):
    rows = [right(n, ITEMS[n % 2], "L1" if n % 3 else "") for n in range(20_000)]
    faulty = [wrong(row, "quantity") if n in (0, 5, 8_191, 8_192, 16_500) else row for n, row in enumerate(rows)]
    whole, first = keys(rows, context), keys(faulty, context)
    assert first == {line: key for line, key in whole.items() if faulty[line - 1] == rows[line - 1]}


def test_a_chunk_of_which_nothing_is_sound_still_counts(context: Context):
    rows = [right(n, "P-1", "") for n in range(8_192 * 2 + 3)]
    faulty = [wrong(row, "unit") if n < 8_192 * 2 else row for n, row in enumerate(rows)]
    assert list(keys(faulty, context).values()) == [f"stock/ACME/N1//P-1#{8_192 * 2 + n}" for n in (1, 2, 3)]


def test_a_fault_in_the_key_takes_no_place(context: Context):
    rows = [wrong(right(0, "P-1", ""), "item"), right(1, "P-1", "")]
    assert keys(rows, context) == {2: "stock/ACME/N1//P-1"}


@pytest.fixture
def feed(tmp_path_factory: pytest.TempPathFactory, context: Context) -> Callable[..., Mapping[str, Any]]:
    def told(*sheets: Sequence[Row]) -> Mapping[str, Any]:
        """What stands of each key once these sheets have come, one after the other."""
        folder = tmp_path_factory.mktemp("feed")
        archive = Archive(Path(folder) / "archive")
        with Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:
            for number, rows in enumerate(sheets):
                stored = archive.write([sheet(rows)])
                record = ledger.record_payload(
                    sha256=stored.sha256,
                    size=stored.size,
                    channel="in",
                    key=str(number),
                    name="stock.csv",
                    received_at=datetime(2026, 3, 31, tzinfo=UTC) + timedelta(hours=number),
                    metadata={"partner": "ACME"},
                )
                process([record.id], archive=archive, ledger=ledger, context=context)
            stands: dict[str, Any] = {}
            for event in ledger.events(after=0, limit=10_000):
                stands[event.subject] = event.data.partition('"lineage"')[0]
            return stands

    return told


@pytest.mark.parametrize("seed", range(3))
def test_mended_in_two_steps_it_stands_as_if_it_had_been_right(feed: Callable[..., Mapping[str, Any]], seed: int):
    import random

    chance = random.Random(seed)
    rows = [right(n, chance.choice(ITEMS), chance.choice(["", "L1"])) for n in range(12)]
    faulty = [wrong(row, chance.choice([*FAULTS])) if chance.random() < 0.5 else row for row in rows]
    half = [row if n % 2 else bad for n, (row, bad) in enumerate(zip(rows, faulty, strict=True))]
    assert faulty != half != rows
    assert feed(faulty, half, rows) == feed(rows)
