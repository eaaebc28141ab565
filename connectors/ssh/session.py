"""A session with one server: plain calls for what a source or a sink does with files there.

asyncssh lives on an event loop; that loop runs in a thread of its own, so that it goes on
asking a silent server for signs of life while the caller archives what it got.
"""

from __future__ import annotations

import asyncio
import logging
import stat
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from connectors.sources.names import legible
from connectors.ssh.errors import Dropped, Missing, as_ours
from connectors.ssh.login import Login
from schemas.errors import CrossdockError, PermanentError, TransientError

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile, SSHClientConnection, SSHKey

PIECE = 1 << 20  #: bytes that are read or written between two looks at the clock
_SILENCES = 3  #: unanswered signs of life after which a connection counts as lost

#: The kinds of key that we know of a server come first; these are offered too, so that one with
#: another kind shows its key and can be refused by name.
_HOST_KEYS = "+ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one content of a path from another without reading it."""

    modified: int  #: whole seconds since the epoch, which is all that SFTP version 3 knows
    size: int

    def __str__(self) -> str:
        return f"{self.modified}-{self.size}"

    @classmethod
    def parse(cls, written: str) -> Stamp:
        modified, _, size = written.rpartition("-")
        return cls(int(modified), int(size))

    @classmethod
    def of(cls, attributes: SFTPAttrs) -> Stamp:
        return cls(attributes.mtime or 0, attributes.size or 0)


