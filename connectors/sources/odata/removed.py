"""What a delta says is removed: entities of which nothing is left but what they were called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from connectors.web.columns import Column, Row, Text, rows_of

#: OData 4.01 JSON 15.3 and 4.0 JSON 14.3, Part 2 4.3.1: ``Orders('1')``, ``Items(Order='1',Item=10)``.
_PREDICATE = re.compile(r"\((?P<keys>[^()]*(?:'(?:[^']|'')*'[^()]*)*)\)\s*$")
_KEY = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?:'(?P<text>(?:[^']|'')*)'|(?P<bare>[^,]+))(?:,|$)")


def is_removed(entity: Mapping[str, Any]) -> bool:
    """Whether it is a removed entity, in the way of 4.01 or of 4.0."""
    return "@removed" in entity or str(entity.get("@odata.context", "")).endswith("$deletedEntity")


def removed_row(entity: Mapping[str, Any], key: Sequence[str], columns: Mapping[str, Column], text: Text) -> Row:
    """As much of the ``key`` as it tells, among ``columns`` that are empty otherwise."""
    told = {**_named(entity, key, columns), **entity}
    own = {
        name: Column(path=column.path, trim_zeros=column.trim_zeros) for name in key if (column := columns[name]).path
    }
    (row, *_) = rows_of(told, (), own, text)
    said = dict(zip(own, row, strict=True))
    return [said.get(name) for name in columns]


def _named(entity: Mapping[str, Any], key: Sequence[str], columns: Mapping[str, Column]) -> dict[str, str]:
    """The properties that stand in its address."""
    address = unquote(str(entity.get("@id") or entity.get("@odata.id") or entity.get("id") or ""))
    if not key or (found := _PREDICATE.search(address)) is None:
        return {}
    first = next(iter(columns[key[0]].paths), "")
    named = {}
    for one in _KEY.finditer(found["keys"]):
        value = one["bare"] if one["text"] is None else one["text"].replace("''", "'")
        named[one["name"] or first] = value
    return named
