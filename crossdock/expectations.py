"""Great Expectations looks again: the record of batches, page by page, and a referee for our own verdicts.

On the fresh path batches are judged over columns (``mappings.batches``), because Great Expectations takes four seconds
before its first row. Here it runs for itself, some batches at a time and behind the fresh path, at the end of the
channel's own run and every hour: every batch that was held, parked or remarked on, and the newest of each partner's
and type's. The payload is translated once more out of the archive, its batch goes through the very suite with the
very bounds, and the results become Data Docs. Where it comes to another end than we did although neither suite nor
master data have changed, that is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.process import Unreadable, translated_payload
from crossdock.stages.batches import rows_of, suite_for
from crossdock.translation import DocumentLines, DocumentOpened
from mappings import quality
from mappings.batches import SAMPLE, asked, fingerprint, for_the_record
from mappings.quality import Case, Verdict
from schemas.errors import CrossdockError

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger
    from crossdock.translation import Context

#: Batches looked at in one run, and the largest that is.
BATCHES, ROWS = 50, 200_000
#: How long a channel's batches are left alone after it has looked; what comes meanwhile is looked at then, or hourly.
PAUSE = timedelta(minutes=10)
SCOPE = "expectations"  #: of when it has looked, by channel, in the ledger's states
AGREES, DIFFERS, UNSURE = "agrees", "differs", "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What Great Expectations had to say."""

    batches: int = 0
    unsure: int = 0  #: not to be compared: suite, mapping or master data have changed, or the batch is too large
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Batch:
    told: Mapping[str, Any]  #: a row of the ledger's verdicts
    case: Case
    codes: tuple[str, ...]  #: of the entries that were asked
    is_the_same: bool


def is_due(ledger: Ledger, channel: str, *, now: datetime | None = None) -> bool:
    """Whether Great Expectations should look at what came by the channel: there is something, and it has not for a
    while. A run that it is part of lasts some seconds longer, and the channel's next one waits for it."""
    last = ledger.state(SCOPE).get(channel)
    if last is not None and (now or datetime.now(UTC)) < datetime.fromisoformat(last) + PAUSE:
        return False
    return bool(ledger.verdicts.without_referee(1, channel))


def record(
    *,
    archive: Archive,
    ledger: Ledger,
    context: Context,
    data_docs: Path,
    channel: str = "",
    now: datetime | None = None,
) -> Recorded:
    """Let Great Expectations look at what it has not seen, of one channel or of all; idempotent, and cheap where there
    is nothing new."""
    if channel:
        ledger.state(SCOPE).set(channel, (now or datetime.now(UTC)).isoformat())
    waiting = ledger.verdicts.without_referee(BATCHES, channel)
    batches = list(_again(waiting, archive, ledger, context))
    alarms = []
    seen = {batch.told["id"] for batch in batches}
    for told in waiting:
        if told["id"] not in seen:
            ledger.verdicts.note_referee(told["id"], UNSURE)
    for partner, some in _by_partner(batches).items():
        verdicts = quality.judge([batch.case for batch in some], data_docs=data_docs, run=partner)
        for batch, verdict in zip(some, verdicts, strict=True):
            said = _compared(batch, verdict)
            ledger.verdicts.note_referee(batch.told["id"], said)
            if said == DIFFERS:
                alarms.append(_alarm(batch, verdict))
    unsure = len(waiting) - sum(batch.is_the_same for batch in batches)
    return Recorded(batches=len(waiting), unsure=unsure, alarms=tuple(alarms))


def _by_partner(batches: Sequence[_Batch]) -> dict[str, list[_Batch]]:
    """A run of Data Docs is named after its partner."""
    found: dict[str, list[_Batch]] = {}
    for batch in batches:
        found.setdefault(batch.told["partner"], []).append(batch)
    return found


def _again(
    waiting: Sequence[Mapping[str, Any]], archive: Archive, ledger: Ledger, context: Context
) -> Iterator[_Batch]:
    """The batches as tables, each with its suite; without what cannot be told any more."""
    for told in waiting:
        found = suite_for(told["partner"], told["type"], library=context.library)
        if found is None or told["rows"] > ROWS or told["part"]:
            continue
        suite, agreed = found
        try:
            rows = _rows(told, archive, ledger, context)
        except (Unreadable, CrossdockError):
            continue
        if rows is None:
            continue
        entries = asked(agreed, rows.height, bool(rows["quantity"].count()))
        same = (
            suite.version == told["suite_version"]
            and context.master_version == told["master_version"]
            and f"{fingerprint(rows):016x}" == told["fingerprint"]
        )
        case = Case(suite=for_the_record(suite, entries), rows=rows, parameters=told["parameters"])
        yield _Batch(told, case, tuple(one.code for one in entries), same)


def _rows(told: Mapping[str, Any], archive: Archive, ledger: Ledger, context: Context) -> Any:
    """The batch's lines as a suite looks at them; None where the payload holds no such lines any more."""
    payload = ledger.payload(told["payload_id"])
    items: list[DocumentLines] = []
    mine = False
    with closing(translated_payload(payload, archive, context)) as translated:
        for item in translated:
            match item:
                case DocumentOpened(document=document):
                    mine = (document.partner, document.start.type) == (told["partner"], told["type"])
                case DocumentLines() if mine:
                    items.append(item)
    return rows_of(items, payload.received_at, SAMPLE) if items else None


def _compared(batch: _Batch, verdict: Verdict) -> str:
    if not batch.is_the_same:
        return UNSURE
    ours = {one["sentence"] for one in batch.told["missed"]}
    return AGREES if ours == {one.sentence for one in verdict.unmet} else DIFFERS


def _alarm(batch: _Batch, verdict: Verdict) -> str:
    told = batch.told
    theirs = "; ".join(one.sentence for one in verdict.unmet) or "everything is met"
    ours = "; ".join(one["sentence"] for one in told["missed"]) or "everything is met"
    return (
        f"payload {told['payload_id']}, {told['partner']} {told['type']}: Great Expectations says {theirs!r}, "
        f"the gate said {ours!r}"
    )
