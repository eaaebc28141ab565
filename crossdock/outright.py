"""Orders that a document cancels or answers outright, without naming their lines.

The lines are those that the feed knows of the order, and those that came shortly before in the same payload. Each of
them gets the event that it would have got by its name. Where none is known, that is an error to be seen to.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.library import Library
from mappings.normalise import SUBJECT_MARKS, empty_events
from mappings.occurrences import key_hashes
from mappings.outright import Outright
from mappings.values import instant_text, zone_of
from schemas.events import Stream
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

_STREAM = Stream.DEMAND.value
_LINE = r"^[^/]*/[^/]*/[^/]*/([^/#]*)"  #: the order's line in ``order/ACME/4500017/10/1#2``
_ESCAPES = {mark: f"%{ord(mark):02X}" for mark in SUBJECT_MARKS}
_KEPT = 8_192  #: events of this payload that are looked at beside those of the feed
_NAMED = 3
_REMEDY = {
    LineKind.ORDER: "an order that comes after its cancellation stands",
    LineKind.ORDER_RESPONSE: "read the document again (crossdock replay --code order.unknown) once the order is there",
}
#: What an order line and the answer to it have in common.
_COMMON = (
    *("partner", "item", "site", "quantity", "unit", "base_quantity", "base_unit", "partner_item", "partner_site"),
    *("description", "due_at", "ship_by", "price", "currency"),
)
_ALSO = ("order", "order_line", "schedule")  #: of its references


def outright(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, with what each document says of lines that it does not name before its end."""
    lately = _Lately()
    named: _Names | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                named = _Names() if _speaks(document, library) else None
            case DocumentLines():
                lately.add(item.events)
                if named is not None:
                    named.add(item)
            case DocumentClosed(outright=said) if said is not None and item.status != "rejected":
                yield from _concluded(item, said, named or _Names(), _Known(ledger, lately), record)
                continue
        yield item


def _speaks(document: Document, library: Library) -> bool:
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    return mapping is not None and mapping.whole is not None


