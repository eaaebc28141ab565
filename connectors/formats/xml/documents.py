"""Documents that arrive as trees, piece by piece: heads, lines in chunks, ends.

What kind of document it is, a ``Dialect`` knows: which elements are documents, and how one introduces itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Protocol

import msgspec
import polars as pl
from lxml import etree

from connectors.base import Plans, ReadItem
from connectors.formats.xml.lookup import Lookup
from connectors.formats.xml.paths import local
from connectors.formats.xml.structure import Structure
from connectors.formats.xml.walk import Level, Unit, Walk, pass_over
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding

MOST_OF_HEAD = 2_000  #: findings on what stands before the first line
CHUNK = 4_096  #: lines a chunk holds at most, and a few of its last unit


class Dialect(Protocol):
    """What one kind of XML is like."""

    tags: tuple[str, ...]  #: of the elements that are documents, as lxml writes them; ``{*}`` is any namespace
    structure: Structure | None  #: what stands in them

    def introduced(self, element: etree._Element, *, complete: bool) -> bool:
        """Whether enough of a document has arrived to say what it is."""
        ...

    def start(self, element: etree._Element, *, ordinal: int, location: str, offset: int | None) -> DocumentStart:
        """The head of a document."""
        ...

    def checked(self, element: etree._Element, start: DocumentStart) -> Iterable[Finding]:
        """What is wrong with the head of a document."""
        ...


class Spans(Protocol):
    """Where in the bytes elements stand, asked in the order of their start tags."""

    def start(self, name: str) -> int | None:
        """The offset at which the next element of that name begins."""
        ...

    def span(self, name: str) -> tuple[int | None, int | None]:
        """Offset and length of the next element of that name, which has arrived to its end."""
        ...

    def spans_within(self, name: str) -> Iterator[tuple[int | None, int | None]]:
        """The same of each element of that name within the one that was asked for last."""
        ...


class Lines:
    """Lines on their way into chunks."""

    def __init__(self, ordinal: int, plan: LinePlan) -> None:
        self.ordinal = ordinal
        self.plan = plan
        self.count = 0
        self._rows: list[list[str | None]] = []
        self._places: list[tuple[str, int | None, int | None]] = []

    def add(self, row: list[str | None], location: str, offset: int | None, length: int | None) -> None:
        self.count += 1
        self._rows.append(row)
        self._places.append((location, offset, length))

    @property
    def full(self) -> bool:
        return len(self._rows) >= CHUNK

    def chunk(self) -> Iterator[LineChunk]:
        """What has gathered, if anything."""
        if not self._rows:
            return
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self.plan.paths)
        series = [
            pl.Series(path, list(column), pl.String) for path, column in zip(self.plan.paths, columns, strict=True)
        ]
        places, offsets, lengths = zip(*self._places, strict=True)
        first = self.count - len(self._rows) + 1
        series += [
            pl.Series(ORDINAL, range(first, self.count + 1), pl.Int64),
            pl.Series(LOCATION, list(places), pl.String),
            pl.Series(OFFSET, list(offsets), pl.Int64),
            pl.Series(LENGTH, list(lengths), pl.Int64),
        ]
        self._rows, self._places = [], []
        yield LineChunk(ordinal=self.ordinal, table=pl.DataFrame(series))


@dataclass(slots=True)
class Open:
    """A document that is arriving."""

    ordinal: int
    element: etree._Element
    location: str
    level: Level
    offset: int | None
    start: DocumentStart | None = None
    walk: Walk | None = None
    lookup: Lookup | None = None
    lines: Lines | None = None

    @property
    def progress(self) -> int:
        """A number that changes as long as something becomes complete."""
        return self.walk.progress if self.walk is not None else self.level.progress

    @property
    def awaits_lines(self) -> bool:
        """Whether everything that arrives is kept, because no line has been met."""
        return self.level.said is None and (self.walk is not None or self.start is None)


class Documents:
    """The documents of one payload, of which one is open at a time."""

    def __init__(self, dialect: Dialect, plans: Plans, places: Spans) -> None:
        self.dialect = dialect
        self.plans = plans
        self.places = places
        self.count = 0
        self.current: Open | None = None
        self._numbers: dict[str, int] = {}
        self._found: list[Finding] = []  #: on the head of the open document

    def begin(self, element: etree._Element) -> Iterator[ReadItem]:
        """``element`` is a document that begins to arrive; the one before has ended."""
        if self.current is not None:
            yield from self.finish()
        self.count += 1
        name = local(element.tag)
        ancestors = [local(one.tag) for one in element.iterancestors()][::-1]
        way = "/" + "/".join([*ancestors, name])
        self._numbers[way] = number = self._numbers.get(way, 0) + 1
        location = f"{way}[{number}]" if ancestors else way
        offset = self.places.start(name)
        self.current = Open(self.count, element, location, Level(element, location), offset)

    def advance(self, *, complete: bool = False) -> Iterator[ReadItem]:
        """What has become complete of the open document."""
        document = self.current
        if document is None:
            return
        if document.start is None:
            if not self.dialect.introduced(document.element, complete=complete):
                return
            yield from self._start(document)
        if document.walk is None or document.lookup is None or document.lines is None:
            pass_over(document.level, complete=complete)
            return
        for unit in document.walk.units(complete=complete):
            yield from self._take(unit, document.lookup, document.lines)
            if document.lines.full:
                yield from document.lines.chunk()

    def finish(self) -> Iterator[ReadItem]:
        """The open document has arrived to its end."""
        document = self.current
        if document is None:
            return
        yield from self.advance(complete=True)
        yield from self._closed(document, accepted=True)
        parent = document.element.getparent()
        if parent is not None:
            parent.remove(document.element)

    def broken(self, stop: Finding) -> Iterator[ReadItem]:
        """Nothing more can be read; a document that had begun is not complete."""
        document = self.current
        if document is not None and document.start is None:
            yield from self._start(document, complete=False)
        yield stop
        if document is not None:
            yield from self._closed(document, accepted=False)

    def _start(self, document: Open, *, complete: bool = True) -> Iterator[ReadItem]:
        """``complete``: its head has arrived, so that what is missing there will not come."""
        start = self.dialect.start(
            document.element, ordinal=document.ordinal, location=document.location, offset=document.offset
        )
        document.start = start
        yield start
        if complete:
            yield from self.dialect.checked(document.element, start)
        plan = self.plans.for_document(start)
        if plan is not None and isinstance(plan.compiled, Lookup):
            document.lookup = lookup = plan.compiled
            document.lines = Lines(document.ordinal, plan)
            document.level.outer = _surroundings(document.element, lookup)
            document.level.judge = self._judge if self.dialect.structure is not None else None
            document.walk = Walk(document.level, lookup.spec.unit, lookup)

    def _judge(self, element: etree._Element, location: str, until: etree._Element | None) -> None:
        assert self.dialect.structure is not None
        self._found += islice(self.dialect.structure.of_head(element, location, until), MOST_OF_HEAD)

    def _take(self, unit: Unit, lookup: Lookup, lines: Lines) -> Iterator[ReadItem]:
        """The unit's lines; what is wrong with it is said of the first of them."""
        first = lines.count + 1
        whole = self.places.span(lookup.spec.unit[-1])
        parts: dict[str, Iterator[tuple[int | None, int | None]]] = {}
        for row, location, part in lookup.lines(unit.element, unit.location, unit.around):
            if part and part not in parts:
                parts[part] = self.places.spans_within(part)
            offset, length = next(parts[part], whole) if part else whole
            lines.add(row, location, offset, length)
        yield from self._found_so_far()
        if self.dialect.structure is not None:
            for finding in self.dialect.structure.of_unit(unit.element, unit.location):
                yield msgspec.structs.replace(finding, line=first, offset=whole[0], length=whole[1])

    def _found_so_far(self) -> Iterator[Finding]:
        found, self._found = self._found, []
        yield from found

    def _closed(self, document: Open, *, accepted: bool) -> Iterator[ReadItem]:
        self.current = None
        if accepted and document.walk is not None and document.level.said is None and document.level.judge is not None:
            document.level.judge(document.element, document.location, None)
        yield from self._found_so_far()
        if document.lines is not None:
            yield from document.lines.chunk()
        count = document.lines.count if document.lines is not None else 0
        yield DocumentEnd(ordinal=document.ordinal, lines=count, accepted=accepted, head=_head(document))


def _head(document: Open) -> dict[str, str]:
    if document.lines is None or document.lookup is None:
        return {}
    values = document.level.head(document.lookup)
    return {path: text for path, text in zip(document.lines.plan.paths, values, strict=False) if text is not None}


def _surroundings(element: etree._Element, lookup: Lookup) -> Level | None:
    """What encloses the document, with what stands there before it."""
    outer: Level | None = None
    for one, inner in pairwise([*reversed([*element.iterancestors()]), element]):
        outer = Level(one, "", outer)
        outer.settle(inner, lookup)
    return outer
