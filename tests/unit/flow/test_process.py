"""A payload that cannot be read is set apart with its reason; the others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.archive import Archive
from crossdock.ledger import Ledger, StoreSummary
from crossdock.process import SMALL, process
from crossdock.simulate.large import large_856, large_master
from crossdock.translation import Context, standard_context
from mappings.master_data import MasterData
from mappings.normalise import Draft
from mappings.spec import OnError
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, DocumentEnd, DocumentStart, LineChunk
from schemas.errors import ConfigError, TransientError


class TextFormat:
    """One document a payload, one line a line; words in it make the reader misbehave."""

    name = "text"

    def recognises(self, head: bytes, name: str) -> bool:
        return head.startswith(b"TEXT")

    def read(self, stream: Any, **_: object) -> Iterator[object]:
        for ordinal, line in enumerate(stream.read().splitlines(), 1):
            if line == b"crash":
                raise KeyError("no such thing")
            if line == b"busy":
                raise TransientError("the reader's helper is busy")
            if line == b"config":
                raise ConfigError("a code list is missing")
            yield DocumentStart(ordinal=ordinal, type="text.note", sender="ACME", control_number=line.decode())
            table = pl.DataFrame({ORDINAL: [1], LOCATION: ["line 1"], OFFSET: [0], LENGTH: [len(line)]})
            yield LineChunk(ordinal=ordinal, table=table)
            yield DocumentEnd(ordinal=ordinal, lines=1)


class NoMappings:
    """A library in which nobody has agreed on anything."""

    partners: dict[str, object] = {}
    document_types: tuple[str, ...] = ()

    def partner_of(self, format: str, identity: str) -> None: ...
    def mapping_for(self, partner: object, document_type: str) -> None: ...
    def policy_for(self, partner: object, document_type: str) -> OnError:
        return OnError.PARK_LINES

    def candidates(self, partner: object, format: str) -> tuple[()]:
        return ()


@pytest.fixture
def context() -> Context:
    return Context(library=NoMappings(), master=MasterData.empty(), formats={"text": TextFormat()})  # type: ignore[arg-type, dict-item]


@pytest.fixture
def payload(ledger: Ledger, archive: Archive):
    def make(content: bytes) -> int:
        stored = archive.write([content])
        return ledger.record_payload(
            sha256=stored.sha256,
            size=stored.size,
            channel="edi",
            key=content.hex(),
            name="note.txt",
            received_at=datetime.now(UTC),
            metadata={},
        ).id

    return make


def test_a_bad_payload_is_quarantined_and_the_others_go_on(
    ledger: Ledger, archive: Archive, context: Context, payload
) -> None:
    ids = [payload(content) for content in (b"TEXT one", b"", b"\x00\x01what", b"TEXT\ncrash", b"TEXT last")]
    summaries = process(ids, archive=archive, ledger=ledger, context=context)
    assert [summary.documents for summary in summaries] == [1, 0, 0, 0, 1]
    assert [ledger.payload(id).status for id in ids] == [
        "translated",
        "quarantined",
        "quarantined",
        "quarantined",
        "translated",
    ]
    codes = {row["payload"]: row["code"] for row in ledger.findings() if row["payload_status"] == "quarantined"}
    assert codes == {ids[1]: "payload.empty", ids[2]: "payload.unrecognised", ids[3]: "payload.unreadable"}
    assert ledger.waiting() == []


@pytest.mark.parametrize("second", [b"second", b"y" * SMALL], ids=["by turns", "in a thread"])
def test_a_crash_of_the_reader_is_told_with_its_reason(
    ledger: Ledger, archive: Archive, context: Context, payload, second: bytes
) -> None:
    id = payload(b"TEXT\n" + second + b"\ncrash")
    process([id], archive=archive, ledger=ledger, context=context)
    (finding,) = (row for row in ledger.findings(severity="error") if row["document"] is None)
    assert finding["value"] == "KeyError"
    assert "no such thing" in finding["message"]
    assert "bytes are kept" in finding["message"]
    assert "TEXT" in [document["control_number"] for document in ledger.documents(payload=id)]
    assert not [thread for thread in threading.enumerate() if thread.name == "working ahead"]


@pytest.mark.parametrize("more", [b"", b"\n" + b"y" * SMALL], ids=["by turns", "in a thread"])
def test_a_payload_gone_from_the_archive_is_quarantined(
    ledger: Ledger, archive: Archive, context: Context, payload, more: bytes
) -> None:
    lost, damaged, good = (payload(b"TEXT " + name + more) for name in (b"a", b"b", b"c"))
    archive.path(ledger.payload(lost).sha256).unlink()
    path = archive.path(ledger.payload(damaged).sha256)
    path.chmod(0o640)
    path.write_bytes(b"TEXT B" + more)
    process([lost, damaged, good], archive=archive, ledger=ledger, context=context)
    assert [ledger.payload(id).status for id in (lost, damaged, good)] == ["quarantined", "quarantined", "translated"]
    assert not ledger.documents(payload=damaged)
    messages = [row["message"] for row in ledger.findings() if row["code"] == "payload.unavailable"]
    assert "missing" in messages[0]
    assert "damaged" in messages[1]


@pytest.mark.parametrize(("word", "error"), [(b"busy", TransientError), (b"config", ConfigError)])
def test_what_may_pass_or_be_mended_leaves_the_payload_waiting(
    ledger: Ledger, archive: Archive, context: Context, payload, word: bytes, error: type[Exception]
) -> None:
    ids = [payload(b"TEXT first"), payload(b"TEXT\n" + word), payload(b"TEXT last")]
    with pytest.raises(error):
        process(ids, archive=archive, ledger=ledger, context=context)
    assert ledger.waiting() == ids[1:]


def test_an_error_of_the_ledger_goes_through(ledger: Ledger, archive: Archive, context: Context, payload) -> None:
    class Locked:
        payload = staticmethod(ledger.payload)
        claims = staticmethod(ledger.claims)
        verdicts = ledger.verdicts

        def store(self, payload: int, translated: object) -> None:
            raise TransientError("the ledger is locked")

    id = payload(b"TEXT one")
    with pytest.raises(TransientError, match="locked"):
        process([id], archive=archive, ledger=Locked(), context=context)  # type: ignore[arg-type]
    assert ledger.waiting() == [id]


def test_a_payload_that_is_done_is_passed_over(ledger: Ledger, archive: Archive, context: Context, payload) -> None:
    id = payload(b"TEXT one")
    process([id], archive=archive, ledger=ledger, context=context)
    (summary,) = process([id], archive=archive, ledger=ledger, context=context)
    assert summary.documents == 0
    assert len(ledger.documents()) == 1


@pytest.fixture
def shipping() -> Context:
    """The shipped mappings and the master data of ``large_856``."""
    return replace(standard_context(), master=MasterData.of(large_master(20)))


def test_events_are_written_by_the_thread_that_has_the_time(
    ledger: Ledger, archive: Archive, shipping: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that stores writes what it waits for; what comes while it is busy is written ahead of it."""
    writers: list[str] = []
    ahead = threading.Event()
    write = Draft.written

    def written(draft: Draft) -> pl.DataFrame:
        storing = threading.current_thread() is threading.main_thread()
        writers.append("storing" if storing else "ahead")
        if storing:
            assert ahead.wait(30)
        else:
            ahead.set()
        return write(draft)

    monkeypatch.setattr(Draft, "written", written)
    assert _large(ledger, archive, shipping, tmp_path, lines_in_set=5_000).events == 10_000
    assert writers == ["storing", "ahead"]


