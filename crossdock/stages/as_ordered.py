"""Answers that leave out what their order says: a line that is answered without quantity, item or place is as ordered.

Many suppliers answer a line by a code alone (Peppol's ``LineStatusCode``, ACK with nothing but a status). Such a line
lacks what an event needs. Where the order line is known it takes that from there, and waits no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

import polars as pl

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.reading import CAUSE
from crossdock.stages.order_lines import ANSWER, LINE, STREAM, Lately, OrderLines, Said, answered
from crossdock.stages.speeches import Speech, events_of, origin_of
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.frames import stacked
from mappings.library import Library
from mappings.normalise import SUBJECT_ESCAPES
from mappings.values import instant_text, zone_of
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

#: What an order line can say in place of its answer, by the code of what is told of its lack.
LACKS = frozenset(("quantity.missing", "unit.missing", "item.missing", "site.missing"))
#: What the answer itself says comes before what was ordered.
_WHEN = ("due_at", "starts_at", "ends_at")
_OWN = ("item", "site", "partner_item", "description", *_WHEN, "ship_from", "ship_by", "price", "currency")


def as_ordered(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, answers completed by what they answer."""
    known = OrderLines(ledger, Lately())
    answer: _Answer | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                answer = _Answer(document, record, known) if _answers(document, library) else None
            case DocumentLines():
                known.lately.add(item.events)
                if answer is not None:
                    yield answer.completed(item)
                    continue
            case DocumentClosed() if answer is not None and answer.count and item.status != "rejected":
                yield answer.concluded(item)
                continue
        yield item


def _answers(document: Document, library: Library) -> bool:
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    return mapping is not None and mapping.kind is LineKind.ORDER_RESPONSE and not mapping.key


@dataclass(slots=True)
class _Answer:
    """A document that answers orders, on its way."""

    document: Document
    record: PayloadRecord
    known: OrderLines
    count: int = 0  #: lines completed
    events: int = 0  #: made of them
    errors: int = 0  #: findings on lines that stay

    def completed(self, item: DocumentLines) -> DocumentLines:
        """The lines, those that can be completed among the events."""
        told = self._told(item) if item.parked.height else {}
        if told:
            lines = pl.Series(list(told), dtype=pl.Int64).implode()
            speeches = (one for some in told.values() for one in some)
            events = events_of(STREAM, speeches, origin_of(self.document, self.record))
            item = replace(
                item,
                events=stacked([item.events, events]).sort("line", maintain_order=True),
                parked=item.parked.filter(~pl.col(ORDINAL).is_in(lines)),
                findings=tuple(one for one in item.findings if one.line not in told or one.code not in LACKS),
            )
            self.count += len(told)
            self.events += events.height
        self.errors += sum(finding.severity is Severity.ERROR for finding in item.findings)
        return item

    def concluded(self, closed: DocumentClosed) -> DocumentClosed:
        """The verdict, once more."""
        parked = closed.parked - self.count
        wrong = self.errors + sum(finding.severity is Severity.ERROR for finding in closed.findings)
        status = "accepted_with_errors" if parked or wrong else "accepted"
        told = Finding(
            code="order.as_ordered",
            severity=Severity.INFO,
            stage=Stage.BUSINESS,
            message=f"{self.count:,} lines say how they are answered and no more; the rest is as ordered",
            location=self.document.start.location,
            value=str(self.count),
            offset=self.document.start.offset,
        )
        events, findings = closed.events + self.events, (*closed.findings, told)
        return replace(closed, status=status, events=events, parked=parked, findings=findings)

    def _told(self, item: DocumentLines) -> dict[int, list[Speech]]:
        """Of each line that can be completed what it says."""
        wrong: dict[int, set[str]] = {}
        for finding in item.findings:
            if finding.severity is Severity.ERROR and finding.line is not None:
                wrong.setdefault(finding.line, set()).add(finding.code)
        orders: dict[tuple[str, str], dict[str, Said]] = {}
        told = {}
        for row in item.parked.filter(pl.col(CAUSE).is_in(list(LACKS))).iter_rows(named=True):
            status = row.get("answer") or row.get("status")
            order = (row.get("partner") or "", row.get("order") or "")
            if not status or not all(order) or not row.get("order_line") or wrong.get(row[ORDINAL], set()) - LACKS:
                continue
            if order not in orders:
                given = self.known.given(self.document, ANSWER, *order)
                orders[order] = self.known.standing(*order) | given
            if speeches := list(self._speeches(row, status, orders[order])):
                told[row[ORDINAL]] = speeches
        return told

    def _speeches(self, row: Mapping[str, Any], status: str, lines: Mapping[str, Said]) -> Iterator[Speech]:
        """An event for the order's line, or for each schedule of it."""
        subjects = pl.Series(list(lines), dtype=pl.String)
        mine = subjects.filter(
            subjects.str.extract(LINE) == pl.Series([row["order_line"]]).str.replace_many(SUBJECT_ESCAPES)[0]
        )
        if row["schedule"] is not None:
            mine = mine.filter(mine.str.split("/").list.get(4, null_on_oob=True) == row["schedule"])
        if row["quantity"] is not None and len(mine) > 1:
            return  # nobody can tell how it is parted among the schedules
        time = row["document_time"] or instant_text(self.record.received_at, zone_of("UTC"))
        names = {"location": LOCATION, "offset": OFFSET, "length": LENGTH}
        place = {name: row[column] for name, column in names.items() if row[column] is not None}
        for subject in mine:
            data = answered(lines[subject], status, row["document_number"])
            if not _takes_quantity(data, row):
                continue
            own = {name: row[name] for name in _OWN if row[name] is not None}
            ordered = set(_WHEN) if own.keys() & set(_WHEN) else set()  #: when is answered as a whole
            data = {name: value for name, value in data.items() if name not in ordered} | own
            if row["line"] is not None:
                data["references"] = data["references"] | {"line": row["line"]}
            answer = f"{ANSWER}/{subject.partition('/')[2]}"
            yield Speech(subject=answer, time=time, line=row[ORDINAL], data=data, place=place)


def _takes_quantity(data: Said, row: Mapping[str, Any]) -> bool:
    """Put the answer's own quantity in; False where it cannot be said in the item's unit."""
    if row["quantity"] is None:
        return True
    if row["unit"] is not None and row["unit"] != data.get("unit"):
        return False
    try:
        base = Decimal(row["quantity"]) * Decimal(data["base_quantity"]) / Decimal(data["quantity"])
    except (InvalidOperation, DivisionByZero, KeyError):
        return False
    data |= {"quantity": row["quantity"], "base_quantity": format(base.normalize(), "f")}
    return True
