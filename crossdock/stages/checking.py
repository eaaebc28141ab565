"""Business checks on the way into the ledger: each event is held against what stands there already.

Which checks hold for whom is data (``checks:`` in a partner's file, by tier otherwise); the rules themselves are
``mappings.checks``. A finding of severity error holds its line back, as one of translation does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from crossdock.master.loading import master_in_force
from crossdock.reading import CAUSE
from crossdock.stages.announced import RULES as SUMS
from crossdock.stages.announced import Announced
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.calendars import Calendar, calendar_of, named_calendars
from mappings.checks import RULES, Agreed, agreed, offences
from mappings.checks.rule import KNOWN, SAID, Beside
from mappings.frames import FRAME, stacked, unframed
from mappings.normalise import SUBJECT_ESCAPES
from mappings.remembered import is_constant
from mappings.spec import OnError
from mappings.values import last_moment
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.findings import Finding, Severity

if TYPE_CHECKING:
    from crossdock.ledger import Ledger
    from crossdock.ledger.stands import Stands
    from mappings.library import Library

#: What an event may be held against -> the stream in which that is said; its own stream for ``itself``.
_STREAMS: Mapping[str, str] = {"order": "demand", "shipment": "shipment"}

#: What no event says of the schedule that it stands in.
HORIZON = ("horizon_starts_at", "horizon_ends_at")
#: Columns of canonical lines that are looked at, beside the lines' numbers.
OF_THE_LINES = (
    *("order", "order_line", "shipment", "quantity", "shipped_at", "arrives_at", "due_at", "starts_at", "ends_at"),
    *HORIZON,
)
#: Causes of lines that a check holds back: what they wait for may come at any time.
CAUSES = tuple(RULES)


def checked(
    translated: Iterable[Translated],
    *,
    ledger: Ledger,
    library: Library,
    now: datetime | None = None,
    again: bool = False,
) -> Iterator[Translated]:
    """The translation, with the findings of the checks, and without the events that they hold back.

    ``now`` is when the payload was received. What is read ``again`` is not held against its own key: what stands
    there may be younger. Documents are looked at some hundred together: a look costs as much for one line as for a
    thousand.
    """
    bench = _Bench(ledger, library, now or datetime.now(UTC), again)
    for load in _loads(translated):
        yield from bench.passed(load)


def _loads(translated: Iterable[Translated]) -> Iterator[Sequence[Translated]]:
    """All items in their order, also those that came before an error. The end of a document waits for nothing that
    is to be looked at with it: storing begins with it.
    """
    waiting: list[Translated] = []
    rows = 0
    try:
        for item in translated:
            waiting.append(item)
            rows += item.events.height if isinstance(item, DocumentLines) else 0
            if rows >= _TOGETHER or len(waiting) >= _TOGETHER or (not rows and isinstance(item, DocumentClosed)):
                yield waiting
                waiting, rows = [], 0
    except Exception:
        yield waiting
        raise
    yield waiting


_TOGETHER = 1024  #: rows or items that wait at most to be looked at together


def with_held(closed: DocumentClosed, held: int, library: Library) -> DocumentClosed:
    document = closed.document
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    strict = mapping is not None and mapping.on_error is OnError.REJECT_DOCUMENT
    if closed.status == "rejected" or strict:
        return replace(closed, status="rejected", events=0, parked=closed.parked + held)
    return replace(closed, status="accepted_with_errors", events=closed.events - held, parked=closed.parked + held)


class _Bench:
    """Looks at tables of events, and remembers which checks hold for which partner."""

    def __init__(self, ledger: Ledger, library: Library, now: datetime, again: bool) -> None:
        self._ledger = ledger
        self._library = library
        self._now = now
        self._again = again
        self._announced = Announced(ledger)
        self._rules: dict[str, list[Agreed]] = {}
        self._held = 0  #: of the open document

    def passed(self, items: Sequence[Translated]) -> Iterator[Translated]:
        """The items, with what the checks have to say."""
        tables = [item for item in items if isinstance(item, DocumentLines) and item.events.height]
        findings = self._judged(tables) if tables else {}
        place = 0
        for item in items:
            match item:
                case DocumentOpened():
                    self._held = 0
                    yield item
                case DocumentLines() if item.events.height:
                    place += 1
                    after = _told(item, findings[place - 1]) if place - 1 in findings else item
                    self._held += item.events.height - after.events.height
                    yield after
                case DocumentClosed() if self._held:
                    yield with_held(item, self._held, self._library)
                case _:
                    yield item

    def _judged(self, tables: Sequence[DocumentLines]) -> dict[int, list[Finding]]:
        """What is to be said of each of the tables."""
        partners = pl.concat([item.events["partner"] for item in tables])
        named = partners.head(1) if is_constant(partners) else partners.unique(maintain_order=True)
        rules = {partner: agreed for partner in named if (agreed := self._of(partner))}
        if not rules:
            return {}
        asked = _asked(tables)
        found: list[tuple[int, Finding]] = []
        for partner, agreed in rules.items():
            for kind in dict.fromkeys(rule.kind for rule, _, _ in agreed):
                theirs = asked.of(partner if len(named) > 1 else None, kind)
                if theirs.table.height:
                    wanted = [one for one in agreed if one[0].kind == kind]
                    found += self._of_kind(theirs, wanted)
        findings: dict[int, list[Finding]] = {}
        for row, finding in sorted(found, key=lambda one: one[0]):
            findings.setdefault(asked.table_of(row), []).append(finding)
        return findings

    def _of(self, partner: str) -> list[Agreed]:
        if partner not in self._rules:
            agreement = self._library.partners.get(partner)
            rules = agreed(agreement, self._now)
            if agreement is not None and any(rule.by_calendar for rule, _, _ in rules):
                rules = agreed(agreement, self._now, *self._calendars(partner, agreement.calendar))
            self._rules[partner] = [one for one in rules if not (self._again and one[0].beside == "itself")]
        return self._rules[partner]

    def _calendars(self, partner: str, agreed: str) -> tuple[Calendar | None, Mapping[str, Calendar]]:
        """The partner's calendar: the one agreed on, else that of the master data; where there is none, the sites'."""
        master, day = master_in_force(self._ledger), self._now.date().isoformat()
        rows = master.table("calendars")
        name = agreed or named_calendars("partners", master.table("partners"), day).get(partner, "")
        if name:
            return calendar_of(name, rows), {}
        names = named_calendars("sites", master.table("sites"), day)
        known = {name: calendar_of(name, rows) for name in set(names.values())}
        return None, {site: known[name] for site, name in names.items()}

    def _of_kind(self, asked: _Asked, rules: Sequence[Agreed]) -> Iterator[tuple[int, Finding]]:
        """Rows that all are of one partner and kind."""
        for beside in dict.fromkeys(rule.beside for rule, _, _ in rules):
            some = [one for one in rules if one[0].beside == beside]
            yield from self._beside(asked, beside, some) if beside else _by_themselves(asked, some)

    def _beside(self, asked: _Asked, beside: Beside, rules: Sequence[Agreed]) -> Iterator[tuple[int, Finding]]:
        """What is said is read of those rows only of which something is known, or should be."""
        keys = _keys(asked.table, beside)
        known = self._known(keys.drop_nulls().unique().to_list(), beside, asked.table["stream"][0])
        missed = any(rule.name.endswith("unknown") for rule, _, _ in rules)
        rows = (keys.is_not_null() if missed else keys.is_in(list(known))).arg_true()
        if not len(rows):
            return
        about = asked.at(rows)
        of_row = [known.get(key, {}) for key in keys.gather(rows)]
        columns = {f"{KNOWN}{name}": pl.Series([row.get(name) for row in of_row], dtype=pl.String) for name in SAID}
        said = about.said().with_columns_seq(**columns, is_known=pl.Series(map(bool, of_row), dtype=pl.Boolean))
        if beside == "order":
            said = said.with_columns_seq(pl.coalesce("due_at", _last_moments(said["ends_at"])))
        if any(rule.name in SUMS for rule, _, _ in rules):
            said = self._announced.beside(said)
        for row, finding in offences(said, rules):
            yield about.row(row), finding

    def _known(self, wanted: Sequence[str], beside: Beside, stream: str) -> dict[str, dict[str, str]]:
        if not wanted:
            return {}
        # a shipment's lines are told apart behind what they begin with
        prefixes = {key.partition("\x1f")[0] for key in wanted}
        keys = set(wanted)
        found: dict[str, list[Stands]] = {}
        for one in self._ledger.readings.stands(_STREAMS.get(beside, stream), prefixes):
            for key in _answers(one, beside) & keys:
                found.setdefault(key, []).append(one)
        return {key: _together(some) for key, some in found.items()}


def _by_themselves(asked: _Asked, rules: Sequence[Agreed]) -> Iterator[tuple[int, Finding]]:
    """What needs no ledger. What is said is read of the offenders only, where the lines tell who they are."""
    for one in rules:
        rule, _, limits = one
        if not rule.reads or not set(rule.reads) <= set(asked.table.columns):
            about = asked
        elif len(offenders := rule.offenders(asked.table, limits)):
            about = asked.at(pl.Series(offenders, dtype=pl.UInt32))
        else:
            continue
        yield from ((about.row(row), finding) for row, finding in offences(about.said(), [one]))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Events of several tables: what of them stands in columns, which mostly is enough, and all that they say."""

    table: pl.DataFrame  #: ``_ROW``, columns of events, and of ``_OF_LINES`` those that were there
    ends: Sequence[int]  #: of each table
    subjects: tuple[str, str]  #: the first and the last of them in the order of texts

    def of(self, partner: str | None, kind: str) -> _Asked:
        """The rows of that partner (None: all are of one) about lines of that kind. Subjects that begin alike stand
        together in the order of texts, so that mostly a look at its two ends tells that all are, or none."""
        begin = f"{kind}/"
        first, last = (subject.startswith(begin) for subject in self.subjects)
        if not (first or last or self.subjects[0] < begin < self.subjects[1]):
            return replace(self, table=self.table.head(0))
        if partner is None and first and last:
            return self
        alike = self.table["subject"].str.starts_with(begin)
        return self.at((alike if partner is None else alike & (self.table["partner"] == partner)).arg_true())

    def at(self, rows: pl.Series) -> _Asked:
        return self if len(rows) == self.table.height else replace(self, table=self.table[rows])

    def row(self, place: int) -> int:
        """Number of a row among all."""
        row: int = self.table[_ROW][place]
        return row

    def table_of(self, row: int) -> int:
        """In which table the row of that number stands."""
        return bisect_right(self.ends, row)

    def said(self) -> pl.DataFrame:
        """What the rows say, one column a field."""
        return _said(self.table).with_columns_seq(self.table[name] for name in HORIZON if name in self.table.columns)


