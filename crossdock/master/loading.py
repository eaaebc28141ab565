"""Master data comes in: received like any payload, judged, and put in force table by table.

The tables of one load are judged together, because they point to each other: a new cross-reference
to a new item is right if both arrive at once. A table that does not meet its expectations is held
back and the version in force stays; whatever leaned on it is then judged again against that version.
What changed nothing is not judged at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import polars as pl

from connectors.base import Arrival, Source
from connectors.channel import Channel
from crossdock.master.idocs import laid_over
from crossdock.master.tables import ReadTable, read_tables
from mappings import quality
from mappings.integrity import POINTS_TO, left_dangling, takes_away, with_checks
from mappings.master_data import MasterData
from mappings.quality import Case, Suite, Unmet, Verdict
from schemas.findings import Finding, Severity, Stage

if TYPE_CHECKING:
    from connectors.archive import Archive
    from crossdock.ledger import Ledger, PayloadRecord

ARRIVALS = 1000  #: payloads that are one load


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterLoad:
    """What became of one table of a load.

    ``version`` is the one in force now by this load, None when the load was held back; ``reasons``
    then say why. ``warnings`` are worth a look but hold nothing back. ``table`` is the payload's
    name where it holds no table that we know.
    """

    table: str
    version: int | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: int = 0
    changed: bool = False  #: False: equal to the version that was in force already


#: Runs suites over tables: ``mappings.quality.judge``, or a stand-in that needs no Great Expectations.
Judge = Callable[[Iterable[Case]], list[Verdict]]


@dataclass(frozen=True, slots=True)
class _Received:
    payload: PayloadRecord
    read: ReadTable
    arrival: Arrival | None = None  #: None: held back by an earlier load, and tried once more


def load_master_data(
    channel: Channel,
    source: Source,
    *,
    archive: Archive,
    ledger: Ledger,
    suites: Path,
    data_docs: Path,
    judge: Judge | None = None,
) -> list[MasterLoad]:
    """Take in all master tables that wait at ``source``; what became of each, in order of arrival.

    ``suites`` is the folder of expectation suites, ``data_docs`` where the reports go. The source is
    let go of only once every table is in force or held back: a crash before that repeats the load,
    which then changes nothing. Of several payloads for one table the last counts, as each is the
    whole table, or laid over what was there (IDocs). A table that an earlier load held back is tried
    again as soon as something it points to changes. Raises ConfigError when a table has no suite or a
    faulty one.
    """
    received = [
        one for arrival in source.arrivals(ARRIVALS) for one in _receive(arrival, channel, source, archive, ledger)
    ]
    in_force = ledger.loaded_master()
    received = _completed(received, in_force)
    held_back = _held_back_earlier(channel, _new_rows(_latest(received), in_force), archive, ledger)
    received += _completed(held_back, in_force)
    latest = _latest(received)
    candidates = _new_rows(latest, in_force)
    verdicts = _judged(
        candidates, in_force, suites, judge or partial(quality.judge, data_docs=data_docs, run=channel.channel)
    )
    loads = _concluded(received, verdicts, ledger)
    loads = [_with_dangling(load, candidates, in_force, verdicts) for load in loads]
    for arrival in {one.arrival.key: one.arrival for one in received if one.arrival is not None}.values():
        source.settle(arrival)
    return loads


def _concluded(received: Sequence[_Received], verdicts: Mapping[str, Verdict], ledger: Ledger) -> list[MasterLoad]:
    """Each table in force or held back; a payload is done with once none of its tables is held back."""
    latest, loads = _latest(received), []
    remarks: dict[int, list[Finding]] = {}
    held: set[int] = set()
    for one in received:
        said = remarks.setdefault(one.payload.id, [])
        if one.read.table and latest[one.read.table] is not one:
            continue
        if not (faults := _faults(one, verdicts.get(one.read.table))):
            load, noted = _put_in_force(one, verdicts.get(one.read.table), ledger)
            loads.append(load)
            said += noted
            continue
        held.add(one.payload.id)
        if one.arrival is not None:
            loads.append(_hold_back(one, faults, ledger))
    for payload in {one.payload.id: one.payload for one in received}.values():
        if payload.id not in held:
            _finish(payload, remarks[payload.id], ledger)
    return loads


_IN_FORCE: WeakKeyDictionary[Ledger, tuple[str, MasterData]] = WeakKeyDictionary()


def master_in_force(ledger: Ledger) -> MasterData:
    """The master data in force; the same object again as long as no table has changed."""
    version = ledger.master_version()
    known = _IN_FORCE.get(ledger)
    if known is None or known[0] != version:
        known = _IN_FORCE[ledger] = (version, MasterData.of(ledger.master()))
    return known[1]


def _receive(
    arrival: Arrival, channel: Channel, source: Source, archive: Archive, ledger: Ledger
) -> Iterator[_Received]:
    """The tables of one payload."""
    stored = archive.write(source.fetch(arrival))
    payload = ledger.record_payload(
        sha256=stored.sha256,
        size=stored.size,
        channel=channel.channel,
        key=arrival.key,
        name=arrival.name,
        received_at=arrival.received_at,
        metadata=arrival.metadata,
    )
    with archive.open(stored.sha256) as stream:
        for read in read_tables(stream, arrival.name):
            yield _Received(payload, read, arrival)


def _held_back_earlier(
    channel: Channel, arriving: Mapping[str, pl.DataFrame], archive: Archive, ledger: Ledger
) -> list[_Received]:
    """Tables whose newest load was held back and that point to one now ``arriving``: they may be right this time.

    Their source will not send them again as long as they are the same there.
    """
    newest: dict[str, dict[str, Any]] = {}
    for load in ledger.master_loads(ARRIVALS):
        newest.setdefault(load["table"], load)
    sources = {
        (load["source"], table)
        for table, load in newest.items()
        if load["status"] == "rejected"
        and not load["decision"]
        and table not in arriving
        and set(POINTS_TO.get(table, ())) & set(arriving)
    }
    if not sources:
        return []
    found = []
    for row in ledger.payloads(status="quarantined", channel=channel.channel, limit=ARRIVALS):
        payload = ledger.payload(row["id"])
        wanted = {table for source, table in sources if source == _source(payload)}
        if wanted:
            sources -= {(_source(payload), table) for table in wanted}
            with archive.open(payload.sha256) as stream:
                reads = read_tables(stream, payload.name)
            found += [_Received(payload, read) for read in reads if read.table in wanted]
    return found


def _completed(received: Sequence[_Received], in_force: Mapping[str, pl.DataFrame]) -> list[_Received]:
    """What comes in parts, laid over what came before it in this load, else over what is in force."""
    tables = dict(in_force)
    completed = []
    for one in received:
        table, rows = one.read.table, one.read.rows
        if rows is None:
            completed.append(one)
            continue
        tables[table] = laid_over(table, rows, tables[table]) if one.read.partial else rows
        completed.append(replace(one, read=replace(one.read, rows=tables[table])))
    return completed


def _latest(received: Sequence[_Received]) -> dict[str, _Received]:
    return {one.read.table: one for one in received if one.read.table}


# -- judging ------------------------------------------------------------------------------------------


def _new_rows(received: Mapping[str, _Received], in_force: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables that can be read and do not say what is in force already."""
    return {
        table: one.read.rows
        for table, one in received.items()
        if one.read.rows is not None and not _same(one.read.rows, in_force[table])
    }


