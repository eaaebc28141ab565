"""A supplier mails a sheet, gets it back corrected, and sends it again: over real IMAP and SMTP servers."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any

import openpyxl
import pytest

from connectors.connections import Connection
from tests.conftest import Installation
from tests.mail_servers import Dovecot, MailHost

pytestmark = pytest.mark.integration

PARTNER = """\
partner: ACME
name: Acme Pumps
language: de
timezone: Europe/Berlin
identities: {email: ["*@acme.example"]}
documents:
  workbook.stock: {extends: standard/workbook_stock, dates: dmy}
acknowledge: {application: workbook, within: 1h, to: letters}
"""
OUTLET = """\
outlet: letters
carries: documents
sink: {kind: smtp, conn_id: mail_out, sender: "Ravensmoor Supply <supply@ravensmoor.example>"}
"""
CHANNEL = """\
channel: mail
source: {kind: imap, conn_id: mail_in, folder: %s, done: %s}
authentication: {server: mx.ravensmoor.example}
"""
PROVEN = "mx.ravensmoor.example; dmarc=pass header.from=acme.example"


class Site:
    def __init__(self, installation: Installation, dovecot: Dovecot, host: MailHost, folder: str) -> None:
        self.installation = installation
        self.dovecot = dovecot
        self.host = host
        self.folder = folder

    def mailed(self, book: bytes, **headers: str) -> None:
        """Somebody at Acme mails the workbook, and everything runs once."""
        mail = self._mail(headers)
        mail.set_content("Anbei der Bestand.")
        kind = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        mail.add_attachment(book, maintype="application", subtype=kind, filename="Bestand.xlsx")
        self._taken_in(mail)

    def pasted(self, page: str, **headers: str) -> None:
        """Somebody at Acme mails a page with a table."""
        mail = self._mail(headers)
        mail.set_content("(ohne Formatierung)")
        mail.add_alternative(page, subtype="html")
        self._taken_in(mail)

    def _mail(self, headers: Mapping[str, str]) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        usual = {
            "From": "Käthe Müller <kaethe@acme.example>", "To": "supply@ravensmoor.example", "Subject": "Bestand März",
            "Message-ID": "<1@acme.example>", "Authentication-Results": PROVEN,
        }  # fmt: skip
        for name, value in (usual | {key.replace("_", "-"): value for key, value in headers.items()}).items():
            if value:
                mail[name] = value
        return mail

    def _taken_in(self, mail: EmailMessage) -> None:
        self.dovecot.append(mail.as_bytes(), folder=self.folder)
        self.run()

    def run(self) -> None:
        ran = self.installation.run("run")
        assert ran.exit_code == 0, ran.output

    @property
    def events(self) -> dict[str, str]:
        lines = self.installation.run("events", "--jsonl").stdout.splitlines()
        told = [json.loads(line) for line in lines]
        assert len({one["id"] for one in told}) == len(told)
        return {one["subject"]: one["data"]["quantity"] for one in told}

    @property
    def letters(self) -> list[Any]:
        return [message_from_bytes(one.content, policy=default) for one in self.host.letters]


@pytest.fixture
def site(known: Installation, dovecot: Dovecot, mail_host: MailHost, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = f"in-{known.home.name}"
    client = dovecot.client()
    client.create_folder(folder)
    client.logout()
    mail_host.letters.clear()
    (known.home / "partners" / "acme.yaml").write_text(PARTNER)
    (known.home / "outlets" / "letters.yaml").write_text(OUTLET)
    (known.home / "channels" / "mail.yaml").write_text(CHANNEL % (folder, f"done-{folder}"))
    for name, one in (("MAIL_IN", dovecot.connection()), ("MAIL_OUT", mail_host.connection())):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", written(one))
    return Site(known, dovecot, mail_host, folder)


def written(one: Connection) -> str:
    given = {"conn_type": one.type, "host": one.host, "port": one.port, "login": one.login, "password": one.password}
    return json.dumps({**given, "extra": dict(one.extra)})


def workbook(quantity: object = "etwa 4") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Artikel-Nr.", "Werk", "Bestand", "ME", "Stichtag"])
    sheet.append(["P-100", "N1", 12, "EA", "01.03.2026"])
    sheet.append(["P-200", "N1", quantity, "EA", "13.03.2026"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_wrong_answered_mended_and_accepted(site: Site) -> None:
    site.mailed(workbook())
    assert site.events == {"stock/ACME/N1//P-100": "12"}
    (letter,) = site.letters
    assert letter["To"] == "kaethe@acme.example"
    assert letter["Subject"] == "Re: Bestand März"
    assert letter["In-Reply-To"] == "<1@acme.example>"
    assert letter["Content-Language"] == "de"
    text = letter.get_body(("plain",)).get_content()
    assert "Bitte eine Stelle in Bestand.xlsx berichtigen." in text
    assert "Sheet!C3 (Bestand)" in text
    assert "Übernommene Zeilen: 1. Zu berichtigende Zeilen: 1." in text
    html = letter.get_body(("html",)).get_content()
    assert '<html lang="de">' in html
    assert "Sheet!C3" in html
    (file,) = letter.iter_attachments()
    book = openpyxl.load_workbook(io.BytesIO(file.get_content()))
    book["Sheet"]["C3"].value = 4
    mended = io.BytesIO()
    book.save(mended)
    site.mailed(mended.getvalue(), Message_ID="<2@acme.example>", In_Reply_To=letter["Message-ID"])
    assert site.events == {"stock/ACME/N1//P-100": "12", "stock/ACME/N1//P-200": "4"}
    assert len(site.letters) == 1
    site.run()
    assert len(site.letters) == 1


PAGE = """<html><body><p>Guten Tag,</p><table><tr><th>Artikel-Nr.<th>Werk<th>Bestand<th>ME<th>Stichtag</tr>
<tr><td>P-100<td>N1<td>12<td>EA<td>01.03.2026</tr><tr><td>P-200<td>N1<td>etwa 4<td>EA<td>13.03.2026</tr>
</table><p>Grüße</p></body></html>"""


def test_a_table_in_the_mail_is_answered_with_a_workbook_made_of_it(site: Site) -> None:
    site.pasted(PAGE)
    assert site.events == {"stock/ACME/N1//P-100": "12"}
    (letter,) = site.letters
    text = letter.get_body(("plain",)).get_content()
    assert "Bitte eine Stelle in Bestand März berichtigen." in text
    assert "- C3 (Bestand): „etwa 4“" in text
    (file,) = letter.iter_attachments()
    assert file.get_filename() == "Bestand März-korrekturen.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(file.get_content()))
    book["Data"]["C3"].value = 4
    mended = io.BytesIO()
    book.save(mended)
    answer = {"Message_ID": "<2@acme.example>", "Subject": "AW: Bestand März", "In_Reply_To": letter["Message-ID"]}
    site.mailed(mended.getvalue(), **answer)
    assert site.events == {"stock/ACME/N1//P-100": "12", "stock/ACME/N1//P-200": "4"}
    quoting = letter.get_body(("html",)).get_content()
    site.pasted(f"<p>Danke!</p><blockquote>{quoting}</blockquote>", **answer | {"Message_ID": "<3@acme.example>"})
    site.pasted(f"<p>Was heißt das?</p>{quoting}", **answer | {"Message_ID": "<4@acme.example>"})
    assert len(site.letters) == 1


@pytest.mark.parametrize(
    "headers", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"From": "Acme <no-reply@acme.example>"}]
)
def test_what_a_program_sent_is_read_and_never_answered(site: Site, headers: dict[str, str]) -> None:
    site.mailed(workbook(), **headers)
    assert site.events == {"stock/ACME/N1//P-100": "12"}
    assert site.letters == []


@pytest.mark.parametrize(
    "headers",
    [
        {"From": "stranger@elsewhere.example", "Authentication_Results": "mx.ravensmoor.example; dmarc=pass"},
        {"Authentication_Results": "mx.ravensmoor.example; dmarc=fail header.from=acme.example"},
        {"Authentication_Results": "mx.elsewhere.example; dmarc=pass header.from=acme.example"},
        {"Authentication_Results": ""},
    ],
)
def test_strangers_and_who_pretends_to_be_a_partner_are_kept_and_not_answered(
    site: Site, headers: dict[str, str]
) -> None:
    site.mailed(workbook(), **headers)
    assert site.events == {}
    assert site.letters == []
    status = site.installation.run("status").output
    assert "Bestand.xlsx" in status


def test_a_person_vouches_for_a_mail_that_nothing_proves(site: Site) -> None:
    site.mailed(workbook(), Authentication_Results="")
    run = site.installation.run
    (waits,) = [json.loads(line) for line in run("mail", "--json").stdout.splitlines()]
    assert (waits["from"], waits["code"]) == ("kaethe@acme.example", "mail.sender_doubtful")
    assert "Bestand.xlsx" in run("mail").stdout
    assert run("mail", "release", "999", "--reason", "x").exit_code == 2
    assert run("mail", "release", str(waits["mail"])).exit_code == 2, "a reason is asked for"
    released = run("mail", "release", str(waits["mail"]), "--reason", "Käthe told us on the phone")
    assert "1 document, 1 event, 1 line waits" in released.stdout
    assert site.events == {"stock/ACME/N1//P-100": "12"}
    site.run()
    assert [letter["To"] for letter in site.letters] == ["kaethe@acme.example"]
    assert "no mail waits" in run("mail").stdout
    trail = run("audit", "--json").stdout
    assert "mail.released" in trail
    assert "Käthe told us on the phone" in trail


def test_a_person_says_whose_a_strangers_mail_is_or_turns_it_down(site: Site) -> None:
    stranger = {"From": "ana@elsewhere.example", "Authentication_Results": PROVEN.replace("acme", "elsewhere")}
    site.mailed(workbook(4), **stranger)
    site.mailed(workbook(5), Message_ID="<2@elsewhere.example>", **stranger)
    run = site.installation.run
    second, first = [json.loads(line)["payload"] for line in run("mail", "--json").stdout.splitlines()]
    refused = run("mail", "release", str(first), "--reason", "x")
    assert "no partner file claims ana@elsewhere.example" in refused.output
    assert run("mail", "release", str(first), "--reason", "x", "--as", "ACNE").exit_code == 2
    assert run("mail", "release", str(first), "--reason", "Ana stands in for Käthe", "--as", "ACME").exit_code == 0
    assert site.events == {"stock/ACME/N1//P-100": "12", "stock/ACME/N1//P-200": "4"}
    assert "1 file rejected: spam" in run("mail", "reject", str(second), "--reason", "spam").stdout
    site.run()
    assert "no mail waits" in run("mail").stdout
    assert site.letters == []
    assert len(site.events) == 2


def test_answers_in_a_circle_come_to_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossdock.partners import letters

    monkeypatch.setattr(letters, "AN_HOUR", 2)
    for number in range(2):
        site.mailed(workbook(f"etwa {number}"), Message_ID=f"<{number}@acme.example>")
    with pytest.raises(AssertionError, match="2 letters within an hour"):
        site.mailed(workbook("etwa 9"), Message_ID="<9@acme.example>")
    assert len(site.letters) == 2
    monkeypatch.setattr(letters, "AN_HOUR", 30)
    site.run()
    assert len(site.letters) == 3


def test_a_server_that_is_away_loses_no_letter(site: Site) -> None:
    site.host.refuse = "451 try again later"
    with pytest.raises(AssertionError, match="451"):
        site.mailed(workbook())
    assert site.letters == []
    site.host.refuse = ""
    site.run()
    assert len(site.letters) == 1
