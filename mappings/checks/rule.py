"""What a rule is, and how rules are run over a table of events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import polars as pl

from mappings.calendars import Calendar
from mappings.remembered import is_constant
from schemas.documents import LENGTH, LOCATION, OFFSET
from schemas.findings import Finding, Severity, Stage

#: What an event is held against: what stands of the order line, of the shipment, of its own key; or nothing.
Beside = Literal["order", "shipment", "itself", ""]
#: Prefix of the columns that hold what is known.
KNOWN = "known_"

#: The columns that every table has: what an event says, all text, null where it says nothing.
SAID = (
    *("kind", "partner", "item", "site", "quantity", "unit", "base_quantity", "base_unit", "price", "cumulative"),
    *("shipped_at", "arrives_at", "due_at", "ends_at", "starts_at", "time", "document", "order", "order_line"),
    *("shipment", "status"),
    # of the schedule that it stands in, where its lines came along
    *("horizon_starts_at", "horizon_ends_at"),
    # what is announced for the order line by all ship notices: up to this row, and by all that were looked at
    *("shipped", "shipped_in_all"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is tolerated; percentages of what was ordered or announced, days of 24 hours or working days."""

    over: Decimal = Decimal(0)
    under: Decimal = Decimal(0)
    days: int = 0
    now: datetime
    calendar: Calendar | None = None
    of_sites: Mapping[str, Calendar] = field(default_factory=dict)  #: where no calendar is the partner's
    zone: tzinfo = UTC  #: in which the calendar's days begin

    def calendar_at(self, site: str | None) -> Calendar | None:
        """On which days somebody works there: the partner's calendar, else the site's; None where nobody says."""
        return self.calendar or self.of_sites.get(site or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check. ``broken`` says of each row whether it offends; ``value`` and ``expected`` are the columns that
    a finding shows of either side."""

    name: str  #: ``ship_notice.item``; the code of its findings
    beside: Beside
    sentence: str
    broken: Callable[[pl.DataFrame, Limits], pl.Series]
    value: str = ""
    expected: str = ""
    reads: tuple[str, ...] = ()  #: the columns it is given; none: all of them
    by_calendar: bool = False  #: whether it asks on which days somebody works

    @property
    def kind(self) -> str:
        """The kind of line that it looks at."""
        return self.name.partition(".")[0]

    def offenders(self, table: pl.DataFrame, limits: Limits) -> Sequence[int]:
        """The rows that offend. Rows that say the same offend alike, so that a rule which says what it reads is asked
        about each once; mostly that is one for a whole document, and nobody offends."""
        given = table.select_seq(self.reads) if self.reads else table
        if self.reads and not self.broken(_distinct(given), limits).any():
            return ()
        return self.broken(given, limits).arg_true().to_list()

    @property
    def doc(self) -> str:
        """What it says, in its author's words."""
        return " ".join((self.broken.__doc__ or self.sentence).split())


#: A rule that holds for a partner, what an offence counts for and what is tolerated.
Agreed = tuple[Rule, Severity, Limits]

RULES: dict[str, Rule] = {}


def rule(
    name: str,
    sentence: str,
    *,
    beside: Beside = "",
    value: str = "",
    expected: str = "",
    reads: tuple[str, ...] = (),
    by_calendar: bool = False,
) -> Callable[[Callable[[pl.DataFrame, Limits], pl.Series]], Callable[[pl.DataFrame, Limits], pl.Series]]:
    """Register a function as the rule ``name``. With ``beside`` it only sees rows of which something is known,
    unless its name ends in ``unknown``."""

    def register(function: Callable[[pl.DataFrame, Limits], pl.Series]) -> Callable[[pl.DataFrame, Limits], pl.Series]:
        RULES[name] = Rule(
            name=name,
            beside=beside,
            sentence=sentence,
            broken=function,
            value=value,
            expected=expected,
            reads=reads,
            by_calendar=by_calendar,
        )
        return function

    return register


def judge(table: pl.DataFrame, rules: Iterable[Agreed]) -> Iterator[Finding]:
    """The findings of ``rules`` on ``table`` (columns ``SAID``, the same with ``known_``, ``line`` and the places)."""
    return (finding for _, finding in offences(table, rules))


def offences(table: pl.DataFrame, rules: Iterable[Agreed]) -> Iterator[tuple[int, Finding]]:
    """Like ``judge``, each finding with the row it is about."""
    for one, severity, limits in rules:
        rows: Sequence[int] = range(table.height)
        about = table
        if one.beside and not one.name.endswith("unknown"):
            rows = table["is_known"].arg_true().to_list()
            about = table[rows]
        if about.is_empty():
            continue
        for place in one.offenders(about, limits):
            yield rows[place], _finding(one, severity, about.row(place, named=True))


def _finding(rule: Rule, severity: Severity, row: Mapping[str, Any]) -> Finding:
    return Finding(
        code=rule.name,
        severity=severity,
        stage=Stage.BUSINESS,
        message=rule.sentence.format_map(_shown(row)),
        location=row[LOCATION] or "",
        value=row[rule.value] if rule.value else None,
        expected=row[rule.expected] if rule.expected else None,
        line=row["line"],
        offset=row[OFFSET],
        length=row[LENGTH],
    )


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    return {name: "nothing" if value is None else value for name, value in row.items()}


def beyond(ours: pl.Series, theirs: pl.Series, percent: Decimal) -> pl.Series:
    """Whether each quantity of ``ours`` is more than ``percent`` above that of ``theirs``; null for no number."""
    return pl.Series([_beyond(a, b, percent) for a, b in zip(ours, theirs, strict=True)], dtype=pl.Boolean)


def _beyond(ours: str | None, theirs: str | None, percent: Decimal) -> bool | None:
    try:
        return None if ours is None or theirs is None else Decimal(ours) * 100 > Decimal(theirs) * (100 + percent)
    except InvalidOperation:
        return None


def tolerated(column: pl.Series, sites: pl.Series, limits: Limits) -> pl.Series:
    """The last moment that is still tolerated at the site for each moment (ISO 8601 text), ``days`` later."""
    begins = instants(column)
    if limits.calendar is None and not limits.of_sites:
        return begins + timedelta(days=limits.days)
    later: list[timedelta | None] = []
    for day, site in zip(_days(begins, limits), sites, strict=True):
        calendar = limits.calendar_at(site)
        if day is None or calendar is None:
            later.append(None if day is None else timedelta(days=limits.days))
        else:
            later.append(calendar.after(day, limits.days) - day)
    return begins + pl.Series(later, dtype=pl.Duration("us"))


def on_closed_days(column: pl.Series, sites: pl.Series, limits: Limits) -> pl.Series:
    """Which moments fall on days that are not worked at the site; none without a calendar."""
    if limits.calendar is None and not limits.of_sites:
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(column))
    closed: list[bool | None] = []
    for day, site in zip(_days(instants(column), limits), sites, strict=True):
        calendar = limits.calendar_at(site)
        closed.append(None if day is None else calendar is not None and not calendar.is_worked(day))
    return pl.Series(closed, dtype=pl.Boolean)


def _distinct(table: pl.DataFrame) -> pl.DataFrame:
    """The different rows of a table."""
    if all(column.null_count() == len(column) or is_constant(column) for column in table):
        return table.head(1)
    return table.unique()


def _days(moments: pl.Series, limits: Limits) -> Iterator[date | None]:
    return (None if at is None else at.astimezone(limits.zone).date() for at in moments)


def instants(column: pl.Series) -> pl.Series:
    """ISO 8601 text as instants in UTC."""
    return column.str.to_datetime(time_zone="UTC", strict=False, format="%+")
