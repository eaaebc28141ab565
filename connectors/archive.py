"""The archive: every byte that ever arrived, under the SHA-256 of what it says.

``<root>/ab/cd/abcd...`` holds one payload, read-only and never changed. A payload is written to
a temporary name on the same file system, flushed to the disk, renamed, and its folder flushed,
so that a name in the archive always stands for whole content, whatever is pulled or killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from schemas.errors import CrossdockError, PermanentError, TransientError

_PIECE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PASSING = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EINTR,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a payload is called in the archive, and its size in bytes."""

    sha256: str
    size: int


def create(path: Path) -> BinaryIO:
    """A new file for writing, readable by owner and group only once it is in place."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440), "wb", buffering=0)


class Archive:
    """A content-addressed store below ``root``. Any number of processes may write to it at once.

    ``opener`` makes the temporary file; a test passes one whose disk is full.
    """

    def __init__(self, root: Path, *, opener: Callable[[Path], BinaryIO] = create) -> None:
        self.root = Path(root)
        self._opener = opener

    def path(self, sha256: str) -> Path:
        """Where that content lies, or would. Raises ValueError for what is no SHA-256 in lower-case hex."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256 in lower-case hex: {sha256!r}")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def write(self, chunks: Iterable[bytes]) -> Stored:
        """Keep the bytes durably and say what they are called.

        Content that is there already is checked, not written again; should it be damaged, the good
        bytes take its place. Raises PermanentError when the disk is full or refuses, TransientError
        for what may pass; errors of ``chunks`` go through. Nothing is left behind in either case.
        """
        temporary = self.root / "incoming" / f"{uuid.uuid4().hex}.part"
        try:
            with _disk_errors(self.root):
                _make_folders(temporary.parent)
                file = self._opener(temporary)
            with file:
                stored = self._spill(chunks, file)
            with _disk_errors(self.root):
                self._put_in_place(temporary, stored.sha256)
        finally:
            with suppress(OSError):
                temporary.unlink()
        return stored

    def open(self, sha256: str) -> BinaryIO:
        """The content, for reading; its bytes have just been checked against their name.

        Raises PermanentError when it is missing or damaged.
        """
        file = self.unchecked(sha256)
        try:
            self.require_intact(file, sha256)
        except BaseException:
            file.close()
            raise
        return file

    def unchecked(self, sha256: str) -> BinaryIO:
        """The content, for reading by one who sees to it that nothing comes of it before ``require_intact``."""
        with _disk_errors(self.root):
            return self._stream(sha256)

    def require_intact(self, file: BinaryIO, sha256: str) -> None:
        """Raise PermanentError unless the bytes of ``file``, opened here, have that SHA-256. Where it stands is not
        changed, so that another thread may read it at the same time."""
        with _disk_errors(self.root):
            intact = _digest_of(file) == sha256
        if not intact:
            raise PermanentError(
                f"{self.path(sha256)} is damaged: its bytes no longer have that SHA-256",
                hint="restore the file from a backup, or have the sender send it again",
                sha256=sha256,
            )

    def verify(self, sha256: str) -> bool:
        """Whether the content is there and intact."""
        path = self.path(sha256)
        with _disk_errors(self.root):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return False
            with file:
                return _digest_of(file) == sha256

    def contents(self) -> Iterator[str]:
        """The SHA-256 of everything that lies here, in order; what lies beside it under another name is passed over."""
        with _disk_errors(self.root):
            for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")):
                if _SHA256.fullmatch(path.name) and path == self.path(path.name):
                    yield path.name

    def remove(self, sha256: str) -> None:
        """Give the content up for good. Idempotent."""
        with _disk_errors(self.root):
            self.path(sha256).unlink(missing_ok=True)

    def sweep(self, before: float) -> int:
        """Delete what killed writers left half-written, last touched before that moment (a POSIX time); how many."""
        gone = 0
        with _disk_errors(self.root):
            for path in (self.root / "incoming").glob("*.part"):
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
                    gone += 1
        return gone

    def read_range(self, sha256: str, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, fewer at the end of the content; not checked against the SHA-256."""
        if offset < 0 or length < 0:
            raise ValueError(f"no such range: {length} bytes from {offset}")
        with _disk_errors(self.root), self._stream(sha256) as file:
            file.seek(offset)
            return file.read(length)

    def _stream(self, sha256: str) -> BinaryIO:
        path = self.path(sha256)
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise PermanentError(
                f"{path} is missing from the archive",
                hint="restore the file from a backup, or have the sender send it again",
                sha256=sha256,
            ) from None

    def _spill(self, chunks: Iterable[bytes], file: BinaryIO) -> Stored:
        digest = hashlib.sha256()
        size = 0
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            with _disk_errors(self.root):
                _write_all(file, chunk)
        with _disk_errors(self.root):
            file.flush()
            os.fsync(file.fileno())
        return Stored(sha256=digest.hexdigest(), size=size)

    def _put_in_place(self, temporary: Path, sha256: str) -> None:
        place = self.path(sha256)
        if self.verify(sha256):
            _sync(place.parent)
            return
        _make_folders(place.parent)
        temporary.replace(place)
        _sync(place.parent)


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    """A raw file may take less than it is given."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _digest_of(file: BinaryIO) -> str:
    digest, at = hashlib.sha256(), 0
    while piece := os.pread(file.fileno(), _PIECE, at):
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()


def _make_folders(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, each flushed into its parent."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        _sync(place.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explained(error, root) from error


def _explained(error: OSError, root: Path) -> CrossdockError:
    reason = f"the archive {root} could not be used: {error.strerror or error}"
    if error.errno in _FULL:
        return PermanentError(
            reason, hint="free space or raise the quota there, then run again: the source still holds the payload"
        )
    if error.errno in _PASSING:
        return TransientError(reason, retry_after=10, hint="it usually passes")
    return PermanentError(reason, hint="check that the folder exists, belongs to this user and its disk is healthy")
