"""Files that land in a folder.

A file counts as complete when it has been left alone for ``quiet``, or, where the sender can do
better, when its marker file lies beside it. One that is dated in the future, because somebody's clock
is wrong, is complete when two looks, ``quiet`` apart, find it unchanged. Folders in the folder and
symbolic links are passed over.

Settling moves a file to ``done``; it is never deleted and never overwrites an earlier file of the same name.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from connectors.base import Arrival, Place, State
from connectors.connections import Connections
from connectors.sources.names import Wanted, kept_as, legible, moment
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import PermanentError, TransientError

PIECE = 1 << 20  #: bytes per piece of a fetch


class Options(Strict):
    """``source: {kind: folder, path: inbox/acme, pattern: "*.edi"}``."""

    path: Path  #: the folder, relative to the installation's home
    pattern: str | list[str] = "*"  #: glob over file names, letter case ignored
    quiet: Duration = Field(timedelta(seconds=2), ge=timedelta(0))  #: how long a complete file has been left alone
    marker: Annotated[str, Field(min_length=1)] | None = (
        None  #: suffix of a marker file (``.done``) that says the file beside it is complete
    )
    done: Path | None = None  #: where settled files go; default: the folder ``done`` inside ``path``

    @model_validator(mode="after")
    def _done_is_elsewhere(self) -> Options:
        if self.done is not None and os.path.normpath(self.done) == os.path.normpath(self.path):
            raise ValueError("done and path are the same folder; settled files would arrive again for ever")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> FolderSource:  # noqa: ARG001
    path = home / options.path
    return FolderSource(
        path,
        wanted=_wanted(options),
        quiet=options.quiet.total_seconds(),
        done=home / options.done if options.done else path / "done",
    )


def place(options: Options, *, home: Path) -> Place:
    """Where files land; with markers, it is they that say so."""
    wanted = _wanted(options)
    if wanted.marker is not None:
        return Place(folder=home / options.path, wants=wanted.is_marker)
    return Place(folder=home / options.path, wants=wanted, rests=options.quiet.total_seconds())


def _wanted(options: Options) -> Wanted:
    patterns = (options.pattern,) if isinstance(options.pattern, str) else tuple(options.pattern)
    return Wanted(patterns, options.marker)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one content of a path from another without reading it."""

    modified: int  #: nanoseconds since the epoch
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_mtime_ns, status.st_size)

    @classmethod
    def at(cls, path: Path) -> Stamp:
        """Raises FileNotFoundError."""
        return cls.of(path.lstat())

    def __str__(self) -> str:
        return f"{self.modified}-{self.size}"


