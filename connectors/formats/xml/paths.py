"""Paths into XML documents: the part of XPath that a mapping needs, looked up outwards from a line.

::

    DeliveredQuantity            an element of the line, or else of what encloses it
    DeliveredQuantity/@unitCode  an attribute
    E1EDP19[QUALF='002']/IDTNR   an element beside which, or within which, another one says so
    ID[@schemeID='0088']         or an attribute does
    E1EDL37[E1EDL44/POSNR=E1EDL24/POSNR]/EXIDV
                                 of the one element in which something says what another path finds for the line;
                                 nothing where several do
    E1EDP01/MENGE                of the enclosing E1EDP01, where the line is one of its parts
    /OrderRequestHeader/@orderID of the document itself, wherever the line is

Names are written without namespace prefixes (a prefix is taken and not looked at). The first element
that is filled counts. A path that begins with the name of the line or of what encloses it means that very element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_NAME = r"[A-Za-z_][\w.-]*"
_STEP = re.compile(rf"(?:{_NAME}:)?(?P<name>{_NAME})(?P<conditions>(?:\[[^\]]*\])*)")
_CONDITION = re.compile(r"\[\s*(?P<path>[^\]=]*?)\s*=\s*(?P<quote>['\"])(?P<value>.*?)(?P=quote)\s*\]")
_JOIN = re.compile(rf"\[\s*(?P<path>[^\]='\"]+?)\s*=\s*(?P<other>/?{_NAME}[^\]='\"]*?)\s*\]")
_ATTRIBUTE = re.compile(rf"@(?:{_NAME}:)?(?P<name>{_NAME})")


class BadPath(ValueError):
    """What is wrong with a path, in words that follow its quotation."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``[QUALF='002']``: what ``path`` leads to, within the element, says ``value``."""

    path: Path
    value: str


@dataclass(frozen=True, slots=True)
class Join:
    """``[E1EDL44/POSNR=E1EDL24/POSNR]``: what ``path`` leads to, within the element, says what ``other`` finds."""

    path: Path
    other: Path


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    conditions: tuple[Condition, ...] = ()
    join: Join | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """``steps`` lead to elements; ``attribute`` is taken of them, or their text where it is empty.

    ``anchored``: begins at the document.
    """

    steps: tuple[Step, ...]
    attribute: str = ""
    anchored: bool = False


def parse(text: str) -> Path:
    """Raises BadPath."""
    rest = text.strip()
    if not rest:
        raise BadPath("is empty")
    anchored = rest.startswith("/")
    steps: list[Step] = []
    attribute = ""
    for part in _parts(rest.removeprefix("/")):
        if attribute:
            raise BadPath("has something behind its attribute, which is the end")
        if match := _ATTRIBUTE.fullmatch(part):
            attribute = match["name"]
        elif match := _STEP.fullmatch(part):
            steps.append(_step(match["name"], match["conditions"], first=not steps and not anchored))
        else:
            raise BadPath(f"has a step {part!r}; write it as NAME, NAME[CHILD='value'] or @attribute")
    if not steps and not anchored and not attribute:
        raise BadPath("names no element")
    return Path(tuple(steps), attribute, anchored)


def _parts(text: str) -> Iterator[str]:
    """Steps, parted by slashes that stand outside of brackets."""
    start = depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "/" and depth == 0:
            yield text[start:index]
            start = index + 1
    if depth:
        raise BadPath("opens a bracket that it does not close")
    yield text[start:]


def _step(name: str, written: str, *, first: bool) -> Step:
    parts = re.findall(r"\[[^\]]*\]", written)
    joins = [match for part in parts if (match := _JOIN.fullmatch(part))]
    if not joins:
        return Step(name, tuple(_conditions(parts)))
    if len(parts) > 1 or not first:
        raise BadPath("joins two paths beside other conditions, or not in its first step")
    return Step(name, join=Join(parse(joins[0]["path"]), parse(joins[0]["other"])))


def _conditions(parts: Iterable[str]) -> Iterator[Condition]:
    for part in parts:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise BadPath(f"has a condition {part}; write it as [CHILD='value'] or [@attribute='value']")
        yield Condition(parse(match["path"]), match["value"])


@lru_cache(maxsize=4096)
def local(tag: str) -> str:
    """A tag's name without its namespace."""
    return tag.rpartition("}")[2]


@dataclass(frozen=True, slots=True)
class LineSpec:
    """What makes a line: ``unit`` is the way from the document to what is read as a whole, each of ``lines``
    a way from there to its lines, of which the first that exists counts; an empty way is the unit itself."""

    unit: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...] = ((),)


def parse_line(text: str) -> LineSpec:
    """``E1EDL20/E1EDL24``; ``E1EDP01/E1EDP20 | E1EDP01`` (the parts, else the whole); ``A/B//C`` (each C of a B).

    Raises BadPath.
    """
    ways: list[tuple[str, ...]] = []
    marked: set[int] = set()
    for alternative in text.split("|"):
        whole, double, parts = alternative.strip().partition("//")
        way = tuple(_names(whole))
        if double:
            marked.add(len(way))
            way += tuple(_names(parts))
        ways.append(way)
    if len(marked) > 1:
        raise BadPath("has // at different depths")
    unit = ways[0][: marked.pop()] if marked else _common(ways)
    if not unit or any(way[: len(unit)] != unit for way in ways):
        raise BadPath("has alternatives that do not begin with the same element")
    return LineSpec(unit, tuple(way[len(unit) :] for way in ways))


def _names(text: str) -> Iterator[str]:
    for part in text.strip().strip("/").split("/"):
        match = _STEP.fullmatch(part.strip())
        if match is None or match["conditions"]:
            raise BadPath(f"has a step {part.strip()!r}; write names of elements, parted by slashes")
        yield match["name"]


def _common(ways: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = ways
    length = len(first)
    for other in others:
        length = next((at for at in range(min(length, len(other))) if first[at] != other[at]), min(length, len(other)))
    return first[:length]
