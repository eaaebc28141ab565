"""What was sent and received over AS2, one small file a message; written to disk before anybody is told.

A message that comes again is known by it, and a receipt finds what it answers. The folder lies in the
installation's home, beside the archive, so that it is shared and backed up with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from connectors.as2.receipt import Receipt, taken
from connectors.sources.folder import sync_folder


class ReceivedMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that came, and the receipt that was given."""

    message_id: str
    partner: str  #: AS2-From
    at: datetime
    mic: str
    file: str  #: its name in the folder that the channel reads; empty when it was not taken
    disposition: str
    receipt: bytes = b""  #: the body of the receipt given, for when the message comes again
    receipt_headers: dict[str, str] = {}
    receipt_url: str = ""  #: where it still has to go; empty when it went
    tries: int = 0


class SentMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that went out."""

    message_id: str
    partner: str  #: AS2-To
    name: str  #: of the file
    at: datetime
    mic: str
    receipt_due: datetime | None = None  #: None: no receipt is waited for
    disposition: str = ""  #: of the receipt; empty until it is there
    answered_at: datetime | None = None
    told: str = ""  #: the receipt's own words

    @property
    def refused(self) -> bool:
        """Whether the receipt said that the message was not taken."""
        return bool(self.disposition) and not taken(self.disposition)

    def answered(self, receipt: Receipt, at: datetime) -> SentMessage:
        """The message and what its receipt says. One whose digest differs did not get what we sent."""
        disposition = receipt.disposition
        if receipt.taken and receipt.mic is not None and str(receipt.mic) != self.mic:
            disposition = "error: the digest in the receipt is not that of what was sent"
        return msgspec.structs.replace(self, disposition=disposition, told=receipt.text[:500], answered_at=at)


Kept = TypeVar("Kept", ReceivedMessage, SentMessage)


@dataclass(frozen=True, slots=True)
class Journal:
    """One file per message below ``folder``; ``write`` returns once it is on disk."""

    folder: Path

    def received(self, message_id: str, partner: str) -> ReceivedMessage | None:
        return _read(self._path("received", f"{partner}\n{message_id}"), ReceivedMessage)

    def sent(self, message_id: str) -> SentMessage | None:
        return _read(self._path("sent", message_id), SentMessage)

    def write(self, message: ReceivedMessage | SentMessage) -> None:
        """Keep the message; what was kept of it before is replaced."""
        if isinstance(message, SentMessage):
            path = self._path("sent", message.message_id)
        else:
            path = self._path("received", f"{message.partner}\n{message.message_id}")
        write_durably(path, msgspec.json.encode(message))

    def all_sent(self) -> Iterator[SentMessage]:
        """Every message sent, in no order."""
        yield from _all(self.folder / "sent", SentMessage)

    def all_received(self) -> Iterator[ReceivedMessage]:
        yield from _all(self.folder / "received", ReceivedMessage)

    def _path(self, way: str, key: str) -> Path:
        return self.folder / way / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def write_durably(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; it is on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _read(path: Path, kind: type[Kept]) -> Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None


def _all(folder: Path, kind: type[Kept]) -> Iterator[Kept]:
    for path in folder.glob("*.json") if folder.is_dir() else ():
        if (found := _read(path, kind)) is not None:
            yield found
