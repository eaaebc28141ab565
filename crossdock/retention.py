"""Retention: what is kept how long, and the round that gives up the rest, compacts and reports.

``raw`` are the bytes as received, ``findings`` what was wrong with documents that wait for nothing, ``events`` what
was said before it was superseded twice. The rest - what holds, the documents, the audit trail - is kept for ever. A
partner on legal hold loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crossdock.auditing import Fault, verify
from crossdock.mending.repair import Cause, too_long
from schemas.durations import duration
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger

#: A file that a writer has not touched for so long has no writer any more.
ABANDONED = timedelta(hours=24)
NAMES = {
    "raw": "CROSSDOCK_KEEP_RAW",
    "findings": "CROSSDOCK_KEEP_FINDINGS",
    "events": "CROSSDOCK_KEEP_EVENTS",
    "parked": "CROSSDOCK_PARKED_TOO_LONG",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long each class is kept; None: for ever. ``parked`` is how long a line may wait unnoticed."""

    raw: timedelta | None = None
    findings: timedelta | None = None
    events: timedelta | None = None
    parked: timedelta = timedelta(hours=24)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Retention:
        """``CROSSDOCK_KEEP_RAW=1095d`` and so on. Raises ConfigError naming every one that is no duration."""
        given, problems = {}, []
        for name, variable in NAMES.items():
            if text := environment.get(variable, ""):
                try:
                    given[name] = _length(text)
                except ValueError as error:
                    problems.append(f"{variable}: {error}")
        if problems:
            raise ConfigError("retention is not clear", problems=tuple(problems))
        return cls(**given)


def _length(text: str) -> timedelta:
    length = duration(text)
    assert isinstance(length, timedelta)
    return length


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What one round did, and what it found."""

    raw: int = 0  #: payloads whose bytes were given up
    findings: int = 0
    events: int = 0
    leftovers: int = 0  #: half-written files of killed writers
    entries: int = 0  #: of the audit trail
    head: str = ""  #: its newest hash, worth noting down elsewhere
    faults: tuple[Fault, ...] = ()
    too_long: tuple[Cause, ...] = field(default=())

    @property
    def alarms(self) -> list[str]:
        """What somebody must look at, in sentences."""
        faults = [f"{fault.what}: {fault.message}" for fault in self.faults if fault.is_grave]
        return faults + [f"{cause.sentence}, since {cause.since:%Y-%m-%d %H:%M}" for cause in self.too_long]


def maintain(retention: Retention, *, ledger: Ledger, archive: Archive, now: datetime | None = None) -> Maintained:
    """Give up what is too old, compact, check archive and trail against each other, and say what was found."""
    now = now or datetime.now(UTC)
    raw = ledger.trail.prune_raw(now - retention.raw, archive.remove) if retention.raw is not None else 0
    findings = ledger.trail.prune_findings(now - retention.findings) if retention.findings is not None else 0
    events = _give_up_events(ledger, now - retention.events) if retention.events is not None else 0
    leftovers = archive.sweep((now - ABANDONED).timestamp())
    ledger.trail.compact()
    faults = tuple(verify(ledger, archive))
    entries, head = ledger.trail.head()
    return Maintained(
        raw=raw,
        findings=findings,
        events=events,
        leftovers=leftovers,
        entries=entries,
        head=head,
        faults=faults,
        too_long=tuple(too_long(ledger, now=now, patience=retention.parked)),
    )


def _give_up_events(ledger: Ledger, before: datetime) -> int:
    ledger.spans.follow()
    return ledger.trail.give_up_events(before)