_ROW = "_row"
_OF_EVENTS = ("stream", "partner", "item", "site", "subject", "time", "line", "data")


def _asked(tables: Sequence[DocumentLines]) -> _Asked:
    parts = [_beside_their_lines(list(alike)) for _, alike in groupby(tables, lambda item: item.lines.columns)]
    table = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
    subjects = table["subject"]
    ends = list(accumulate(item.events.height for item in tables))
    return _Asked(table.with_row_index(_ROW), ends, (str(subjects.min()), str(subjects.max())))


def _beside_their_lines(tables: Sequence[DocumentLines]) -> pl.DataFrame:
    """Events, with what is looked at of the lines they were made of, where those came along."""
    events = stacked([item.events for item in tables])
    events = events.select_seq(name for name in (*_OF_EVENTS, FRAME) if name in events.columns)
    if ORDINAL not in tables[0].lines.columns:
        return events
    lines = pl.concat([item.lines for item in tables])
    if lines.height != events.height:
        lines = pl.concat(map(_spoken_of, tables))
    if lines.height != events.height or not (lines[ORDINAL] == events["line"]).all():
        return events
    wanted = [name for name in OF_THE_LINES if name in lines.columns and name not in events.columns]
    return events.hstack(lines.select_seq(wanted))


def _spoken_of(item: DocumentLines) -> pl.DataFrame:
    """The lines of which there is an event."""
    return item.lines.filter(pl.col(ORDINAL).is_in(item.events["line"].implode()))


