"""The SMTP sink against a real SMTP server: letters as they are, refusals told apart, connections made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from connectors.mailbox.letter import Enclosure, Letter
from connectors.mailbox.login import mail_login
from connectors.sinks import smtp
from schemas.errors import ConfigError, PermanentError, TransientError
from tests.mail_servers import MailHost

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LETTER = Letter(
    sender="Ravensmoor Supply <supply@ravensmoor.example>",
    to="Käthe Müller <kaethe@brightseal.example>",
    subject="Bitte 2 Stellen berichtigen",
    text="Guten Tag,\n\n.\nein Punkt allein, und eine lange Zeile: " + "ü" * 400 + "\n",
    html="<p>Guten Tag</p>",
    language="de",
    answers="<7@brightseal.example>",
    references="<1@brightseal.example> <2@brightseal.example>",
    enclosures=[Enclosure("Lager Größe.xlsx", bytes(range(256)) * 9, "application/vnd.ms-excel")],
)


@pytest.fixture
def host(mail_host: MailHost) -> MailHost:
    mail_host.letters.clear()
    return mail_host


@pytest.fixture
def open_sink(host: MailHost) -> Iterator[Callable[..., smtp.SmtpSink]]:
    opened = []

    def open_(connection: Any = None, **options: Any) -> smtp.SmtpSink:
        given = smtp.Options(conn_id="mail_out", sender="Supply <supply@ravensmoor.example>", **options)
        opened.append(smtp.SmtpSink(mail_login(connection or host.connection(), "smtp"), given))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()


def test_a_letter_arrives_as_it_was_written(host, open_sink):
    written = LETTER.write(AT)
    open_sink().put("a.eml", written)
    (taken,) = host.letters
    assert (taken.mail_from, taken.rcpt_tos) == ("supply@ravensmoor.example", ["kaethe@brightseal.example"])
    assert taken.content == written
    letter = message_from_bytes(taken.content, policy=default)
    assert letter["To"] == "Käthe Müller <kaethe@brightseal.example>"
    assert letter["In-Reply-To"] == "<7@brightseal.example>"
    assert letter["References"].split() == [
        "<1@brightseal.example>",
        "<2@brightseal.example>",
        "<7@brightseal.example>",
    ]
    assert letter["Auto-Submitted"] == "auto-replied"
    assert letter.get_body(("plain",)).get_content().replace("\r\n", "\n") == LETTER.text
    assert letter.get_body(("html",)).get_content().strip() == LETTER.html
    (file,) = letter.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Lager Größe.xlsx", bytes(range(256)) * 9)


def test_the_same_letter_has_the_same_bytes_and_another_another_id():
    assert LETTER.write(AT) == LETTER.write(AT)
    from dataclasses import replace

    other = replace(LETTER, text="Guten Abend\n").write(AT)
    assert message_from_bytes(other)["Message-ID"] != message_from_bytes(LETTER.write(AT))["Message-ID"]


@pytest.mark.parametrize(
    "evil", ["a@b.example\nBcc: c@d.example", "a@b.example, c@d.example x", "nobody", "@x", "a b@c"]
)
def test_nothing_but_one_address_is_an_address(evil):
    from dataclasses import replace

    with pytest.raises(ConfigError, match="no mail address"):
        replace(LETTER, to=evil).write(AT)


def test_line_breaks_in_what_others_wrote_start_no_header():
    from dataclasses import replace

    letter = replace(
        LETTER, subject="Re: x\r\nBcc: evil@x.example", answers="<7@b>\r\nX-Evil: 1", references="nonsense"
    )
    read = message_from_bytes(letter.write(AT))
    assert read["Bcc"] is None
    assert read["X-Evil"] is None
    assert read["In-Reply-To"] == "<7@b>"


def test_other_files_go_to_the_outlets_address_as_attachments(host, open_sink):
    open_sink(to="edi@anvilgate.example").put("997-1.edi", b"ISA*00*~")
    (file,) = message_from_bytes(host.letters[0].content, policy=default).iter_attachments()
    assert (file.get_filename(), file.get_content_type(), file.get_content()) == (
        "997-1.edi",
        "application/edi-consent",
        b"ISA*00*~",
    )
    with pytest.raises(ConfigError, match="names nobody"):
        open_sink().put("997-1.edi", b"ISA*00*~")


@pytest.mark.parametrize(
    ("said", "kind"), [("451 the disk is full", TransientError), ("554 we do not want this", PermanentError)]
)
def test_what_the_server_will_not_take_now_is_told_from_what_it_will_never_take(host, open_sink, said, kind):
    sink = open_sink()
    host.refuse = said
    with pytest.raises(kind, match=said):
        sink.put("a.eml", LETTER.write(AT))
    host.refuse = ""
    host.refuse_recipients = {"kaethe@brightseal.example": said}
    with pytest.raises(kind, match=r"does not take kaethe@brightseal[.]example"):
        sink.put("a.eml", LETTER.write(AT))
    host.refuse_recipients = {}
    sink.put("a.eml", LETTER.write(AT))
    assert len(host.letters) == 1


def test_who_is_not_let_in_and_who_is_not_believed(host, open_sink):
    with pytest.raises(PermanentError, match="lets us not in"):
        open_sink(host.connection(password="sesame")).put("a.eml", LETTER.write(AT))
    with pytest.raises(PermanentError, match="certificate"):
        open_sink(host.connection(extra={"tls": "implicit"})).put("a.eml", LETTER.write(AT))
    with pytest.raises(TransientError):
        open_sink(host.connection(port=1)).put("a.eml", LETTER.write(AT))
    assert host.letters == []


def test_a_connection_that_is_gone_is_made_again(host, open_sink):
    sink = open_sink()
    sink.put("a.eml", LETTER.write(AT))
    assert sink._server is not None
    sink._server.sock.close()
    sink.put("a.eml", LETTER.write(AT))
    assert len(host.letters) == 2


@pytest.mark.parametrize("tls", ["starttls", "none"])
def test_the_other_ways_in(tls, open_sink):
    host = MailHost(tls=tls)
    try:
        sink = open_sink(host.connection())
        sink.put("a.eml", LETTER.write(AT))
        sink.close()
        assert len(host.letters) == 1
        sink.close()
    finally:
        host.remove()


@pytest.mark.parametrize(
    ("tls", "way"), [("implicit", "XOAUTH2"), ("starttls", "XOAUTH2"), ("implicit", "OAUTHBEARER")]
)
def test_a_token_lets_us_in_in_the_way_the_server_offers(open_sink, tls, way):
    host = MailHost(tls=tls, tokens={"supply": "a-token"}, way=way)
    try:
        extra = {"tls": tls, "ca_file": str(host.folder / "server.pem")}
        sink = open_sink(host.connection(password="", extra={**extra, "access_token": "a-token"}))
        sink.put("a.eml", LETTER.write(AT))
        assert len(host.letters) == 1
        late = open_sink(host.connection(password="", extra={**extra, "access_token": "an-old-token"}))
        with pytest.raises(PermanentError, match="lets us not in"):
            late.put("b.eml", LETTER.write(AT))
        assert host.challenged == [b"" if way == "XOAUTH2" else b"\1"]
        assert len(host.letters) == 1
        sink.close()
    finally:
        host.remove()


def test_a_token_for_a_server_that_takes_none(host, open_sink):
    sink = open_sink(host.connection(extra={**host.connection().extra, "access_token": "a-token"}))
    with pytest.raises(PermanentError, match="offers neither XOAUTH2 nor OAUTHBEARER"):
        sink.put("a.eml", LETTER.write(AT))
