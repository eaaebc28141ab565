"""Every sink gets every event; one that fails holds up nobody else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec
import polars as pl
import pytest

from crossdock.ledger import Ledger
from crossdock.ledger.tables import events
from crossdock.publish import publish
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened
from mappings.normalise import empty_events
from schemas.documents import DocumentStart
from schemas.errors import PermanentError, TransientError

DATA = (
    '{"kind":"ordered","partner":"ACME","item":"P-1","site":"BER","quantity":"1","unit":"EA","base_quantity":"1",'
    '"base_unit":"EA","references":{},"lineage":{"payload":"%s","document":"d","location":"segment 1",'
    '"mapping":"m","mapping_version":"1"}}' % ("a" * 64)
)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """A ledger with seven orders."""
    rows = []
    for number in range(1, 8):
        key = hashlib.sha256(str(number).encode()).hexdigest()[:20]
        rows.append(
            {
                "id": f"{key}{number:012x}",
                "fingerprint": "0" * 16,
                "stream": "demand",
                "kind": "ordered",
                "subject": f"ACME/PO{number}",
                "time": "2026-03-01T08:00:00Z",
                "partner": "ACME",
                "item": "P-1",
                "site": "BER",
                "line": number,
                "data": DATA,
            }
        )
    payload = ledger.record_payload(
        sha256="a" * 64, size=1, channel="edi", key="k", name="n", received_at=datetime.now(UTC), metadata={}
    )
    document = Document(
        id="d",
        payload="a" * 64,
        start=DocumentStart(ordinal=1, type="x12.850"),
        partner="ACME",
        mapping="m",
        mapping_version="1",
    )
    table = pl.DataFrame(rows, schema=empty_events().schema)
    ledger.store(
        payload.id,
        [
            DocumentOpened(document=document),
            DocumentLines(lines=table, events=table, parked=pl.DataFrame()),
            DocumentClosed(document=document, status="accepted", lines=7, events=7, parked=0),
        ],
    )
    return ledger


def subjects(batches: list[list[bytes]]) -> list[list[str]]:
    return [[msgspec.json.decode(event)["subject"][-1] for event in batch] for batch in batches]


def test_every_sink_gets_every_event_in_batches(filled: Ledger, make_sink) -> None:
    one, other = make_sink(), make_sink()
    assert publish({"one": one, "other": other}, ledger=filled, batch=3) == {"one": 7, "other": 7}
    assert subjects(one.batches) == subjects(other.batches) == [["1", "2", "3"], ["4", "5", "6"], ["7"]]
    assert publish({"one": one, "other": other}, ledger=filled) == {"one": 0, "other": 0}


def test_a_failing_sink_holds_up_nobody_and_catches_up_later(filled: Ledger, make_sink) -> None:
    broken, good = make_sink(TransientError("away")), make_sink()
    with pytest.raises(TransientError, match="away"):
        publish({"broken": broken, "good": good}, ledger=filled)
    assert subjects(good.batches) == [list("1234567")]
    broken.error = None
    assert publish({"broken": broken, "good": good}, ledger=filled) == {"broken": 7, "good": 0}
    assert subjects(broken.batches) == [list("1234567")]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_an_event_that_breaks_its_schema_stays_behind_wherever_it_is_read(
    filled: Ledger, make_sink, batch: int
) -> None:
    """Batches after the first are rendered ahead, where nobody can be told; the order is kept all the same."""
    with filled._database.write() as connection:
        connection.execute(events.update().where(events.c.position == 4).values(time="lately"))
    taking = make_sink()
    assert publish({"planning": taking}, ledger=filled, batch=batch) == {"planning": 6}
    assert [subject for batch in subjects(taking.batches) for subject in batch] == list("123567")
    assert [held["position"] for held in filled.held_events("planning")] == [4]


def test_of_several_failures_the_one_worth_a_retry_is_raised(filled: Ledger, make_sink) -> None:
    with pytest.raises(TransientError):
        publish({"no": make_sink(PermanentError("refused")), "later": make_sink(TransientError("busy"))}, ledger=filled)


def test_a_fault_of_a_sink_is_not_hidden(filled: Ledger, make_sink) -> None:
    with pytest.raises(ZeroDivisionError):
        publish({"faulty": make_sink(ZeroDivisionError())}, ledger=filled)
    assert filled.sinks()[0]["position"] == 0
