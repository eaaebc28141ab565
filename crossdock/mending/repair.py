"""Repair: what lines wait for, and what a person can do about it, as plain functions.

The command line and the console call the same ones. Whatever is added has an effective date, an author and a
reason, is checked before it is in force, and releases at once what it unblocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from crossdock.ledger.parked import Waiting
from mappings.master_data import KINDS, OWN_IDS, MasterData
from mappings.units import shipped_units
from schemas.configuration import unknown
from schemas.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from crossdock.ledger import Ledger

#: How long a line may wait before somebody should be told.
TOO_LONG = timedelta(hours=24)

_WANTED = {"item": "item", "site": "site", "unit": "unit", "partner": "partner"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What some lines wait for together. ``kind`` is what to add (item, site, unit or partner), empty where
    no cross-reference would help; ``near`` are our ids that may be meant."""

    code: str
    partner: str
    value: str | None
    lines: int
    since: datetime
    message: str
    expected: str | None
    kind: str
    near: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """``37 lines wait for item 'V-1002' of ACME``."""
        lines = "1 line waits" if self.lines == 1 else f"{self.lines:,} lines wait"
        whose = f" of {self.partner}" if self.partner else ""
        if self.kind:
            return f"{lines} for {self.kind} {self.value!r}{whose}"
        return f"{lines}{whose}: {self.message}"


def causes(ledger: Ledger, only: Waiting | None = None, *, limit: int = 1000) -> list[Cause]:
    """What lines wait for, the most frequent first."""
    return [_cause(row) for row in ledger.parked_causes(limit, only)]


def too_long(ledger: Ledger, *, now: datetime | None = None, patience: timedelta = TOO_LONG) -> list[Cause]:
    """What lines have waited for longer than they should."""
    return causes(ledger, Waiting(before=(now or datetime.now(UTC)) - patience))


def _cause(row: Mapping[str, Any]) -> Cause:
    kind, _, fault = row["code"].partition(".")
    expected = row["expected"] or ""
    _, _, near = expected.partition("; near: ")
    return Cause(
        code=row["code"],
        partner=row["partner"] or "",
        value=row["value"],
        lines=row["lines"],
        since=row["since"],
        message=row["message"],
        expected=row["expected"],
        kind=_WANTED.get(kind, "") if fault == "unknown" and row["value"] is not None else "",
        near=tuple(near.split(", ")) if near else (),
    )