def _said(events: pl.DataFrame) -> pl.DataFrame:
    """What the events say, one column a field."""
    rows = []
    for subject, time, line, text in unframed(events).select_seq("subject", "time", "line", "data").iter_rows():
        data = msgspec.json.decode(text)
        place = data["lineage"]
        said = _flat(data) | {"subject": subject, "time": time, "line": line, "document": place["document"]}
        rows.append(said | {name: place.get(field) for name, field in _PLACE.items()})
    schema: dict[str, Any] = dict.fromkeys((*SAID, "subject", LOCATION), pl.String)
    schema |= dict.fromkeys(("line", OFFSET, LENGTH), pl.Int64)
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


_PLACE = {LOCATION: "location", OFFSET: "offset", LENGTH: "length"}


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    references = data.get("references") or {}
    return {name: references.get(name, data.get(name)) for name in SAID if name != "document"}


def _keys(table: pl.DataFrame, beside: Beside) -> pl.Series:
    """What is asked for of each row: the order line, the line of the shipment, or the subject itself."""
    if beside == "itself":
        return table["subject"]
    kind, needed, names = _KEYS[beside]
    there = {*names, *needed} <= set(table.columns)
    told = table.select_seq(*names, *needed) if there else _said(table)
    parts = [pl.lit(kind), *(pl.col(name).str.replace_many(SUBJECT_ESCAPES) for name in ("partner", *needed))]
    key: pl.Expr = pl.concat_str(parts, separator="/")
    if names:
        # the order line tells a shipment's lines apart; only where none is named the item does
        by_line = pl.all_horizontal(pl.col(name).fill_null("") != "" for name in names[:-1])
        apart = [pl.when(by_line != (name == names[-1])).then(pl.col(name)).fill_null("") for name in names]
        key = pl.concat_str(key, *apart, separator="\x1f")
    filled = pl.all_horizontal(pl.col(name).fill_null("") != "" for name in needed)
    return told.with_columns_seq(table["partner"]).select_seq(pl.when(filled).then(key)).to_series()


