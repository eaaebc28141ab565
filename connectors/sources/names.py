"""Names of incoming files: which are wanted, how they are told to people, and under which a settled one is kept."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from itertools import chain
from pathlib import PurePosixPath

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
_SAME_NAMES = 10_000  #: files of one name that a folder of settled files is searched for
_END_OF_TIME = 253_402_300_799  #: the last second that a date can be written for


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether a file of some name is ours to take: it matches a pattern and is neither unfinished nor a marker."""

    patterns: tuple[str, ...] = ("*",)  #: globs, letter case ignored
    marker: str | None = None  #: suffix of marker files

    def __call__(self, name: str) -> bool:
        plain = name.casefold()
        if plain.startswith(_UNFINISHED_PREFIXES) or plain.endswith(_UNFINISHED_SUFFIXES):
            return False
        if self.marker is not None and plain.endswith(self.marker.casefold()):
            return False
        return any(fnmatch(plain, pattern.casefold()) for pattern in self.patterns)

    def is_marker(self, name: str) -> bool:
        """Whether a file of that name says of a wanted one that it is complete."""
        if self.marker is None or not name.casefold().endswith(self.marker.casefold()):
            return False
        return self(name[: -len(self.marker)])

    def markers(self, files: Collection[str]) -> dict[str, str]:
        """The wanted ones among ``files`` that have a marker, each with it; letter case ignored."""
        if self.marker is None:
            return {}
        suffix = self.marker.casefold()
        markers = {name.casefold(): name for name in files if name.casefold().endswith(suffix)}
        return {
            name: markers[marker] for name in files if self(name) and (marker := name.casefold() + suffix) in markers
        }


def kept_as(name: str, modified: float) -> Iterator[str]:
    """The names under which a settled file may be kept, best first: its own, then that with its time and a number."""
    path, stamp = PurePosixPath(name), moment(modified).strftime("%Y%m%dT%H%M%S")
    return chain((name,), (f"{path.stem}.{stamp}-{n}{path.suffix}" for n in range(1, _SAME_NAMES)))


def moment(modified: float) -> datetime:
    """The time of a file, which may be any number of seconds, as an aware datetime."""
    return datetime.fromtimestamp(min(modified, _END_OF_TIME), UTC)


def legible(name: str) -> str:
    """The name in characters that can be stored and shown: bytes that are not UTF-8 become ``\\xf6``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
