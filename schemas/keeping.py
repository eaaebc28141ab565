"""Whether JSON keeps a model of ours, in less than half the time that msgspec takes for it.

Most of that goes into patterns, and most words were met before. So the model is read without its patterns, and each of
them looks only at what it has not met.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import reduce
from operator import attrgetter, or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

_MOST = 10_000  #: words that a pattern remembers


def keeper(model: type[msgspec.Struct]) -> Callable[[bytes], None]:
    """What raises ``msgspec.ValidationError`` (or DecodeError) for JSON that does not keep ``model``, else nothing."""
    strictly = msgspec.json.Decoder(model).decode
    loosely = msgspec.json.Decoder(_loose(model)).decode
    fields = defaultdict(list)
    for path, pattern in _patterns(model):
        fields[pattern].append(path)
    words = [_Words(pattern, paths) for pattern, paths in fields.items()]

    def keep(data: bytes) -> None:
        read = loosely(data)
        for some in words:
            if not some.are_good(read):
                strictly(data)  # says which and why

    return keep


class _Words:
    """The words at ``paths`` of a model, each of which has to have ``pattern``."""

    def __init__(self, pattern: str, paths: list[str]) -> None:
        self._search = re.compile(pattern).search
        self._of = attrgetter(paths[0], *paths)  # always a tuple
        self._met: set[Any] = {msgspec.UNSET}

    def are_good(self, read: msgspec.Struct) -> bool:
        words = self._of(read)
        if self._met.issuperset(words):
            return True
        new = {word for word in words if word not in self._met}
        if not all(map(self._search, new)):
            return False
        if len(self._met) > _MOST:
            self._met = {msgspec.UNSET}
        self._met |= new
        return True


def _patterns(model: type[msgspec.Struct], within: str = "") -> Iterator[tuple[str, str]]:
    """Path (``lineage.payload``) and pattern of each text that has to have one, and nothing else."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        if _is_struct(hint):
            yield from _patterns(hint, f"{within}{name}.")
        yield from ((within + name, pattern) for part in _parts(hint) if (pattern := _pattern(part)))


def _loose(model: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The model without those patterns."""
    hints = get_type_hints(model, include_extras=True)
    given = [
        (field.name, _without(hints[field.name]), *(() if field.required else (field.default,)))
        for field in msgspec.structs.fields(model)
    ]
    return msgspec.defstruct(model.__name__, given, kw_only=True, frozen=True)


def _without(hint: Any) -> Any:
    if _is_struct(hint):
        return _loose(hint)
    return reduce(or_, (part.__origin__ if _pattern(part) else part for part in _parts(hint)))


def _pattern(part: Any) -> str | None:
    if get_origin(part) is not Annotated or part.__origin__ is not str or len(part.__metadata__) != 1:
        return None
    meta: msgspec.Meta = part.__metadata__[0]
    alone = msgspec.Meta(pattern=meta.pattern, description=meta.description)
    return meta.pattern if meta == alone else None


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _parts(hint: Any) -> tuple[Any, ...]:
    """Of a union what it is made of."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