#: How a key begins, what it must have, and what tells apart behind that.
_KEYS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "order": ("order", ("order", "order_line"), ()),
    "shipment": ("ship_notice", ("shipment",), ("order", "order_line", "item")),
}


def _answers(one: Stands, beside: Beside) -> set[str]:
    """The keys to which something that stands is an answer."""
    parts = one.subject.split("/")
    if beside == "itself":
        return {one.subject}
    if beside == "order":
        return {"/".join(parts[:4])}
    references = one.data.get("references") or {}
    order, line = references.get("order", ""), references.get("order_line", "")
    item = one.data.get("item", "")
    return {"\x1f".join(["/".join(parts[:3]), *key]) for key in (("", "", item), (order, line, ""))}


def _together(some: Sequence[Stands]) -> dict[str, str]:
    """Several as one: quantities added up but for what is cancelled, the rest as the first says it."""
    alive = [one for one in some if one.kind != "cancelled"] or some[:1]
    first = alive[0]
    known = _flat(first.data) | {"kind": first.kind, "time": first.time}
    known["document"] = first.data["lineage"]["document"]
    for name in ("quantity", "base_quantity"):
        if all(one.data.get(name) for one in alive):
            known[name] = format(sum((Decimal(one.data[name]) for one in alive), Decimal(0)), "f")
    due = [one.data["due_at"] for one in alive if one.data.get("due_at")]
    by = [last_moment(one.data["ends_at"]) for one in alive if one.data.get("ends_at")]
    return known | ({"due_at": max(due or by)} if due or by else {})


def _last_moments(ends: pl.Series) -> pl.Series:
    """Until when it comes, where what is said is a window or a latest day."""
    return pl.Series([None if end is None else last_moment(end) for end in ends], dtype=pl.String)


def _told(lines: DocumentLines, findings: Sequence[Finding]) -> DocumentLines:
    grave = {finding.line: finding.code for finding in reversed(findings) if finding.severity is Severity.ERROR}
    return held_back(lines, grave, findings) if grave else replace(lines, findings=(*lines.findings, *findings))


def held_back(lines: DocumentLines, grave: Mapping[int | None, str], findings: Sequence[Finding]) -> DocumentLines:
    """The lines without the events of the grave ones (line -> code), which wait, and with the findings."""
    offenders = pl.Series([line for line in grave if line is not None], dtype=pl.Int64).implode()
    causes = {line: code for line, code in grave.items() if line is not None}
    waits = _said(lines.events.filter(pl.col("line").is_in(offenders))).drop("kind", "subject", "document", "time")
    cause = pl.col("line").replace_strict(causes, default=None, return_dtype=pl.String).alias(CAUSE)
    parked = waits.with_columns_seq(cause).rename({"line": ORDINAL})
    return replace(
        lines,
        events=lines.events.filter(~pl.col("line").is_in(offenders)),
        parked=pl.concat([lines.parked, parked], how="diagonal").sort(ORDINAL) if lines.parked.height else parked,
        findings=(*lines.findings, *findings),
    )
