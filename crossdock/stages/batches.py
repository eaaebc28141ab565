"""Batches of events meet their expectations before they are published, or a person looks first.

A batch is what one payload holds of one partner's documents of one type. Which expectations there are stands in
``schemas/expectations/events_<stream>.json``, what follows where one is not met in the suite and the partner's file
(``batches:``): the batch is held, the rows that offend wait, or it is merely said. Rows that wait for such a reason,
and batches that are held, are let through by a person (``crossdock confirm``).

From the first document of which something is expected, what a payload holds waits here until its end; all before it
goes on. The lines of that document go ahead where they are many, and only its end waits; the ledger publishes nothing
of a document before its end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from crossdock.reading import CAUSE
from crossdock.stages.checking import held_back, with_held
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened, Translated
from crossdock.waiting import Waiting
from mappings.batches import (
    BatchSuite,
    BatchVerdict,
    Expected,
    Missed,
    Policy,
    Tally,
    batch_rows,
    offending,
    shipped_suites,
)
from mappings.frames import stacked, unframed
from mappings.normalise import STREAM_OF
from schemas.documents import ORDINAL
from schemas.findings import Finding, Severity, Stage

if TYPE_CHECKING:
    from crossdock.ledger import Ledger, PayloadRecord
    from mappings.library import Library

#: Rows that wait in memory at most until they are judged.
TOGETHER = 65_536
#: How far back is usual, and how many documents there must be to speak of it.
USUAL = timedelta(days=30)
ENOUGH = 5
#: Quantities of the past that are looked at.
SAMPLE = 500
#: Rows that are counted together.
CHUNK = 8_192
#: A bound that nothing goes beyond.
UNBOUNDED = 1e18
SCOPE = "batches"  #: of what is let through, in the ledger's states


class Stopped(Exception):
    """The payload is held; ``findings`` say why, with the comparison."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings[0].message)
        self.findings = findings


@dataclass(slots=True)
class Batch:
    """One partner's documents of one type as they come."""

    partner: str
    type: str
    suite: BatchSuite
    tally: Tally
    received: datetime
    master_version: str = ""
    documents: int = 0
    _waiting: list[DocumentLines] = field(default_factory=list)
    _rows: int = 0

    def add(self, item: DocumentLines) -> None:
        self._waiting.append(item)
        self._rows += item.events.height + item.parked.height
        if self._rows > CHUNK:
            self.count()

    def count(self) -> None:
        """Count what came: small documents together, because looking at columns costs the same for one row."""
        if self._waiting:
            self.tally.add(rows_of(self._waiting, self.received, self.tally.room))
        self._waiting, self._rows = [], 0


@dataclass(slots=True)
class Gate:
    """Judges the batches of one payload; ``verdicts`` of all that came to an end, also where one stops it."""

    record: PayloadRecord
    ledger: Ledger
    library: Library
    verdicts: list[BatchVerdict] = field(default_factory=list)

    def guarded(self, translated: Iterable[Translated]) -> Iterator[Translated]:
        """The translation; raises ``Stopped`` before anything of a batch where a person must look first."""
        if not expects_something(self.library) or is_let_through(self.ledger, self.record.id):
            return iter(translated)
        return parked(self._judged(translated), received=self.record.received_at, library=self.library)

    def _judged(self, translated: Iterable[Translated]) -> Iterator[Translated]:
        batches: dict[tuple[str, str], Batch] = {}
        current: Batch | None = None
        own, is_first = 0, True
        with closing(Waiting(TOGETHER)) as waiting:
            for item in translated:
                if isinstance(item, DocumentOpened):
                    current, own = self._batch_of(item, batches), 0
                if not batches:
                    yield item
                    continue
                waiting.add(item)
                match item:
                    case DocumentLines():
                        own += item.lines.height
                        if current is not None:
                            current.add(item)
                        if is_first and own > TOGETHER:
                            yield from waiting.released()
                    case DocumentClosed():
                        is_first = False
                        if current is not None:
                            current.documents += 1
            yield from self._judge(batches)
            yield from waiting.released()

    def _judge(self, batches: Mapping[tuple[str, str], Batch]) -> list[Finding]:
        """What is to be said of the batches. Raises ``Stopped``."""
        verdicts = [self._verdict(batch) for batch in batches.values() if batch.documents]
        self.verdicts += verdicts
        said = [(one, _finding(one, verdict, self.record)) for verdict in verdicts for one in verdict.missed]
        if grave := [finding for one, finding in said if one.policy is Policy.STOP]:
            raise Stopped(grave)
        return [finding for one, finding in said if one.policy is Policy.WARN]

    def _batch_of(self, opened: DocumentOpened, batches: dict[tuple[str, str], Batch]) -> Batch | None:
        document = opened.document
        key = document.partner, document.start.type
        if key not in batches:
            suite = suite_for(*key, library=self.library)
            if suite is None:
                return None
            found = suite[0], Tally(suite[1])
            batches[key] = Batch(*key, *found, self.record.received_at, document.master_version)
        return batches[key]

    def _verdict(self, batch: Batch) -> BatchVerdict:
        batch.count()
        parameters = self._parameters(batch)
        missed = tuple(batch.tally.missed(parameters))
        policies = {one.policy for one in missed}
        outcome = next((said for policy, said in _OUTCOMES.items() if policy in policies), "passed")
        return BatchVerdict(
            partner=batch.partner,
            type=batch.type,
            suite=batch.suite.suite.name,
            suite_version=batch.suite.version,
            master_version=batch.master_version,
            fingerprint=batch.tally.fingerprint,
            outcome=outcome,
            rows=batch.tally.rows,
            documents=batch.documents,
            expectations=len(batch.tally.expected),
            parameters=parameters,
            missed=missed,
        )

    def _parameters(self, batch: Batch) -> dict[str, float]:
        """What the partner's documents of that type were like in the last 30 days, as bounds."""
        limits = self.library.partners[batch.partner].batches
        since = self.record.received_at - USUAL
        usual = self.ledger.readings.usual(batch.partner, batch.type, since=since, sample=SAMPLE)
        bounds: dict[str, float] = {"least_rows": 0, "least_median": 0, "most_median": UNBOUNDED}
        if usual.documents < ENOUGH or limits is None:
            return bounds
        lines = usual.lines / usual.documents
        bounds["least_rows"] = math.ceil(lines * batch.documents * limits.fewer / 100)
        quantities = [quantity for text in usual.said if (quantity := _quantity(text)) is not None]
        if quantities and (middle := float(median(quantities))):
            bounds |= {"least_median": middle / limits.times, "most_median": middle * limits.times}
        return bounds


