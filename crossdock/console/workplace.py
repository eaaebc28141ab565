"""What the console works with, beside what the feed has.

Mappings and partners' files are those of the moment: a file that somebody changes, on a page or by hand, is read anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.outlet import Outlet, load_outlets
from crossdock import word
from crossdock.feed.service import Service
from schemas.configuration import yaml_files

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.dock import Dock
    from crossdock.mending.mails import Translate
    from crossdock.mending.release import Released
    from crossdock.translation import Context
    from mappings.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """An installation as the console needs it."""

    service: Service
    archive: Archive
    library: Callable[[], Library]  #: mappings and partners of now
    context: Callable[[], Context]  #: those and the master data of now; raises TransientError while there are none
    release: Callable[[str], Released]  #: lets go on what need not wait any longer, for a reason
    translate: Translate
    partners: Path  #: the folder of the partners' files
    data_docs: Path  #: the folder of Great Expectations' pages
    outlets: Callable[[], Mapping[str, Outlet]] = dict  #: as their files say now
    leave_word: Callable[[], None] = lambda: None  #: that outlets have something to do (``crossdock.word``)
    airflow: str = ""  #: where Airflow's pages are; empty: no links to them


def workplace_of(dock: Dock, service: Service) -> Workplace:
    """The console of an installation. ``CROSSDOCK_AIRFLOW_URL`` says where Airflow's pages are."""
    files = _Files(dock)
    return Workplace(
        service=service,
        archive=dock.archive,
        library=lambda: files.of_now().library,
        context=lambda: files.of_now().context(),
        release=lambda reason: files.of_now().release(reason),
        translate=lambda ids: files.of_now().translate(ids),
        partners=dock.settings.partners,
        data_docs=dock.settings.data_docs,
        outlets=lambda: load_outlets(dock.settings.outlets),
        leave_word=lambda: word.leave(dock.settings.home),
        airflow=os.environ.get("CROSSDOCK_AIRFLOW_URL", "").rstrip("/"),
    )


class _Files:
    """The dock, which reads its mappings and partners' files again once any of them is another than before."""

    def __init__(self, dock: Dock) -> None:
        self._dock = dock
        self._folders = (dock.settings.partners, *_folders_of(dock.settings.mappings))
        self._seen = self._stamps()
        self._lock = threading.Lock()

    def of_now(self) -> Dock:
        with self._lock:
            if (stamps := self._stamps()) != self._seen:
                self._dock.reread()
                self._seen = stamps
        return self._dock

    def _stamps(self) -> frozenset[tuple[Path, int, int]]:
        stamps = set()
        for path in chain.from_iterable(map(yaml_files, self._folders)):
            with suppress(OSError):  # gone meanwhile
                state = path.stat()
                stamps.add((path, state.st_mtime_ns, state.st_size))
        return frozenset(stamps)


def _folders_of(mappings: Path) -> tuple[Path, ...]:
    """Where a library is read from: standard mappings, and code lists and headings beside them."""
    return (mappings, mappings.parent / "codes", mappings.parent / "headings")
