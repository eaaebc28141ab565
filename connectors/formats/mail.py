"""Mail taken apart: the documents a message carries, each with the headers that tell who sent it.

Attachments are known by Message-ID, part and SHA-256, never by file name alone: two attachments may
share a name, and one may have none. Signatures, pictures and calendar entries are passed over with a
note; forwarded messages are opened; what cannot be opened is a finding. Where no document is attached, a table
in the body is one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime
from typing import BinaryIO, Protocol

from connectors.formats.mail_body import table_in
from connectors.formats.zipped import Unopened, is_zip, unzip
from connectors.mailbox.authentication import automatic
from schemas.findings import Finding, Severity, Stage

LARGEST = 64 << 20  #: bytes of a message that are read
_DEEPEST = 8  #: forwarded messages within forwarded messages
_MOST_PARTS = 1000
_HEAD = 4096  #: bytes by which a document is recognised

_HEADER_LINE = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+")
_MAIL_HEADERS = re.compile(rb"(?mi)^(?:received|return-path|message-id|mime-version|from|date|subject):")

#: Types of parts that are never documents.
_PASSED_OVER = ("image/", "audio/", "video/", "text/calendar", "text/vcard", "text/x-vcard")
_SIGNATURES = (
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "message/delivery-status",
    "message/disposition-notification",
    "text/rfc822-headers",
)
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One document found in a message.

    ``key`` is unique within the message and stable: part number and SHA-256, with the Message-ID in
    front. ``metadata`` holds the headers of the message that carries it (``from`` is the bare address
    in lower case), the part number and ``content_type``.
    """

    key: str
    name: str
    content_type: str
    data: bytes = field(repr=False)
    sha256: str
    metadata: dict[str, str]


def recognises(head: bytes, name: str) -> bool:
    """Whether a payload that begins with ``head`` and is called ``name`` is a mail message."""
    if head.startswith(b"From ") or name.casefold().endswith(".eml"):
        return True
    block = _HEADER_LINE.match(head)
    return block is not None and len(set(_MAIL_HEADERS.findall(block[0]))) >= 3


class Doubts(Protocol):
    """Says why a mail is not believed to be from its sender; None when it is."""

    def __call__(self, results: Sequence[str], sender: str) -> str | None:
        """``results``: the Authentication-Results headers, topmost first; ``sender``: the bare address."""
        ...


def unpack(stream: BinaryIO, *, doubts: Doubts | None = None) -> Iterator[Attachment | Finding]:
    """Every document in the message, in its order. Never raises for what the message holds.

    Where there are ``doubts`` about the sender, every document says so in its metadata (``doubt``).
    """
    raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        yield _finding("mail.too_large", Severity.ERROR, f"the message is larger than {LARGEST >> 20} MB", "message")
        return
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        headers = _headers(message, doubts)
        found = documents = False
        bodies: list[tuple[str, Message]] = []
        for part, content in _leaves(message):
            if _is_body(content):
                bodies.append((part, content))
                continue
            for item in _opened(part, content, headers):
                found = found or isinstance(item, Attachment)
                documents = documents or (isinstance(item, Attachment) and _is_document(item))
                yield item
        if not documents and (pasted := _pasted(bodies, headers)) is not None:
            found = True
            yield pasted
    except (MessageError, RecursionError, ValueError, LookupError) as error:
        yield _finding("mail.unreadable", Severity.ERROR, f"the message cannot be taken apart: {error}", "message")
        return
    if not found:
        yield _finding(
            "mail.nothing_attached",
            Severity.WARNING,
            "the message carries no document",
            "message",
            expected="an attached workbook, CSV or EDI file, or a table in the mail",
        )


def _headers(message: Message, doubts: Doubts | None) -> dict[str, str]:
    sender = next((address for _, address in getaddresses([_text(message.get("From"))]) if "@" in address), "")
    results = [_text(value) for value in message.get_all("Authentication-Results", [])]
    plain = {name.lower(): _text(value) for name, value in message.items()}
    headers = {
        "from": sender.strip().lower(),
        "from_header": _text(message.get("From")),
        "to": _text(message.get("To")),
        "subject": _text(message.get("Subject")),
        "date": _moment(message.get("Date")),
        "message_id": _text(message.get("Message-ID")),
        "in_reply_to": _text(message.get("In-Reply-To")),
        "references": _text(message.get("References")),
        "auto_submitted": _text(message.get("Auto-Submitted")),
        "authentication_results": "; ".join(results),
        "automatic": next(automatic(plain), ""),
        "doubt": (doubts(results, sender.strip().lower()) or "") if doubts else "",
    }
    return {name: value for name, value in headers.items() if value}


def _leaves(message: Message, number: str = "", depth: int = 0) -> Iterator[tuple[str, Message]]:
    """The parts that hold something, numbered as IMAP numbers them: ``2``, ``2.1``."""
    if depth > _DEEPEST:
        raise ValueError(f"messages lie more than {_DEEPEST} deep in one another")
    if not message.is_multipart():
        yield number or "1", message
        return
    for index, part in enumerate(message.get_payload(), 1):
        if index > _MOST_PARTS:
            raise ValueError(f"the message has more than {_MOST_PARTS} parts")
        if isinstance(part, Message):
            inner = message.get_content_type() == "message/rfc822" and not part.is_multipart()
            yield from _leaves(part, f"{number}.{index}".lstrip(".") if not inner else number, depth + 1)