# -- adding -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossReference:
    """How a partner (empty: everybody) calls something of ours, from and to a day (both inclusive, empty: open)."""

    kind: str
    theirs: str
    ours: str
    partner: str = ""
    valid_from: str = ""
    valid_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One ``from_unit`` of our ``item`` (empty: of all items) is worth ``factor`` of ``to_unit``."""

    item: str
    from_unit: str
    to_unit: str
    factor: str
    valid_from: str = ""
    valid_to: str = ""


def add(row: CrossReference | Conversion, *, ledger: Ledger, author: str, reason: str) -> int:
    """Put it in force beside what was loaded; the version of what was added by hand.

    Raises ConfigError with everything that is wrong with it, and when a row that is there already would
    answer in its place.
    """
    table = _table_of(row)
    fields = _fields(row)
    tables = ledger.master()
    problems = [*_dates(fields), *(_problems_of_reference(row, tables) if table == "cross_references" else ())]
    if isinstance(row, Conversion):
        problems += _problems_of_conversion(row, tables)
    if problems:
        raise ConfigError("this cannot be added", problems=tuple(problems))
    if isinstance(row, CrossReference):
        _require_effect(row, tables)
    return ledger.add_master(table, fields, author=author, reason=reason)


def still_waiting(row: CrossReference | Conversion, ledger: Ledger) -> list[Cause]:
    """What waits for a cross-reference although it was just added: what those lines say is dated outside its days."""
    if not isinstance(row, CrossReference):
        return []
    code, value = f"{row.kind}.unknown", row.theirs.strip()
    found = causes(ledger, Waiting(partner=row.partner, code=code, value=value))
    return [cause for cause in found if (cause.code, cause.value) == (code, value)]


def withdraw(row: CrossReference | Conversion, *, ledger: Ledger, author: str, reason: str) -> None:
    """Take a row away that was added by hand. Raises ConfigError where there is none of that key and start."""
    if not ledger.withdraw_master(_table_of(row), _fields(row), author=author, reason=reason):
        raise ConfigError(
            "no such row was added by hand", hint="`crossdock master added` lists them; loaded rows are the ERP's"
        )


def _table_of(row: CrossReference | Conversion) -> str:
    return "cross_references" if isinstance(row, CrossReference) else "units"


def _fields(row: CrossReference | Conversion) -> dict[str, str]:
    return {name: getattr(row, name).strip() for name in type(row).__dataclass_fields__}


def _dates(fields: Mapping[str, str]) -> list[str]:
    problems = []
    for name in ("valid_from", "valid_to"):
        try:
            date.fromisoformat(fields[name] or "2000-01-01")
        except ValueError:
            problems.append(f"{name}: {fields[name]!r} is no day, expected YYYY-MM-DD")
    if not problems and fields["valid_from"] and fields["valid_to"] and fields["valid_to"] < fields["valid_from"]:
        problems.append(f"valid_to: {fields['valid_to']} is before {fields['valid_from']}")
    return problems


def _problems_of_reference(row: Any, tables: Mapping[str, pl.DataFrame]) -> list[str]:
    if row.kind not in KINDS:
        return [unknown("kind", row.kind, KINDS)]
    problems = [] if row.theirs.strip() else ["theirs: the partner's own code is missing"]
    if row.partner and row.partner not in tables["partners"]["partner"]:
        problems.append(f"partner: {unknown('partner', row.partner, tables['partners']['partner'].to_list())}")
    if row.kind == "unit":
        known = set(shipped_units().values())
        if row.ours not in known:
            problems.append(f"ours: {row.ours!r} is no unit of UN/ECE Recommendation 20 that we know")
    else:
        table, column = OWN_IDS[row.kind]
        if row.ours not in tables[table][column]:
            problems.append(f"ours: {unknown(row.kind, row.ours, tables[table][column].to_list())}")
    return problems


def _problems_of_conversion(row: Conversion, tables: Mapping[str, pl.DataFrame]) -> list[str]:
    problems = []
    if row.item and row.item not in tables["items"]["item"]:
        problems.append(f"item: {unknown('item', row.item, tables['items']['item'].to_list())}")
    known = set(shipped_units().values())
    problems += [
        f"{name}: {getattr(row, name)!r} is no unit of UN/ECE Recommendation 20 that we know"
        for name in ("from_unit", "to_unit")
        if getattr(row, name) not in known
    ]
    if row.from_unit == row.to_unit:
        problems.append("to_unit: a unit needs no conversion to itself")
    try:
        positive = Decimal(row.factor) > 0
    except InvalidOperation:
        positive = False
    if not positive:
        problems.append(f"factor: {row.factor!r}, expected a decimal number above zero")
    return problems


def _require_effect(row: CrossReference, tables: Mapping[str, pl.DataFrame]) -> None:
    """Raise ConfigError when another row would answer on the day from which this one is to hold."""
    import polars as pl

    new = pl.DataFrame([_fields(row)], schema=tables["cross_references"].schema)
    after = MasterData.of(dict(tables) | {"cross_references": pl.concat([tables["cross_references"], new])})
    on = row.valid_from or row.valid_to or None
    answer = after.why(row.kind, row.partner, row.theirs, on)
    if answer is not None and answer.ours != row.ours:
        raise ConfigError(
            f"{row.theirs!r} would still be {answer.ours}: a row that begins {answer.valid_from or 'earlier'} answers",
            hint="say with --from since when the new one holds: the one that begins later counts",
        )


# -- giving back --------------------------------------------------------------------------------------


def give_back(ledger: Ledger, only: Waiting, reason: str, *, limit: int = 100_000) -> int:
    """Reject the waiting lines that are meant: they go back to whoever sent them, with the reason; how many."""
    if not reason.strip():
        raise ConfigError("a reason is needed", hint="it is what the supplier reads")
    return ledger.give_back([line["id"] for line in ledger.parked(limit, only)], reason)


def rows_by_hand(ledger: Ledger) -> Sequence[dict[str, Any]]:
    """What was added by hand, to whichever table, newest first."""
    found = [
        {"table": table, **row}
        for table in ("cross_references", "units")
        for row in ledger.added_master(table).iter_rows(named=True)
    ]
    return sorted(found, key=lambda row: row["added_at"], reverse=True)