class Session:
    """Connects when first used, and anew when a connection died while nobody used it.

    Every call raises Dropped when the connection breaks off under it, TransientError or
    PermanentError for everything else the server or the network refuses. File names that are not
    UTF-8 come and go with surrogate escapes, as those of ``os`` do.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connection: SSHClientConnection | None = None
        self._sftp: SFTPClient | None = None
        self._refused: CrossdockError | None = None

    @property
    def place(self) -> str:
        return self._login.place

    @property
    def connected(self) -> bool:
        return self._sftp is not None

    def listing(self, folder: str) -> dict[str, Stamp]:
        """The regular files of a folder by name; links and folders are passed over."""

        async def step(sftp: SFTPClient) -> dict[str, Stamp]:
            return {
                str(entry.filename): Stamp.of(entry.attrs)
                async for entry in sftp.scandir(folder)
                if _is_file(entry.attrs.permissions, str(entry.longname or ""))
            }

        return self._do(step, folder)

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of a file, None when it is not there."""

        async def step(sftp: SFTPClient) -> Stamp:
            return Stamp.of(await sftp.lstat(path))

        with suppress(Missing):
            return self._do(step, path)
        return None

    @contextmanager
    def open(self, path: str) -> Iterator[RemoteFile]:
        """A file for reading; it ends with the connection it was opened on."""

        file = self._open(path, "rb")
        try:
            yield file
        finally:
            file.close()

    def _open(self, path: str, mode: str) -> RemoteFile:
        async def step(sftp: SFTPClient) -> tuple[SFTPClient, SFTPClientFile]:
            return sftp, await sftp.open(path, mode)

        return RemoteFile(self, self._do(step, path), path)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, unless they are there."""

        async def step(sftp: SFTPClient) -> None:
            if not await sftp.isdir(path):
                await sftp.makedirs(path, exist_ok=True)

        self._do(step, path)

    def rename(self, old: str, new: str) -> None:
        """Rename, overwriting nothing. Raises Missing without ``old``, Taken or TransientError where ``new`` exists."""
        self._do(lambda sftp: sftp.rename(old, new), f"{old} to {new}")

    def remove(self, path: str) -> None:
        """Raises Missing when it is not there."""
        self._do(lambda sftp: sftp.remove(path), path)

    def write(self, path: str, content: bytes) -> None:
        """Write a file from its beginning, to disk where the server can promise that."""
        import asyncssh

        file = self._open(path, "wb")
        try:
            for start in range(0, len(content), PIECE):
                file.write(start, content[start : start + PIECE])
            file.sync(asyncssh.SFTPOpUnsupported)
            held = file.stamp().size
        finally:
            file.close()
        if held != len(content):
            raise TransientError(
                f"{self.place}: {legible(path)}: holds {held} of {len(content)} bytes",
                hint="the server's disk may be full",
            )

    def replace(self, old: str, new: str) -> None:
        """Rename, taking the place of an earlier ``new``: at once where the server can, else after removing it.

        Not done again when the connection breaks off, for it may have been done: Dropped says so.
        """
        import asyncssh

        async def step(sftp: SFTPClient) -> None:
            try:
                await sftp.posix_rename(old, new)
            except asyncssh.SFTPOpUnsupported:
                with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                    await sftp.remove(new)
                await sftp.rename(old, new)

        self.wait(step(self._sftp or self._connected()), f"{old} to {new}")

    def close(self) -> None:
        """Say goodbye and stop the thread. Idempotent; the session may be used again after it."""
        self._hang_up()
        loop, self._loop = self._loop, None
        thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def is_on(self, sftp: SFTPClient) -> bool:
        """Whether ``sftp`` is what the session still works with."""
        return sftp is self._sftp

    def _do(self, step: Callable[[SFTPClient], Coroutine[Any, Any, Result]], about: str) -> Result:
        """Let ``step`` run on the connection. One that had died before is replaced, and the step done again."""
        if self._sftp is not None:
            try:
                return self.wait(step(self._sftp), about)
            except Dropped:
                pass  # it may have been idle for long; a fresh connection decides
        return self.wait(step(self._connected()), about)

    def wait(self, work: Coroutine[Any, Any, Result], about: str) -> Result:
        """What ``work`` gives, or the error of ours that its error means. A dead or stuck connection is let go."""
        import asyncssh

        try:
            return self._run(work, self._login.timeout)
        except (asyncssh.Error, OSError) as error:
            ours = as_ours(error, f"{self.place}: {legible(about)}")
            if isinstance(ours, Dropped) or isinstance(error, OSError):
                self._hang_up(at_once=True)
            raise ours from None

    def _connected(self) -> SFTPClient:
        """A new connection. A server that refused us once is not asked again: it may lock the login."""
        if self._refused is not None:
            raise self._refused
        try:
            return self._connect()
        except PermanentError as error:
            self._refused = error
            raise

    def _connect(self) -> SFTPClient:
        import asyncssh

        seen: list[SSHKey] = []
        about = f"{self._login.user}@{self.place}"
        try:
            self._connection = self._run(_connect(self._login, seen), None)
            self._sftp = self._run(_start(self._connection), self._login.connect_timeout)
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._not_verified(error, seen) from None
        except (asyncssh.Error, asyncssh.PasswordChangeRequired, OSError) as error:
            self._hang_up(at_once=True)
            raise as_ours(error, about) from None
        return self._sftp

    def _not_verified(self, error: Exception, seen: list[SSHKey]) -> PermanentError:
        shown = f"{seen[0].get_algorithm()} {seen[0].get_fingerprint()}" if seen else str(error)
        return PermanentError(
            f"{self.place}: the server shows a key that is not the one we know of it: {shown}",
            hint="nothing was sent; ask whoever runs it whether its key was changed and to confirm this fingerprint,"
            f" and only then correct extra.host_key of connection {self._login.conn_id!r} or the known_hosts file",
        )

    def _run(self, work: Coroutine[Any, Any, Result], seconds: float | None) -> Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # requests that were under way when a connection broke off: the caller is told once, by wait
            self._loop.set_exception_handler(lambda _, context: _log.debug("%s: %s", self.place, context))
            self._thread = threading.Thread(target=self._loop.run_forever, name=f"sftp {self.place}", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop).result()

    def _hang_up(self, *, at_once: bool = False) -> None:
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is None:
            return

        async def goodbye() -> None:
            if at_once:
                connection.abort()
            else:
                connection.close()
            await connection.wait_closed()

        with suppress(OSError):
            self._run(goodbye(), 5.0)


class RemoteFile:
    """A file open on the server."""

    def __init__(self, session: Session, opened: tuple[SFTPClient, SFTPClientFile], path: str) -> None:
        self._session = session
        self._sftp, self._file = opened
        self._path = path

    def stamp(self) -> Stamp:
        async def step() -> Stamp:
            return Stamp.of(await self._file.stat())

        return self._session.wait(step(), self._path)

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; none at the end."""

        async def step() -> bytes:
            data: bytes = await self._file.read(size, offset)
            return data

        return self._session.wait(step(), self._path)

    def write(self, offset: int, data: bytes) -> None:
        async def step() -> None:
            await self._file.write(data, offset)

        self._session.wait(step(), self._path)

    def sync(self, *unable: type[Exception]) -> None:
        """Have the server write it to disk; one that is ``unable`` to promise so is taken at its word."""

        async def step() -> None:
            with suppress(*unable):
                await self._file.fsync()

        self._session.wait(step(), self._path)

    def close(self) -> None:
        """Let go of it. Without its connection the server has done so already."""
        if self._session.is_on(self._sftp):
            with suppress(TransientError, PermanentError):
                self._session.wait(self._file.close(), self._path)


async def _start(connection: SSHClientConnection) -> SFTPClient:
    return await connection.start_sftp_client(path_errors="surrogateescape")


async def _connect(login: Login, seen: list[SSHKey]) -> SSHClientConnection:
    """A connection that trusts nothing but ``login``; a key it does not know is put into ``seen``."""
    import asyncssh

    class Watchful(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:  # noqa: ARG002
            seen.append(key)
            return False

    return await asyncssh.connect(
        login.host,
        login.port,
        client_factory=Watchful,
        config=None,  # neither ~/.ssh/config nor an agent nor the keys that lie about
        agent_path=None,
        gss_host=None,
        x509_trusted_certs=None,
        known_hosts=login.known_hosts,
        server_host_key_algs=_HOST_KEYS,
        username=login.user,
        password=login.password,
        client_keys=None if login.key is None else [login.key],
        connect_timeout=login.connect_timeout,
        login_timeout=login.connect_timeout,
        keepalive_interval=login.keep_alive,
        keepalive_count_max=_SILENCES,
    )


def _is_file(permissions: int | None, longname: str) -> bool:
    """By the mode, or, from a server that leaves the kind out of it, by the first letter of its ``ls -l``."""
    kind = stat.S_IFMT(permissions or 0)
    return stat.S_ISREG(kind) if kind else not longname.startswith(("d", "l"))
