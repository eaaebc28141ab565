"""Archive, ledger, settle: in that order, whatever breaks."""

from __future__ import annotations

import hashlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from connectors.archive import Archive
from connectors.channel import Channel
from crossdock.ledger import Ledger
from crossdock.receive import receive
from schemas.errors import PermanentError, TransientError

CHANNEL = Channel(channel="edi", source={"kind": "folder"}, partner="ACME")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_everything_received_is_archived_noted_and_settled(ledger: Ledger, archive: Archive, make_source) -> None:
    source = make_source(a=b"first", b=b"second")
    ids = receive(CHANNEL, source, archive=archive, ledger=ledger)
    assert ledger.waiting("edi") == ids
    assert source.waiting == {}
    record = ledger.payload(ids[0])
    assert (record.name, record.key, record.sha256, record.size) == ("a", "key-a", sha(b"first"), 5)
    assert record.metadata == {"path": "a", "channel_partner": "ACME"}
    with archive.open(record.sha256) as file:
        assert file.read() == b"first"


def test_the_source_lets_go_only_of_what_archive_and_ledger_hold(ledger: Ledger, archive: Archive, make_source) -> None:
    class Checking(make_source):
        def settle(self, arrival) -> None:
            assert archive.verify(sha(self.waiting[arrival.name]))
            assert arrival.name in [row["name"] for row in ledger.payloads()]
            super().settle(arrival)

    source = Checking(a=b"first", b=b"second")
    receive(CHANNEL, source, archive=archive, ledger=ledger)
    assert source.log == ["fetch a", "settle a", "fetch b", "settle b"]


def test_no_more_than_the_limit(ledger: Ledger, archive: Archive, make_source) -> None:
    source = make_source(a=b"1", b=b"2", c=b"3")
    assert len(receive(CHANNEL, source, archive=archive, ledger=ledger, limit=2)) == 2
    assert list(source.waiting) == ["c"]


def test_an_arrival_that_comes_again_after_a_crash_is_the_same_payload(
    ledger: Ledger, archive: Archive, make_source
) -> None:
    source = make_source(a=b"first")
    source.unsettled["a"] = TransientError("killed before settling")
    with pytest.raises(TransientError, match="killed"):
        receive(CHANNEL, source, archive=archive, ledger=ledger)
    (waiting,) = ledger.waiting()
    source.unsettled.clear()
    assert receive(CHANNEL, source, archive=archive, ledger=ledger) == [waiting]
    assert ledger.waiting() == [waiting]
    ledger.store(waiting, ())
    source.waiting["a"] = b"first"
    assert receive(CHANNEL, source, archive=archive, ledger=ledger) == []
    assert source.waiting == {}


def test_same_bytes_under_another_name_are_noted_as_a_duplicate(ledger: Ledger, archive: Archive, make_source) -> None:
    first, second = receive(CHANNEL, make_source(a=b"same", b=b"same"), archive=archive, ledger=ledger)
    assert ledger.payload(second).duplicate_of == first


def test_an_arrival_that_cannot_be_had_does_not_stop_the_others(ledger: Ledger, archive: Archive, make_source) -> None:
    source = make_source(a=b"first", b=b"second", c=b"third")
    source.broken["b"] = TransientError("b changed while it was read")
    with pytest.raises(TransientError, match="b changed"):
        receive(CHANNEL, source, archive=archive, ledger=ledger)
    assert [row["name"] for row in ledger.payloads()] == ["c", "a"]
    assert list(source.waiting) == ["b"]


def test_a_source_that_fails_again_and_again_is_left_alone(ledger: Ledger, archive: Archive, make_source) -> None:
    source = make_source(**{f"n{n}": b"x" for n in range(20)})
    source.broken = {name: TransientError("away") for name in source.waiting}
    with pytest.raises(TransientError, match="away"):
        receive(CHANNEL, source, archive=archive, ledger=ledger)
    assert len(source.log) == 3


