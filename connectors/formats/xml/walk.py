"""Walking through documents that are still arriving: what is complete is handed on and then dropped.

The tree holds what stands before the first line of a document, the line that is arriving, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lxml import etree

from connectors.formats.xml.lookup import Lookup, Values
from connectors.formats.xml.paths import local

#: Told of an element, and where it stands, when all that stands in it before the child is there.
Judge = Callable[[etree._Element, str, "etree._Element | None"], None]


class Level:
    """An element that encloses lines: what stands in it before its first line, said once for all of them."""

    __slots__ = ("_kept", "count", "element", "judge", "location", "outer", "progress", "said")

    def __init__(
        self, element: etree._Element, location: str, outer: Level | None = None, judge: Judge | None = None
    ) -> None:
        self.element = element
        self.location = location
        self.outer = outer
        self.judge = judge
        self.count = 0  #: elements of the wanted name so far
        self.progress = 0  #: children passed
        self.said: Values | None = None  #: what each path finds in it or around it
        self._kept: etree._Element | None = None

    @property
    def upcoming(self) -> etree._Element | None:
        """The first child that has not been passed."""
        if self._kept is not None:
            return self._kept.getnext()
        return self.element[0] if len(self.element) else None

    def passed(self, child: etree._Element) -> None:
        """Done with ``child``: it is kept while lines may still look back at it."""
        self.progress += 1
        if self.said is None:
            self._kept = child
        else:
            self.element.remove(child)

    def drop(self, child: etree._Element) -> None:
        """``child`` is done with for good."""
        self.progress += 1
        self.element.remove(child)

    def settle(self, child: etree._Element, lookup: Lookup) -> Values:
        """Find what each path leads to in what stands before ``child``, or around this element; and drop it."""
        if self.said is None:
            if self.judge is not None:
                self.judge(self.element, self.location, child)
            self.said = lookup.around(self.element, child, self.outer.said if self.outer is not None else None)
            self._forget_header()
        return self.said

    def head(self, lookup: Lookup) -> Values:
        """What each path finds before the first line; where there is none, in all of the element or around it."""
        if self.said is not None:
            return self.said
        return lookup.around(self.element, None, self.outer.said if self.outer is not None else None)

    def _forget_header(self) -> None:
        if self._kept is None:
            return
        for child in list(self.element):
            self.element.remove(child)
            if child is self._kept:
                break
        self._kept = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A complete element that holds lines, and what is said around it."""

    element: etree._Element
    location: str
    around: Values


@dataclass(slots=True)
class Walk:
    """The way through one document: ``way`` leads to its units, ``lookup`` asks their surroundings."""

    level: Level
    way: tuple[str, ...]
    lookup: Lookup
    inner: Walk | None = None

    def units(self, *, complete: bool) -> Iterator[Unit]:
        """The units that have become complete since it was asked last. ``complete``: the whole document has."""
        level = self.level
        name, *further = self.way
        while (child := level.upcoming) is not None:
            whole = complete or child.getnext() is not None
            if not isinstance(child.tag, str) or local(child.tag) != name:
                if not whole:
                    return
                level.passed(child)
                continue
            if further:
                if self.inner is None:
                    self.inner = Walk(Level(child, self._enter(child), level, level.judge), tuple(further), self.lookup)
                yield from self.inner.units(complete=whole)
                if not whole:
                    return
                self.inner = None
            elif whole:
                location = self._enter(child)
                yield Unit(child, location, level.settle(child, self.lookup))
            else:
                return
            level.drop(child)

    def _enter(self, child: etree._Element) -> str:
        """Where ``child``, the next of its name, stands."""
        self.level.settle(child, self.lookup)
        self.level.count += 1
        return f"{self.level.location}/{self.way[0]}[{self.level.count}]"

    @property
    def progress(self) -> int:
        """A number that grows as long as something becomes complete."""
        return self.level.progress + (self.inner.progress if self.inner is not None else 0)


def pass_over(level: Level, *, complete: bool) -> None:
    """Drop what has become complete of a document that nothing is wanted of."""
    while (child := level.upcoming) is not None and (complete or child.getnext() is not None):
        level.drop(child)
