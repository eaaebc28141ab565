"""Files on an SFTP server: events as JSON Lines, one file a batch; other outbound files as they are.

A file is written under a temporary name, put to disk and counted where the server can, then renamed.
What is delivered again takes the place of its first delivery: in one step on a server that knows
``posix-rename@openssh.com``, elsewhere by removing the old file first.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from connectors.base import Outbox, Sink
from connectors.connections import Connections
from connectors.sinks.files import batch_file, plain_name, unfinished
from connectors.ssh.errors import Missing
from connectors.ssh.login import ServerOptions, login_of
from connectors.ssh.session import Session
from schemas.errors import PermanentError, TransientError


class Options(ServerOptions):
    """``sink: {kind: sftp, conn_id: acme, path: inbox}``; see also ``ServerOptions``."""


def open_sink(options: Options, *, home: Path, connections: Connections) -> SftpSink:
    return SftpSink(Session(login_of(options, home=home, connections=connections)), options.path)


class SftpSink(Sink, Outbox):
    """See the module. The folder is made when it is not there."""

    def __init__(self, server: Session, path: str) -> None:
        self._server = server
        self._path = path

    def deliver(self, events: Sequence[bytes]) -> None:
        """Write the batch. Raises TransientError or PermanentError; then it is not there under its name."""
        if not events:
            return
        name, content = batch_file(events, self._there())
        self._write(name, content)

    def put(self, name: str, data: bytes) -> None:
        """Write one file. Raises as ``deliver`` does."""
        plain_name(name)
        self._there()
        self._write(name, data)

    def close(self) -> None:
        self._server.close()

    def _there(self) -> list[str]:
        try:
            return list(self._server.listing(self._path))
        except Missing:
            self._server.make_folder(self._path)
            return []

    def _write(self, name: str, content: bytes) -> None:
        temporary = posixpath.join(self._path, unfinished(name))
        try:
            self._server.write(temporary, content)
            self._server.replace(temporary, posixpath.join(self._path, name))
        except (TransientError, PermanentError):
            # half a file may fill a disk; where the connection is lost it stays until the next try overwrites it
            if self._server.connected:
                with suppress(TransientError, PermanentError):
                    self._server.remove(temporary)
            raise
