"""Mail taken apart: names, nesting, what is passed over, and the headers that go along."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats import mail
from connectors.formats.mail import Attachment
from schemas.findings import Finding, Severity


def unpacked(raw: bytes) -> tuple[list[Attachment], list[Finding]]:
    items = list(mail.unpack(io.BytesIO(raw)))
    return (
        [item for item in items if isinstance(item, Attachment)],
        [item for item in items if isinstance(item, Finding)],
    )


def message(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in {"From": "Ana <Ana@Acme.Example>", "Message-ID": "<1@acme.example>", **headers}.items():
        made[name.replace("_", "-")] = value
    made.set_content("Please find attached.")
    return made


def attach(made: EmailMessage, data: bytes, name: str | None, kind: str = "application/octet-stream") -> EmailMessage:
    main, _, sub = kind.partition("/")
    made.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return made


def test_an_attachment_with_the_headers_that_tell_who_sent_it() -> None:
    made = message(
        Subject="Stock =?utf-8?q?f=C3=BCr?= May",
        Date="Fri, 1 May 2026 10:00:00 +0200",
        Authentication_Results="mx.example; spf=pass; dkim=pass",
        To="supply@us.example",
    )
    (sheet,), findings = unpacked(attach(made, b"a;b\n", "stock.csv", "text/csv").as_bytes())
    assert findings == []
    assert (sheet.name, sheet.data, sheet.content_type) == ("stock.csv", b"a;b\n", "text/csv")
    assert sheet.key == f"<1@acme.example>#2#{sheet.sha256}"
    assert sheet.metadata == {
        "from": "ana@acme.example",
        "from_header": "Ana <Ana@Acme.Example>",
        "to": "supply@us.example",
        "subject": "Stock für May",
        "date": "2026-05-01T10:00:00+02:00",
        "message_id": "<1@acme.example>",
        "authentication_results": "mx.example; spf=pass; dkim=pass",
        "part": "2",
        "content_type": "text/csv",
    }


def test_the_files_of_a_zip_file_are_attachments_of_their_own() -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("May/stock.csv", "a;b\n")
        archive.writestr("May/notice.edi", "ISA*")
    made = attach(attach(message(), zipped.getvalue(), "may.zip", "application/zip"), b"PK\x03\x04", "broken.zip")
    files, (finding,) = unpacked(made.as_bytes())
    assert [(one.name, one.data, one.metadata["zipped_in"]) for one in files] == [
        ("stock.csv", b"a;b\n", "may.zip"),
        ("notice.edi", b"ISA*", "may.zip"),
    ]
    assert files[0].key == f"<1@acme.example>#2/May/stock.csv#{files[0].sha256}"
    assert (finding.code, finding.severity, finding.value) == ("mail.zip_unreadable", Severity.ERROR, "broken.zip")


def test_who_has_doubts_is_asked_and_programs_are_noticed() -> None:
    made = message(
        Authentication_Results="mx.example; spf=pass", Auto_Submitted="auto-replied", References="<0@acme.example>"
    )
    asked = []

    def doubts(results: Sequence[str], sender: str) -> str | None:
        asked.append((list(results), sender))
        return "it looks odd"

    raw = attach(made, b"a;b\n", "stock.csv").as_bytes()
    (sheet,) = (one for one in mail.unpack(io.BytesIO(raw), doubts=doubts) if isinstance(one, Attachment))
    assert asked == [(["mx.example; spf=pass"], "ana@acme.example")]
    assert sheet.metadata["doubt"] == "it looks odd"
    assert sheet.metadata["automatic"] == "Auto-Submitted: auto-replied"
    assert sheet.metadata["references"] == "<0@acme.example>"


def test_two_attachments_of_one_name_are_two() -> None:
    made = attach(attach(message(), b"one", "stock.xlsx"), b"two", "stock.xlsx")
    sheets, _ = unpacked(made.as_bytes())
    assert [sheet.data for sheet in sheets] == [b"one", b"two"]
    assert len({sheet.key for sheet in sheets}) == 2


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'attachment; filename="stock.csv"', "stock.csv"),
        (b"attachment; filename*=utf-8''Best%C3%A4nde%20Mai.csv", "Bestände Mai.csv"),
        (b"attachment; filename*0*=utf-8''Best%C3%A4nde; filename*1=\"-Mai.csv\"", "Bestände-Mai.csv"),
        (b'attachment; filename="=?utf-8?B?QmVzdMOkbmRlLmNzdg==?="', "Bestände.csv"),
        (b'attachment; filename="C:\\\\stock\\\\a.csv"', "a.csv"),
        (b'attachment; filename="../../etc/passwd"', "passwd"),
        (b"attachment", "part-2"),
    ],
)
def test_names_as_programs_write_them(header: bytes, name: str) -> None:
    raw = (
        b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n"
        b"--X\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--X\r\nContent-Type: application/octet-stream\r\nContent-Disposition: " + header + b"\r\n\r\na;b\r\n--X--\r\n"
    )
    (sheet,), _ = unpacked(raw)
    assert sheet.name == name


def test_a_name_that_stands_only_in_the_content_type() -> None:
    raw = (
        b'From: a@b.example\r\nContent-Type: application/octet-stream; name="stock.csv"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nYTti\r\n"
    )
    (sheet,), _ = unpacked(raw)
    assert (sheet.name, sheet.data) == ("stock.csv", b"a;b")


def test_a_forwarded_message_is_opened_and_its_carrier_sent_it() -> None:
    inner = attach(message(From="origin@supplier.example"), b"rows", "stock.csv")
    outer = message()
    outer.add_attachment(inner)
    (sheet,), _ = unpacked(outer.as_bytes())
    assert (sheet.name, sheet.data, sheet.metadata["from"]) == ("stock.csv", b"rows", "ana@acme.example")


def test_an_inline_sheet_counts() -> None:
    made = message()
    made.add_attachment(b"a;b", maintype="text", subtype="csv", filename="stock.csv", disposition="inline")
    assert len(unpacked(made.as_bytes())[0]) == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [("image/png", "logo.png"), ("application/pgp-signature", "signature.asc"), ("text/calendar", "invite.ics")],
)
def test_what_is_no_document_is_passed_over_and_noted(kind: str, name: str) -> None:
    sheets, findings = unpacked(attach(attach(message(), b"x", name, kind), b"a;b", "stock.csv").as_bytes())
    assert [sheet.name for sheet in sheets] == ["stock.csv"]
    assert [(f.code, f.severity, f.value) for f in findings] == [("mail.part_passed_over", Severity.INFO, name)]


def test_outlooks_own_format_is_reported() -> None:
    _, findings = unpacked(attach(message(), b"x", "winmail.dat", "application/ms-tnef").as_bytes())
    assert [f.code for f in findings] == ["mail.winmail", "mail.nothing_attached"]


@pytest.mark.parametrize("raw", [b"", b"From: a@b\n\nhello", message().as_bytes()])
def test_nothing_attached_is_said(raw: bytes) -> None:
    sheets, findings = unpacked(raw)
    assert sheets == []
    assert [f.code for f in findings] == ["mail.nothing_attached"]


def test_an_empty_attachment_is_said() -> None:
    _, findings = unpacked(attach(message(), b"", "stock.csv").as_bytes())
    assert "mail.part_empty" in [f.code for f in findings]


def test_messages_within_messages_have_an_end() -> None:
    made = message()
    for _ in range(40):
        outer = message()
        outer.add_attachment(made)
        made = outer
    _, findings = unpacked(made.as_bytes())
    assert [f.code for f in findings] == ["mail.unreadable"]


@pytest.mark.parametrize(
    ("head", "name", "is_mail"),
    [
        (b"Return-Path: <a@b>\r\nReceived: from x\r\n by y\r\nFrom: a@b\r\nSubject: z\r\n\r\n", "", True),
        (b"anything", "a.EML", True),
        (b"From a@b Fri May  1 10:00:00 2026\n", "", True),
        (b"ISA*00*          *", "a.edi", False),
        (b"Date: 1\nPart;Qty\n", "stock.csv", False),
        (b"", "", False),
    ],
)
def test_mail_is_recognised(head: bytes, name: str, is_mail: bool) -> None:
    assert mail.recognises(head, name) is is_mail


@given(st.binary(max_size=500), st.booleans())
def test_garbage_never_raises(garbage: bytes, after_a_head: bool) -> None:
    head = (
        b"From: =?x?b?\xff?=\r\nDate: \x00\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n"
        if after_a_head
        else b""
    )
    attachments, findings = unpacked(head + garbage)
    assert attachments or findings


@given(st.data())
def test_damaged_mail_never_raises(data: st.DataObject) -> None:
    raw = bytearray(attach(attach(message(), b"x" * 50, "Bestände.csv"), b"y", "b.xlsx").as_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    attachments, findings = unpacked(bytes(raw))
    assert attachments or findings


def test_real_files_stay_what_they_are(tmp_path: Path) -> None:
    """Every byte value survives the way through base64 and quoted-printable."""
    data = bytes(range(256)) * 300
    (sheet,), _ = unpacked(attach(message(), data, "all.bin").as_bytes())
    assert sheet.data == data
