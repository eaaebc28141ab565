"""What a master table can only be told by looking beside the row: other rows, other tables.

``with_checks`` puts each such judgement into a column of its own that is null where all is well and
holds the offending value where it is not. A suite then merely says
``expect_column_values_to_be_null``, and its report shows the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import available_timezones

import polars as pl

from mappings.identifiers import Gs1, faulty, wrong_check_digit
from mappings.units import rounding_of, shipped_units
from schemas.master import MASTER_TABLES

#: What one row of a table is about; ``valid_from`` completes it to a unique key.
KEYS: dict[str, tuple[str, ...]] = {
    "partners": ("partner",),
    "sites": ("site",),
    "items": ("item",),
    "units": ("item", "from_unit", "to_unit"),
    "cross_references": ("partner", "kind", "theirs"),
    "calendars": ("calendar", "day"),
}

#: table -> the tables its rows point to
POINTS_TO: dict[str, tuple[str, ...]] = {
    "units": ("items",),
    "cross_references": ("partners", "sites", "items"),
    "partners": ("calendars",),
    "sites": ("calendars",),
}

ROW = "row"  #: number of the row in its load, from 1

_OURS = {"partner": "partners", "site": "sites", "item": "items"}  # kind of cross-reference -> table of our ids
_SINCE_EVER, _FOR_EVER = -(2**31), 2**31 - 1  # days since 1970, Int32
#: A country's calendar, or that of a part of it: ``DE``, ``DE-BY``.
COUNTRY = r"^[A-Z]{2}(?:-[A-Z0-9]{1,3})?$"
#: table -> how its check columns begin, the column judged, and as what
_LISTED = {
    "partners": (
        ("unknown", "country", "country"),
        ("wrong", "vat", "vat"),
        ("unknown", "currency", "currency"),
        ("unknown", "incoterms", "incoterm"),
    ),
    "sites": (("unknown", "country", "country"),),
}
_DAY = r"^(?:\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|MON|TUE|WED|THU|FRI|SAT|SUN)$"
_REC20 = r"^[A-Z0-9]{2,3}$"


def with_checks(table: str, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """``rows`` of ``table`` (text, empty for nothing) with ``row`` before and the check columns behind.

    ``tables`` are what the rows may point to: those of the same load, else those in force.

    - every table: ``overlaps``, the start of validity where an earlier row of the same key still holds; ``twice``, the
      key where another row has it and begins on the same day
    - partners, sites: ``wrong_gln``, thirteen digits of which the last does not check (GS1 General
      Specifications); ``unknown_country``; ``unknown_calendar``; sites: ``unknown_timezone``, none of the IANA database
    - partners: ``wrong_vat``, ``unknown_currency``, ``unknown_incoterms``
    - items: ``unlisted_unit``, a base unit the shipped code list does not know; ``wrong_gtin``; ``wrong_rounding``
    - units: ``unknown_item``; ``unlisted_unit``; ``to_itself``, a unit with a factor to itself; ``wrong_rounding``
    - cross_references: ``unknown_partner``; ``unknown_ours``, an id its table does not hold; ``wrong_key``, a GLN of a
      site or partner, or a GTIN of fourteen digits, of which the last digit does not check
    - calendars: ``wrong_day``, neither a date nor a day of the week
    """
    checks: dict[str, pl.Expr | pl.Series] = {column.name: column for column in _clashes(rows, KEYS[table])}
    checks |= {f"{what}_{column}": _judged(rows, column, kind) for what, column, kind in _LISTED.get(table, ())}
    match table:
        case "partners":
            checks["wrong_gln"] = _wrong("gln", pl.col("gln"))
        case "sites":
            checks["wrong_gln"] = _wrong("gln", pl.col("gln"))
            checks["unknown_timezone"] = _outside(pl.col("timezone"), pl.Series(sorted(available_timezones())))
        case "items":
            checks["unlisted_unit"] = _unlisted(pl.col("base_unit"))
            checks["wrong_gtin"] = _judged(rows, "gtin", "gtin")
            checks["wrong_rounding"] = _wrong_rounding(rows)
        case "units":
            checks["unlisted_unit"] = pl.coalesce(_unlisted(pl.col("from_unit")), _unlisted(pl.col("to_unit")))
            checks["to_itself"] = _where(pl.col("from_unit") == pl.col("to_unit"), pl.col("from_unit"))
            checks["wrong_rounding"] = _wrong_rounding(rows)
        case "cross_references":
            checks["wrong_key"] = _wrong_key()
        case "calendars":
            checks["wrong_day"] = _where(~pl.col("day").str.contains(_DAY), pl.col("day"))
    return rows.with_columns_seq(**checks, **_pointers(table, rows, tables)).with_row_index(ROW, offset=1)


def _pointers(table: str, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.Expr]:
    """What ``rows`` of ``table`` point to and ``tables`` do not hold."""
    match table:
        case "partners" | "sites":
            return {"unknown_calendar": _unknown_calendar(rows, tables)}
        case "units":
            return {"unknown_item": _outside(pl.col("item"), _ids("items", tables))}
        case "cross_references":
            return {
                "unknown_partner": _outside(pl.col("partner"), _ids("partners", tables)),
                "unknown_ours": _unknown_ours(tables),
            }
        case _:
            return {}


def takes_away(table: str, before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame]) -> bool:
    """Whether an id of ``table`` that was there ``before`` is gone ``after``: only then can anything dangle."""
    return not _ids(table, before).is_in(_ids(table, after).implode()).all()


def left_dangling(
    table: str, rows: pl.DataFrame, *, before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame]
) -> int:
    """How many ``rows`` of ``table`` point to something that ``before`` had and ``after`` has not."""
    old, new = _pointers(table, rows, before), _pointers(table, rows, after)
    lost = [old[name].is_null() & new[name].is_not_null() for name in new]
    return int(rows.select_seq(pl.any_horizontal(lost).sum()).item())


def _ids(table: str, tables: Mapping[str, pl.DataFrame]) -> pl.Series:
    return tables[table].get_column(MASTER_TABLES[table][0]).unique()


def _where(condition: pl.Expr | pl.Series, value: pl.Expr | pl.Series) -> pl.Expr:
    return pl.when(condition).then(value)


def _outside(column: pl.Expr, known: pl.Series) -> pl.Expr:
    """The values of ``column`` that are filled and not among ``known``."""
    return _where((column != "") & ~column.is_in(known.implode()), column)


def _unlisted(column: pl.Expr) -> pl.Expr:
    return _where((column != "") & ~column.str.to_uppercase().is_in(pl.Series(list(shipped_units())).implode()), column)


def _unknown_ours(tables: Mapping[str, pl.DataFrame]) -> pl.Expr:
    kind, ours = pl.col("kind"), pl.col("ours")
    unknown = [_where(kind == name, _outside(ours, _ids(table, tables))) for name, table in _OURS.items()]
    no_unit = _where((kind == "unit") & (ours != "") & ~ours.str.contains(_REC20), ours)
    return pl.coalesce(*unknown, no_unit)


def _clashes(rows: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """``overlaps``: ``valid_from`` of a row that begins before, or on the day, an earlier one of the same key ends.
    ``twice``: the key of rows that begin on the same day as another of that key."""
    begins, ends = _day("valid_from", _SINCE_EVER), _day("valid_to", _FOR_EVER)
    latest_end_before = ends.cum_max().shift(1).over(key, order_by=begins)
    shown = pl.when(pl.col("valid_from") == "").then(pl.lit("since ever")).otherwise("valid_from")
    numbered = rows.select_seq(*key, "valid_from", "valid_to").with_row_index(ROW)
    # most keys stand there once: only the others are worth the grouping
    several = numbered.filter(pl.concat_str(key, separator="\x1f").is_duplicated())
    whole = pl.concat_str(*key, "valid_from", separator=" / ")
    found = several.select_seq(
        ROW, overlaps=_where(latest_end_before >= begins, shown), twice=_where(whole.is_duplicated(), whole)
    )
    return numbered.select_seq(ROW).join(found, on=ROW, how="left", maintain_order="left").drop(ROW)


def _day(column: str, when_empty: int) -> pl.Expr:
    day = pl.col(column).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    return pl.when(pl.col(column) == "").then(when_empty).otherwise(day)


def _unknown_calendar(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.Expr:
    """A load need not say which calendar holds; a country's own is known by its ISO 3166 code."""
    if "calendar" not in rows.columns:
        return pl.lit(None, pl.String)
    return _where(~pl.col("calendar").str.contains(COUNTRY), _outside(pl.col("calendar"), _ids("calendars", tables)))


def _judged(rows: pl.DataFrame, column: str, kind: str) -> pl.Series:
    """The filled values of which ``identifiers`` says that something is wrong; each distinct one is judged once."""
    if column not in rows.columns:
        return pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    values = rows[column]
    wrong = pl.Series(faulty(kind, values), dtype=pl.String)
    return pl.select(_where(values.is_in(wrong.implode()), values)).to_series()


def _wrong_rounding(rows: pl.DataFrame) -> pl.Series:
    if "rounding" not in rows.columns:
        return pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    wrong = [text for text in rows["rounding"].unique() if text and rounding_of(text) is None]
    return pl.select(
        _where(rows["rounding"].is_in(pl.Series(wrong, dtype=pl.String).implode()), rows["rounding"])
    ).to_series()


def _wrong(kind: Gs1, column: pl.Expr, lengths: tuple[int, ...] = ()) -> pl.Expr:
    return _where(wrong_check_digit(kind, column, lengths), column)


def _wrong_key() -> pl.Expr:
    theirs = pl.col("theirs")
    return (
        pl.when(pl.col("kind").is_in(["site", "partner"]))
        .then(_wrong("gln", theirs))
        .when(pl.col("kind") == "item")
        .then(_wrong("gtin", theirs, (14,)))
    )
