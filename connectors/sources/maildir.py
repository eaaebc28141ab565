"""Mail in a Maildir: each message in ``new/`` is an arrival; settling moves it to ``cur/`` as seen.

A delivering program writes to ``tmp/`` and renames into ``new/``, so what lies in ``new/`` is whole.
Taking the message apart is the business of ``connectors.formats.mail``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from email.parser import BytesHeaderParser
from email.policy import compat32
from itertools import chain
from pathlib import Path

from connectors.base import Arrival, Place, State
from connectors.connections import Connections
from connectors.sources.folder import PIECE, Stamp, move, named, stamps, still_there
from connectors.sources.names import moment
from schemas.configuration import Strict
from schemas.errors import PermanentError

_HEAD = 256 * 1024  #: bytes within which a message's headers are looked for


class Options(Strict):
    """``source: {kind: maildir, path: mail/inbox}``."""

    path: Path  #: the Maildir (with ``new``, ``cur`` and ``tmp``), relative to the installation's home


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> MaildirSource:  # noqa: ARG001
    return MaildirSource(home / options.path)


def place(options: Options, *, home: Path) -> Place:
    """Where mail is delivered."""
    return Place(folder=home / options.path / "new", wants=lambda name: not name.startswith("."))


class MaildirSource:
    """See the module. An arrival's key is the Message-ID with the message's SHA-256: a resent copy is the
    same arrival, another message under a used id is not."""

    def __init__(self, path: Path) -> None:
        self._new = path / "new"
        self._seen = path / "cur"

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Messages not yet seen, oldest first. One that we may not read is told of after the others."""
        with named(self._new), os.scandir(self._new) as entries:
            files = stamps(entry for entry in entries if not entry.name.startswith("."))
        messages = sorted(files.items(), key=lambda message: (message[1].modified, message[0]))
        unreadable: PermanentError | None = None
        for name, stamp in messages[:limit]:
            try:
                with named(self._new / name), suppress(FileNotFoundError):
                    yield self._arrival(name, stamp)
            except PermanentError as error:
                unreadable = unreadable or error
        if unreadable is not None:
            raise unreadable

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The message as it was delivered."""
        path = self._new / arrival.metadata["file"]
        with named(path), still_there(path), path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def settle(self, arrival: Arrival) -> None:
        """Move the message to ``cur`` with the flag S (seen), overwriting none."""
        path = self._new / arrival.metadata["file"]
        with named(self._seen), suppress(FileNotFoundError):
            stamp = Stamp.at(path)
            if str(stamp) == arrival.metadata["stamp"]:
                self._seen.mkdir(exist_ok=True)
                move(path, stamp, self._seen, _seen_as(path.name))

    def close(self) -> None: ...

    def _arrival(self, name: str, stamp: Stamp) -> Arrival:
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
            received_at=moment(stamp.modified / 1e9),
            metadata={
                "file": name,
                "stamp": str(stamp),
                "message_id": message_id,
                "content_type": "message/rfc822",
            },
        )


def _seen_as(name: str) -> Iterator[str]:
    """The names a message may have in ``cur``, best first: before the colon they are up to us."""
    unique = name.partition(":2,")[0]
    return chain((f"{unique}:2,S",), (f"{unique}.{n}:2,S" for n in range(1, 1000)))
