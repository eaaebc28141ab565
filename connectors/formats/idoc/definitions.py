"""What IDoc types are made of: message types, segments, their fields and how they enclose each other.

The data stand in ``schemas/idoc``, one file for a family of basic types; a file laid beside them, with
customer segments or other types, is picked up like the shipped ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "schemas" / "idoc"
CONTROL = "EDI_DC40"
FRAME = "EDI_DD40"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a flat record: where it begins and how many characters it has."""

    name: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Segment:
    """``fields`` is empty where the flat layout is not known; ``parent`` where it stands directly in the IDoc.

    ``whole`` is False where fields follow that are not listed (written ``...`` in the data).
    """

    name: str
    fields: tuple[Field, ...] = ()
    parent: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Definition:
    """A family of basic types. Where its segments are not ``published``, senders may have others."""

    types: tuple[str, ...]
    messages: tuple[str, ...]
    segments: Mapping[str, Segment] = field(default_factory=dict)
    published: bool = True

    def segment(self, external: str) -> Segment | None:
        """The segment a flat record calls ``E2EDP01008``: with or without the version of its definition."""
        name = internal(external)
        return self.segments.get(name) or (self.segments.get(name[:-3]) if name[-3:].isdigit() else None)


def internal(external: str) -> str:
    """``E2EDP01008`` is ``E1EDP01008`` inside, ``Z2EDP01`` is ``Z1EDP01``; other names stay."""
    return external[0] + "1" + external[2:] if external[:2] in ("E2", "Z2") else external


@cache
def definitions() -> tuple[Definition, ...]:
    """All that is known."""
    files = (path for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "control")
    return tuple(_definition(yaml.safe_load(path.read_text("utf-8"))) for path in files)


@cache
def frame(name: str) -> tuple[Field, ...]:
    """The fields of ``EDI_DC40`` or ``EDI_DD40``."""
    return _fields(yaml.safe_load((FOLDER / "control.yaml").read_text("utf-8"))[name])


def by_message(message: str) -> Definition | None:
    """The family that carries messages of this type."""
    return next((one for one in definitions() if message in one.messages), None)


def by_type(basic_type: str) -> Definition | None:
    """The family this basic type is of."""
    return next((one for one in definitions() if basic_type in one.types), None)


def _definition(content: Mapping[str, Any]) -> Definition:
    segments = {one.name: one for one in _segments(content["segments"], "")}
    published = content.get("published", True)
    return Definition(tuple(content["types"]), tuple(content["messages"]), segments, published)


def _segments(content: Mapping[str, Any], parent: str) -> Iterator[Segment]:
    for name, given in content.items():
        told: Mapping[str, Any] = {"fields": given} if isinstance(given, str) else given or {}
        fields = told.get("fields", "")
        yield Segment(name, _fields(fields.removesuffix("...")), parent, not fields.endswith("..."))
        yield from _segments(told.get("segments", {}), name)


def _fields(written: str) -> tuple[Field, ...]:
    fields, at = [], 0
    for part in filter(None, (part.strip() for part in written.split(","))):
        name, _, length = part.rpartition(" ")
        fields.append(Field(name.strip(), at, int(length)))
        at += int(length)
    return tuple(fields)
