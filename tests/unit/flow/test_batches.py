"""Batches of events and their expectations: held, parked or remarked on, in the ledger and by the command."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock
from crossdock.ledger import PayloadRecord
from crossdock.stages import batches
from crossdock.stages.batches import Gate
from crossdock.translation import Document, DocumentOpened
from schemas.documents import DocumentStart
from tests.masters import in_force

pytestmark = pytest.mark.usefixtures("under_frames")

if TYPE_CHECKING:
    from conftest import Installation

HEADER = "Item,Site,On hand,Unit,As of\n"


def agree(known: Installation, batches: str) -> Installation:
    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + f"batches: {batches}\n")
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    return known


def take_in(known: Installation, *rows: str, name: str = "stock.csv") -> None:
    known.drop(name, HEADER + "".join(f"{row}\n" for row in rows))
    known.run("run")


def told(known: Installation, *arguments: str) -> list[dict]:
    return [json.loads(line) for line in known.run("batches", "--json", *arguments).stdout.splitlines()]


def events(known: Installation) -> int:
    return len(known.run("events", "--jsonl").stdout.splitlines())


def lines(count: int, item: str = "P-100") -> list[str]:
    return [f"{item},N1,{n},EA,2026-03-01" for n in range(1, count + 1)]


def test_nothing_is_expected_of_who_agreed_on_nothing(known: Installation) -> None:
    take_in(known, *lines(3))
    assert told(known) == []
    assert "batches:" in known.run("batches").stdout


def test_who_agreed_on_nothing_does_not_wait_for_others_batches(known: Installation) -> None:
    start = DocumentStart(ordinal=1, type="workbook.stock")
    opened = [
        DocumentOpened(
            document=Document(id=who, payload="", start=start, partner=who, mapping=None, mapping_version="")
        )
        for who in ("OTHER", "ACME")
    ]
    known.drop("stock.csv", HEADER)
    known.run("run")
    with Dock.open(agree(known, "{}").settings) as dock:
        record: PayloadRecord = dock.ledger.payload(1)
        coming = iter(opened)
        passed = Gate(record, dock.ledger, dock.context().library).guarded(coming)
        assert next(iter(passed)) == opened[0]
        assert list(coming) == opened[1:]


def test_every_batch_has_a_verdict_in_the_ledger(known: Installation) -> None:
    take_in(agree(known, "{policies: {stale: off, repeated: off}}"), *lines(12))
    (one,) = told(known)
    assert (one["partner"], one["type"], one["outcome"], one["rows"]) == ("ACME", "workbook.stock", "passed", 12)
    assert (one["suite"], one["missed"], one["documents"]) == ("events_inventory", [], 1)


def test_what_misses_an_expectation_of_policy_warn_is_published_and_remarked_on(known: Installation) -> None:
    take_in(agree(known, "{policies: {repeated: off}}"), "P-100,N1,1,EA,2019-03-01")
    (one,) = told(known, "--outcome", "warned")
    assert [missed["code"] for missed in one["missed"]] == ["batch.stale"]
    assert events(known) == 1
    found = known.run("findings", "--severity", "warning", "--json").stdout
    assert "batch.stale" in found
    assert "2019-03-01" in found


def test_a_batch_full_of_unknown_items_is_stopped_until_a_person_lets_it_through(known: Installation) -> None:
    agree(known, "{policies: {stale: off, repeated: off}}")
    take_in(known, *lines(8), *lines(4, "P-999"))
    assert events(known) == 0
    (one,) = told(known)
    assert (one["outcome"], one["payload_status"]) == ("stopped", "quarantined")
    (missed,) = one["missed"]
    assert (missed["code"], missed["count"], missed["samples"]) == ("batch.unknown_items", 4, ["P-999"])
    shown = known.run("batches").stdout
    assert "held payload 1" in shown
    assert "4 of 12 lines" in shown

    done = known.run("confirm", str(one["payload_id"]), "--reason", "new items, to follow")
    assert done.exit_code == 0, done.output
    assert events(known) == 8
    assert len(known.run("parked", "--json").stdout.splitlines()) == 4


def ship_notices(sender: str, *items: str) -> bytes:
    """An interchange with a notice of so many lines."""
    lines = [
        [("HL", str(n), "1", "I"), ("LIN", str(n), "BP", item), ("SN1", "", "5", "EA")]
        for n, item in enumerate(items, 2)
    ]
    head = [("BSN", "00", f"{sender}-1", "20260301", "1200"), ("HL", "1", "", "S"), ("N1", "ST", "", "92", "N1")]
    notice = [*head, *chain.from_iterable(lines), ("CTT", str(len(items)))]
    envelope = Envelope(
        sender=f"ZZ:{sender}", receiver="ZZ:US", control_number=1, written_at=datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    group = Group(
        code="SH", sender=sender, receiver="US", control_number=1, release="004010", sets=[("856", "0001", notice)]
    )
    return b"".join(write_interchange(envelope, [group]))


def test_whose_documents_came_before_is_not_held_with_anothers_batch(known: Installation) -> None:
    """One file with two interchanges: ACME's, of whom nothing is expected, then OTHER's, with many unknown items."""
    (known.home / "partners" / "other.yaml").write_text(
        'partner: OTHER\nidentities: {x12: ["ZZ:OTHERINC"]}\ndocuments: {x12.856: {on_error: park_lines}}\n'
        "batches: {policies: {stale: off, repeated: off}}\n"
    )
    with Dock.open(known.settings) as dock:
        in_force(dock, "partners", *({"partner": name, "name": name} for name in ("ACME", "OTHER")))
    theirs = ship_notices("OTHERINC", *["P-100"] * 12, *["P-999"] * 8)
    known.drop("asn.edi", ship_notices("ACMEINC", "P-100", "P-200") + theirs)

    def stored() -> Counter[str]:
        with Dock.open(known.settings) as dock:
            return Counter(event.partner for event in dock.ledger.events())

    for _ in range(2):  # the second run takes nothing of it either: somebody has to look first
        known.run("run")
        assert stored() == {"ACME": 2}
    (one,) = told(known)
    assert (one["partner"], one["outcome"], one["payload_status"]) == ("OTHER", "stopped", "quarantined")
    assert known.run("confirm", str(one["payload_id"]), "--reason", "new items").exit_code == 0
    assert stored() == {"ACME": 2, "OTHER": 12}


def test_a_share_of_a_few_lines_stops_nothing(known: Installation) -> None:
    agree(known, "{policies: {stale: off, repeated: off}}")
    take_in(known, "P-100,N1,1,EA,2026-03-01", "P-999,N1,1,EA,2026-03-01")
    assert events(known) == 1


def test_a_row_whose_policy_is_park_waits_also_when_it_is_read_again_until_a_person_lets_it_through(
    known: Installation,
) -> None:
    agree(known, "{policies: {stale: park}}")
    take_in(known, "P-100,N1,1,EA,2026-11-01", "P-200,N1,2,EA,2019-03-01")
    assert events(known) == 1
    (one,) = told(known, "--outcome", "parked")
    assert one["payload_status"] == "translated"
    (waiting,) = [json.loads(line) for line in known.run("parked", "--json").stdout.splitlines()]
    assert waiting["cause"] == "batch.stale"

    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text().replace("Acme Pumps", "Acme Incorporated"))
    assert known.run("release").exit_code == 0
    assert events(known) == 1

    done = known.run("confirm", str(one["payload_id"]), "--reason", "a late count")
    assert "1 lines released" in done.output
    assert events(known) == 2
    assert known.run("confirm", str(one["payload_id"]), "--reason", "again").exit_code == 2


def test_a_large_document_goes_ahead_and_is_stopped_at_its_end(
    known: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "TOGETHER", 5_000)
    agree(known, "{policies: {stale: off, repeated: off}}")
    take_in(known, *lines(12_000), *lines(9_000, "P-999"))
    assert events(known) == 0
    (one,) = told(known)
    assert (one["outcome"], one["rows"]) == ("stopped", 21_000)


@pytest.mark.parametrize(("unknown", "published"), [(0, 60), (30, 0)])
def test_however_much_a_payload_holds_it_is_judged_as_a_whole(
    known: Installation, monkeypatch: pytest.MonkeyPatch, unknown: int, published: int
) -> None:
    monkeypatch.setattr(batches, "TOGETHER", 10)
    agree(known, "{policies: {stale: off, repeated: off}}")
    book = Workbook(write_only=True)
    for number, item in enumerate(("P-100", "P-200", "P-999" if unknown else "P-100"), 1):
        sheet = book.create_sheet(f"Stock {number}")
        sheet.append(["Item", "Site", "On hand", "Unit", "As of"])
        for row in range(1, 1 + (unknown if item == "P-999" else 20)):
            sheet.append([item, "N1", 100 * number + row, "EA", "2026-03-01"])
    book.save(known.home / "in" / "stock.xlsx")
    known.run("run")
    (one,) = told(known)
    assert (one["rows"], one["documents"]) == (60 if not unknown else 70, 3)
    assert events(known) == published


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ("{unknown_itens: warn}", "did you mean 'unknown_items'"),
        ("{unusual_lines: park}", "cannot be parked"),
        ("{stale: loudly}", "stop"),
    ],
)
def test_a_policy_that_makes_no_sense_is_told(known: Installation, policies: str, said: str) -> None:
    agree(known, f"{{policies: {policies}}}")
    done = known.run("lint")
    assert done.exit_code != 0
    assert said in done.output
