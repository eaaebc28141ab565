"""A query's columns and their types, and how they differ from those of last time."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec


class Column(NamedTuple):
    """A column of a result, with its type in a word (``decimal``)."""

    name: str
    type: str


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way in which a result differs from the one before: what a payload's header says of it."""

    column: str
    change: str  #: added, dropped, renamed or retyped
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        match self.change:
            case "added":
                return f"column {self.column} is new ({self.now})"
            case "dropped":
                return f"column {self.column} is gone ({self.was})"
            case "renamed":
                return f"column {self.was} is now called {self.now}"
            case _:
                return f"column {self.column} was {self.was} and is {self.now}"


def dump(columns: Sequence[Column]) -> str:
    """As text for ``State``; ``load`` reads it back."""
    return msgspec.json.encode(columns).decode()


def load(text: str) -> list[Column]:
    return msgspec.json.decode(text, type=list[Column])


def changes(was: Sequence[Column], now: Sequence[Column]) -> list[Change]:
    """How ``now`` differs. Their order does not matter, nor does the case of their letters.

    A column that is gone while one of its type stands newly in its place, or has nearly its name, was
    renamed.
    """
    old, new = ({column.name.casefold(): column for column in columns} for columns in (was, now))
    gone = [column for name, column in old.items() if name not in new]
    fresh = [column for name, column in new.items() if name not in old]
    found = []
    for column in list(gone):
        if (heir := _heir(column, fresh, was, now)) is not None:
            gone.remove(column)
            fresh.remove(heir)
            found.append(Change(column.name, "renamed", column.name, heir.name))
    found += [Change(column.name, "dropped", was=column.type) for column in gone]
    found += [Change(column.name, "added", now=column.type) for column in fresh]
    return [*found, *_retyped(old, new)]


def _heir(column: Column, fresh: Sequence[Column], was: Sequence[Column], now: Sequence[Column]) -> Column | None:
    alike = [other for other in fresh if other.type == column.type]
    if len(was) == len(now) and now[was.index(column)] in alike:
        return now[was.index(column)]
    names = {other.name.casefold(): other for other in alike}
    near = difflib.get_close_matches(column.name.casefold(), names, n=1, cutoff=0.75)
    return names[near[0]] if near else None


def _retyped(old: dict[str, Column], new: dict[str, Column]) -> Iterator[Change]:
    for name, column in new.items():
        if name in old and old[name].type != column.type:
            yield Change(column.name, "retyped", old[name].type, column.type)
