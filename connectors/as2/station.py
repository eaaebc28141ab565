"""The receiving side: a message that was posted becomes a file that waits for its channel, and a receipt.

The order is: unwrapped and judged, the file on disk, the journal on disk, the receipt given. A crash
anywhere leaves the sender without a receipt, who sends again; what was written already is then known
by its message id and not taken twice.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from connectors.as2 import cms
from connectors.as2.agreement import Keys, Sender
from connectors.as2.entity import Entity, Malformed, of_headers
from connectors.as2.journal import Journal, ReceivedMessage, write_durably
from connectors.as2.message import Fault, Mic, Unwrapped, unwrap
from connectors.as2.receipt import Wanted, quoted, read_receipt, unquoted, write_receipt

if TYPE_CHECKING:
    import requests

VERSION = "1.2"  #: of AS2: compression is understood (RFC 4130, 6.1)
TRIES = 200  #: of handing over one asynchronous receipt
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the sender gets as the answer to its POST. ``taken``: a message or receipt of who may send it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posted:
    """The facts of a POST."""

    headers: Mapping[str, str]  #: by lower-case name
    entity: Entity
    at: datetime

    @property
    def message_id(self) -> str:
        return self.headers.get("message-id", "").strip()

    @property
    def sender(self) -> str:
        return unquoted(self.headers.get("as2-from", ""))

    @property
    def receiver(self) -> str:
        return unquoted(self.headers.get("as2-to", ""))


class Station:
    """Receives for one channel. ``waiting`` is the folder its source reads, ``done`` where it puts what it took."""

    def __init__(
        self,
        name: str,
        senders: Sequence[tuple[Sender, Keys]],
        *,
        journal: Journal,
        waiting: Path,
        done: Path,
        most: int,
    ) -> None:
        self.name = name
        self.most = most
        self._senders = {sender.name: (sender, keys) for sender, keys in senders}
        self._journal = journal
        self._waiting = waiting
        self._done = done

    def receive(self, headers: Iterable[tuple[str, str]], body: bytes, at: datetime) -> Reply:
        """One POST: a message, or the receipt for one of ours. Raises ConfigError, TransientError or PermanentError
        when it could not be kept; then nothing was taken and the sender must hear of an error."""
        listed = list(headers)
        posted = _Posted(
            headers={name.lower(): value for name, value in listed}, entity=of_headers(listed, body), at=at
        )
        if posted.receiver != self.name:
            return _plain(404, f"there is no {posted.receiver or 'AS2-To'} here")
        if posted.sender not in self._senders:
            return _plain(403, f"{posted.sender or 'AS2-From'} is nobody we have an agreement with")
        if not posted.message_id:
            return _plain(400, "the message has no Message-ID")
        sender, keys = self._senders[posted.sender]
        if _is_receipt(posted.entity):
            return self._take_receipt(posted, keys)
        return self._take_message(posted, sender, keys)

    # -- messages ---------------------------------------------------------------------------------

    def _take_message(self, posted: _Posted, sender: Sender, keys: Keys) -> Reply:
        wanted = Wanted.of(posted.headers)
        if wanted and wanted.url and not (sender.receipt_url and wanted.url.startswith(sender.receipt_url)):
            return _plain(400, "receipts to that address are not agreed; ask for the receipt in the answer")
        fault: Fault | None = None
        mic: Mic | None = None
        earlier = self._journal.received(posted.message_id, sender.name)
        earlier = earlier if earlier and earlier.file else None
        try:
            opened = self._opened(posted, sender, keys, wanted)
            mic = opened.mic
            if earlier and str(mic) != earlier.mic:
                raise Fault("duplicate-document", f"{posted.message_id} came before with other content")
        except Fault as found:
            fault = found
        if earlier and fault is None:
            return _again(earlier)
        file = "" if fault else self._keep(posted, opened.content)
        kept = ReceivedMessage(
            message_id=posted.message_id,
            partner=sender.name,
            at=posted.at,
            mic=str(mic or ""),
            file=file,
            disposition=f"error: {fault.modifier}: {fault.reason}" if fault else "processed",
        )
        if wanted:
            kept = self._with_receipt(kept, keys, wanted, mic, fault)
        if not earlier:
            self._journal.write(kept)
        if fault and (not wanted or (earlier and wanted.url)):  # what was taken stays what the journal remembers
            return _plain(400, f"{fault.modifier}: {fault.reason}")
        return _again(kept)

    def _opened(self, posted: _Posted, sender: Sender, keys: Keys, wanted: Wanted | None) -> Unwrapped:
        algorithm = (wanted and wanted.digest) or "sha-256"
        opened = unwrap(
            posted.entity, by=keys.identity, believed=keys.believed, at=posted.at, algorithm=algorithm, most=self.most
        )
        for what, how in (("signed", opened.signed), ("encrypted", opened.encrypted)):
            if what in sender.require and not how:
                raise Fault("insufficient-message-security", f"the message is not {what}, which is agreed")
            if how in cms.WEAK and not sender.legacy:
                raise Fault("insufficient-message-security", f"the message is {what} with {how}, which is not agreed")
        return opened

    def _keep(self, posted: _Posted, content: Entity) -> str:
        """Write the document where the channel finds it, once; its name there."""
        try:
            document = content.content
        except Malformed as error:
            raise Fault("unexpected-processing-error", str(error)) from None
        given = _NAME.sub("_", content.filename or "document.edi").lstrip(".")[-80:]
        number = hashlib.sha256(f"{posted.sender}\n{posted.message_id}".encode()).hexdigest()[:16]
        name = f"{number}-{given}"
        if not any((folder / name).exists() for folder in (self._waiting, self._done)):
            write_durably(self._waiting / name, document)
        return name

    def _with_receipt(
        self, kept: ReceivedMessage, keys: Keys, wanted: Wanted, mic: Mic | None, fault: Fault | None
    ) -> ReceivedMessage:
        made = write_receipt(
            message_id=kept.message_id,
            recipient=self.name,
            mic=mic,
            fault=fault,
            by=keys.identity if wanted.digest else None,
            digest=wanted.digest,
        )
        headers = {name: str(value) for name, value in made.headers.items()} | {
            "AS2-Version": VERSION,
            "AS2-From": quoted(self.name),
            "AS2-To": quoted(kept.partner),
            "Message-ID": f"<{secrets.token_hex(16)}@crossdock>",
        }
        return msgspec.structs.replace(kept, receipt=made.body, receipt_headers=headers, receipt_url=wanted.url)

    # -- receipts ---------------------------------------------------------------------------------

    def _take_receipt(self, posted: _Posted, keys: Keys) -> Reply:
        try:
            receipt = read_receipt(posted.entity, keys.believed, posted.at)
        except Fault as fault:
            return _plain(400, f"{fault.modifier}: {fault.reason}")
        sent = self._journal.sent(receipt.message_id)
        if sent is None or sent.partner != posted.sender:
            return _plain(404, f"nothing was sent as {receipt.message_id}")
        if sent.answered_at is None:
            self._journal.write(sent.answered(receipt, posted.at))
        return Reply(status=200, headers=_PLAIN, body=b"thank you\n", taken=True)

    def hand_over_receipts(self, session: requests.Session, *, timeout: tuple[float, float] = (10.0, 60.0)) -> int:
        """Post the asynchronous receipts that still have to go; how many went. One that fails is tried next time."""
        import requests

        handed = 0
        for waiting in self._journal.all_received():
            if not waiting.receipt_url or waiting.partner not in self._senders or waiting.tries >= TRIES:
                continue
            try:
                answer = session.post(
                    waiting.receipt_url,
                    data=waiting.receipt,
                    headers=waiting.receipt_headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
                gone = 200 <= answer.status_code < 300
            except requests.RequestException:
                gone = False
            handed += gone
            url = "" if gone else waiting.receipt_url
            self._journal.write(msgspec.structs.replace(waiting, receipt_url=url, tries=waiting.tries + 1))
        return handed


def _is_receipt(entity: Entity) -> bool:
    if entity.type == "multipart/report":
        return True
    if entity.type != "multipart/signed":
        return False
    try:
        return entity.parts()[0].type == "multipart/report"
    except (Malformed, IndexError):
        return False


def _again(kept: ReceivedMessage) -> Reply:
    """The answer to a message: its receipt, or nothing where none is wanted or it goes another way."""
    taken = bool(kept.file)
    if not kept.receipt or kept.receipt_url:
        return Reply(status=200, headers={}, body=b"", taken=taken)
    return Reply(status=200, headers=kept.receipt_headers, body=kept.receipt, taken=taken)


_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


def _plain(status: int, text: str) -> Reply:
    return Reply(status=status, headers=_PLAIN, body=f"{text}\n".encode())
