"""Documents posted to a partner over AS2, and the receipt for each checked.

With a receipt in the answer (``receipt: sync``) a document counts as delivered once the partner has said, signed and
with the right digest, that it was taken. With ``async`` the partner says so later, to ``crossdock serve``; until then
the document stands in the list of `crossdock as2`. A document that is posted again has the same message id, so that
the partner knows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from connectors.as2.agreement import Keys, Own, Partner
from connectors.as2.entity import Entity, entity, of_headers
from connectors.as2.identity import in_force
from connectors.as2.journal import Journal, SentMessage
from connectors.as2.message import Fault, wrap
from connectors.as2.receipt import quoted, read_receipt
from connectors.as2.station import VERSION
from connectors.base import Outbox, Sink
from connectors.connections import Connections
from connectors.sinks.files import batch_file, plain_name
from connectors.sinks.http import as_ours
from connectors.web.answers import seconds_of
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import requests
    from cryptography.x509 import Certificate

_MOST_RECEIPT = 1 << 20  #: bytes of a receipt that are read


class Options(Strict):
    """``sink: {kind: as2, url: https://..., own: {...}, partner: {...}}``."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")]  #: where the partner receives
    own: Own
    partner: Partner
    sign: Literal["sha-256", "sha-384", "sha-512", "none"] = "sha-256"
    encrypt: Literal["aes-256", "aes-128", "none"] = "aes-256"
    compress: bool = False
    receipt: Literal["sync", "async", "none"] = "sync"
    receipt_url: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None  #: our own address, as the partner
    #: reaches it: ``https://<us>/as2/<channel>``; needed for ``receipt: async``
    receipt_within: Duration = Field(timedelta(hours=1), gt=timedelta(0))
    connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    timeout: Duration = Field(timedelta(seconds=120), gt=timedelta(0))  #: a partner may work before it answers

    @model_validator(mode="after")
    def _receipt_has_a_way(self) -> Options:
        if (self.receipt == "async") != (self.receipt_url is not None):
            raise ValueError("receipt_url and receipt: async need each other")
        return self


def open_sink(options: Options, *, home: Path, connections: Connections) -> As2Sink:
    import requests

    from connectors.sources.as2 import JOURNAL

    keys = Keys(options.own, options.partner, home, connections)
    return As2Sink(options, keys, Journal(home / JOURNAL), requests.Session())


class As2Sink(Sink, Outbox):
    """See the module."""

    def __init__(self, options: Options, keys: Keys, journal: Journal, session: requests.Session) -> None:
        self._options = options
        self._keys = keys
        self._journal = journal
        self._session = session

    def deliver(self, events: Sequence[bytes]) -> None:
        """Post the batch as one file of JSON Lines. Raises as ``put`` does."""
        if events:
            self.put(*batch_file(events, ()))

    def put(self, name: str, data: bytes) -> None:
        """Post one document. Raises TransientError or PermanentError (not taken, or taken with another digest)."""
        plain_name(name)
        options, now = self._options, datetime.now(UTC)
        wrapped, mic = wrap(
            _document(name, data),
            by=None if options.sign == "none" else self._keys.identity,
            digest="sha-256" if options.sign == "none" else options.sign,
            recipient=self._recipient(now) if options.encrypt != "none" else None,
            cipher=options.encrypt,
            compress=options.compress,
        )
        number = hashlib.sha256(b"\n".join((name.encode(), data))).hexdigest()[:32]
        sent = SentMessage(
            message_id=f"<{number}@{hashlib.sha256(options.own.name.encode()).hexdigest()[:16]}.crossdock>",
            partner=options.partner.name,
            name=name,
            at=now,
            mic=str(mic),
            receipt_due=None if options.receipt == "none" else now + options.receipt_within,
        )
        self._journal.write(sent)
        answer = self._post(wrapped, sent)
        if options.receipt == "sync":
            self._check(answer, sent)

    def close(self) -> None:
        self._session.close()

    def _recipient(self, now: datetime) -> Certificate:
        certificate = in_force(self._keys.believed, now)
        if certificate is None:
            raise ConfigError(
                f"no certificate of {self._options.partner.name} is in force", hint="ask the partner for its new one"
            )
        return certificate

    def _headers(self, sent: SentMessage) -> dict[str, str]:
        options = self._options
        headers = {
            "AS2-Version": VERSION,
            "AS2-From": quoted(options.own.name),
            "AS2-To": quoted(options.partner.name),
            "Message-ID": sent.message_id,
            "Subject": "EDI document",
        }
        if options.receipt != "none":
            headers["Disposition-Notification-To"] = quoted(options.own.name)
            if options.sign != "none":
                headers["Disposition-Notification-Options"] = (
                    "signed-receipt-protocol=optional, pkcs7-signature; "
                    f"signed-receipt-micalg=optional, {options.sign}, sha-256"
                )
        if options.receipt_url:
            headers["Receipt-Delivery-Option"] = options.receipt_url
        return headers

    def _post(self, wrapped: Entity, sent: SentMessage) -> Entity:
        """The answer to the POST, as an entity."""
        import requests

        options = self._options
        headers = {name: " ".join(str(value).split()) for name, value in wrapped.headers.items()}
        place, timeouts = options.url, (options.connect_timeout.total_seconds(), options.timeout.total_seconds())
        try:
            with self._session.post(
                options.url,
                data=wrapped.body,
                headers=headers | self._headers(sent),
                timeout=timeouts,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(_MOST_RECEIPT, decode_content=True)
                status, answered = answer.status_code, answer.headers
        except requests.RequestException as error:
            raise as_ours(error, place, options.url) from None
        except OSError as error:
            raise TransientError(f"{place}: the answer broke off: {type(error).__name__}") from None
        if 200 <= status < 300:
            return of_headers(answered.items(), body)
        said = " ".join(body.decode("utf-8", "replace").split())[:300]
        story = f"{place} answered {status}" + (f": {said}" if said else "")
        if status >= 500 or status in (408, 425, 429):
            wait = seconds_of(answered.get("Retry-After"), datetime.now(UTC))
            raise TransientError(story, retry_after=wait, hint="the document is offered again")
        raise PermanentError(story, hint="the partner does not take this message; names and certificates agree?")

    def _check(self, answer: Entity, sent: SentMessage) -> None:
        """Whether the receipt in the answer says that this very document was taken."""
        whose = self._options.partner.name
        now = datetime.now(UTC)
        try:
            receipt = read_receipt(answer, self._keys.believed, now)
        except Fault as fault:
            raise TransientError(f"{whose} gave no receipt that counts: {fault.reason}") from None
        if receipt.message_id != sent.message_id:
            raise TransientError(f"{whose} gave a receipt for another message: {receipt.message_id or 'unnamed'}")
        answered = sent.answered(receipt, now)
        self._journal.write(answered)
        if answered.refused:
            raise PermanentError(
                f"{whose} did not take {sent.name}: {answered.disposition}",
                hint=receipt.text[:200] or "agree on names, certificates and what must be signed and encrypted",
            )
        if self._options.sign != "none" and not receipt.signed:
            raise PermanentError(f"{whose} gave an unsigned receipt for {sent.name}", hint="a signed one was asked for")


def _document(name: str, data: bytes) -> Entity:
    """The document as a MIME part; its type is told from its first bytes (RFC 1767 for EDI)."""
    head = data[:3]
    kind = (
        "application/EDI-X12" if head == b"ISA"
        else "application/EDIFACT" if head in (b"UNA", b"UNB")
        else "application/x-ndjson" if name.endswith(".jsonl")
        else "application/octet-stream"
    )  # fmt: skip
    safe = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return entity(
        [
            ("Content-Type", kind),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", f'attachment; filename="{safe}"'),
        ],
        data,
    )


def sent_late(journal: Journal, at: datetime) -> list[SentMessage]:
    """Messages that were refused, or whose receipt is overdue, oldest first."""
    late = (one for one in journal.all_sent() if one.refused or _overdue(one, at))
    return sorted(late, key=lambda one: one.at)


def _overdue(sent: SentMessage, at: datetime) -> bool:
    return sent.answered_at is None and sent.receipt_due is not None and sent.receipt_due < at
