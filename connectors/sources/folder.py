"""Files that land in a folder.

A file counts as complete when it has been left alone for ``quiet``, or, where the sender can do
better, when its marker file lies beside it. Settling moves it to ``done``; it is never deleted and
never overwrites an earlier file of the same name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from pydantic import Field

from connectors.base import Arrival, State
from connectors.configuration import Duration, Strict
from connectors.connections import Connections
from schemas.errors import PermanentError, TransientError

PIECE = 1 << 20  #: bytes per piece of a fetch

#: Names that programs give a file while they still write it.
_UNFINISHED_PREFIXES = (".", "~", "_tmp")
_UNFINISHED_SUFFIXES = (
    "~",
    ".crdownload",
    ".filepart",
    ".inprogress",
    ".lock",
    ".part",
    ".partial",
    ".swp",
    ".temp",
    ".tmp",
    ".writing",
)


class Options(Strict):
    """``source: {kind: folder, path: inbox/acme, pattern: "*.edi"}``."""

    path: Path  #: the folder, relative to the installation's home
    pattern: str | list[str] = "*"  #: glob over file names, letter case ignored
    quiet: Duration = Field(timedelta(seconds=2), ge=timedelta(0))  #: how long a complete file has been left alone
    marker: str | None = None  #: suffix of a marker file (``.done``) that says the file beside it is complete
    done: Path | None = None  #: where settled files go; default: the folder ``done`` inside ``path``


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> FolderSource:  # noqa: ARG001
    path = home / options.path
    return FolderSource(
        path,
        patterns=(options.pattern,) if isinstance(options.pattern, str) else tuple(options.pattern),
        quiet=options.quiet.total_seconds(),
        marker=options.marker,
        done=home / options.done if options.done else path / "done",
    )


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells one content of a path from another without reading it."""

    modified: int  #: nanoseconds since the epoch
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Stamp:
        return cls(status.st_mtime_ns, status.st_size)

    def __str__(self) -> str:
        return f"{self.modified}-{self.size}"


class FolderSource:
    """See the module. An arrival's key is the file's name with its time and size."""

    def __init__(
        self,
        path: Path,
        *,
        done: Path,
        patterns: tuple[str, ...] = ("*",),
        quiet: float = 2.0,
        marker: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._done = done
        self._patterns = tuple(pattern.casefold() for pattern in patterns)
        self._quiet = quiet
        self._marker = marker
        self._clock = clock

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Complete files, oldest first."""
        with named(self._path):
            waiting = sorted((stamp.modified, name, stamp) for name, stamp in self._complete())
        for modified, name, stamp in waiting[:limit]:
            yield Arrival(
                key=f"{name}@{stamp}",
                name=name,
                received_at=datetime.fromtimestamp(modified / 1e9, UTC),
                metadata={"path": str(self._path / name), "stamp": str(stamp)},
            )

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The file's bytes. Raises TransientError when it changes meanwhile: it was not complete after all."""
        path = self._path / arrival.name
        with named(path), path.open("rb") as file:
            before = _Stamp.of(os.fstat(file.fileno()))
            while piece := file.read(PIECE):
                yield piece
            after = _Stamp.of(os.fstat(file.fileno()))
        if not str(before) == str(after) == arrival.metadata["stamp"]:
            raise TransientError(
                f"{path} changed while it was read",
                hint="it is taken once it is complete; a longer quiet time or a marker file would help",
            )

    def settle(self, arrival: Arrival) -> None:
        """Move the file to ``done``. A newer file that meanwhile took its name stays where it is."""
        path = self._path / arrival.name
        with named(path):
            with suppress(FileNotFoundError):
                if str(_Stamp.of(path.stat())) == arrival.metadata["stamp"]:
                    self._done.mkdir(parents=True, exist_ok=True)
                    _move(path, self._done)
            if self._marker and not path.exists():
                path.with_name(path.name + self._marker).unlink(missing_ok=True)

    def close(self) -> None: ...

    def _complete(self) -> Iterator[tuple[str, _Stamp]]:
        now = self._clock()
        with os.scandir(self._path) as entries:
            files = {entry.name: entry.stat() for entry in entries if _is_file(entry)}
        for name, status in files.items():
            if not self._wanted(name):
                continue
            if self._marker is not None:
                marker = files.get(name + self._marker)
                complete = marker is not None and marker.st_mtime_ns >= status.st_mtime_ns
            else:
                complete = now - status.st_mtime >= self._quiet
            if complete:
                yield name, _Stamp.of(status)

    def _wanted(self, name: str) -> bool:
        plain = name.casefold()
        if plain.startswith(_UNFINISHED_PREFIXES) or plain.endswith(_UNFINISHED_SUFFIXES):
            return False
        if self._marker is not None and plain.endswith(self._marker.casefold()):
            return False
        return any(fnmatch(plain, pattern) for pattern in self._patterns)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except FileNotFoundError:
        return False


def _move(path: Path, folder: Path) -> None:
    """Move ``path`` into ``folder`` for good, under a name that is still free there.

    A link, then an unlink: neither overwrites anything, and a crash between the two leaves a
    second name of the same file, which the next call recognises.
    """
    status = path.stat()
    stamp = datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y%m%dT%H%M%S")
    names = chain((path.name,), (f"{path.stem}.{stamp}-{n}{path.suffix}" for n in range(1, 10_000)))
    for name in names:
        target = folder / name
        try:
            os.link(path, target)
        except FileExistsError:
            if not target.samefile(path):
                continue
        except PermissionError:
            # a file system without hard links; we are the only mover, so looking first is enough
            if target.exists():
                continue
            path.replace(target)
        break
    else:
        raise PermanentError(f"{folder} holds 10000 files named like {path.name}", hint="clear the folder")
    path.unlink(missing_ok=True)
    sync_folder(folder)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Say of an OSError which path it is about and whether another try can help."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise PermanentError(f"{path} is not there", hint="make it, or mend the channel's path") from None
    except PermissionError:
        raise PermanentError(f"{path}: permission denied", hint="give us the right to it") from None
    except OSError as error:
        raise TransientError(f"{path}: {error.strerror or error}") from error
