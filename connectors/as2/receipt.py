"""Receipts: what became of a message (disposition notifications, RFC 8098; for AS2, RFC 4130, section 7)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32
from typing import TYPE_CHECKING

from connectors.as2 import cms
from connectors.as2.entity import Entity, Malformed, entity, multipart
from connectors.as2.identity import Identity
from connectors.as2.message import Fault, Mic, signed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

PROCESSED = "processed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The receipt that a message asks for (RFC 4130, 7.3). ``digest`` empty: unsigned; ``url`` empty: in the answer."""

    digest: str = ""
    url: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Wanted | None:
        """From lower-case HTTP headers; None where no receipt is wanted."""
        if "disposition-notification-to" not in headers:
            return None
        url = headers.get("receipt-delivery-option", "").strip()
        options = _options(headers.get("disposition-notification-options", ""))
        digest = ""
        if "signed-receipt-protocol" in options or "signed-receipt-micalg" in options:
            asked = (cms.digest_named(name) for name in options.get("signed-receipt-micalg", ()))
            digest = next((name for name in asked if name), "sha-256")
        return cls(digest=digest, url=url)


def _options(written: str) -> dict[str, list[str]]:
    """``name=required|optional, value, value; ...`` as values by lower-case name, without the importance."""
    options: dict[str, list[str]] = {}
    for part in written.split(";"):
        name, equals, values = part.partition("=")
        if equals:
            listed = [value.strip() for value in values.split(",")]
            first = listed[0].lower()
            options[name.strip().lower()] = listed[1:] if first in ("required", "optional") else listed
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says. ``disposition`` is ``processed`` or what follows it: ``error: decryption-failed``."""

    message_id: str  #: of the message it answers, with its angle brackets
    disposition: str
    mic: Mic | None
    text: str = ""
    signed: bool = False

    @property
    def taken(self) -> bool:
        """Whether the message was taken."""
        return taken(self.disposition)


def taken(disposition: str) -> bool:
    """Whether a disposition says that the message was taken; a warning does not change that."""
    return disposition == PROCESSED or disposition.startswith("warning")


def write_receipt(
    *, message_id: str, recipient: str, mic: Mic | None, fault: Fault | None, by: Identity | None, digest: str
) -> Entity:
    """The receipt for a message that was taken, or not because of ``fault``; signed where ``by`` is given."""
    disposition = "processed"
    if fault is not None:
        disposition = f"failed/failure: {fault.modifier}" if fault.failure else f"processed/error: {fault.modifier}"
    story = f"The AS2 message was not taken: {fault.reason}" if fault else "The AS2 message was received and is kept."
    text = entity(
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")],
        f"{story}\r\n".encode(),
    )
    fields = [
        ("Reporting-UA", "Crossdock"),
        ("Original-Recipient", f"rfc822; {quoted(recipient)}"),
        ("Final-Recipient", f"rfc822; {quoted(recipient)}"),
        ("Original-Message-ID", message_id),
        ("Disposition", f"automatic-action/MDN-sent-automatically; {disposition}"),
    ]
    if mic is not None:
        fields.append(("Received-content-MIC", str(mic)))
    facts = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("utf-8", "replace")
    notification = entity(
        [("Content-Type", "message/disposition-notification"), ("Content-Transfer-Encoding", "7bit")], facts + b"\r\n"
    )
    parameters = [("report-type", "disposition-notification")]
    report = multipart("report", parameters, [text, notification], f"=_{secrets.token_hex(16)}")
    return signed(report, by, digest) if by is not None else report


def read_receipt(received: Entity, believed: Sequence[Certificate], at: datetime) -> Receipt:
    """A receipt, its signature verified if it has one. Raises Fault."""
    report, is_signed = received, False
    try:
        if received.type == "multipart/signed":
            parts = received.parts()
            if len(parts) != 2:
                raise Malformed("a signed receipt has two parts")
            report, is_signed = parts[0], True
            cms.verify(report.raw, parts[1].content, believed, at)
        if report.type != "multipart/report":
            raise Malformed(f"a receipt is multipart/report, this is {report.type}")
        parts = report.parts()
        about = next((part for part in parts if part.type == "message/disposition-notification"), None)
        if about is None:
            raise Malformed("the receipt has no disposition notification")
        facts = _facts(about.content)
        text = next((part.content for part in parts if part.type == "text/plain"), b"")
    except cms.Unsigned as error:
        raise Fault("authentication-failed", str(error)) from None
    except Malformed as error:
        raise Fault("unexpected-processing-error", str(error)) from None
    kind, _, modifier = facts.get("Disposition", "").partition(";")[2].strip().partition("/")
    return Receipt(
        message_id=facts.get("Original-Message-ID", "").strip(),
        disposition=(modifier or kind).strip().lower(),
        mic=Mic.parse(facts.get("Received-content-MIC", "")),
        text=text.decode("utf-8", "replace").strip(),
        signed=is_signed,
    )


def _facts(content: bytes) -> Message:
    return HeaderParser(policy=compat32).parsestr(content.decode("utf-8", "replace"))


def quoted(name: str) -> str:
    """An AS2 name as a header holds it (RFC 4130, 6.2): quoted when it has blanks or quotes."""
    if name and not any(character in ' "\\' for character in name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquoted(written: str) -> str:
    """The AS2 name behind ``quoted``."""
    written = written.strip()
    if len(written) >= 2 and written[0] == written[-1] == '"':
        return written[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return written
