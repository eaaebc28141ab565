"""Orders that come after what cancelled them: messages overtake one another on their way.

An order line that is not newer than its cancellation was cancelled before it came. Where a document took back the
whole order, the line is published as ``cancelled`` from the start; where the line itself was cancelled, the feed
says so already, and nothing is added. Rows of an ERP say what stands now, however old they are, and are taken as they
come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.ledger.corrections import WITHDRAWN
from crossdock.ledger.whole_orders import Cancelled
from crossdock.stages.order_lines import ORDER, STREAM, cancelled
from crossdock.stages.reconciled import VANISHED
from crossdock.stages.speeches import Speech, events_of, origin_of
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.frames import stacked, unframed
from mappings.library import Library
from mappings.outright import Outright
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

_OF = rf"^{ORDER}/([^/]*/[^/]*)/"  #: whose order, in the subject of its line
_PLACE = ("location", "offset", "length")
_NAMED = 3
_MAY_COME_AGAIN = (VANISHED, WITHDRAWN)


class _Status(msgspec.Struct):
    status: str = ""


_STATUS = msgspec.json.Decoder(_Status)


def late(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, without order lines that were cancelled before they came, or with their cancellation."""
    lately: list[Cancelled] = []  # what this payload has taken back: the ledger may not have it yet
    order: _Order | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                order = _Order(document, record, ledger, lately) if _is_message(document, library) else None
            case DocumentLines() if order is not None and item.events.height:
                yield order.judged(item)
                continue
            case DocumentClosed(outright=said) if item.status != "rejected":
                if said is not None and said.kind is LineKind.ORDER and said.word == "cancelled":
                    lately.append(_taken_back(item.document, said))
                if order is not None and order.subjects:
                    yield order.concluded(item)
                    continue
        yield item


def _is_message(document: Document, library: Library) -> bool:
    if document.start.type.startswith("rows."):
        return False
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    return mapping is not None and mapping.kind is LineKind.ORDER


def _taken_back(document: Document, said: Outright) -> Cancelled:
    return Cancelled(document.id, said.key, said.number, said.time or "", said.waits)


@dataclass(slots=True)
class _Order:
    """A document of orders, on its way."""

    document: Document
    record: PayloadRecord
    ledger: Ledger
    lately: Sequence[Cancelled]
    subjects: list[str] = field(default_factory=list)  #: that were cancelled before they came
    dropped: int = 0

    def judged(self, item: DocumentLines) -> DocumentLines:
        """The lines, without the events of those that are late, or with their cancellation."""
        orders = item.events.filter(pl.col("kind") == "ordered", pl.col("subject").str.starts_with(f"{ORDER}/"))
        if orders.is_empty():
            return item
        whole = self._whole(orders)
        alone = self._alone(_but(orders, whole))
        doubtful = {subject for subject, one in whole.items() if not one.waits} | alone
        mine = self.ledger.whole_orders.ordered_by(self.document.id, doubtful) if doubtful else frozenset()
        whole = {subject: one for subject, one in whole.items() if one.waits or subject not in mine}
        gone = alone - mine
        if not whole and not gone:
            return item
        rows = unframed(orders.filter(pl.col("subject").is_in(list(whole)))).rows(named=True)
        speeches = [_cancellation(row, whole[row["subject"]]) for row in rows]
        self.subjects += [*whole, *sorted(gone)]
        self.dropped += len(gone)
        rest = _but(item.events, whole.keys() | gone)
        made = events_of(STREAM, speeches, origin_of(self.document, self.record))
        events = stacked([rest, made]).sort("line", maintain_order=True)
        return replace(item, events=events)

    def concluded(self, closed: DocumentClosed) -> DocumentClosed:
        """The verdict, with what is said of it."""
        named = ", ".join(self.subjects[:_NAMED]) + (", ..." if len(self.subjects) > _NAMED else "")
        told = Finding(
            code="order.late",
            severity=Severity.WARNING,
            stage=Stage.BUSINESS,
            message=f"{len(self.subjects):,} lines were cancelled before they came: {named}",
            location=self.document.start.location,
            value=str(len(self.subjects)),
            expected="an order that comes before its cancellation, or is newer",
            offset=self.document.start.offset,
        )
        return replace(closed, events=closed.events - self.dropped, findings=(*closed.findings, told))

    def _whole(self, orders: pl.DataFrame) -> dict[str, Cancelled]:
        """Of each line whose order was taken back, by a document that is not older, that document."""
        named = orders.select_seq("subject", "time", pl.col("subject").str.extract(_OF).alias("order"))
        known = self.ledger.whole_orders.cancelled(named["order"].drop_nulls().unique())
        latest = sorted((*known, *self.lately), key=lambda one: (one.waits, _end(one.time)))
        by_order = {one.order: one for one in latest}
        taken_back = named.filter(pl.col("order").is_in(list(by_order)))
        return {
            subject: by_order[order]
            for subject, time, order in taken_back.iter_rows()
            if _covers(by_order[order].time, time)
        }

    def _alone(self, orders: pl.DataFrame) -> frozenset[str]:
        """Subjects of which something not older has said that they are cancelled. What is gone from its source, or
        was taken back by a correction, may come again."""
        feed = self.ledger.reconciling
        latest = feed.latest(STREAM, orders["subject"].to_list())
        ended = {subject: one for subject, one in latest.items() if one.kind == "cancelled"}
        times = orders.filter(pl.col("subject").is_in(list(ended))).select_seq("subject", "time").iter_rows()
        late = {subject for subject, time in times if _covers(ended[subject].time, time)}
        said = feed.said([ended[subject].position for subject in late])
        return frozenset(
            subject for subject in late if _STATUS.decode(said[ended[subject].position]).status not in _MAY_COME_AGAIN
        )


def _but(events: pl.DataFrame, subjects: Collection[str]) -> pl.DataFrame:
    """Those of other subjects."""
    return events.filter(~pl.col("subject").is_in(list(subjects))) if subjects else events


def _cancellation(row: Mapping[str, Any], one: Cancelled) -> Speech:
    data = msgspec.json.decode(row["data"])
    place = {name: data["lineage"][name] for name in _PLACE if name in data["lineage"]}
    said = cancelled(data, one.number)
    return Speech(subject=row["subject"], time=one.time, line=row["line"], data=said, place=place)


def _covers(cancelled_at: str, ordered_at: str) -> bool:
    return datetime.fromisoformat(ordered_at) < _end(cancelled_at)


def _end(time: str) -> datetime:
    """The end of the second, or of the day where nothing but a day was said."""
    moment = datetime.fromisoformat(time)
    is_day = not (moment.hour or moment.minute or moment.second)
    return moment + (timedelta(days=1) if is_day else timedelta(seconds=1))
