"""Files that land in a folder of an SFTP server.

There is no asking an SFTP server whether a file is complete, nor what time it thinks it is. A file
counts as complete when two looks, ``quiet`` apart by our own clock, find it of the same size and time;
or, where the sender can do better, when its marker file lies beside it. Names that programs give
unfinished files are passed over. Settling moves a file to ``done``, overwriting nothing, or deletes it.

A fetch whose connection breaks off goes on, on a new one, at the byte where it stopped.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.base import Arrival, State
from connectors.connections import Connections
from connectors.sources.names import Wanted, kept_as, legible, moment
from connectors.ssh.errors import Dropped, Missing, Taken
from connectors.ssh.login import ServerOptions, login_of
from connectors.ssh.session import PIECE, Session, Stamp
from schemas.durations import Duration
from schemas.errors import PermanentError, TransientError

_RESUMES = 4  #: connections in a row that may break off without a byte before a fetch gives up
_LOOK = 5.0  #: seconds between two looks of who waits: a server tells nothing by itself
_FIRST_PAUSE = 0.5  #: seconds before the first new connection; doubled for each one after it


class Options(ServerOptions):
    """``source: {kind: sftp, conn_id: acme, path: outbox, pattern: "*.edi"}``; see also ``ServerOptions``."""

    pattern: str | list[str] = "*"  #: glob over file names, letter case ignored
    quiet: Duration = Field(timedelta(seconds=5), ge=timedelta(0))  #: between two looks at a file; 0s: one look will do
    marker: Annotated[str, Field(min_length=1)] | None = (
        None  #: suffix of a marker file (``.done``) that says the file beside it is complete
    )
    settle: Literal["move", "delete"] = "move"  #: what becomes of a file once we hold it
    done: str | None = None  #: where settled files go, on the server; default: the folder ``done`` inside ``path``

    @model_validator(mode="after")
    def _done_is_elsewhere(self) -> Options:
        if self.settle == "delete" and self.done is not None:
            raise ValueError("done says where files are moved to, but settle says delete")
        if self.done is not None and posixpath.normpath(self.done) == posixpath.normpath(self.path):
            raise ValueError("done and path are the same folder; settled files would arrive again for ever")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> SftpSource:  # noqa: ARG001
    return SftpSource(Session(login_of(options, home=home, connections=connections)), options)


class SftpSource:
    """See the module. An arrival's key is the file's name with its time and size."""

    def __init__(self, server: Session, options: Options, *, pause: Callable[[float], None] = time.sleep) -> None:
        patterns = (options.pattern,) if isinstance(options.pattern, str) else tuple(options.pattern)
        self._server = server
        self._path = options.path
        self._wanted = Wanted(patterns, options.marker)
        self._quiet = options.quiet.total_seconds()
        #: None: settled files are deleted
        self._done = None if options.settle == "delete" else options.done or posixpath.join(options.path, "done")
        self._done_is_there = False
        self._pause = pause
        self._told: frozenset[tuple[str, Stamp]] = frozenset()

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Complete files, oldest first. Takes ``quiet`` when there is one to be looked at twice."""
        files = self._server.listing(self._path)
        markers = self._wanted.markers(files)
        complete = self._marked(files, markers) if self._wanted.marker else self._rested(files)
        for modified, name, stamp in sorted((stamp.modified, name, stamp) for name, stamp in complete.items())[:limit]:
            shown = legible(name)
            metadata = {"server": self._server.place, "path": legible(self._at(name)), "stamp": str(stamp)}
            if shown != name:
                metadata["raw_name"] = os.fsencode(name).hex()
            if name in markers:
                metadata |= {"marker": markers[name], "marker_stamp": str(files[markers[name]])}
            yield Arrival(key=f"{shown}@{stamp}", name=shown, received_at=moment(modified), metadata=metadata)

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        """The file's bytes, resumed when the connection breaks off.

        Raises TransientError when it changes meanwhile: it was not complete after all.
        """
        stamp = Stamp.parse(arrival.metadata["stamp"])
        offset = losses = 0
        while True:
            try:
                for piece in self._pieces(arrival, stamp, offset):
                    offset += len(piece)
                    losses = 0
                    yield piece
                return
            except Dropped:
                losses += 1
                if losses > _RESUMES:
                    raise
                self._pause(_FIRST_PAUSE * 2 ** (losses - 1))

    def settle(self, arrival: Arrival) -> None:
        """Move the file to ``done`` or delete it. A newer file that meanwhile took its name stays where it is."""
        name, stamp = _file_of(arrival), Stamp.parse(arrival.metadata["stamp"])
        path = self._at(name)
        if self._server.stamp(path) == stamp:
            if self._done is None:
                self._remove(path)
            else:
                self._move(name, stamp, self._done)
        if marker := arrival.metadata.get("marker"):
            marker = self._at(marker)
            if str(self._server.stamp(marker)) == arrival.metadata["marker_stamp"]:
                self._remove(marker)

    def wait(self, seconds: float) -> bool:
        """Look every few seconds, over one connection, until there is a file that no earlier call told of."""
        until = time.monotonic() + seconds
        while True:
            lies = self._telling()
            fresh, self._told = lies - self._told, lies
            left = until - time.monotonic()
            if fresh or left <= 0:
                return bool(fresh)
            self._pause(min(left, _LOOK))

    def lies(self) -> bool:
        """Whether there is a file that was not taken yet."""
        return bool(self._telling())

    def _telling(self) -> frozenset[tuple[str, Stamp]]:
        """The files that say, by their names or as markers, that something has landed."""
        tells = self._wanted if self._wanted.marker is None else self._wanted.is_marker
        return frozenset(file for file in self._server.listing(self._path).items() if tells(file[0]))

    def close(self) -> None:
        self._server.close()

    def _marked(self, files: Mapping[str, Stamp], markers: Mapping[str, str]) -> dict[str, Stamp]:
        """Those with a marker; one that is older than its file is of an earlier file."""
        return {name: files[name] for name, marker in markers.items() if files[marker].modified >= files[name].modified}

    def _rested(self, files: Mapping[str, Stamp]) -> dict[str, Stamp]:
        """Those that were left alone between two looks."""
        first = {name: stamp for name, stamp in files.items() if self._wanted(name)}
        if not first or not self._quiet:
            return first
        self._pause(self._quiet)
        return dict(first.items() & self._server.listing(self._path).items())

    def _pieces(self, arrival: Arrival, stamp: Stamp, offset: int) -> Iterator[bytes]:
        """The bytes from ``offset`` on, over one connection."""
        path = self._at(_file_of(arrival))
        changed = TransientError(
            f"{self._server.place}: {legible(path)} changed while it was read",
            hint="it is taken once it is complete; a longer quiet time or a marker file would help",
        )
        with self._still_there(path), self._server.open(path) as file:
            if file.stamp() != stamp:
                raise changed
            while offset < stamp.size:
                piece = file.read(offset, min(PIECE, stamp.size - offset))
                if not piece:
                    raise changed
                offset += len(piece)
                yield piece
            if file.stamp() != stamp:
                raise changed

    def _move(self, name: str, stamp: Stamp, folder: str) -> None:
        """Move a file into ``folder`` under a name that is still free there."""
        path = self._at(name)
        if not self._done_is_there:
            self._server.make_folder(folder)
            self._done_is_there = True
        for kept in kept_as(name, stamp.modified):
            target = posixpath.join(folder, kept)
            # by the standard a rename overwrites nothing, but not every server knows
            if self._server.stamp(target) is not None:
                continue
            try:
                self._server.rename(path, target)
            except Missing:
                pass  # an earlier call moved it, and we were not told
            except (TransientError, Taken):
                if self._server.stamp(target) is None:
                    raise
                if self._server.stamp(path) is not None:
                    continue
            else:
                self._give_back_what_is_newer(target, path, stamp)
            return
        raise PermanentError(
            f"{self._server.place}: {folder} holds too many files named like {legible(name)}", hint="clear the folder"
        )

    @contextmanager
    def _still_there(self, path: str) -> Iterator[None]:
        """A file that was listed and is gone was taken away by somebody: no fault of the configuration."""
        try:
            yield
        except Missing:
            message = f"{self._server.place}: {legible(path)} is gone"
            raise TransientError(message, hint="it was there a moment ago; the next look will tell") from None

    def _remove(self, path: str) -> None:
        with suppress(Missing):
            self._server.remove(path)

    def _give_back_what_is_newer(self, target: str, path: str, stamp: Stamp) -> None:
        """The sender may have replaced the file in the moment before it was moved; then it is not settled."""
        if self._server.stamp(target) not in (stamp, None):
            with suppress(Missing, Taken, TransientError):  # where the sender has replaced it once more, that one stays
                self._server.rename(target, path)

    def _at(self, name: str) -> str:
        return posixpath.join(self._path, name)


def _file_of(arrival: Arrival) -> str:
    """The name on the server, which need not be UTF-8."""
    raw = arrival.metadata.get("raw_name")
    return os.fsdecode(bytes.fromhex(raw)) if raw else arrival.name
