"""SQL with named markers, made ready for a driver that knows only ``?``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MARKER = "watermark"  #: the one name a query may use, as ``:watermark``

#: What a marker cannot stand in: strings, quoted names, comments; and ``::``, PostgreSQL's cast.
_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]\n]*\]
    | --[^\n]* | /\*.*?\*/
    | ::
    | :(?P<marker>[A-Za-z_]\w*)
    | (?P<bare>\?)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """``text`` has a ``?`` for each of ``markers``; ``bare`` counts those that were there already."""

    text: str
    markers: tuple[str, ...]
    bare: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One query as the source runs it."""

    name: str
    statement: Statement
    watermark: str | None = None
    key: tuple[str, ...] = ()
    overlap: timedelta = timedelta(0)
    initial: datetime | date | int | str = ""


def parse(sql: str) -> Statement:
    """``sql`` with its ``:markers`` replaced, those in strings and comments left alone."""
    markers: list[str] = []
    bare = 0

    def replaced(token: re.Match[str]) -> str:
        nonlocal bare
        if token["marker"]:
            markers.append(token["marker"])
            return "?"
        bare += token["bare"] is not None
        return token[0]

    text = _TOKEN.sub(replaced, sql.strip().rstrip(";"))
    return Statement(text, tuple(markers), bare)
