"""SQL with named markers, made ready for a driver that knows only ``?``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connectors.pulls.source import Pull

MARKER = "watermark"  #: what a query says, as ``:watermark``, for the point it continues from

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

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """What is bound to the ``?``, in their order."""
        return [given[marker] for marker in self.markers]


class Drift(StrEnum):
    """What happens when a query's columns are no longer those of last time."""

    EVOLVE = "evolve"  #: the new ones come
    FREEZE = "freeze"  #: those of last time come: a new one is left out, a missing one is empty
    STOP = "stop"  #: nothing comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Pull):
    """A pull as the database is asked for it. ``keys`` gives the keys of all rows there are."""

    statement: Statement
    parameters: Mapping[str, Any] = field(default_factory=dict)
    drift: Drift = Drift.EVOLVE
    keys: Statement | None = None


def page_after(
    text: str, order: Sequence[str], last: Sequence[Any] | None, *, size: int, quotes: str
) -> tuple[str, list[Any]]:
    """The statement for the next ``size`` rows of ``text`` in ``order``, from the row ``last`` on, and what is bound.

    The row itself comes once more, and those that are equal to it in ``order``. NULL comes first, as MariaDB,
    MySQL and SQLite have it.
    """
    names = [f"{quotes[0]}{name.replace(quotes[1], quotes[1] * 2)}{quotes[1]}" for name in order]
    values: list[Any] = []
    where = ""
    if last is not None:
        ways = []
        for place in range(len(names) - 1, -1, -1):
            same = [_same(name, value, values) for name, value in zip(names[:place], last[:place], strict=True)]
            ways.append(" AND ".join([*same, _beyond(names[place], last[place], values, place == len(names) - 1)]))
        where = " WHERE " + " OR ".join(f"({way})" for way in ways)
    rows = f"SELECT * FROM ({text}\n) AS pulled{where}"  # noqa: S608 - the channel's own query; data are bound
    return f"{rows} ORDER BY {', '.join(names)} LIMIT {size:d}", values


def _same(name: str, value: Any, values: list[Any]) -> str:
    if value is None:
        return f"{name} IS NULL"
    values.append(value)
    return f"{name} = ?"


def _beyond(name: str, value: Any, values: list[Any], inclusive: bool) -> str:
    if value is None:
        return "1 = 1" if inclusive else f"{name} IS NOT NULL"
    values.append(value)
    return f"{name} {'>=' if inclusive else '>'} ?"


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
