"""Whether events still keep what their last release promised: within a version things are only added.

``schemas/released/<stream>.schema.json`` are the schemas as last released. ``python -m crossdock.contract --check``
compares; ``--release`` writes them anew, once a release is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
#: What narrows or changes a value's meaning; a change of it can break who reads or checks events.
_FIXED = ("type", "const", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "$ref")


def breaking(released: Schema, now: Schema) -> list[str]:
    """Every way in which an event that ``now`` allows may surprise a reader of ``released``; empty when there is none.

    A reader ignores attributes it does not know, and knows that kinds are added.
    """
    return list(_compared("", released, now, released, now))


def _compared(place: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    for name in _FIXED:
        if name != "$ref" and old.get(name) != new.get(name) and not _widened(name, old, new):
            yield f"{place or 'event'}: {name} was {old.get(name)!r} and is {new.get(name)!r}"
    if "enum" in old and (gone := [value for value in old["enum"] if value not in new.get("enum", ())]):
        yield f"{place}: {', '.join(map(str, gone))} is gone from what it may be"
    before: Mapping[str, Schema] = old.get("properties", {})
    after: Mapping[str, Schema] = new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{place}{name}: is gone"
        else:
            yield from _compared(f"{place}{name}.", before[name], after[name], old_root, new_root)
    for name in old.get("required", ()):
        if name in after and name not in new.get("required", ()):
            yield f"{place}{name}: was always there and may be missing now"
    if "items" in old and "items" in new:
        yield from _compared(f"{place}[].", old["items"], new["items"], old_root, new_root)


def _widened(name: str, old: Schema, new: Schema) -> bool:
    """Whether only something that may be was added to what was said: a type beside ``null``, say, is no such thing."""
    return name in ("minLength", "minimum") and old.get(name) is None and new.get(name) is not None


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        steps: Sequence[str] = str(schema["$ref"]).removeprefix("#/").split("/")
        found: Any = root
        for step in steps:
            found = found[step]
        schema = found
    return schema
