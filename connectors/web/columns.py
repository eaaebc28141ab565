"""Objects of a JSON answer as rows of text: which nested list makes the rows, and where each column stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import Field, model_validator

from schemas.configuration import Strict

Row = list[str | None]
Text = Callable[[Any], str | None]
NOW = "\x00now"  #: stands for the moment of the pull until the row is written


class Column(Strict):
    """Where a column comes from: ``path`` (the first that is filled), ``const`` or ``default``; then ``values``.

    In YAML a bare path is short for ``{path: ...}``.
    """

    path: str | list[str] | None = None
    const: str | None = None
    default: str | None = None
    values: dict[str, str] = {}  #: what is written instead of these; other values stay
    when: dict[str, str] = {}  #: paths and what they have to say, numbers by their size; else there is nothing
    now: bool = False  #: the moment of the pull
    trim_zeros: bool = False  #: ``0000000815`` becomes ``815``

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, entry: object) -> object:
        return {"path": entry} if isinstance(entry, str | list) else entry

    @model_validator(mode="after")
    def _has_an_origin(self) -> Column:
        if self.path is None and self.const is None and self.default is None and not self.now:
            raise ValueError("needs one of path, const, default or now")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        return () if self.path is None else (self.path,) if isinstance(self.path, str) else tuple(self.path)


Columns = Annotated[dict[str, Column], Field(min_length=1)]


def rows_of(entity: Mapping[str, Any], way: Sequence[str], columns: Mapping[str, Column], text: Text) -> Iterator[Row]:
    """The rows of one object: one for each element of the lists that ``way`` leads through, else one for itself.

    A list of ``way`` that is empty gives one row without it. A column's path begins at the object; through the
    lists of ``way`` it goes by the element whose row it is.
    """
    for chosen in _elements(entity, way):
        yield [_value(entity, chosen, column, text) for column in columns.values()]


def step(value: Any, name: str) -> Any:
    """The member ``name``; a list in OData V2's wrapping is the list."""
    member = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(member, Mapping) and isinstance(member.get("results"), list):
        return member["results"]
    return member


def absent(entity: Mapping[str, Any], way: Sequence[str], columns: Mapping[str, Column]) -> dict[str, str]:
    """The columns none of whose paths leads to a member that this object has, be it null; and those paths."""
    chosen = next(_elements(entity, way))
    return {
        name: " or ".join(column.paths)
        for name, column in columns.items()
        if column.paths and not any(_exists(entity, chosen, path) for path in column.paths)
    }


def _exists(entity: Mapping[str, Any], chosen: Mapping[str, Any], path: str) -> bool:
    """Whether the last member of ``path`` is there; where a list on the way is empty, nobody can tell."""
    way, _, last = path.rpartition("/")
    here = _at(entity, chosen, way) if way else entity
    return last.startswith("@") or not isinstance(here, Mapping) or not here or last in here


def kept_rows(rows: Iterable[Row], columns: Mapping[str, Column], keep: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    """Those rows of which every column of ``keep`` says one of its values."""
    places = [(list(columns).index(name), frozenset(values)) for name, values in keep.items()]
    return (row for row in rows if all(row[place] in values for place, values in places))


def _same(said: str | None, wanted: str) -> bool:
    if said is None or said == wanted:
        return said == wanted
    try:
        return Decimal(said) == Decimal(wanted)
    except InvalidOperation:
        return False


def plain_text(value: Any) -> str | None:
    """A JSON value as text: numbers are text already, objects are written as JSON."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _elements(entity: Mapping[str, Any], way: Sequence[str]) -> Iterator[dict[str, Any]]:
    """By the way to each list, the element of it."""
    chosen: list[dict[str, Any]] = [{"": entity}]
    for depth, name in enumerate(way):
        here = "/".join(way[:depth])
        further: list[dict[str, Any]] = []
        for one in chosen:
            found = step(one[here], name)
            listed = found if isinstance(found, list) else [found] if found is not None else []
            further += [{**one, "/".join(way[: depth + 1]): element} for element in listed] or [
                {**one, "/".join(way[: depth + 1]): {}}
            ]
        chosen = further
    yield from chosen


def _value(entity: Mapping[str, Any], chosen: Mapping[str, Any], column: Column, text: Text) -> str | None:
    if column.now:
        return NOW
    if column.const is not None:
        return column.const
    if not all(_same(text(_at(entity, chosen, path)), wanted) for path, wanted in column.when.items()):
        return column.default
    found: str | None = None
    for path in column.paths:
        found = text(_at(entity, chosen, path))
        found = found.strip() if found is not None else None
        if found:
            break
    if found and column.trim_zeros:
        found = found.lstrip("0") or "0"
    if found is not None and found in column.values:
        return column.values[found]
    return found or column.default


def _at(entity: Mapping[str, Any], chosen: Mapping[str, Any], path: str) -> Any:
    here: Any = entity
    way: list[str] = []
    for name in path.split("/"):
        way.append(name)
        joined = "/".join(way)
        if joined in chosen:
            here = chosen[joined]
            continue
        here = step(here, name)
        if isinstance(here, list):
            here = here[0] if here else None
    return here
