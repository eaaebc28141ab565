"""Release: lines that wait go on by themselves once what they waited for is there.

Whenever master data, a mapping or a partner's file has changed, the documents with waiting lines are read again
out of the archive. What is good now is published as if it had been good from the start; what is not goes on
waiting, for what stands in its way now. A document that was rejected for such lines, as agreed, is used as a whole
once nothing is wrong with it, and so are its neighbours that fell with the group. Documents of a sender nobody
knew are read once somebody does, and sheets whose header nobody understood once somebody has said what it means.

An answer to an order that nobody knew, as a whole or line by line, is read again once the order has come.

A document is not read again while it is plain that nothing of it would change: the same mapping, and whatever its
waiting lines name the master data still do not hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from crossdock.ledger.selecting import Chosen, Selection
from crossdock.mending.replay import Replayed, correct_all
from crossdock.process import Unreadable, process, translated_payload
from crossdock.stages.as_ordered import LACKS
from crossdock.stages.checking import CAUSES
from crossdock.translation import DocumentOpened
from mappings.master_data import KINDS
from schemas.findings import Stage
from schemas.lines import LineKind

if TYPE_CHECKING:
    from connectors.archive import Archive
    from connectors.base import State
    from crossdock.ledger import Ledger
    from crossdock.ledger.parked import Obstacle
    from crossdock.translation import Context

#: Quarantined payloads that are looked at once more when the configuration has changed.
QUARANTINED = 10_000
_TOGETHER = 500  #: documents asked for in one statement


@dataclass(slots=True)
class Released(Replayed):
    """What a release did. ``tried``: documents read again; ``strangers``: payloads whose sender is known by now."""

    tried: int = 0
    strangers: int = 0

    @property
    def did_something(self) -> bool:
        return bool(self.published or self.released or self.strangers)


def release(*, archive: Archive, ledger: Ledger, context: Context, reason: str = "") -> Released:
    """Let go on whatever waits and need wait no longer. Costs next to nothing while nothing has changed."""
    done = Released()
    parts = _Parts(archive, ledger, context, reason or "master data, a mapping or a partner's file has changed", done)
    _release_lines(parts)
    memory = ledger.state("release")
    _release_answers(parts, memory)
    library = _library(context)
    if memory.get("library") != library:
        _release_strangers(parts)
        memory.set("library", library)
    return done


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every step works with."""

    archive: Archive
    ledger: Ledger
    context: Context
    reason: str
    done: Released

    def correct(self, chosen: Sequence[Chosen], *, only_waiting: bool) -> None:
        correct_all(
            chosen,
            archive=self.archive,
            ledger=self.ledger,
            context=self.context,
            reason=self.reason,
            total=self.done,
            only_waiting=only_waiting,
        )


def configuration(context: Context) -> str:
    """A word that changes whenever another version of a master table, mapping or partner file is in force."""
    return hashlib.sha256(f"{context.master_version}\x1f{_library(context)}".encode()).hexdigest()[:16]


def _library(context: Context) -> str:
    library = context.library
    content = {
        "standard": {type: mapping.version for type, mapping in library.standard.items()},
        "agreed": {" ".join(key): mapping.version for key, mapping in library.agreed.items()},
        "partners": {name: partner.model_dump(mode="json") for name, partner in library.partners.items()},
    }
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:16]


# -- lines ------------------------------------------------------------------------------------------


def _release_lines(parts: _Parts) -> None:
    word, readings = configuration(parts.context), parts.ledger.readings
    waiting = readings.waiting(word, CAUSES)
    if not waiting:
        return
    hopeful = _hopeful(waiting, parts.ledger, parts.context)
    parts.done.tried += sum(len(one.documents) for one in hopeful)
    whole = {one.payload: one.documents for one in readings.rejected(hopeful)}
    lines = (Chosen(one.payload, one.documents - whole.get(one.payload, frozenset())) for one in hopeful)
    parts.correct([one for one in lines if one.documents], only_waiting=True)
    parts.correct([Chosen(payload, names) for payload, names in whole.items()], only_waiting=False)
    readings.tried(waiting, word)


def _hopeful(waiting: Sequence[Chosen], ledger: Ledger, context: Context) -> list[Chosen]:
    """Those of which a line may be released now, for each of its obstacles may be out of the way; and those of which
    a code is known by now, whatever else the line waits for: it is to say what still stands in its way."""
    obstacles = list(ledger.readings.obstacles(waiting))
    judge = _Hope(context, obstacles)
    hopes: dict[tuple[str, int], bool] = {}
    better: set[str] = set()
    for obstacle in obstacles:
        line, hope = (obstacle.document, obstacle.line), judge.may_be_gone(obstacle)
        hopes[line] = hopes.get(line, True) and hope
        if hope and _code_of(obstacle) is not None:
            better.add(obstacle.document)
    hopeful = better | {document for (document, _), hope in hopes.items() if hope}
    told = {document for document, _ in hopes}
    chosen = (
        Chosen(one.payload, frozenset(name for name in one.documents if name in hopeful or name not in told))
        for one in waiting
    )
    return [one for one in chosen if one.documents]


