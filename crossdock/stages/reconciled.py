"""What is gone from a source: keys of all rows there are, or of those gone, against what the feed says of them.

A key that is no longer there makes a revision of its subject: an order line or a shipment is
``cancelled``, of a receipt and of a place in stock nothing is left. One that is there again, after it was
taken for gone, makes what it said before stand again. Only what came by the same channel, in
documents of the same type and no later than the keys were asked for, is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import polars as pl

from connectors.formats.rows import ATTRIBUTE_GONE, ATTRIBUTE_KEYS
from crossdock.ledger import Ledger, PayloadRecord
from crossdock.ledger.reconciling import Latest, Reconciling
from crossdock.stages.speeches import Speech, events_of, lineage_of
from crossdock.stages.unseen import lacking
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.keyed import SUBJECT, UNSURE, told_by_itself
from mappings.library import CompiledMapping, Library
from mappings.normalise import STREAM_OF
from mappings.values import instant_text, zone_of
from schemas.events import Stream
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

#: Status of what is gone. No source says it, so it tells what was cancelled here.
VANISHED = "vanished"
#: Keys that may be gone at once, whatever share of all they are.
FEW = 25
_EVENTS = 5_000  #: made together
_NAMED = 5  #: subjects that a finding names


def reconciled(
    translated: Iterable[Translated],
    *,
    record: PayloadRecord,
    ledger: Ledger,
    library: Library,
    late: Sequence[Finding] = (),
) -> Iterator[Translated]:
    """The translation, with the events that follow from keys before the end of their document.

    ``late``: what was found of the keys that no pull has seen.
    """
    there: _There | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                there = _there(document, library)
                yield item
            case DocumentLines(keys=keys) if there is not None:
                if keys is not None:
                    there.add(keys)
                yield item
            case DocumentClosed() if there is not None:
                told = replace(item, findings=(*item.findings, *late))
                yield from _conclusion(told, there, record, ledger.reconciling)
            case _:
                yield item


def _there(document: Document, library: Library) -> _There | None:
    if ATTRIBUTE_KEYS not in document.start.attributes:
        return None
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    return None if mapping is None else _There(document, mapping)


@dataclass(slots=True)
class _There:
    """The subjects that the keys make. Eight bytes of memory each."""

    document: Document
    mapping: CompiledMapping
    count: int = 0
    _chunks: list[pl.Series] = field(default_factory=list)
    _sorted: pl.Series | None = None
    _gone: dict[tuple[int, ...], set[tuple[str, ...]]] = field(default_factory=dict)
    _unsure: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, keys: pl.DataFrame) -> None:
        self.count += keys.height
        if ATTRIBUTE_GONE in self.document.start.attributes:
            for subject in keys[SUBJECT]:
                parts = subject.split("/")
                filled = tuple(place for place, part in enumerate(parts) if part)
                if len(filled) > 1:  # the first is the kind alone
                    self._gone.setdefault(filled, set()).add(tuple(parts[place] for place in filled))
            return
        self._chunks.append(_hashes(keys[SUBJECT]))
        self._unsure.update(map(self._certain, keys.filter(UNSURE)[SUBJECT]))

    def lacks(self, subjects: pl.Series) -> pl.Series:
        """Which of ``subjects`` are not there. One that is like a key which could not be looked up may be.

        Where a source tells what is gone, it is those that agree with what it tells of them.
        """
        if ATTRIBUTE_GONE in self.document.start.attributes:
            return pl.Series([self._is_gone(subject.split("/")) for subject in subjects], dtype=pl.Boolean)
        if self._sorted is None:
            self._sorted = pl.concat([pl.Series(dtype=pl.UInt64), *self._chunks]).sort()
            self._chunks.clear()
        known = self._sorted
        gone = lacking(_hashes(subjects), known)
        if not self._unsure:
            return gone
        return gone & pl.Series([self._certain(subject) not in self._unsure for subject in subjects], dtype=pl.Boolean)

    def _is_gone(self, parts: Sequence[str]) -> bool:
        return any(
            tuple(parts[place] if place < len(parts) else "" for place in filled) in gone
            for filled, gone in self._gone.items()
        )

    def _certain(self, subject: str) -> tuple[str, ...]:
        parts = dict(enumerate(subject.split("/")))
        return tuple(parts.get(place, "") for place in told_by_itself(self.mapping))


def _hashes(subjects: pl.Series) -> pl.Series:
    return subjects.hash(seed=1)


# -- what follows -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Compared:
    """What the comparison found: how many subjects stand, which are gone, which are there again."""

    standing: int = 0
    gone: list[Latest] = field(default_factory=list)
    again: list[Latest] = field(default_factory=list)


def _conclusion(
    closed: DocumentClosed, there: _There, record: PayloadRecord, feed: Reconciling
) -> Iterator[DocumentLines | DocumentClosed]:
    if closed.status != "accepted" or there.count != closed.lines:
        yield replace(closed, findings=(*closed.findings, _incomplete(there.document)))
        return
    compared = _compared(there, record, feed)
    most = float(there.document.start.attributes[ATTRIBUTE_KEYS])
    if len(compared.gone) > FEW and len(compared.gone) > most * compared.standing:
        yield replace(
            closed,
            status="accepted_with_errors",
            findings=(*closed.findings, _too_many(there.document, compared, most)),
        )
        return
    events = 0
    for table in _events(compared, there, record, feed):
        events += table.height
        yield DocumentLines(lines=pl.DataFrame(), events=table, parked=pl.DataFrame())
    told = tuple(_told(there.document, compared))
    yield replace(closed, events=closed.events + events, findings=(*closed.findings, *told))


def _compared(there: _There, record: PayloadRecord, feed: Reconciling) -> _Compared:
    kind = there.mapping.kind
    compared = _Compared()
    standing = feed.standing(
        stream=STREAM_OF[kind].value,
        prefix=f"{kind.value}/",
        channel=record.channel,
        type=there.document.start.type,
        until=record.received_at,
    )
    for some in _batches(standing):
        gone = there.lacks(pl.Series([one.subject for one in some], dtype=pl.String))
        # an order that its own source cancelled may be there or not
        absent = [one for one, lacks in zip(some, gone, strict=True) if lacks and one.kind != "cancelled"]
        present = [one for one, lacks in zip(some, gone, strict=True) if not lacks]
        vanished = _vanished(feed, [*absent, *(one for one in present if _may_have_vanished(one, kind))])
        compared.standing += len(some) - len(vanished & set(some))
        compared.gone += [one for one in absent if one not in vanished]
        if ATTRIBUTE_GONE not in there.document.start.attributes:
            compared.again += [one for one in present if one in vanished]
    return compared


def _may_have_vanished(one: Latest, kind: LineKind) -> bool:
    return one.sequence > 1 and (one.kind == "cancelled" or kind in (LineKind.RECEIPT, LineKind.STOCK))


class _Said(msgspec.Struct):
    status: str = ""


_SAID = msgspec.json.Decoder(_Said)


def _vanished(feed: Reconciling, some: list[Latest]) -> set[Latest]:
    """Those whose newest event says that they are gone."""
    said = feed.said([one.position for one in some])
    return {one for one in some if _SAID.decode(said[one.position]).status == VANISHED}


def _events(compared: _Compared, there: _There, record: PayloadRecord, feed: Reconciling) -> Iterator[pl.DataFrame]:
    stream = STREAM_OF[there.mapping.kind]
    now = instant_text(record.received_at, zone_of("UTC"))
    for some in _batches(compared.gone):
        said = feed.said([one.position for one in some])
        rows = [(one, _without(msgspec.json.decode(said[one.position]), stream, now)) for one in some]
        yield _table(rows, there, record, stream, now)
    for some in _batches(compared.again):
        yield _table([(one, _before(one, stream, feed)) for one in some], there, record, stream, now)


def _batches(some: Iterable[Latest]) -> Iterator[list[Latest]]:
    batch: list[Latest] = []
    for one in some:
        batch.append(one)
        if len(batch) == _EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch


def _without(data: dict[str, Any], stream: Stream, now: str) -> dict[str, Any]:
    """What is said of something that is gone."""
    for name in ("changes", "lineage"):
        data.pop(name, None)
    data["status"] = VANISHED
    if stream is Stream.INVENTORY:
        data |= {"quantity": "0", "base_quantity": "0"} | ({"counted_at": now} if "counted_at" in data else {})
    else:
        data["kind"] = "cancelled"
    return data


def _before(one: Latest, stream: Stream, feed: Reconciling) -> dict[str, Any]:
    """What was said before it was taken for gone."""
    revisions = feed.revisions(stream.value, one.subject)
    said = feed.said([revision.position for revision in revisions])
    texts = (msgspec.json.decode(text) for revision in revisions if (text := said[revision.position]))
    data: dict[str, Any] = next(text for text in texts if text.get("status") != VANISHED)
    for name in ("changes", "lineage"):
        data.pop(name, None)
    return data


def _table(
    rows: list[tuple[Latest, dict[str, Any]]], there: _There, record: PayloadRecord, stream: Stream, now: str
) -> pl.DataFrame:
    mapping = there.mapping
    origin = lineage_of(record, there.document.id, mapping.name, mapping.version)
    speeches = (
        Speech(subject=one.subject, time=now, line=number, data=data, place={"location": "the keys of all rows"})
        for number, (one, data) in enumerate(rows, 1)
    )
    return events_of(stream.value, speeches, origin)


# -- what is said of it -----------------------------------------------------------------------------


def _told(document: Document, compared: _Compared) -> Iterator[Finding]:
    for code, words, some in (
        ("keys.gone", "no longer there and taken out", compared.gone),
        ("keys.again", "there again and stand as before", compared.again),
    ):
        if some:
            message = f"{len(some):,} of {compared.standing:,} are {words}: {_named(some)}"
            yield _finding(document, code, Severity.INFO, message, value=str(len(some)))


def _too_many(document: Document, compared: _Compared, most: float) -> Finding:
    return _finding(
        document,
        "keys.too_many_gone",
        Severity.ERROR,
        f"{len(compared.gone):,} of {compared.standing:,} are no longer there, which is more than may be gone at once, "
        f"so nothing was taken out: {_named(compared.gone)}",
        value=str(len(compared.gone)),
        expected=f"at most {most:.0%} (reconcile.most), or {FEW}",
    )


def _incomplete(document: Document) -> Finding:
    return _finding(
        document,
        "keys.incomplete",
        Severity.WARNING,
        "not every key could be read, so nothing is taken for gone",
        expected="a row of text for each key",
    )


def _named(some: list[Latest]) -> str:
    more = ", ..." if len(some) > _NAMED else ""
    return ", ".join(one.subject for one in some[:_NAMED]) + more


def _finding(
    document: Document,
    code: str,
    severity: Severity,
    message: str,
    *,
    value: str | None = None,
    expected: str | None = None,
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=Stage.BUSINESS,
        message=message,
        location=f"keys of query {document.start.attributes.get('query', '')}",
        value=value,
        expected=expected,
    )
