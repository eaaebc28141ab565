"""Orders that a document cancels or answers outright, without naming their lines.

The lines are those that the feed knows of the order, and those that came shortly before in the same payload. Each of
them gets the event that it would have got by its name. Where none is known, a cancellation holds for the order that
comes after it (``crossdock.stages.late``), and an answer waits for it (``crossdock.mending.release``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.stages.order_lines import (
    ANSWER,
    LINE,
    ORDER,
    STREAM,
    Lately,
    OrderLines,
    Said,
    answered,
    cancelled,
)
from crossdock.stages.speeches import Speech, events_of, origin_of
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.library import Library
from mappings.normalise import SUBJECT_ESCAPES
from mappings.outright import Outright
from mappings.values import instant_text, zone_of
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

_NAMED = 3
#: Of an order that nobody knows: how grave that is, and what becomes of what is said of it.
_UNKNOWN = {
    LineKind.ORDER: (Severity.WARNING, "if it comes and is not newer, it is cancelled from the start"),
    LineKind.ORDER_RESPONSE: (Severity.ERROR, "the answer counts once the order is there"),
}


def outright(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, with what each document says of lines that it does not name before its end."""
    known = OrderLines(ledger, Lately())
    named: _Names | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                named = _Names() if _speaks(document, library) else None
            case DocumentLines():
                known.lately.add(item.events)
                if named is not None:
                    named.add(item)
            case DocumentClosed(outright=said) if said is not None and item.status != "rejected":
                dated = replace(said, time=said.time or instant_text(record.received_at, zone_of("UTC")))
                names = (named or _Names()).lines
                yield from _concluded(replace(item, outright=dated), dated, names, known, record)
                continue
        yield item


def _speaks(document: Document, library: Library) -> bool:
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    return mapping is not None and mapping.whole is not None


@dataclass(frozen=True, slots=True)
class _Names:
    """Which lines of an order the document names, as they stand in subjects."""

    _lines: list[pl.Series] = field(default_factory=list)

    def add(self, item: DocumentLines) -> None:
        self._lines.append(item.events["subject"].str.extract(LINE))
        for name in ("order_line", "line"):
            if name in item.parked.columns:
                self._lines.append(item.parked[name].str.replace_many(SUBJECT_ESCAPES))

    @property
    def lines(self) -> frozenset[str]:
        return frozenset(line for some in self._lines for line in some.drop_nulls())


def _concluded(
    closed: DocumentClosed, said: Outright, named: frozenset[str], known: OrderLines, record: PayloadRecord
) -> Iterator[DocumentLines | DocumentClosed]:
    begins = ORDER if said.kind is LineKind.ORDER else ANSWER
    lines = _unnamed(known.given(closed.document, begins, said.partner, said.order), named)
    lines = lines or _unnamed(known.standing(said.partner, said.order), named)
    if not lines:
        unknown = not named and not known.knows(said.partner, said.order)
        yield _of_nothing_known(closed, said) if unknown else closed
        return
    events = events_of(STREAM, _speeches(lines, closed, said), origin_of(closed.document, record))
    yield DocumentLines(lines=pl.DataFrame(), events=events, parked=pl.DataFrame())
    listed = ", ".join(events["subject"].head(_NAMED)) + (", ..." if events.height > _NAMED else "")
    message = f"{events.height:,} lines of order {said.order} are {said.becomes}: {listed}"
    told = _finding(closed, said, "order.lines_outright", Severity.INFO, message)
    yield replace(closed, events=closed.events + events.height, findings=(*closed.findings, told))


def _unnamed(lines: Mapping[str, Said], named: frozenset[str]) -> dict[str, Said]:
    return {
        subject: data for subject, data in lines.items() if (line := re.match(LINE, subject)) and line[1] not in named
    }


def _speeches(lines: Mapping[str, Said], closed: DocumentClosed, said: Outright) -> Iterator[Speech]:
    place = {"location": closed.document.start.location}
    for number, (subject, before) in enumerate(lines.items(), closed.lines + 1):
        if said.kind is LineKind.ORDER:
            data = cancelled(before, said.number)
        else:
            subject = f"{ANSWER}/{subject.partition('/')[2]}"  # noqa: PLW2901
            data = answered(before, said.becomes, said.number)
        yield Speech(subject=subject, time=said.time or "", line=number, data=data, place=place)


def _of_nothing_known(closed: DocumentClosed, said: Outright) -> DocumentClosed:
    severity, remedy = _UNKNOWN[said.kind]
    message = f"order {said.order} is {said.becomes} as a whole, but no line of it is known: {remedy}"
    expected = f"an order of {said.partner} that came before"
    told = _finding(closed, said, "order.unknown", severity, message, expected=expected)
    status = "accepted_with_errors" if severity is Severity.ERROR else closed.status
    waiting = replace(said, waits=True)
    return replace(closed, status=status, outright=waiting, findings=(*closed.findings, told))


def _finding(
    closed: DocumentClosed,
    said: Outright,
    code: str,
    severity: Severity,
    message: str,
    *,
    expected: str | None = None,
) -> Finding:
    start = closed.document.start
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.BUSINESS,
        message=message,
        location=start.location,
        value=said.order,
        expected=expected,
        offset=start.offset,
    )