def test_events_that_were_drafted_together_are_written_once(
    ledger: Ledger, archive: Archive, shipping: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first document's are written, the other thread asks for the second's."""
    calls: list[str] = []
    write = Draft.written

    def written(draft: Draft) -> pl.DataFrame:
        calls.append(threading.current_thread().name)
        time.sleep(0.3)  # the other thread comes meanwhile
        return write(draft)

    monkeypatch.setattr(Draft, "written", written)
    assert _large(ledger, archive, shipping, tmp_path).events == 4_000
    assert len(calls) == 1


def test_a_crash_in_writing_events_is_told_as_one_of_the_reader(
    ledger: Ledger, archive: Archive, shipping: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Draft) -> pl.DataFrame:
        raise KeyError("no such column")

    monkeypatch.setattr(Draft, "written", crash)
    assert _large(ledger, archive, shipping, tmp_path).events == 0
    (finding,) = ledger.findings(severity="error")
    assert (finding["code"], finding["value"]) == ("payload.unreadable", "KeyError")
    assert ledger.payload(1).status == "quarantined"


def _large(
    ledger: Ledger, archive: Archive, context: Context, folder: Path, *, lines_in_set: int = 2_000
) -> StoreSummary:
    """What became of a file of two documents that is large enough to be worked ahead of."""
    assert large_856(folder / "856.edi", 2 * lines_in_set, items=20, lines_in_set=lines_in_set) > SMALL
    stored = archive.write([(folder / "856.edi").read_bytes()])
    record = ledger.record_payload(
        sha256=stored.sha256,
        size=stored.size,
        channel="edi",
        key="856",
        name="856.edi",
        received_at=datetime.now(UTC),
        metadata={},
    )
    (summary,) = process([record.id], archive=archive, ledger=ledger, context=context)
    return summary