def _opened(part: str, content: Message, headers: dict[str, str]) -> Iterator[Attachment | Finding]:
    type_ = content.get_content_type()
    name = _file_name(content)
    place = f"part {part}" + (f" ({name})" if name else "")
    if type_ in _TNEF or name.casefold() == "winmail.dat":
        yield _finding(
            "mail.winmail",
            Severity.WARNING,
            "the attachment is wrapped in Outlook's own format and cannot be opened",
            place,
            value=name,
            expected="a message sent as HTML or plain text, not Rich Text",
        )
        return
    if type_.startswith(_PASSED_OVER) or type_ in _SIGNATURES:
        yield _finding("mail.part_passed_over", Severity.INFO, f"{type_} is not a document", place, value=name or None)
        return
    try:
        data = content.get_payload(decode=True)
    except (ValueError, LookupError) as error:
        yield _finding(
            "mail.part_unreadable", Severity.ERROR, f"the part cannot be decoded: {error}", place, value=name
        )
        return
    if not isinstance(data, bytes) or not data:
        yield _finding("mail.part_empty", Severity.WARNING, "the attachment is empty", place, value=name or None)
        return
    if is_zip(data, name):
        yield from _unzipped(part, name, data, headers, place)
    else:
        yield _attachment(part, name or f"part-{part}", type_, data, headers)


def _is_body(content: Message) -> bool:
    return content.get_content_type() in ("text/plain", "text/html") and not _file_name(content)


def _is_document(attachment: Attachment) -> bool:
    """Whether some format takes it: a picture of a table or a letter as PDF says nothing that we read."""
    from connectors.registry import recognise

    return recognise(attachment.data[:_HEAD], attachment.name) is not None


def _pasted(bodies: Sequence[tuple[str, Message]], headers: dict[str, str]) -> Attachment | None:
    """The table that stands in the body of a mail without a document; ``body`` in its metadata says so."""
    texts: dict[str, list[tuple[str, str]]] = {"text/html": [], "text/plain": []}
    for part, content in bodies:
        texts[content.get_content_type()].append((part, _decoded(content)))
    pages, plain = texts["text/html"], texts["text/plain"]
    subject = headers.get("subject", "")
    body = table_in([text for _, text in pages], [text for _, text in plain], subject=subject)
    if body is None:
        return None
    part = next(iter(pages if body.suffix == ".html" else plain))[0]
    title = " ".join(re.sub(r'[\\/:*?"<>|\x00-\x1f]+', " ", subject).split()).strip(".")[:80] or "mail"
    return _attachment(part, f"{title}{body.suffix}", body.content_type, body.data, headers | {"body": "table"})


def _decoded(content: Message) -> str:
    """The text of a part, in the charset it names, else in the one that fits."""
    data = content.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    for charset in (content.get_content_charset() or "utf-8", "utf-8", "cp1252"):
        try:
            return data.decode(charset)
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1")


def _attachment(part: str, name: str, type_: str, data: bytes, headers: dict[str, str]) -> Attachment:
    sha256 = hashlib.sha256(data).hexdigest()
    return Attachment(
        key=f"{headers.get('message_id', '')}#{part}#{sha256}",
        name=name,
        content_type=type_,
        data=data,
        sha256=sha256,
        metadata=headers | {"part": part, "content_type": type_},
    )


def _unzipped(part: str, name: str, data: bytes, headers: dict[str, str], place: str) -> Iterator[Attachment | Finding]:
    """Each file of a ZIP file as an attachment of its own, ``2/stock.xlsx`` for a part."""
    try:
        for item in unzip(data):
            if isinstance(item, Unopened):
                yield _finding("mail.zip_unreadable", Severity.ERROR, str(item), place, value=name)
            elif item.data:
                packed = headers | {"zipped_in": name}
                yield _attachment(f"{part}/{item.path}", item.name, "application/octet-stream", item.data, packed)
    except Unopened as error:
        yield _finding("mail.zip_unreadable", Severity.ERROR, str(error), place, value=name)


def _file_name(part: Message) -> str:
    """The name the sender gave, decoded: RFC 2231, or RFC 2047 where a program misuses it; without any folder."""
    for header, parameter in (("Content-Disposition", "filename"), ("Content-Type", "name")):
        given = part.get_param(parameter, header=header)
        if given:
            text = _text(collapse_rfc2231_value(given))
            return re.sub(r"[\x00-\x1f]", "", re.split(r"[/\\]", text)[-1]).strip(" .")[:200]
    return ""


def _text(value: object) -> str:
    """A header as text on one line, encoded words decoded as far as they can be."""
    if value is None:
        return ""
    raw = str(value)
    try:
        decoded = str(make_header(decode_header(raw)))
    except (MessageError, LookupError, ValueError):
        decoded = raw
    return " ".join(decoded.encode("utf-8", "replace").decode("utf-8").split())


def _moment(value: object) -> str:
    """The header's date as ISO 8601 with its zone; as written where it is none."""
    text = _text(value)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return text
    return moment.isoformat() if moment.tzinfo else f"{moment.isoformat()}Z"


def _finding(
    code: str, severity: Severity, message: str, location: str, *, value: str | None = None, expected: str | None = None
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.TRANSPORT,
        message=message,
        location=location,
        value=value,
        expected=expected,
    )
