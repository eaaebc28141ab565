"""Payloads are noted once and never lost sight of."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crossdock.ledger import Ledger
from schemas.errors import PermanentError


def test_the_same_arrival_is_noted_once(ledger: Ledger, workshop) -> None:
    first = workshop.payload(ledger, content="same", key="a.edi")
    again = workshop.payload(ledger, content="same", key="a.edi")
    assert again == first
    assert ledger.waiting() == [first.id]


def test_same_bytes_under_another_name_are_a_duplicate_of_the_first(ledger: Ledger, workshop) -> None:
    first = workshop.payload(ledger, content="same", key="a.edi")
    second = workshop.payload(ledger, content="same", key="b.edi")
    third = workshop.payload(ledger, content="same", key="c.edi")
    elsewhere = workshop.payload(ledger, content="same", key="a.edi", channel="mail")
    assert (first.duplicate_of, second.duplicate_of, third.duplicate_of) == (None, first.id, first.id)
    assert elsewhere.duplicate_of is None
    assert workshop.payload(ledger, content="same", key="a.edi").duplicate_of is None


def test_other_bytes_under_the_same_name_are_another_payload(ledger: Ledger, workshop) -> None:
    first = workshop.payload(ledger, content="one", key="a.edi")
    second = workshop.payload(ledger, content="two", key="a.edi")
    assert second.id != first.id
    assert second.duplicate_of is None


def test_a_record_keeps_what_it_was_given(ledger: Ledger) -> None:
    given = datetime.fromisoformat("2026-03-01T09:30:00.123456+01:00")
    record = ledger.record_payload(
        sha256="b" * 64,
        size=17,
        channel="mail",
        key="k",
        name="Bestellung März.xlsx",
        received_at=given,
        metadata={"from": "sales@acme.example", "subject": "注文"},
    )
    assert ledger.payload(record.id) == record
    assert record.received_at == given
    assert record.received_at.tzinfo is UTC
    assert record.metadata == {"from": "sales@acme.example", "subject": "注文"}
    assert (record.size, record.status, record.parent) == (17, "received", None)


def test_text_that_no_database_takes_is_kept_readable(ledger: Ledger) -> None:
    record = ledger.record_payload(
        sha256="c" * 64,
        size=1,
        channel="edi",
        key="a\0b",
        name="caf\udce9.edi",
        received_at=datetime.now(UTC),
        metadata={"path": "/in/caf\udce9\0.edi"},
    )
    assert ledger.payload(record.id).name == "caf?.edi"
    assert ledger.payload(record.id).metadata == {"path": "/in/caf?\ufffd.edi"}


def test_a_naive_time_is_refused(ledger: Ledger) -> None:
    with pytest.raises(PermanentError, match="naive"):
        ledger.record_payload(
            sha256="c" * 64,
            size=1,
            channel="edi",
            key="k",
            name="n",
            received_at=datetime.now(UTC).replace(tzinfo=None),
            metadata={},
        )


def test_waiting_is_oldest_first_bounded_and_by_channel(ledger: Ledger, workshop) -> None:
    ids = [workshop.payload(ledger, channel=channel).id for channel in ("edi", "mail", "edi", "mail")]
    assert ledger.waiting() == ids
    assert ledger.waiting("mail") == [ids[1], ids[3]]
    assert ledger.waiting(limit=3) == ids[:3]


def test_what_is_stored_quarantined_or_unpacked_waits_no_more(ledger: Ledger, workshop) -> None:
    stored, quarantined, waiting = (workshop.payload(ledger) for _ in range(3))
    ledger.store(stored.id, ())
    ledger.quarantine(quarantined.id, [workshop.finding("payload.unreadable")])
    mail = ledger.record_payload(
        sha256="d" * 64,
        size=1,
        channel="edi",
        key="mail",
        name="m.eml",
        received_at=datetime.now(UTC),
        metadata={},
        status="unpacked",
    )
    assert ledger.waiting() == [waiting.id]
    assert ledger.payload(stored.id).status == "translated"
    assert ledger.payload(quarantined.id).status == "quarantined"
    assert ledger.payload(mail.id).status == "unpacked"
    assert [row["id"] for row in ledger.payloads(status="quarantined")] == [quarantined.id]


def test_a_quarantined_payload_can_be_let_wait_again(ledger: Ledger, workshop) -> None:
    quarantined, done = workshop.payload(ledger), workshop.payload(ledger)
    ledger.quarantine(quarantined.id, [])
    ledger.store(done.id, ())
    assert ledger.requeue([quarantined.id, done.id]) == 1
    assert ledger.waiting() == [quarantined.id]


def test_quarantine_of_a_finished_payload_changes_nothing(ledger: Ledger, workshop) -> None:
    payload = workshop.payload(ledger)
    ledger.store(payload.id, ())
    ledger.quarantine(payload.id, [workshop.finding()])
    assert ledger.payload(payload.id).status == "translated"
    assert ledger.findings() == []


def test_parts_of_a_mail_know_their_mail_and_its_findings_are_noted_once(ledger: Ledger, workshop) -> None:
    mail = ledger.record_payload(
        sha256="e" * 64,
        size=1,
        channel="mail",
        key="m",
        name="m.eml",
        received_at=datetime.now(UTC),
        metadata={},
        status="unpacked",
    )
    part = ledger.record_payload(
        sha256="f" * 64,
        size=1,
        channel="mail",
        key="m#2",
        name="a.xlsx",
        received_at=datetime.now(UTC),
        metadata={},
        parent=mail.id,
    )
    for _ in range(2):
        ledger.note_unpacked(mail.id, [workshop.finding("mail.part_unreadable")])
    assert part.parent == mail.id
    assert ledger.payload(mail.id).status == "unpacked"
    assert [row["code"] for row in ledger.findings(payload=mail.id)] == ["mail.part_unreadable"]


def test_a_mail_of_which_nothing_could_be_had_is_quarantined(ledger: Ledger, workshop) -> None:
    mail = ledger.record_payload(
        sha256="e" * 64,
        size=1,
        channel="mail",
        key="m",
        name="m.eml",
        received_at=datetime.now(UTC),
        metadata={},
        status="unpacked",
    )
    ledger.note_unpacked(mail.id, [workshop.finding("mail.unreadable")])
    assert ledger.payload(mail.id).status == "quarantined"


def test_an_unknown_payload_is_a_permanent_error(ledger: Ledger) -> None:
    with pytest.raises(PermanentError, match="no payload 77"):
        ledger.payload(77)