_OUTCOMES = {Policy.STOP: "stopped", Policy.PARK: "parked", Policy.WARN: "warned"}


def again(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation of what is read again: a batch is not judged a second time, but rows wait as they did."""
    if not expects_something(library) or is_let_through(ledger, record.id):
        return iter(translated)
    return parked(translated, received=record.received_at, library=library)


def parked(translated: Iterable[Translated], *, received: datetime, library: Library) -> Iterator[Translated]:
    """The translation, in which rows wait that offend an expectation whose policy is to park them."""
    wanted: list[Expected] = []
    held = 0
    of_type: dict[tuple[str, str], list[Expected]] = {}
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                key = document.partner, document.start.type
                if key not in of_type:
                    found = suite_for(*key, library=library)
                    of_type[key] = [one for one in found[1] if one.policy is Policy.PARK] if found else []
                wanted, held = of_type[key], 0
                yield item
            case DocumentLines() if wanted and item.events.height:
                after, more = _sifted(item, wanted, received)
                held += more
                yield after
            case DocumentClosed() if held:
                yield with_held(item, held, library)
            case _:
                yield item


def _sifted(item: DocumentLines, wanted: Sequence[Expected], received: datetime) -> tuple[DocumentLines, int]:
    rows = rows_of([replace(item, parked=item.parked.clear())], received, 0)
    findings: list[Finding] = []
    for one in wanted:
        for row in rows.filter(offending(one, rows)).rows(named=True):
            findings.append(_finding_of_row(one, row, item))
    if not findings:
        return item, 0
    causes = {finding.line: finding.code for finding in reversed(findings)}
    return held_back(item, causes, findings), len(causes)


def suite_for(partner: str, type: str, *, library: Library) -> tuple[BatchSuite, tuple[Expected, ...]] | None:
    """The suite for such a batch, and its entries as agreed with the partner; None where nothing is expected."""
    agreement = library.partners.get(partner)
    mapping = library.mapping_for(agreement, type)
    if agreement is None or agreement.batches is None or mapping is None:
        return None
    suite = shipped_suites()[STREAM_OF[mapping.kind].value]
    return suite, suite.under(agreement.batches.policies)


def expects_something(library: Library) -> bool:
    """Whether anything is expected of anybody's batches."""
    return any(partner.batches is not None for partner in library.partners.values())


def rows_of(items: Sequence[DocumentLines], received: datetime, room: int) -> pl.DataFrame:
    """Lines as a suite looks at them."""
    events = unframed(stacked([item.events for item in items]))
    waiting = [item.parked for item in items if item.parked.height]
    parked = pl.concat(waiting, how="diagonal") if waiting else pl.DataFrame()
    return batch_rows(events, parked, CAUSE, ORDINAL, received=received, room=room)


def note_let_through(ledger: Ledger, payload: int, reason: str) -> None:
    """A person has looked and finds it right: nothing is expected of the payload any more."""
    ledger.state(SCOPE).set(str(payload), "let through")
    ledger.trail.note("batch.let_through", f"payload {payload}", reason=reason)


def is_let_through(ledger: Ledger, payload: int) -> bool:
    return ledger.state(SCOPE).get(str(payload)) is not None


def _quantity(text: str) -> Decimal | None:
    said = msgspec.json.decode(text).get("base_quantity")
    return None if said is None else abs(Decimal(said))


def _finding(one: Missed, verdict: BatchVerdict, record: PayloadRecord) -> Finding:
    stops = one.policy is Policy.STOP
    usual = f"{one.wanted}, as in the last {USUAL.days} days" if not one.count else one.wanted
    return Finding(
        code=one.code,
        severity=Severity.ERROR if stops else Severity.WARNING,
        stage=Stage.BUSINESS,
        message=f"{verdict.partner}, {verdict.type}: {one}" + (_LOOK if stops else ""),
        location=record.name,
        value=one.found,
        expected=usual,
    )


_LOOK = "; a person must look before it is used (`crossdock confirm`)"


def _finding_of_row(one: Expected, row: Mapping[str, object], item: DocumentLines) -> Finding:
    (data,) = unframed(item.events.filter(pl.col("line") == row["row"]).head(1))["data"]
    place = msgspec.json.decode(data)["lineage"]
    value = row[one.column]
    return Finding(
        code=one.code,
        severity=Severity.ERROR,
        stage=Stage.BUSINESS,
        message=f"{one.sentence.rstrip('.')}; the line waits until a person lets it through (`crossdock confirm`)",
        location=place["location"],
        value=None if value is None else str(value),
        expected=one.sentence,
        line=row["row"],  # type: ignore[arg-type]
        offset=place.get("offset"),
        length=place.get("length"),
    )