class _Hope:
    """Whether an obstacle may be out of the way. In doubt it may."""

    def __init__(self, context: Context, obstacles: Sequence[Obstacle]) -> None:
        library = context.library
        self._versions = {one.version for one in (*library.standard.values(), *library.agreed.values())}
        self._known: set[tuple[str, str, str]] = set()
        asked = {code for obstacle in obstacles if (code := _code_of(obstacle)) is not None}
        for kind in {kind for kind, _, _ in asked}:
            codes = sorted((partner, value) for other, partner, value in asked if other == kind)
            partners, values = (pl.Series(column, dtype=pl.String) for column in zip(*codes, strict=True))
            held = context.master.holds(kind, partners, values)
            self._known.update((kind, *code) for code, there in zip(codes, held, strict=True) if there)

    def may_be_gone(self, obstacle: Obstacle) -> bool:
        if obstacle.mapping_version not in self._versions:
            return True
        if (code := _code_of(obstacle)) is not None:
            return code in self._known
        return obstacle.stage in (Stage.REFERENCE.value, Stage.BUSINESS.value)


def _code_of(obstacle: Obstacle) -> tuple[str, str, str] | None:
    """The kind, partner and code that the line waits for; None where it waits for something else."""
    kind, _, fault = obstacle.code.partition(".")
    if fault != "unknown" or kind not in KINDS or obstacle.value is None:
        return None
    return kind, obstacle.partner, obstacle.value


# -- what waits for its order --------------------------------------------------------------------------


def _release_answers(parts: _Parts, memory: State) -> None:
    """Answers whose orders have come since the last time, and orders that came beside their cancellation."""
    orders, since = parts.ledger.whole_orders, int(memory.get("orders") or 0)
    position = orders.position()
    if position == since:
        return
    library = parts.context.library
    mappings = (*library.standard.values(), *library.agreed.values())
    types = {mapping.document for mapping in mappings if mapping.kind is LineKind.ORDER_RESPONSE}
    lines = {one.document for one in orders.lines(since, causes=LACKS, types=types)}
    whole = {one.document for one in orders.answers(since)} | set(orders.overlooked(since))
    for names, only_waiting in ((lines - whole, True), (whole, False)):
        parts.done.tried += len(names)
        asked = sorted(names)
        for at in range(0, len(asked), _TOGETHER):
            chosen = list(parts.ledger.readings.select(Selection(documents=tuple(asked[at : at + _TOGETHER]))))
            parts.correct(chosen, only_waiting=only_waiting)
    memory.set("orders", str(position))


# -- strangers, and strange sheets ---------------------------------------------------------------------


def _release_strangers(parts: _Parts) -> None:
    """Documents and payloads of senders whom nobody knew when they came."""
    parts.correct(
        [one for one in parts.ledger.readings.unmapped() if _is_known_now(one.payload, parts)], only_waiting=False
    )
    for payload in _quarantined_strangers(parts.ledger):
        if _is_known_now(payload, parts):
            parts.ledger.requeue([payload])
            process([payload], archive=parts.archive, ledger=parts.ledger, context=parts.context)
            parts.ledger.readings.tell_again(payload)
            parts.done.strangers += 1


#: Why a payload without any document may be read once a partner's file says more.
_MENDED_BY_A_FILE = frozenset(
    {"partner.unknown", "workbook.header_incomplete", "workbook.header_missing", "workbook.sheet_unwanted"}
)


def _quarantined_strangers(ledger: Ledger) -> Iterator[int]:
    for row in ledger.payloads(status="quarantined", limit=QUARANTINED):
        found = ledger.findings(payload=row["id"], severity="error", limit=10)
        if any(finding["code"] in _MENDED_BY_A_FILE for finding in found):
            yield row["id"]


def _is_known_now(payload: int, parts: _Parts) -> bool:
    """Whether any document of the payload has a mapping by now."""
    record = parts.ledger.payload(payload)
    try:
        with closing(translated_payload(record, parts.archive, parts.context)) as translated:
            return any(isinstance(item, DocumentOpened) and item.document.mapping is not None for item in translated)
    except Unreadable:
        return False