class _Lately:
    """Events of orders that this payload has made: the ledger may not have them yet."""

    def __init__(self) -> None:
        self._tables: deque[pl.DataFrame] = deque()
        self._rows = 0

    def add(self, events: pl.DataFrame) -> None:
        if events.is_empty() or not events["subject"][0].startswith("order/"):
            return
        self._tables.append(events)
        self._rows += events.height
        while self._rows > _KEPT and len(self._tables) > 1:
            self._rows -= self._tables.popleft().height

    def under(self, prefix: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for table in self._tables:
            some = table.filter(pl.col("subject").str.starts_with(f"{prefix}/"))
            for subject, kind, data in some.select("subject", "kind", "data").iter_rows():
                yield subject, kind, msgspec.json.decode(data)


@dataclass(frozen=True, slots=True)
class _Names:
    """Which lines of an order the document names, as they stand in subjects."""

    _lines: list[pl.Series] = field(default_factory=list)

    def add(self, item: DocumentLines) -> None:
        self._lines.append(item.events["subject"].str.extract(_LINE))
        for name in ("order_line", "line"):
            if name in item.parked.columns:
                self._lines.append(item.parked[name].str.replace_many(_ESCAPES))

    @property
    def lines(self) -> frozenset[str]:
        return frozenset(line for some in self._lines for line in some.drop_nulls())


@dataclass(frozen=True, slots=True)
class _Known:
    ledger: Ledger
    lately: _Lately

    def lines(self, said: Outright, document: Document) -> dict[str, dict[str, Any]]:
        """What was said last of each line of the order that stands, by subject; of a document that is read again,
        those of which it has spoken."""
        key = _order(said)
        own = "order" if said.kind is LineKind.ORDER else "order_response"
        given = self.ledger.readings.given(document.id, _STREAM, f"{own}/{key}")
        if given:
            return {f"order/{one.subject.partition('/')[2]}": one.data for one in given}
        last = {one.subject: (one.kind, one.data) for one in self.ledger.readings.stands(_STREAM, [f"order/{key}"])}
        last |= {subject: (kind, data) for subject, kind, data in self.lately.under(f"order/{key}")}
        return {subject: data for subject, (kind, data) in last.items() if kind != "cancelled"}

    def has(self, said: Outright) -> bool:
        """Whether anything was ever said of the order."""
        prefix = f"order/{_order(said)}"
        return bool(self.ledger.readings.stands(_STREAM, [prefix])) or any(True for _ in self.lately.under(prefix))


def _concluded(
    closed: DocumentClosed, said: Outright, named: _Names, known: _Known, record: PayloadRecord
) -> Iterator[DocumentLines | DocumentClosed]:
    names = named.lines
    lines = {
        subject: data
        for subject, data in known.lines(said, closed.document).items()
        if (line := re.match(_LINE, subject)) and line[1] not in names
    }
    if not lines:
        yield _without_lines(closed, said, names, known)
        return
    events = _events(lines, closed, said, record)
    yield DocumentLines(lines=pl.DataFrame(), events=events, parked=pl.DataFrame())
    told = _finding(
        closed,
        "order.lines_outright",
        Severity.INFO,
        f"{events.height:,} lines of order {said.order} are {said.becomes}: {_listed(events['subject'])}",
        value=said.order,
    )
    yield replace(closed, events=closed.events + events.height, findings=(*closed.findings, told))


def _without_lines(closed: DocumentClosed, said: Outright, named: Collection[str], known: _Known) -> DocumentClosed:
    if named or known.has(said):
        return closed
    told = _finding(
        closed,
        "order.unknown",
        Severity.ERROR,
        f"order {said.order} is {said.becomes} as a whole, but no line of it is known, so that nothing is published; "
        + _REMEDY[said.kind],
        value=said.order,
        expected=f"an order of {said.partner} that came before",
    )
    return replace(closed, status="accepted_with_errors", findings=(*closed.findings, told))


def _events(
    lines: Mapping[str, dict[str, Any]], closed: DocumentClosed, said: Outright, record: PayloadRecord
) -> pl.DataFrame:
    """Events as ``mappings.normalise`` makes them; the id tells this document from any other."""
    document = closed.document
    lineage = {
        "payload": record.sha256,
        "document": document.id,
        "location": document.start.location,
        "mapping": document.mapping,
        "mapping_version": document.mapping_version,
    }
    time = said.time or instant_text(record.received_at, zone_of("UTC"))
    subjects = [_subject(subject, said) for subject in lines]
    keys = key_hashes(_STREAM, pl.Series(subjects, dtype=pl.String)).bin.encode("hex").to_list()
    made = []
    for number, (subject, key, before) in enumerate(zip(subjects, keys, lines.values(), strict=True), closed.lines + 1):
        data = _data(before, said)
        content = hashlib.blake2b(msgspec.json.encode(data), digest_size=8)
        fingerprint = content.hexdigest()
        content.update(document.id.encode())
        made.append(
            {
                "id": key + content.hexdigest()[:12],
                "key": key,
                "fingerprint": fingerprint,
                "stream": _STREAM,
                "kind": data["kind"],
                "subject": subject,
                "time": time,
                "partner": data["partner"],
                "item": data["item"],
                "site": data["site"],
                "line": number,
                "data": msgspec.json.encode(data | {"lineage": lineage}).decode(),
            }
        )
    return pl.DataFrame(made, schema=empty_events().schema)


def _subject(order_line: str, said: Outright) -> str:
    return order_line if said.kind is LineKind.ORDER else f"order_response/{order_line.partition('/')[2]}"


def _data(before: Mapping[str, Any], said: Outright) -> dict[str, Any]:
    """What is said now of a line of which ``before`` was said last."""
    references = {"document": said.number} if said.number else {}
    if said.kind is LineKind.ORDER:
        data = {name: value for name, value in before.items() if name not in ("lineage", "changes")}
        return data | {"kind": "cancelled", "references": {**data.get("references", {}), **references}}
    told = before.get("references", {})
    references |= {name: told[name] for name in _ALSO if name in told}
    data = {name: before[name] for name in _COMMON if name in before}
    return data | {"status": said.becomes, "kind": "confirmed", "references": references}


def _order(said: Outright) -> str:
    """``ACME/4500017``, as it stands in subjects."""
    return "/".join(pl.Series([said.partner, said.order]).str.replace_many(_ESCAPES))


def _listed(subjects: pl.Series) -> str:
    return ", ".join(subjects.head(_NAMED)) + (", ..." if len(subjects) > _NAMED else "")


def _finding(
    closed: DocumentClosed, code: str, severity: Severity, message: str, *, value: str, expected: str | None = None
) -> Finding:
    start = closed.document.start
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.BUSINESS,
        message=message,
        location=start.location,
        value=value,
        expected=expected,
        offset=start.offset,
    )
