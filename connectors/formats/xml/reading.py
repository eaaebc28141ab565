"""Reading XML payloads with lxml: fed piece by piece, so that memory holds a header and a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from lxml import etree

from connectors.base import Plans, ReadItem
from connectors.formats.edi.bounds import bounded
from connectors.formats.xml import safety
from connectors.formats.xml.documents import Dialect, Documents
from connectors.formats.xml.places import Places
from schemas.findings import Finding

MOST_HELD = 16 << 20  #: bytes that may pass without anything in them becoming complete
MOST_HEADER = 32 << 20  #: bytes that may stand before the first line of a document
MOST_TAGS = 400_000  #: tags that may be among either


def read(stream: BinaryIO, dialect: Dialect, plans: Plans) -> Iterator[ReadItem]:
    """The payload's documents, by ``dialect``; see ``connectors.base.Format.read``."""
    raw = safety.pieces(stream)
    first = next(raw, b"")
    wide = safety.wide_encoding(first)
    chunks = chain([first], raw) if not wide else safety.narrowed(chain([first], raw), wide)
    head = safety.prologue(chunks)
    if (stop := safety.prologue_fault(head)) is not None:
        yield stop
        return
    if safety.root_missing(head):
        yield safety.fault("xml.malformed", "no root element begins", expected="well-formed XML", offset=0)
        return
    encoding = {"encoding": "utf-8"} if wide else {}
    parser = safety.parser(events=("start",), tag=dialect.tags, **encoding)
    places = Places(known=not wide)
    documents = Documents(dialect, plans, places)
    yield from bounded(_Feeding(parser, documents, places).read(chain([head], chunks)))


class _Feeding:
    """One payload on its way through the parser."""

    def __init__(self, parser: etree.XMLPullParser, documents: Documents, places: Places) -> None:
        self.parser = parser
        self.documents = documents
        self.places = places
        self.fed = 0
        self._tags = 0
        self._began = (0, 0)  #: bytes and tags fed when the open document began
        self._moved = (0, 0)  #: bytes and tags fed when last anything became complete
        self._progress = (0, 0)  #: documents, and the progress of the open one, by then

    def read(self, chunks: Iterable[bytes]) -> Iterator[ReadItem]:
        """All documents; ends at the first thing that cannot be read."""
        trouble = None
        for piece in chunks:
            self.fed += len(piece)
            self._tags += piece.count(b"<")
            self.places.fed(piece)
            try:
                self.parser.feed(piece)
            except etree.XMLSyntaxError as error:
                trouble = error
            yield from self._arrived()
            if (stop := safety.syntax_finding(self.parser, trouble) or self._too_much()) is not None:
                yield from self.documents.broken(stop)
                return
        try:
            self.parser.close()
        except etree.XMLSyntaxError as error:
            trouble = error
        yield from self._arrived()
        if (stop := safety.syntax_finding(self.parser, trouble)) is not None:
            yield from self.documents.broken(stop)
            return
        yield from self.documents.finish()
        if self.documents.count == 0:
            yield safety.fault("xml.no_document", "holds no business document", expected="a document of its kind")

    def _arrived(self) -> Iterator[ReadItem]:
        for _, element in self.parser.read_events():
            current = self.documents.current
            assert isinstance(element, etree._Element)
            if current is None or current.element not in element.iterancestors():
                yield from self.documents.begin(element)
                self._began = (self.fed, self._tags)
        yield from self.documents.advance()

    def _too_much(self) -> Finding | None:
        """Why no more may be taken in."""
        document = self.documents.current
        progress = document.progress if document is not None else 0
        now = (self.documents.count, progress)
        if now != self._progress:
            self._progress, self._moved = now, (self.fed, self._tags)
        if self._beyond(self._moved, MOST_HELD):
            return self._refused(self._moved, "without one more element becoming complete", MOST_HELD)
        if document is not None and document.awaits_lines and self._beyond(self._began, MOST_HEADER):
            return self._refused(self._began, "before the first line", MOST_HEADER)
        return None

    def _beyond(self, since: tuple[int, int], most: int) -> bool:
        return self.fed - since[0] > most or self._tags - since[1] > MOST_TAGS

    def _refused(self, since: tuple[int, int], what: str, most: int) -> Finding:
        document = self.documents.current
        return safety.fault(
            "xml.too_large",
            f"{(self.fed - since[0]) >> 10:,} KB and {self._tags - since[1]:,} tags {what}; the rest is not read",
            location=document.location if document is not None else "",
            offset=self.fed,
            expected=f"at most {most >> 20} MB and {MOST_TAGS:,} tags",
        )
