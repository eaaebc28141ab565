"""Files of configuration that change while a process goes on: noticed by their times, and read anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.configuration import yaml_files

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from crossdock.settings import Settings


class Rereading:
    """The dock, which reads its mappings and partners' files again once any of them is another than before."""

    def __init__(self, dock: Dock) -> None:
        self._dock = dock
        settings = dock.settings
        beside = (settings.mappings.parent / name for name in ("codes", "headings"))
        self._is_other = changed(settings.partners, settings.mappings, *beside)
        self._lock = threading.Lock()

    def of_now(self) -> Dock:
        with self._lock:
            if self._is_other():
                self._dock.reread()
        return self._dock


def changed(*places: Path) -> Callable[[], bool]:
    """Whether YAML files in these folders, or these files, are not what they were when that was last asked."""
    seen = _stamps(places)

    def is_other() -> bool:
        nonlocal seen
        before, seen = seen, _stamps(places)
        return seen != before

    return is_other


def who_gets_what(settings: Settings) -> tuple[Path, ...]:
    """Where an installation says who gets what: outlets, partners with their tiers, visibility."""
    return settings.outlets, settings.partners, settings.visibility


def _stamps(places: Iterable[Path]) -> frozenset[tuple[Path, int, int]]:
    stamps = set()
    for file in (file for place in places for file in (yaml_files(place) if place.is_dir() else (place,))):
        with suppress(OSError):  # gone meanwhile
            state = file.stat()
            stamps.add((file, state.st_mtime_ns, state.st_size))
    return frozenset(stamps)
