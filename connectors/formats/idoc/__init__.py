"""IDocs, as SAP writes them: XML or flat files, one or many in a payload.

A document is of type ``idoc.<message type>`` (``idoc.ORDERS``, ``idoc.DESADV``); its version is the basic type.
Paths and lines are those of ``connectors.formats.xml.paths``, for flat files too: ``E1EDP19[QUALF='001']/IDTNR``.
The control record is within reach like any segment: ``EDI_DC40/CREDAT``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from connectors.base import Plans, ReadItem
from connectors.formats.idoc.definitions import CONTROL, Definition, by_message
from connectors.formats.idoc.dialect import IdocDialect
from connectors.formats.idoc.flat import looks_flat, read_flat
from connectors.formats.xml.compiling import Names, compiled
from connectors.formats.xml.reading import read
from connectors.formats.xml.root import root_of
from schemas.documents import DocumentStart, Interchange, InterchangeEnd, LinePlan

_INITIAL = frozenset({"00000000"})  #: how ABAP writes no date
_CUSTOMER = re.compile(r"Z|/|E1?Z")


class Idoc:
    """See the module."""

    name = "idoc"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002
        if looks_flat(head):
            return True
        root = root_of(head)
        return root is not None and (b"<IDOC" in head or b"EDI_DC40" in head)

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for paths that are none, and for segments and fields that the message does not have."""
        family = by_message(type.partition(".")[2])
        names = _names(family) if family and family.published else None
        return compiled(type, line, paths, options, names=names, blank=_INITIAL)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:  # noqa: ARG002
        head = stream.read(16)
        stream.seek(0)
        items = read_flat(stream, plans) if looks_flat(head) else read(stream, IdocDialect(), plans)
        yield from _with_envelopes(items, stream)


def _with_envelopes(items: Iterator[ReadItem], stream: BinaryIO) -> Iterator[ReadItem]:
    """An envelope around consecutive IDocs of one sender, by which they are answered."""
    first: DocumentStart | None = None
    last = count = 0
    for item in items:
        if isinstance(item, DocumentStart):
            if first is not None and (first.sender, first.receiver) != (item.sender, item.receiver):
                yield _envelope(first, last, count, item.offset)
                first, count = None, count + 1
            first, last = first or item, item.ordinal
        yield item
    if first is not None:
        yield _envelope(first, last, count, stream.tell())


def _envelope(first: DocumentStart, last: int, before: int, end: int | None) -> InterchangeEnd:
    begin = first.offset or 0
    interchange = Interchange(
        ordinal=before + 1,
        format="idoc",
        sender=first.sender,
        receiver=first.receiver,
        control_number=first.control_number,
        version=first.version,
        test=first.test,
        offset=begin,
    )
    return InterchangeEnd(
        interchange=interchange,
        groups=0,
        documents=last - first.ordinal + 1,
        length=max(0, (end or begin) - begin),
        first=first.ordinal,
        last=last,
    )


def _names(family: Definition) -> Names:
    """What paths into such IDocs may say; customer segments are taken as they are."""
    fields = {
        segment.name: frozenset(
            [field.name for field in segment.fields]
            + [inner.name for inner in family.segments.values() if inner.parent == segment.name]
        )
        for segment in family.segments.values()
        if segment.fields and segment.whole
    }
    return Names(frozenset([*family.segments, CONTROL]), fields, _CUSTOMER)
