"""Events as JSON Lines files in a folder: one event a line, one file a batch.

A file appears whole or not at all: written under a temporary name, fsynced, renamed. Files sort by
name in feed order, ``000000000042-<id of the first event>.jsonl``. A batch delivered again, because
nobody could be told that it had arrived, takes the place of its first delivery.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from connectors.base import Sink
from connectors.configuration import Strict
from connectors.connections import Connections
from schemas.errors import PermanentError, TransientError

_NAME = re.compile(r"(\d{12,})-(.+)\.jsonl")
#: Waiting or clearing up helps against these.
_PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
)


class Options(Strict):
    """``sink: {kind: folder, path: feed}``."""

    path: Path = Path("feed")  #: relative to the installation's home


def open_sink(options: Options, *, home: Path, connections: Connections) -> Sink:  # noqa: ARG001
    return FolderSink(home / options.path)


class _Identified(msgspec.Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified)


class FolderSink:
    """See the module."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, events: Sequence[bytes]) -> None:
        """Write the batch durably. Raises TransientError for a full disk, PermanentError where we may not write."""
        if not events:
            return
        lines = [_one_line(event) for event in events]
        first = re.sub(r"[^A-Za-z0-9._-]", "_", _identified.decode(lines[0]).id)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._write(self._path / self._name(first), lines)
        except OSError as error:
            kind = TransientError if error.errno in _PASSING else PermanentError
            raise kind(
                f"{self._path}: {error.strerror or error}", hint="make room or give us the right to write"
            ) from error

    def close(self) -> None: ...

    def _name(self, first: str) -> str:
        last = 0
        for entry in os.listdir(self._path):  # noqa: PTH208
            if match := _NAME.fullmatch(entry):
                if match[2] == first:
                    return entry
                last = max(last, int(match[1]))
        return f"{last + 1:012d}-{first}.jsonl"

    def _write(self, target: Path, lines: Sequence[bytes]) -> None:
        unfinished = target.with_name(f".{target.name}.tmp")
        try:
            with unfinished.open("wb") as file:
                for line in lines:
                    file.write(line)
                    file.write(b"\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _one_line(event: bytes) -> bytes:
    return event if b"\n" not in event and b"\r" not in event else msgspec.json.format(event, indent=-1)
