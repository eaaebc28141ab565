"""Forecasts that a newer release of the same schedule no longer names.

A planning schedule says for each of its items all that is wanted within its horizon. A bucket that an earlier one
named there and this one does not is withdrawn: a revision of its key, ``cancelled``, of quantity 0. What lies before or
beyond the horizon stays as it is, and so does what another order or site wants of the item. A schedule
that only changes lines, one that came before, and one that is older than what stands withdraw nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.ledger.superseding import Bucket, Superseding
from crossdock.stages.speeches import Speech, events_of, lineage_of
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.library import CompiledMapping, Library
from mappings.normalise import KEY_OF, STREAM_OF
from schemas.findings import Finding, Severity, Stage
from schemas.lines import LineKind

WITHDRAWN = "withdrawn"  #: status of such a bucket
OF_THE_HEAD = ("purpose", "horizon_starts_at", "horizon_ends_at")  #: what of a schedule's lines is looked at
_WHOLE = (None, "original", "replace")  #: purposes of a schedule that says everything
_STREAM = STREAM_OF[LineKind.FORECAST].value
#: The subject is made of the kind, then these; the first four name the schedule, the others the bucket.
_PARTS = 5
_TIMES = slice(_PARTS, _PARTS + 4)


def superseded(
    translated: Iterable[Translated], *, record: PayloadRecord, ledger: Ledger, library: Library
) -> Iterator[Translated]:
    """The translation, with what each forecast withdraws before the end of its document."""
    release: _Release | None = None
    for item in translated:
        match item:
            case DocumentOpened(document=document):
                release = _release(document, library)
            case DocumentLines() if release is not None:
                release.add(item)
            case DocumentClosed() if release is not None and item.status != "rejected":
                yield from _concluded(item, release, record, ledger.superseding)
                release = None
                continue
        yield item


def _release(document: Document, library: Library) -> _Release | None:
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    known = mapping is not None and mapping.kind is LineKind.FORECAST
    own_key = mapping is not None and mapping.key and tuple(mapping.key) != KEY_OF[LineKind.FORECAST]
    return _Release(document, mapping) if known and not own_key and mapping is not None else None


@dataclass(slots=True)
class _Schedule:
    """What the document names of one item, site and order."""

    time: str
    first: tuple[str, str]  #: subject and id of its first event
    named: set[str] = field(default_factory=set)
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(slots=True)
class _Release:
    """A schedule while it is read, item by item."""

    document: Document
    mapping: CompiledMapping
    whole: bool = True
    starts: datetime | None = None  #: of the horizon, where the head says so
    ends: datetime | None = None
    schedules: dict[str, _Schedule] = field(default_factory=dict)

    def add(self, lines: DocumentLines) -> None:
        table = lines.lines
        if set(OF_THE_HEAD) <= set(table.columns):
            self.whole &= set(table["purpose"].unique()) <= set(_WHOLE)
            self.starts = self.starts or _earliest(table["horizon_starts_at"])
            self.ends = self.ends or _earliest(table["horizon_ends_at"])
        for subject, id, time in lines.events.select_seq("subject", "id", "time").iter_rows():
            schedule = self.schedules.setdefault(_schedule_of(subject), _Schedule(time, (subject, id)))
            schedule.named.add(subject)
            begin, end = _window(subject)
            if begin is not None:
                schedule.starts = min(begin, schedule.starts or begin)
                schedule.ends = max(end or begin, schedule.ends or begin)

    def covers(self, schedule: _Schedule, bucket: Bucket) -> bool:
        """Whether the bucket begins within the horizon; one without any date always does."""
        begin, _ = _window(bucket.subject)
        starts, ends = self.starts or schedule.starts, self.ends or schedule.ends
        if begin is None or starts is None or ends is None:
            return begin is None
        return starts <= begin < ends


def _earliest(times: pl.Series) -> datetime | None:
    first = times.drop_nulls().head(1)
    return datetime.fromisoformat(first.item()) if len(first) else None


def _window(subject: str) -> tuple[datetime | None, datetime | None]:
    """When the bucket begins and ends, as its key says."""
    starts, ends, due, ship = (*subject.partition("#")[0].split("/")[_TIMES], "", "", "", "")[:4]
    begin = starts or due or ship
    try:
        return (
            datetime.fromisoformat(begin) if begin else None,
            datetime.fromisoformat(ends) if ends else None,
        )
    except ValueError:
        return None, None


def _concluded(
    closed: DocumentClosed, release: _Release, record: PayloadRecord, feed: Superseding
) -> Iterator[DocumentLines | DocumentClosed]:
    gone: list[tuple[Bucket, str]] = []
    if release.whole and not feed.knows((_STREAM, *schedule.first) for schedule in release.schedules.values()):
        gone = [
            (bucket, schedule.time)
            for prefix, schedule in release.schedules.items()
            for bucket in feed.buckets(_STREAM, prefix)
            if bucket.subject not in schedule.named
            and bucket.kind != "cancelled"
            and datetime.fromisoformat(bucket.time) <= datetime.fromisoformat(schedule.time)
            and _schedule_of(bucket.subject) == prefix
            and release.covers(schedule, bucket)
        ]
    if not gone:
        yield closed
        return
    events = _events(gone, release, record, feed.said([bucket.position for bucket, _ in gone]))
    yield DocumentLines(lines=pl.DataFrame(), events=events, parked=pl.DataFrame())
    yield replace(closed, events=closed.events + events.height, findings=(*closed.findings, _told(release, gone)))


def _schedule_of(subject: str) -> str:
    """The subject without the bucket; also without an order, where there is none."""
    return "/".join(subject.partition("#")[0].split("/")[:_PARTS]).rstrip("/")


def _events(
    gone: list[tuple[Bucket, str]], release: _Release, record: PayloadRecord, said: dict[int, str]
) -> pl.DataFrame:
    document, mapping = release.document, release.mapping
    origin = lineage_of(record, document.id, mapping.name, mapping.version) | {"location": document.start.location}
    speeches = (
        Speech(
            subject=bucket.subject, time=time, line=number, data=_withdrawn(msgspec.json.decode(said[bucket.position]))
        )
        for number, (bucket, time) in enumerate(gone, 1)
    )
    return events_of(_STREAM, speeches, origin)


def _withdrawn(data: dict[str, Any]) -> dict[str, Any]:
    """What is said of a forecast that is withdrawn, of which ``data`` was said last."""
    kept = {name: value for name, value in data.items() if name not in ("lineage", "changes", "cumulative")}
    return kept | {"kind": "cancelled", "status": WITHDRAWN, "quantity": "0", "base_quantity": "0"}


def _told(release: _Release, gone: list[tuple[Bucket, str]]) -> Finding:
    named = ", ".join(bucket.subject for bucket, _ in gone[:3]) + (", ..." if len(gone) > 3 else "")
    return Finding(
        code="forecast.withdrawn",
        severity=Severity.INFO,
        stage=Stage.BUSINESS,
        message=f"{len(gone):,} forecasts of an earlier release are no longer named, and withdrawn: {named}",
        location=release.document.start.location,
        value=str(len(gone)),
    )
