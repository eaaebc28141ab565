"""A batch that is wildly different from what its partner usually sends is held for a person, with the comparison.

Ten times the quantity, half the lines missing: syntax and references may be right, and it is wrong all the same. A
partner's file says from where on (``batches:``). What is held is quarantined as a whole before anything of it is
published; a person lets it through, or has it sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened, Translated
from schemas.findings import Finding, Severity, Stage

if TYPE_CHECKING:
    from crossdock.ledger import Ledger, PayloadRecord
    from mappings.library import Library
    from mappings.spec import Batches

#: A larger payload is not held up: it would have to wait in memory.
LARGEST = 8 << 20
#: How far back is usual, and how many documents there must be to speak of it.
USUAL = timedelta(days=30)
ENOUGH = 5
#: Quantities looked at on either side.
SAMPLE = 500
_SCOPE = "batches"


class Unusual(Exception):
    """The batch is held; ``finding`` has the comparison."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(slots=True)
class _Batch:
    """What a payload holds of one partner's documents of one type."""

    partner: str
    type: str
    documents: int = 0
    lines: int = 0
    quantities: list[Decimal] = field(default_factory=list)


def guarded(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, whole; raises ``Unusual`` before any of it where a person must look first."""
    watched = any(partner.batches is not None for partner in library.partners.values())
    if not watched or record.size > LARGEST or is_let_through(ledger, record.id):
        yield from translated
        return
    items = list(translated)
    for batch in _batches(items):
        partner = library.partners.get(batch.partner)
        if partner is not None and partner.batches is not None:
            _judge(batch, partner.batches, record, ledger)
    yield from items


def let_through(ledger: Ledger, payload: int, reason: str) -> bool:
    """A person has looked and finds it right: it is translated at the next run; False where nothing is held."""
    if not ledger.requeue([payload]):
        return False
    ledger.state(_SCOPE).set(str(payload), "let through")
    ledger.trail.note("batch.let_through", f"payload {payload}", reason=reason)
    return True


def is_let_through(ledger: Ledger, payload: int) -> bool:
    return ledger.state(_SCOPE).get(str(payload)) is not None


def _batches(items: Sequence[Translated]) -> Iterator[_Batch]:
    found: dict[tuple[str, str], _Batch] = {}
    current = _Batch("", "")
    for item in items:
        match item:
            case DocumentOpened(document=document):
                key = (document.partner, document.start.type)
                current = found.setdefault(key, _Batch(*key))
            case DocumentLines() if len(current.quantities) < SAMPLE:
                current.quantities += _quantities(item.events["data"].head(SAMPLE))
            case DocumentClosed():
                current.documents += 1
                current.lines += item.lines
            case _:
                pass
    yield from found.values()


def _quantities(texts: Iterable[str]) -> list[Decimal]:
    return [abs(Decimal(msgspec.json.decode(text)["base_quantity"])) for text in texts]


def _judge(batch: _Batch, limits: Batches, record: PayloadRecord, ledger: Ledger) -> None:
    usual = ledger.readings.usual(batch.partner, batch.type, since=record.received_at - USUAL, sample=SAMPLE)
    if usual.documents < ENOUGH or not batch.documents:
        return
    lines, before = Decimal(batch.lines) / batch.documents, Decimal(usual.lines) / usual.documents
    if lines * 100 < before * limits.fewer:
        raise Unusual(_finding("lines", lines, before, batch, record))
    usually = _quantities(usual.said)
    if batch.quantities and usually:
        now, then = median(batch.quantities), median(usually)
        if then and now > then * limits.times:
            raise Unusual(_finding("quantity", now, then, batch, record))


def _finding(what: str, now: Decimal, usual: Decimal, batch: _Batch, record: PayloadRecord) -> Finding:
    words = {"lines": "lines a document", "quantity": "for the median quantity of a line"}[what]
    return Finding(
        code=f"batch.unusual_{what}",
        severity=Severity.ERROR,
        stage=Stage.BUSINESS,
        message=f"{batch.partner} sends {_short(now)} {words} of {batch.type}, usually {_short(usual)}: "
        "a person must look before it is used",
        location=record.name,
        value=_short(now),
        expected=f"about {_short(usual)}, as in the last {USUAL.days} days",
    )


def _short(number: Decimal) -> str:
    text = f"{number:.1f}"
    return text.removesuffix(".0")
