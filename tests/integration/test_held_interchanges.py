"""Interchanges held back for their number: kept, used after all, dropped; and two of them at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock
from crossdock.ledger.claims import Claims
from crossdock.ledger.database import Database
from crossdock.mending import interchanges
from crossdock.settings import Settings
from crossdock.uploads import uploads
from schemas.errors import PermanentError, TransientError

PARTNER = """\
partner: ACME
identities: {x12: ["ZZ:ACMEINC"]}
documents: {x12.856: {fields: {item: "LIN[BP]", site: {const: BER}, unit: {const: EA}}}}
acknowledge: {functional: 997, within: 30m}
"""
OUTBOX = """\
outlet: edi-outbox
carries: documents
sink: {kind: folder, path: outbox}
"""


@pytest.fixture
def settings(on_both: Settings) -> Settings:
    (on_both.home / "partners" / "acme.yaml").write_text(PARTNER)
    (on_both.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    return on_both


@pytest.fixture
def dock(settings: Settings) -> Iterator[Dock]:
    with Dock.open(settings) as opened:
        yield opened


def interchange(control: int, shipment: str) -> bytes:
    rows = [
        ("BSN", "00", shipment, "20260301", "1200"), ("HL", "1", "", "S"), ("HL", "2", "1", "O"), ("PRF", "4500001"),
        ("HL", "3", "2", "I"), ("LIN", "1", "BP", "P-1"), ("SN1", "1", "5", "EA"),
    ]  # fmt: skip
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=control, written_at=datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    group = Group(
        code="SH", sender="ACMEINC", receiver="US", control_number=control, release="004010",
        sets=[("856", "0001", rows)],
    )  # fmt: skip
    return b"".join(write_interchange(envelope, [group]))


def come_in(dock: Dock, name: str, content: bytes) -> dict[str, int]:
    """What was answered."""
    (dock.settings.home / "in" / name).write_bytes(content)
    done = dock.run()
    assert not done.errors
    return dict(done.responded.sent)


def shipments(dock: Dock) -> list[str]:
    return [event.subject.split("/")[2] for event in dock.ledger.events()]


def held(dock: Dock, status: str = "held") -> list[tuple[str, str]]:
    return [(row["control_number"], row["code"]) for row in dock.ledger.held_interchanges(status=status)]


def test_it_stays_held_however_often_it_comes(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(7, "S1"))
    assert come_in(dock, "2.edi", interchange(7, "S2")) == {"TA1": 1}
    assert come_in(dock, "3.edi", b"\n" + interchange(7, "S2")) == {"TA1": 1}
    assert shipments(dock) == ["S1"]
    assert held(dock) == [("000000007", "interchange.altered")] * 2


def test_used_after_all(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(7, "S1"))
    come_in(dock, "2.edi", b"\r\n" + interchange(8, "S8") + interchange(7, "S2"))
    assert shipments(dock) == ["S1", "S8"]
    (row,) = dock.ledger.held_interchanges(status="held")
    payload = interchanges.use(row["id"], "they reused the number", ledger=dock.ledger, archive=dock.archive)
    done = dock.run()
    assert (dock.ledger.payload(payload).status, done.responded.sent) == ("translated", {"997": 1})
    assert shipments(dock) == ["S1", "S8", "S2"]
    (row,) = dock.ledger.held_interchanges()
    assert (row["status"], row["reason"]) == ("used", "they reused the number")
    assert come_in(dock, "3.edi", interchange(7, "S2") + b"\n") == {"997": 1}  # now it is known, and sent again
    with pytest.raises(PermanentError, match="used already: they reused the number"):
        interchanges.use(row["id"], "twice", ledger=dock.ledger, archive=dock.archive)


def test_nobody_takes_a_number_away_by_handing_over_under_the_name_of_another(settings: Settings) -> None:
    (settings.home / "partners" / "other.yaml").write_text("partner: OTHER\n")
    with Dock.open(settings) as dock:
        dock.run()  # master data
        uploads(dock)(interchange(7, "S1"), "forged.edi", "OTHER")
        come_in(dock, "1.edi", interchange(7, "S2"))
        assert "S2" in shipments(dock)
        assert held(dock) == []


def test_dropped(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(7, "S1"))
    come_in(dock, "2.edi", interchange(7, "S2"))
    (row,) = dock.ledger.held_interchanges()
    dock.ledger.drop_interchange(row["id"], "a test file of theirs")
    assert (held(dock), held(dock, "dropped")) == ([], [("000000007", "interchange.altered")])
    with pytest.raises(PermanentError, match="dropped already"):
        dock.ledger.drop_interchange(row["id"], "again")
    with pytest.raises(PermanentError, match="no interchange 999"):
        dock.ledger.drop_interchange(999, "what")


def test_a_number_out_of_order_can_be_used_too(dock: Dock) -> None:
    (dock.settings.partners / "acme.yaml").write_text(f"{PARTNER}control_numbers: reject\n")
    come_in(dock, "1.edi", interchange(1, "S1"))
    come_in(dock, "4.edi", interchange(4, "S4"))
    assert held(dock) == [("000000004", "interchange.gap")]
    (row,) = dock.ledger.held_interchanges()
    interchanges.use(row["id"], "2 and 3 were never sent", ledger=dock.ledger, archive=dock.archive)
    dock.run()
    assert shipments(dock) == ["S1", "S4"]


def _read(settings: Settings, name: str, barrier: object) -> None:
    with Dock.open(settings) as dock:
        (id,) = [id for id in dock.ledger.waiting() if dock.ledger.payload(id).name == name]
        dock.ledger.master_version()
        barrier.wait(120)  # type: ignore[attr-defined]
        dock.translate([id])


def test_two_at_the_same_moment_see_each_other(dock: Dock) -> None:
    for round_ in range(3):
        names = [f"{round_}-{one}.edi" for one in "ab"]
        for name in names:
            (dock.settings.home / "in" / name).write_bytes(interchange(round_ + 1, f"S-{name}"))
        dock.receive("inbox")
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(2)
        both = [context.Process(target=_read, args=(dock.settings, name, barrier)) for name in names]
        for one in both:
            one.start()
        for one in both:
            one.join(300)
        assert [one.exitcode for one in both] == [0, 0]
        assert len(shipments(dock)) == len(held(dock)) == round_ + 1


def test_a_claim_is_waited_for_and_ends_with_its_holder(settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.ledger_url)
    database.migrate()
    with Claims(database) as first:
        first.take("a")
        first.take("a")
        with Claims(database, patience=0.1) as second:
            second.take("b")
            with pytest.raises(TransientError, match="same control number"):
                second.take("a")
    with Claims(database, patience=0.1) as third:
        third.take("a")
        third.take("b")
    database.close()


def test_the_command_line_lists_uses_and_drops(installation) -> None:
    (installation.home / "partners" / "acme.yaml").write_text(PARTNER)
    (installation.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    assert "no interchange was ever held back" in installation.run("run").output + installation.run("held").output
    for name, shipment in (("1", "S1"), ("2", "S2"), ("3", "S3")):
        installation.drop(f"{name}.edi", interchange(7, shipment))
        installation.run("run")
    listed = installation.run("held", "--json").output
    assert listed.count('"status":"held"') == 2
    assert "altered" in installation.run("held").output
    used = installation.run("held", "use", "1", "--reason", "they reused it")
    assert (used.exit_code, used.output) == (0, "1 documents, 1 events, 0 lines wait\n")
    assert installation.run("held", "drop", "2", "--reason", "a test").exit_code == 0
    assert installation.run("held", "use", "2", "--reason", "no").exit_code == 4
    assert "they reused it" in installation.run("held").output