class FolderSource:
    """See the module. An arrival's key is the file's name with its time and size."""

    def __init__(
        self,
        path: Path,
        *,
        done: Path,
        wanted: Wanted = Wanted(),
        quiet: float = 2.0,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._done = done
        self._wanted = wanted
        self._quiet = quiet
        self._clock = clock
        self._pause = pause

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Complete files, oldest first."""
        with named(self._path):
            files = self._files()
            markers = self._wanted.markers(files)
            complete = self._marked(files, markers) if self._wanted.marker else self._rested(files)
        for modified, name, stamp in sorted((stamp.modified, name, stamp) for name, stamp in complete.items())[:limit]:
            metadata = {"path": str(self._path / name), "stamp": str(stamp)}
            if name in markers:
                metadata |= {"marker": markers[name], "marker_stamp": str(files[markers[name]])}
            yield Arrival(key=f"{name}@{stamp}", name=name, received_at=moment(modified / 1e9), metadata=metadata)

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The file's bytes. Raises TransientError when it changes meanwhile: it was not complete after all."""
        path = self._path / arrival.name
        with named(path), still_there(path), path.open("rb") as file:
            before = Stamp.of(os.fstat(file.fileno()))
            while piece := file.read(PIECE):
                yield piece
            after = Stamp.of(os.fstat(file.fileno()))
        if not str(before) == str(after) == arrival.metadata["stamp"]:
            raise TransientError(
                f"{legible(str(path))} changed while it was read",
                hint="it is taken once it is complete; a longer quiet time or a marker file would help",
            )

    def settle(self, arrival: Arrival) -> None:
        """Move the file to ``done``. A newer file that meanwhile took its name stays where it is."""
        path = self._path / arrival.name
        with named(path):
            with suppress(FileNotFoundError):
                stamp = Stamp.at(path)
                if str(stamp) == arrival.metadata["stamp"]:
                    self._done.mkdir(parents=True, exist_ok=True)
                    move(path, stamp, self._done, kept_as(path.name, stamp.modified / 1e9))
            if marker := arrival.metadata.get("marker"):
                with suppress(FileNotFoundError):
                    if str(Stamp.at(self._path / marker)) == arrival.metadata["marker_stamp"]:
                        (self._path / marker).unlink()

    def ripe_in(self) -> float:
        """Seconds until the youngest file has rested; one dated in the future is not waited for."""
        if self._wanted.marker is not None:
            return 0.0
        with named(self._path):
            now = self._clock()
            ages = [now - stamp.modified / 1e9 for name, stamp in self._files().items() if self._wanted(name)]
        return max((self._quiet - age for age in ages if 0 <= age < self._quiet), default=0.0)

    def close(self) -> None: ...

    def _files(self) -> dict[str, Stamp]:
        with os.scandir(self._path) as entries:
            return stamps(entries)

    def _marked(self, files: Mapping[str, Stamp], markers: Mapping[str, str]) -> dict[str, Stamp]:
        """Those with a marker; one that is older than its file is of an earlier file."""
        return {name: files[name] for name, marker in markers.items() if files[marker].modified >= files[name].modified}

    def _rested(self, files: Mapping[str, Stamp]) -> dict[str, Stamp]:
        """Those that were left alone, by the clock, or, where the clock cannot tell, before our eyes."""
        now = self._clock()
        ages = {name: now - stamp.modified / 1e9 for name, stamp in files.items() if self._wanted(name)}
        rested = {name: files[name] for name, age in ages.items() if age >= self._quiet}
        ahead = {name: files[name] for name, age in ages.items() if age < 0}
        if ahead:
            self._pause(self._quiet)
            rested |= dict(ahead.items() & self._files().items())
        return rested


def stamps(entries: Iterable[os.DirEntry[str]]) -> dict[str, Stamp]:
    """The regular files among the entries of a folder; they may go while one looks."""
    files = {}
    for entry in entries:
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False):
                files[entry.name] = Stamp.of(entry.stat(follow_symlinks=False))
    return files


def move(path: Path, stamp: Stamp, folder: Path, names: Iterable[str]) -> None:
    """Move ``path`` into ``folder`` for good, under the first of ``names`` that is free there.

    A free name is taken by an empty file, over which ``path`` is renamed: nothing is overwritten, and
    what lies at ``path`` in that moment goes as a whole. Should that be newer than ``stamp``, it is given
    back. A crash in between leaves the empty file, which the next move takes for free.
    """
    for name in names:
        target = folder / name
        if not _reserve(target):
            continue
        try:
            path.replace(target)
        except OSError as error:
            target.unlink(missing_ok=True)
            if error.errno == errno.EXDEV:
                hint = "settled files can only go to a folder of the same file system"
                raise PermanentError(f"{path} cannot be moved to {folder}", hint=hint) from None
            raise
        break
    else:
        raise PermanentError(f"{folder} holds too many files named like {path.name}", hint="clear the folder")
    if Stamp.at(target) != stamp:
        _give_back(target, path)
    sync_folder(folder)
    sync_folder(path.parent)


def _reserve(target: Path) -> bool:
    try:
        target.open("xb").close()
    except FileExistsError:
        return target.is_file() and target.stat().st_size == 0
    return True


def _give_back(target: Path, path: Path) -> None:
    """Undo a move, unless there is an even newer file in place, which then is the one that counts."""
    try:
        os.link(target, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        target.replace(path)
    target.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def still_there(path: Path) -> Iterator[None]:
    """Say of a file that was listed and is gone that somebody took it away: no fault of the configuration."""
    try:
        yield
    except FileNotFoundError:
        raise TransientError(
            f"{legible(str(path))} is gone", hint="it was there a moment ago; the next look will tell"
        ) from None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Say of an OSError which path it is about and whether another try can help."""
    place = legible(str(path))
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise PermanentError(f"{place} is not there", hint="make it, or mend the channel's path") from None
    except FileExistsError as error:
        in_the_way = legible(str(error.filename or path))
        raise PermanentError(f"{in_the_way} is a file, but should be a folder", hint="move it away") from None
    except PermissionError as error:
        refused = legible(str(error.filename or path))
        raise PermanentError(f"{refused}: permission denied", hint="give us the right to it") from None
    except OSError as error:
        raise TransientError(f"{place}: {error.strerror or error}") from error
