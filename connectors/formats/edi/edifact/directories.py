"""Directories of UN/EDIFACT (D.93A, D.96A, D.01B ...): which one a message names, and which tables read it."""

from __future__ import annotations

import re
from functools import cache

from connectors.formats.edi.grammar import EDIFACT

_RELEASE = re.compile(r"(\d\d)([A-C])")
#: messages of ISO 9735 itself and their versions, which no directory changes
_SERVICE_MESSAGES = ("CONTRL",)
_NEWEST = "D21B"  #: the last directory that was looked at: nothing changed in our messages since the newest table


@cache
def known_directories() -> tuple[str, ...]:
    """The directories with a table of their own, oldest first."""
    overlays = (path.stem for path in EDIFACT.tables.glob("D[0-9][0-9][A-C].yaml"))
    return tuple(sorted({EDIFACT.base, *overlays}, key=_age))


def directory_for(message: str, version: str, release: str) -> tuple[str, bool]:
    """The tables for a message of UNH ``version`` and ``release``, and whether they are surely near enough.

    That is the newest known directory not after the one named, else the oldest, as for those before D.93A (``2:912``);
    the base where none is named.
    """
    if message in _SERVICE_MESSAGES:
        return EDIFACT.base, True
    known = known_directories()
    if version.isdigit():
        return known[0], False
    match = _RELEASE.fullmatch(release)
    if version not in ("D", "S") or not match or not 88 <= _year(release) - 1900 <= 140:
        return EDIFACT.base, False
    wanted = f"D{release}"
    earlier = [directory for directory in known if _age(directory) <= _age(wanted)]
    return (earlier[-1], _age(wanted) <= _age(_NEWEST)) if earlier else (known[0], False)


def _age(directory: str) -> tuple[int, str]:
    return _year(directory[1:]), directory[3]


def _year(release: str) -> int:
    year = int(release[:2])
    return 1900 + year if year >= 88 else 2000 + year