def _same(rows: pl.DataFrame, others: pl.DataFrame) -> bool:
    """Whether both say the same, in whatever order; a column that one has not is empty there."""
    if rows.height != others.height:
        return False
    columns = list(dict.fromkeys((*rows.columns, *others.columns)))
    return _whole(rows, columns).equals(_whole(others, columns))


def _whole(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    missing = [pl.lit("").alias(name) for name in columns if name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(columns).fill_null("")).sort(columns)


def _judged(
    candidates: Mapping[str, pl.DataFrame], in_force: Mapping[str, pl.DataFrame], suites: Path, judge: Judge
) -> dict[str, Verdict]:
    """A verdict for each of ``candidates``, against those of them that stand and what is in force."""
    known = {table: quality.read_suite(suites / f"{table}.json") for table in candidates}
    verdicts: dict[str, Verdict] = {}
    to_judge = list(candidates)
    while to_judge:
        tables = {**in_force, **_standing(candidates, verdicts)}
        cases = (_case(known[table], candidates[table], tables, in_force[table].height) for table in to_judge)
        fresh = {verdict.table: verdict for verdict in judge(cases)}
        verdicts |= fresh
        failed = {table for table, verdict in fresh.items() if not verdict.success}
        to_judge = [
            table for table in candidates if verdicts[table].success and failed.intersection(POINTS_TO.get(table, ()))
        ]
    return verdicts


def _standing(candidates: Mapping[str, pl.DataFrame], verdicts: Mapping[str, Verdict]) -> dict[str, pl.DataFrame]:
    """Those that no verdict speaks against."""
    return {table: rows for table, rows in candidates.items() if table not in verdicts or verdicts[table].success}


def _case(suite: Suite, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame], rows_in_force: int) -> Case:
    least = math.ceil(suite.least_share * rows_in_force)
    return Case(suite=suite, rows=with_checks(suite.name, rows, tables), parameters={"least_rows": least})


