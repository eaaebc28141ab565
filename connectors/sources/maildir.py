"""Mail in a Maildir: each message in ``new/`` is an arrival; settling moves it to ``cur/`` as seen.

A delivering program writes to ``tmp/`` and renames into ``new/``, so what lies in ``new/`` is whole.
Taking the message apart is the business of ``connectors.formats.mail``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path

from connectors.base import Arrival, State
from connectors.configuration import Strict
from connectors.connections import Connections
from connectors.sources.folder import PIECE, named, sync_folder

_HEAD = 256 * 1024  #: bytes within which a message's headers are looked for


class Options(Strict):
    """``source: {kind: maildir, path: mail/inbox}``."""

    path: Path  #: the Maildir (with ``new``, ``cur`` and ``tmp``), relative to the installation's home


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> MaildirSource:  # noqa: ARG001
    return MaildirSource(home / options.path)


class MaildirSource:
    """See the module. An arrival's key is the Message-ID with the message's SHA-256: a resent copy is the
    same arrival, another message under a used id is not."""

    def __init__(self, path: Path) -> None:
        self._new = path / "new"
        self._seen = path / "cur"

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Messages not yet seen, oldest first."""
        with named(self._new):
            with os.scandir(self._new) as entries:
                messages = [
                    (entry.stat().st_mtime_ns, entry.name)
                    for entry in entries
                    if entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")
                ]
            messages.sort()
        for modified, name in messages[:limit]:
            with named(self._new / name), suppress(FileNotFoundError):
                yield self._arrival(name, modified)

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The message as it was delivered."""
        path = self._new / arrival.metadata["file"]
        with named(path), path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def settle(self, arrival: Arrival) -> None:
        """Move the message to ``cur`` with the flag S (seen)."""
        name = arrival.metadata["file"]
        with named(self._seen), suppress(FileNotFoundError):
            self._seen.mkdir(exist_ok=True)
            (self._new / name).rename(self._seen / f"{name.partition(':2,')[0]}:2,S")
            sync_folder(self._seen)
            sync_folder(self._new)

    def close(self) -> None: ...

    def _arrival(self, name: str, modified: int) -> Arrival:
        digest = hashlib.sha256()
        with (self._new / name).open("rb") as file:
            head = file.read(_HEAD)
            digest.update(head)
            while piece := file.read(PIECE):
                digest.update(piece)
        # compat32 reads headers of any quality without raising
        headers = BytesHeaderParser(policy=compat32).parsebytes(head)
        message_id = " ".join(str(headers.get("Message-ID", "")).split())
        return Arrival(
            key=f"{message_id}#{digest.hexdigest()}",
            name=name if name.endswith(".eml") else f"{name.partition(':2,')[0]}.eml",
            received_at=datetime.fromtimestamp(modified / 1e9, UTC),
            metadata={"file": name, "message_id": message_id, "content_type": "message/rfc822"},
        )
