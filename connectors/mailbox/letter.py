"""Letters: what is mailed to a partner, as one message of text, HTML and attachments (RFC 5322, 2045)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses

from schemas.errors import ConfigError

_IDENTIFIERS = re.compile(r"<[^<>\s]{1,900}@[^<>\s]{1,250}>")
_MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with a letter."""

    name: str
    content: bytes = field(repr=False)
    type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be said to whom. ``answers`` and ``references`` thread it to the mail it answers."""

    sender: str  #: ``Ravensmoor Supply <supply@ravensmoor.example>``
    to: str  #: one address
    subject: str
    text: str
    html: str = ""
    language: str = "en"
    answers: str = ""  #: Message-ID
    references: str = ""  #: the References of the mail answered
    enclosures: Sequence[Enclosure] = ()

    def write(self, at: datetime) -> bytes:
        """The message, lines ending in CRLF. Its Message-ID is made of what it says: the same letter is known by it.

        It is marked as sent by a program, so that no other program answers it (RFC 3834, section 5).
        """
        message = EmailMessage(policy=SMTP)
        message["From"] = address(self.sender)
        message["To"] = address(self.to)
        message["Subject"] = " ".join(self.subject.split())
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{self._digest()}@{address(self.sender).domain}>"
        if threads := _IDENTIFIERS.findall(f"{self.references} {self.answers}"):
            kept = list(dict.fromkeys(threads))
            message["In-Reply-To"] = kept[-1]
            message["References"] = " ".join(kept[:1] + kept[1:][-_MOST_REFERENCES:])
        message["Auto-Submitted"] = "auto-replied" if self.answers else "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(self.text, cte="quoted-printable")
        if self.html:
            message.add_alternative(self.html, subtype="html", cte="quoted-printable")
        for one in self.enclosures:
            main, _, sub = one.type.partition("/")
            message.add_attachment(one.content, maintype=main, subtype=sub or "octet-stream", filename=one.name)
        message["Content-Language"] = self.language  # last: setting the content takes away all that is called so
        _fix_boundaries(message, self._digest())
        return message.as_bytes()

    def _digest(self) -> str:
        said = hashlib.sha256()
        for part in (self.sender, self.to, self.subject, self.answers, self.text, self.html):
            said.update(part.encode() + b"\0")
        for one in self.enclosures:
            said.update(one.name.encode() + b"\0" + hashlib.sha256(one.content).digest())
        return said.hexdigest()[:40]


def _fix_boundaries(message: EmailMessage, digest: str) -> None:
    """Boundaries from what the letter says, so that the same letter has the same bytes."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{digest}_{number}")


def address(written: str) -> Address:
    """``Name <name@domain>`` or a bare address. Raises ConfigError for anything else, line breaks among it."""
    found = getaddresses([written])
    name, bare = found[0] if len(found) == 1 else ("", "")
    user, at, domain = bare.rpartition("@")
    if not at or not user or not domain or re.search(r"[\x00-\x20\x7f]", bare) or re.search(r"[\r\n]", written):
        raise ConfigError(f"{written[:80]!r} is no mail address")
    try:
        return Address(display_name=name, username=user, domain=domain)
    except (ValueError, IndexError):
        raise ConfigError(f"{written[:80]!r} is no mail address") from None


def kind_of(name: str) -> str:
    """The content type of a file that goes out, by its name."""
    types = {
        "csv": "text/csv",
        "edi": "application/EDI-Consent",
        "jsonl": "application/x-ndjson",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml": "application/xml",
    }
    return types.get(name.rpartition(".")[2].lower(), "application/octet-stream")