# -- concluding ---------------------------------------------------------------------------------------


def _faults(one: _Received, verdict: Verdict | None) -> tuple[Finding, ...]:
    """What holds the table back: it could not be read, or critical expectations are not met."""
    if one.read.rows is None:
        return tuple(finding for finding in one.read.findings if finding.severity is Severity.ERROR)
    return () if verdict is None else tuple(_finding(unmet, one) for unmet in verdict.failures)


def _finding(unmet: Unmet, one: _Received) -> Finding:
    rows = ", ".join(map(str, unmet.rows[:5]))
    return Finding(
        code="master.unmet",
        severity=Severity.ERROR if unmet.severity == "critical" else Severity.WARNING,
        stage=Stage.REFERENCE,
        message=str(unmet),
        location=f"{one.payload.name} row {rows}" if rows else one.payload.name,
        value=unmet.samples[0] if unmet.samples else None,
        expected=unmet.sentence,
    )


def _hold_back(one: _Received, faults: Sequence[Finding], ledger: Ledger) -> MasterLoad:
    reasons = tuple(fault.message for fault in faults)
    if one.read.table:
        ledger.note_rejected_master(
            one.read.table,
            source=_source(one.payload),
            actor=_actor(one),
            reasons=reasons,
            payload=one.payload.id,
        )
    ledger.quarantine(one.payload.id, faults)
    rows = 0 if one.read.rows is None else one.read.rows.height
    return MasterLoad(table=one.read.table or one.payload.name, version=None, reasons=reasons, rows=rows)


def _put_in_force(one: _Received, verdict: Verdict | None, ledger: Ledger) -> tuple[MasterLoad, Sequence[Finding]]:
    """What became of it, and what is to be remarked on the payload."""
    assert one.read.rows is not None
    version = ledger.load_master(one.read.table, one.read.rows, source=_source(one.payload), actor=_actor(one))
    remarks = (*one.read.findings, *(_finding(unmet, one) for unmet in (verdict.warnings if verdict else ())))
    load = MasterLoad(
        table=one.read.table,
        version=version,
        warnings=tuple(remark.message for remark in remarks),
        rows=one.read.rows.height,
        changed=verdict is not None,
    )
    return load, remarks


def _finish(payload: PayloadRecord, remarks: Sequence[Finding], ledger: Ledger) -> None:
    """The payload is done with; one that was quarantined by an earlier load no longer is."""
    if payload.status == "quarantined":
        ledger.requeue([payload.id])
    ledger.store(payload.id, remarks)


def _with_dangling(
    load: MasterLoad,
    candidates: Mapping[str, pl.DataFrame],
    in_force: Mapping[str, pl.DataFrame],
    verdicts: Mapping[str, Verdict],
) -> MasterLoad:
    """Say so when rows of other tables, good until now, point to what this load has taken away."""
    after = {**in_force, **_standing(candidates, verdicts)}
    if not load.changed or not takes_away(load.table, in_force, after):
        return load
    left = {
        table: left_dangling(table, after[table], before={**after, load.table: in_force[load.table]}, after=after)
        for table, targets in POINTS_TO.items()
        if load.table in targets
    }
    said = [
        f"{count} rows of {table} point to rows that are gone from {load.table}"
        if count > 1
        else f"1 row of {table} points to a row that is gone from {load.table}"
        for table, count in left.items()
        if count
    ]
    return replace(load, warnings=(*load.warnings, *said))


def _source(payload: PayloadRecord) -> str:
    return f"{payload.name} ({payload.sha256[:12]})"


def _actor(one: _Received) -> str:
    return f"channel {one.payload.channel}"
