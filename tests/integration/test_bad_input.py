"""Bad input: each kind gives a finding or a typed error that names the place, and stops nothing else.

In every case a good file lies beside the bad one and must come through.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import openpyxl
import pytest

from connectors.archive import Archive
from crossdock.dock import Dock, Run
from crossdock.ledger import Ledger
from schemas.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]

pytestmark = pytest.mark.integration

ENVELOPE = (
    "ISA*00*          *00*          *ZZ*{sender:<15}*ZZ*HUB            *260301*1200*U*00401*000000001*0*P*>~"
    "GS*SH*{sender}*HUB*20260301*1200*1*X*004010~{sets}GE*1*1~IEA*1*000000001~"
)
SHIP_NOTICE = (
    "ST*856*0007~BSN*00*S-77*20260301*1200~HL*1**S~DTM*011*20260301~N1*ST*North*92*N1~"
    "HL*2*1*O~PRF*4500001~HL*3*2*I~LIN*10*BP*P-100~SN1**12*EA~CTT*3~SE*12*0007~"
)
INVOICE = "ST*810*0007~BIG*20260301*4711~TDS*100~SE*4*0007~"


def interchange(sender: str = "ACMEINC", sets: str = SHIP_NOTICE) -> bytes:
    return ENVELOPE.format(sender=sender, sets=sets).encode()


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stock"
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@dataclass(frozen=True)
class Bad:
    """A bad file, the finding it must lead to, and where that finding must point."""

    name: str
    content: bytes
    code: str
    place: str
    quarantined: bool = True
    partner: str = ""  #: of the channel, where the bytes carry none


CASES = {
    "unknown sender": Bad("stranger.edi", interchange("STRANGER"), "partner.unknown", "set 0007", quarantined=False),
    "unknown document type": Bad(
        "invoice.edi", interchange(sets=INVOICE), "document.unmapped", "set 0007", quarantined=False
    ),
    "unreadable file": Bad(
        "photo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "payload.unrecognised", "photo.png"
    ),
    "empty file": Bad("upload.edi", b"", "payload.empty", "upload.edi"),
    "truncated interchange": Bad("cut.edi", interchange()[:-90], "set.truncated", "after segment", quarantined=False),
    "truncated workbook": Bad(
        "cut.xlsx",
        workbook(["Part", "Plant", "Qty"], ["P-100", "N1", 4])[:-400],
        "workbook.damaged",
        "",
        partner="ACME",
    ),
    "wrong encoding": Bad("utf16.edi", interchange().decode().encode("utf-16"), "payload.unrecognised", "utf16.edi"),
    "workbook without the expected header": Bad(
        "notes.xlsx", workbook(["Dear all"], ["see you on Monday"]), "workbook.header_missing", "Stock", partner="ACME"
    ),
}


@contextmanager
def opened(installation: Installation) -> Iterator[Dock]:
    with Dock.open(installation.settings) as dock:
        yield dock


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input_is_found_archived_and_listed_and_stops_nothing_else(
    known: Installation, orders: Orders, case: Bad
) -> None:
    known.drop(case.name, case.content)
    known.drop("good.jsonl", orders(("1", "10")))
    if case.partner:
        channel = known.home / "channels" / "inbox.yaml"
        channel.write_text(f"{channel.read_text()}partner: {case.partner}\n")

    ran = known.run("run")

    assert ran.exit_code == 0, ran.stderr
    with opened(known) as dock:
        (payload,) = [one for one in dock.ledger.payloads() if one["name"] == case.name]
        found = {finding["code"]: finding for finding in dock.ledger.findings(payload=payload["id"])}
        assert case.code in found
        assert found[case.code]["severity"] == "error"
        assert case.place in found[case.code]["location"]
        assert found[case.code]["expected"]
        assert dock.archive.verify(payload["sha256"])
        assert (payload["status"] == "quarantined") is case.quarantined
        assert [event.subject.split("/")[2] for event in dock.ledger.events()] == ["1"]
    status = known.run("status").stdout
    assert case.name in status
    assert case.code in status


def test_a_wrong_encoding_that_can_be_guessed_is_read_and_said(known: Installation) -> None:
    sheet = "Part;Plant;Qty;Unit;As of;Remark\nP-100;N1;12;EA;2026-03-01;Gehäuse für Prüfstand\n"
    path = known.drop("stock.csv", sheet.encode("cp1252"))

    shown = known.run("check", "--partner", "ACME", str(path))

    assert "workbook.encoding_guessed" in shown.stdout
    assert shown.exit_code == 0


def test_a_locked_ledger_is_told_as_passing_and_the_next_run_goes_on(known: Installation, orders: Orders) -> None:
    landed = known.drop("po.jsonl", orders(("1", "10")))
    url = known.settings.ledger_url
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        with opened(known) as dock:
            dock.ledger = Ledger.open(url, patience=0.1)
            run = dock.run()
        another.execute("ROLLBACK")

    assert {type(error) for error in run.errors} == {TransientError}
    assert "locked" in str(run.errors[0])
    assert landed.exists()

    again = run_once(known)
    assert (again.channels[0].events, again.errors) == (1, ())


def test_a_ledger_that_is_away_is_told_in_a_sentence_with_an_exit_code_of_its_own(known: Installation) -> None:
    known.environment["CROSSDOCK_LEDGER"] = "postgresql://nobody@127.0.0.1:1/none"

    result = known.run("run")

    assert result.exit_code == 3
    assert "not now: the ledger's database is not available: the server is away" in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_full_disk_leaves_the_file_at_its_source_until_there_is_room(known: Installation, orders: Orders) -> None:
    landed = known.drop("po.jsonl", orders(("1", "10")))
    with opened(known) as dock:
        dock.archive = Archive(known.settings.archive, opener=full_disk)
        run = dock.run()

    (error,) = run.errors
    assert isinstance(error, PermanentError)
    assert str(known.settings.archive) in str(error)
    assert error.hint
    assert landed.exists()
    assert list(known.settings.archive.rglob("*.part")) == []

    again = run_once(known)
    assert (again.channels[0].received, again.channels[0].events, again.errors) == (1, 1, ())
    assert not landed.exists()


def test_a_ledger_whose_disk_is_full_keeps_the_payload_waiting(known: Installation, orders: Orders) -> None:
    known.drop("po.jsonl", orders(*((str(number), "10") for number in range(500))))
    url = known.settings.ledger_url
    with opened(known) as dock:
        dock.receive("inbox")
        dock.ledger = quota(Ledger.open(url, patience=0.1))
        run = dock.run()

    assert {type(error) for error in run.errors} == {PermanentError}
    assert "full" in str(run.errors[0])

    again = run_once(known)
    assert (again.channels[0].events, again.errors) == (500, ())


def full_disk(path: Path) -> BinaryIO:
    """A file on a device that takes nothing (Linux's /dev/full), under the name it was asked for."""
    path.touch()
    return Path("/dev/full").open("wb", buffering=0)


def quota(ledger: Ledger) -> Ledger:
    """The ledger, its database allowed not one page more than it has."""
    with ledger._database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    return ledger


def run_once(installation: Installation) -> Run:
    with opened(installation) as dock:
        return dock.run()
