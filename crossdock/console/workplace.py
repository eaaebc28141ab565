"""What the console works with, beside what the feed has.

Mappings and partners' files are those of the moment: a file that somebody changes, on a page or by hand, is read anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.outlet import Outlet, load_outlets
from crossdock import word
from crossdock.feed.service import Service
from crossdock.rereading import Rereading

if TYPE_CHECKING:
    from pathlib import Path

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
    files = service.files or Rereading(dock)
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
