"""Batches of events, judged by suites of expectations before anybody downstream sees them.

A suite (``schemas/expectations/events_<stream>.json``) is one of Great Expectations' own form, and it is what Great
Expectations reads when it is asked for the record. On the fresh path its four seconds are too many: here the same
entries are worked out over columns, chunk by chunk, and a test holds both against each other.

Beside what Great Expectations knows, the ``meta`` of an entry says

- ``code``: its name, and the code of its findings (``batch.unknown_items``);
- ``policy``: ``stop`` (the batch is held until a person has looked), ``park`` (the rows that offend wait, the rest
  goes on), ``warn``, or ``off``; a partner's file may say otherwise;
- ``at_least``: rows below which it is not asked, because a share of three rows says nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

import schemas
from mappings.quality import Suite, read_suite
from schemas.configuration import unknown
from schemas.errors import ConfigError
from schemas.events import Stream

#: What all codes begin with; a partner's file leaves it out.
PREFIX = "batch."
#: Where the suites lie that come with the program.
SHIPPED = Path(schemas.__file__).parent / "expectations"
#: Quantities of a batch that are looked at.
SAMPLE = 5_000
#: Offending values and rows that are shown.
SHOWN = 5
#: A business time that much before the receiving is stale, one that much after it is not to be believed.
STALE, EARLY = timedelta(days=30), timedelta(days=1)

#: The columns of a batch. Those named after something wrong hold the offending value, null where all is well.
COLUMNS: Mapping[str, Any] = {
    "row": pl.Int64,
    "item": pl.String,
    "site": pl.String,
    "order": pl.String,
    "due": pl.String,
    "quantity": pl.Float64,  # of the first SAMPLE events, in the items' own units; statistics, never published
    "waits": pl.String,
    "unknown_item": pl.String,
    "unknown_site": pl.String,
    "repeated": pl.String,
    "stale": pl.String,
    "early": pl.String,
}


class Policy(StrEnum):
    """What follows where an expectation is not met."""

    STOP = "stop"
    PARK = "park"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One entry of a suite."""

    code: str
    type: str
    column: str
    arguments: Mapping[str, Any]
    policy: Policy
    sentence: str
    at_least: int

    @property
    def is_of_rows(self) -> bool:
        """Whether each row is right or wrong by itself."""
        return self.type in _OF_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSuite:
    """A suite for batches: its entries, and the file they were read from."""

    suite: Suite
    expected: tuple[Expected, ...]

    @property
    def version(self) -> str:
        """Differs whenever the file says something else."""
        return hashlib.sha256(json.dumps(self.suite.content, sort_keys=True).encode()).hexdigest()[:16]

    def under(self, policies: Mapping[str, str]) -> tuple[Expected, ...]:
        """The entries with the policies of a partner's file, without those that are off."""
        agreed = (_under(one, policies.get(one.code.removeprefix(PREFIX))) for one in self.expected)
        return tuple(one for one in agreed if one.policy is not Policy.OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """An expectation that a batch does not meet. ``count`` is 0 where the batch as a whole offends."""

    code: str
    policy: Policy
    sentence: str
    count: int
    rows: int
    found: str
    wanted: str
    samples: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        """``At most a fifth ... : 7 of 20 lines, such as 'X-1' (lines 3, 4)``."""
        begin = self.sentence.rstrip(".")
        if not self.count:
            return f"{begin}: {self.found}, {self.wanted}"
        such = f", such as {', '.join(map(repr, self.samples))}" if self.samples else ""
        places = f" (line{'s' * (len(self.lines) > 1)} {', '.join(map(str, self.lines))})" if self.lines else ""
        return f"{begin}: {self.count} of {self.rows} lines{such}{places}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchVerdict:
    """What became of one batch. ``parameters`` are what the suite's places were filled with."""

    partner: str
    type: str
    suite: str
    suite_version: str
    master_version: str
    fingerprint: str  #: of the batch's rows, to know them again
    outcome: str  #: passed, warned, parked or stopped
    rows: int
    documents: int
    expectations: int
    parameters: Mapping[str, float]
    missed: tuple[Missed, ...]


def read_batch_suite(file: Path) -> BatchSuite:
    """The suite in ``file``. Raises ConfigError with everything that is wrong about it."""
    suite = read_suite(file)
    entries = suite.content["expectations"]
    if problems := tuple(_problems(entries)):
        raise ConfigError(f"{file}: is no suite for batches of events", problems=problems)
    return BatchSuite(suite=suite, expected=tuple(map(_expected, entries)))


@cache
def shipped_suites() -> Mapping[str, BatchSuite]:
    """The suites that come with the program, by stream; read once."""
    return {stream.value: read_batch_suite(SHIPPED / f"events_{stream.value}.json") for stream in Stream}


def policy_problem(name: str, policy: str) -> str:
    """What is wrong about a partner's ``name: policy``; empty where nothing is."""
    known = {one.code.removeprefix(PREFIX): one for suite in shipped_suites().values() for one in suite.expected}
    if name not in known:
        return unknown("expectation", name, known)
    if policy == Policy.PARK and not known[name].is_of_rows:
        return f"{name} is about a batch as a whole, which cannot be parked; expected stop, warn or off"
    return ""


def batch_rows(
    events: pl.DataFrame, parked: pl.DataFrame, cause: str, place: str, *, received: datetime, room: int
) -> pl.DataFrame:
    """The lines of ``events`` and of ``parked`` (by the columns ``cause`` and ``place``) as ``COLUMNS``.

    ``room`` is how many quantities more may be looked at.
    """
    return pl.concat([_of_events(events, received, room), _of_parked(parked, cause, place)])


@dataclass(slots=True)
class Tally:
    """A batch as it comes, chunk by chunk: what has been counted of each expectation."""

    expected: Sequence[Expected]
    rows: int = 0
    quantities: list[float] = field(default_factory=list)
    _hash: int = 0
    _counted: dict[str, _Count] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return max(0, SAMPLE - len(self.quantities))

    @property
    def fingerprint(self) -> str:
        """The same for the same rows, in whatever chunks and order they came."""
        return f"{self._hash:016x}"

    @property
    def median(self) -> float | None:
        return median(self.quantities) if self.quantities else None

    def add(self, rows: pl.DataFrame) -> None:
        """``rows``: columns ``COLUMNS``."""
        self.rows += rows.height
        self._hash = (self._hash + fingerprint(rows)) % 2**64
        self.quantities += rows["quantity"].drop_nulls().to_list()
        for one in self.expected:
            if one.is_of_rows:
                self._counted.setdefault(one.code, _Count()).add(offending(one, rows), counting(one, rows), rows, one)

    def missed(self, parameters: Mapping[str, float]) -> Iterator[Missed]:
        """What the batch does not meet; ``parameters`` fill the suite's ``{"$PARAMETER": ...}`` places."""
        for one in asked(self.expected, self.rows, bool(self.quantities)):
            if not one.is_of_rows:
                found = self.rows if one.type == _ROW_COUNT else self.median
                assert found is not None
                if missed := _outside(one, found, parameters, self.rows):
                    yield missed
            elif (count := self._counted[one.code]).share_right < one.arguments.get("mostly", 1):
                yield Missed(
                    code=one.code, policy=one.policy, sentence=one.sentence, count=count.wrong, rows=self.rows,
                    found=f"{count.wrong} of {self.rows} lines", wanted=one.sentence,
                    samples=tuple(count.samples), lines=tuple(count.lines),
                )  # fmt: skip


def fingerprint(rows: pl.DataFrame) -> int:
    """Of a chunk; the sum of those of all chunks, modulo 2^64, is that of the batch."""
    if rows.is_empty():
        return 0
    hashes: list[int] = rows.drop("quantity").hash_rows(seed=0).to_list()
    return sum(hashes) % 2**64


def asked(expected: Sequence[Expected], rows: int, has_quantities: bool) -> list[Expected]:
    """Those that a batch of so many rows is asked."""
    return [one for one in expected if rows >= one.at_least and (one.type != _MEDIAN or has_quantities)]


def offending(one: Expected, rows: pl.DataFrame) -> pl.Series:
    """Which rows offend an expectation about single rows."""
    return rows.select_seq(_OF_ROWS[one.type](pl.col(one.column), one.arguments).fill_null(False)).to_series()


def counting(one: Expected, rows: pl.DataFrame) -> int:
    """How many rows are asked: an empty value is neither right nor wrong, except where that is the question."""
    return rows.height if one.type in _ABOUT_NULLS else rows.height - rows[one.column].null_count()


def for_the_record(suite: BatchSuite, expected: Sequence[Expected]) -> Suite:
    """The suite as Great Expectations is to run it: only these entries, severe where a policy is."""
    severities = {one.code: "warning" if one.policy is Policy.WARN else "critical" for one in expected}
    entries = [
        {**entry, "severity": severities[entry["meta"]["code"]]}
        for entry in suite.suite.content["expectations"]
        if entry["meta"]["code"] in severities
    ]
    content = {**suite.suite.content, "expectations": entries}
    return Suite(name=suite.suite.name, file=suite.suite.file, least_share=suite.suite.least_share, content=content)


# -- a batch as a table -------------------------------------------------------------------------------


def _of_events(events: pl.DataFrame, received: datetime, room: int) -> pl.DataFrame:
    if events.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    data, time = pl.col("data"), pl.col("time")
    instant = time.str.to_datetime(time_zone="UTC", strict=False, format="%+")
    sampled = pl.int_range(pl.len()) < room
    return events.select_seq(
        row=pl.col("line"),
        item=pl.col("item"),
        site=pl.col("site"),
        order=data.str.extract(r'"order":"([^"]+)"'),
        due=data.str.extract(r'"(?:due_at|starts_at|ends_at|ship_by)":"([^"]+)"'),
        quantity=pl.when(sampled).then(data.str.extract(r'"base_quantity":"-?([^"]+)"')).cast(pl.Float64, strict=False),
        repeated=pl.when(pl.col("subject").str.contains("#", literal=True)).then(pl.col("subject")),
        stale=pl.when(instant < received - STALE).then(time),
        early=pl.when(instant > received + EARLY).then(time),
    ).select_seq(
        pl.col(name) if name not in _ONLY_PARKED else pl.lit(None, dtype).alias(name) for name, dtype in COLUMNS.items()
    )


_ONLY_PARKED = ("waits", "unknown_item", "unknown_site")


def _of_parked(parked: pl.DataFrame, cause: str, place: str) -> pl.DataFrame:
    if parked.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    why = pl.col(cause)

    def sent(name: str) -> pl.Expr:
        """What the line calls it; a look-up that failed had something to look up."""
        there = [pl.col(one) for one in (name, f"partner_{name}") if one in parked.columns]
        return pl.coalesce(*there, pl.when(why == f"{name}.unknown").then(why))

    columns = {"row": pl.col(place), "waits": why, "item": sent("item"), "site": sent("site")}
    columns |= {f"unknown_{name}": pl.when(why == f"{name}.unknown").then(sent(name)) for name in ("item", "site")}
    columns |= {"order": pl.col("order")} if "order" in parked.columns else {}
    columns |= {"due": pl.coalesce(there)} if (there := [one for one in _DUE if one in parked.columns]) else {}
    return parked.select_seq(columns.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in COLUMNS.items())


_DUE = ("due_at", "starts_at", "ends_at", "ship_by")

# -- expectations over columns ------------------------------------------------------------------------

_ROW_COUNT, _MEDIAN = "expect_table_row_count_to_be_between", "expect_column_median_to_be_between"
_ABOUT_NULLS = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")
_OF_ROWS: Mapping[str, Callable[[pl.Expr, Mapping[str, Any]], pl.Expr]] = {
    "expect_column_values_to_not_be_null": lambda column, _: column.is_null(),
    "expect_column_values_to_be_null": lambda column, _: column.is_not_null(),
    "expect_column_values_to_be_in_set": lambda column, given: ~column.is_in(given["value_set"]),
    "expect_column_values_to_match_regex": lambda column, given: ~column.str.contains(given["regex"]),
}
_TYPES = (*_OF_ROWS, _ROW_COUNT, _MEDIAN)


@dataclass(slots=True)
class _Count:
    """What one expectation about rows has seen."""

    asked: int = 0
    wrong: int = 0
    samples: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    @property
    def share_right(self) -> float:
        return 1 - self.wrong / self.asked if self.asked else 1

    def add(self, wrong: pl.Series, asked: int, rows: pl.DataFrame, one: Expected) -> None:
        self.asked += asked
        self.wrong += int(wrong.sum())
        if len(self.lines) < SHOWN and wrong.any():
            some = rows.filter(wrong).head(SHOWN - len(self.lines))
            self.lines += some["row"].drop_nulls().to_list()
            self.samples += [text for text in some[one.column].drop_nulls().unique() if text not in self.samples]


def _outside(one: Expected, found: float, parameters: Mapping[str, float], rows: int) -> Missed | None:
    least, most = (_bound(one.arguments.get(name), parameters) for name in ("min_value", "max_value"))
    if (least is None or found >= least) and (most is None or found <= most):
        return None
    wanted = " and ".join(
        f"at {word} {_short(bound)}" for word, bound in (("least", least), ("most", most)) if bound is not None
    )
    return Missed(
        code=one.code, policy=one.policy, sentence=one.sentence, count=0, rows=rows, found=_short(found), wanted=wanted
    )  # fmt: skip


def _bound(given: Any, parameters: Mapping[str, float]) -> float | None:
    return parameters[given["$PARAMETER"]] if isinstance(given, dict) else given


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _expected(entry: Mapping[str, Any]) -> Expected:
    meta, kwargs = entry["meta"], entry["kwargs"]
    return Expected(
        code=meta["code"],
        type=entry["type"],
        column=kwargs.get("column", ""),
        arguments=kwargs,
        policy=Policy(meta["policy"]),
        sentence=meta["notes"],
        at_least=meta.get("at_least", 1),
    )


def _under(one: Expected, policy: str | None) -> Expected:
    return one if policy is None else replace(one, policy=Policy(policy))


def _problems(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for place, entry in enumerate(entries, start=1):
        at, meta, column = f"expectations[{place}]", entry.get("meta") or {}, entry["kwargs"].get("column")
        if entry["type"] not in _TYPES:
            yield f"{at}.type: {entry['type']!r}, expected one of {', '.join(_TYPES)}"
        if column is not None and column not in COLUMNS:
            yield f"{at}.kwargs.column: {column!r}, expected one of {', '.join(COLUMNS)}"
        if missing := [name for name in ("code", "policy", "notes") if not meta.get(name)]:
            yield f"{at}.meta: {' and '.join(missing)} missing"
        elif meta["policy"] not in tuple(Policy):
            yield f"{at}.meta.policy: {meta['policy']!r}, expected one of {', '.join(Policy)}"
        elif meta["policy"] == Policy.PARK and entry["type"] not in _OF_ROWS:
            yield f"{at}.meta.policy: only what is said of single rows can park them"
    codes = [(entry.get("meta") or {}).get("code") for entry in entries]
    for code in {code for code in codes if codes.count(code) > 1}:
        yield f"{json.dumps(code)} is the code of several"
