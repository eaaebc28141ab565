"""Names of incoming files: which are wanted, how they are told to people, and under which a settled one is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


def kept_as(name: str, modified: float) -> Iterator[str]:
    """The names under which a settled file may be kept, best first: its own, then that with its time and a number."""
    path = PurePosixPath(name)
    stamp = datetime.fromtimestamp(modified, UTC).strftime("%Y%m%dT%H%M%S")
    return chain((name,), (f"{path.stem}.{stamp}-{n}{path.suffix}" for n in range(1, _SAME_NAMES)))


def legible(name: str) -> str:
    """The name in characters that can be stored and shown: bytes that are not UTF-8 become ``\\xf6``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
