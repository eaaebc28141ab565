"""Files in a folder: events as JSON Lines, one file a batch; other outbound files as they are.

A file appears whole or not at all: written under a temporary name, fsynced, renamed. Files of
events sort by name in feed order. What is delivered again, because nobody could be told that it had
arrived, takes the place of its first delivery.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.base import Outbox, Sink
from connectors.connections import Connections
from connectors.sinks.files import batch_file, plain_name, unfinished
from schemas.configuration import Strict
from schemas.errors import PermanentError, TransientError

#: Waiting or clearing up helps against these.
_PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
)


class Options(Strict):
    """``sink: {kind: folder, path: feed}``."""

    path: Path = Path("feed")  #: relative to the installation's home


def open_sink(options: Options, *, home: Path, connections: Connections) -> FolderSink:  # noqa: ARG001
    return FolderSink(home / options.path)


class FolderSink(Sink, Outbox):
    """See the module."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, events: Sequence[bytes]) -> None:
        """Write the batch durably. Raises TransientError for a full disk, PermanentError where we may not write."""
        if not events:
            return
        with translated(self._path):
            name, content = batch_file(events, self._there())
            write_durably(self._path / name, content)

    def put(self, name: str, data: bytes) -> None:
        """Write one file durably. Raises as ``deliver`` does."""
        with translated(self._path):
            self._there()
            write_durably(self._path / plain_name(name), data)

    def close(self) -> None: ...

    def _there(self) -> list[str]:
        self._path.mkdir(parents=True, exist_ok=True)
        return os.listdir(self._path)  # noqa: PTH208


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Errors of the file system as ours: TransientError for a full disk, PermanentError where we may not write."""
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in _PASSING else PermanentError
        raise kind(f"{place}: {error.strerror or error}", hint="make room or give us the right to write") from error


def write_durably(target: Path, content: bytes) -> None:
    """The file is there whole, and survives a crash of the machine, or not at all. Raises OSError."""
    temporary = target.with_name(unfinished(target.name))
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
