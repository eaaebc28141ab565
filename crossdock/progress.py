"""Long work that somebody may look at: what is told of it, and a sink and an archive that tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from connectors.archive import Archive
    from connectors.base import Sink


class Progress(Protocol):
    """Somebody who wants to see long work move. All calls come from the caller's own thread."""

    def begin(self, what: str, total: int, unit: str) -> None:
        """Work on ``what`` starts: ``total`` (0 if nobody knows) of ``unit``: payloads, bytes or events."""
        ...

    def advance(self, done: int, lines: int = 0) -> None:
        """``done`` more of the unit are through, and ``lines`` more lines."""
        ...

    def end(self) -> None: ...


class Unwatched:
    """A Progress nobody looks at."""

    def begin(self, what: str, total: int, unit: str) -> None: ...
    def advance(self, done: int, lines: int = 0) -> None: ...
    def end(self) -> None: ...


class WatchedSink:
    """A sink, telling ``on_events`` how many events it took."""

    def __init__(self, sink: Sink, on_events: Callable[[int], None]) -> None:
        self._sink = sink
        self._on_events = on_events

    def deliver(self, events: Sequence[bytes]) -> None:
        self._sink.deliver(events)
        self._on_events(len(events))

    def close(self) -> None:
        self._sink.close()


def watched_archive(root: Path, on_bytes: Callable[[int], None]) -> Archive:
    """The archive at ``root``, telling ``on_bytes`` how much further into a payload each read got."""
    from connectors.archive import Archive

    class Watched(Archive):
        def open(self, sha256: str) -> BinaryIO:
            return BufferedReader(_Counted(super().open(sha256), on_bytes), 1 << 18)

    return Watched(root)


class _Counted(RawIOBase):
    """A stream, telling ``on_bytes`` of bytes that were not read before."""

    def __init__(self, stream: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes
        self._furthest = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        if (here := self._stream.tell()) > self._furthest:
            self._on_bytes(here - self._furthest)
            self._furthest = here
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()