def test_arrivals_that_nobody_can_have_hold_up_no_younger_one(ledger: Ledger, archive: Archive, make_source) -> None:
    source = make_source(**{f"n{n}": b"x" for n in range(10)}, last=b"y")
    source.broken = {name: PermanentError(f"{name}: permission denied") for name in source.waiting if name != "last"}
    with pytest.raises(PermanentError, match="n0: permission denied"):
        receive(CHANNEL, source, archive=archive, ledger=ledger)
    assert [row["name"] for row in ledger.payloads()] == ["last"]


def test_a_full_archive_stops_at_once_and_the_source_keeps_everything(
    ledger: Ledger, tmp_path: Path, make_source
) -> None:
    def full(path: Path) -> object:
        raise OSError(28, "No space left on device", str(path))

    source = make_source(a=b"first", b=b"second")
    with pytest.raises(PermanentError, match="free space"):
        receive(CHANNEL, source, archive=Archive(tmp_path / "full", opener=full), ledger=ledger)  # type: ignore[arg-type]
    assert list(source.waiting) == ["a", "b"]
    assert ledger.payloads() == []


def test_a_closed_ledger_folder_stops_at_once_and_the_source_keeps_everything(
    ledger: Ledger, archive: Archive, make_source
) -> None:
    class Locked:
        def record_payload(self, **_: object) -> None:
            raise TransientError("the ledger is locked")

    source = make_source(a=b"first", b=b"second")
    with pytest.raises(TransientError, match="locked"):
        receive(CHANNEL, source, archive=archive, ledger=Locked())  # type: ignore[arg-type]
    assert source.log == ["fetch a"]


def mail(*attachments: tuple[str, bytes], sender: str = "Sales <Sales@ACME.example>") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "dock@example.org", "stock"
    message["Message-ID"] = "<1@acme.example>"
    message.set_content("see attached")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


MAILBOX = Channel(channel="mailbox", source={"kind": "maildir"})


def test_a_mail_is_a_payload_and_so_is_each_attachment(ledger: Ledger, archive: Archive, make_source) -> None:
    raw = mail(("stock.csv", b"item;qty"), ("stock.csv", b"item;quantity"))
    ids = receive(MAILBOX, make_source(m=raw), archive=archive, ledger=ledger)
    parts = [ledger.payload(id) for id in ids]
    (message,) = ledger.payloads(status="unpacked")
    assert message["sha256"] == sha(raw)
    assert [(part.name, part.sha256) for part in parts] == [
        ("stock.csv", sha(b"item;qty")),
        ("stock.csv", sha(b"item;quantity")),
    ]
    assert {part.parent for part in parts} == {message["id"]}
    assert parts[0].metadata["from"] == "sales@acme.example"
    assert ledger.waiting() == ids


def test_a_mail_taken_apart_again_after_a_crash_gives_the_same_payloads(
    ledger: Ledger, archive: Archive, make_source
) -> None:
    source = make_source(m=mail(("a.csv", b"1"), ("b.csv", b"2")))
    source.unsettled["m"] = TransientError("killed before settling")
    with pytest.raises(TransientError):
        receive(MAILBOX, source, archive=archive, ledger=ledger)
    source.unsettled.clear()
    assert receive(MAILBOX, source, archive=archive, ledger=ledger) == ledger.waiting()
    assert len(ledger.payloads()) == 3


def test_a_mail_without_a_document_is_listed_with_what_is_missing(
    ledger: Ledger, archive: Archive, make_source
) -> None:
    source = make_source(m=mail())
    assert receive(MAILBOX, source, archive=archive, ledger=ledger) == []
    assert source.waiting == {}
    (finding,) = ledger.findings()
    assert finding["code"] == "mail.nothing_attached"
    assert "attached" in finding["expected"]


def test_a_channel_with_a_fixed_format_takes_no_mail_apart(ledger: Ledger, archive: Archive, make_source) -> None:
    channel = Channel(channel="edi", source={"kind": "folder"}, format="x12")
    (id,) = receive(channel, make_source(m=mail(("a.csv", b"1"))), archive=archive, ledger=ledger)
    assert ledger.payload(id).metadata["format"] == "x12"
