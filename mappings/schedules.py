"""What the lines of a delivery schedule mean: windows out of buckets, single quantities out of cumulative ones.

A schedule says ``W, 30 March`` for "in the week that begins then", and may count: each quantity the
sum of all before it. Consumers get windows with a start and an end, and quantities that can be added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import polars as pl

from mappings.values import instant_text

#: Months of a calendar period; it ends where the next one begins, whatever day the sender wrote.
_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}

#: Days of the others, from the day the sender wrote: so a week may begin on Monday (ISO 8601) or on Sunday (US).
_DAYS = {"day": 1, "week": 7, "ten_days": 10, "four_weeks": 28}

Columns = Mapping[str, pl.Series]


def bucket_end(start: str, bucket: str, zone: ZoneInfo) -> str | None:
    """The first moment after the bucket of that name which begins at ``start`` (ISO 8601); None for no such bucket.

    Days are those of ``zone``, so that a week over a change of the clocks still ends at midnight.
    """
    day = datetime.fromisoformat(start).astimezone(zone).date()
    if bucket in _DAYS:
        after = day + timedelta(days=_DAYS[bucket])
    elif bucket in _MONTHS:
        months = day.year * 12 + (day.month - 1) // _MONTHS[bucket] * _MONTHS[bucket] + _MONTHS[bucket]
        after = day.replace(year=months // 12, month=months % 12 + 1, day=1)
    else:
        return None
    return instant_text(datetime.combine(after, time(), zone), zone)


def windows(columns: Columns, zone: ZoneInfo) -> dict[str, pl.Series]:
    """``starts_at``, ``ends_at``, ``due_at`` and ``ship_by`` as consumers read them.

    A discrete quantity has a single date, of delivery or of shipment as ``basis`` says; a bucket without an
    end gets the one its name implies.
    """
    named = ("starts_at", "ends_at", "due_at", "ship_by", "bucket", "basis")
    table = pl.DataFrame({name: columns[name] for name in named})
    pairs = table.select_seq("starts_at", "bucket").unique().drop_nulls()
    ends = [bucket_end(start, bucket, zone) for start, bucket in pairs.iter_rows()]
    table = table.join(
        pairs.with_columns_seq(pl.Series("_end", ends, pl.String)),
        on=["starts_at", "bucket"],
        how="left",
        maintain_order="left",
    )
    discrete = (pl.col("bucket") == "discrete").fill_null(False) & pl.col("ends_at").is_null()
    shipped = (pl.col("basis") == "shipment").fill_null(False)
    told = table.select_seq(
        pl.when(~discrete).then("starts_at").alias("starts_at"),
        pl.when(~discrete).then(pl.coalesce("ends_at", "_end")).alias("ends_at"),
        pl.when(discrete & ~shipped).then(pl.coalesce("due_at", "starts_at")).otherwise("due_at").alias("due_at"),
        pl.when(discrete & shipped).then(pl.coalesce("ship_by", "starts_at")).otherwise("ship_by").alias("ship_by"),
    )
    return {column.name: column for column in told}


def one_day(columns: Columns, height: int, zone: ZoneInfo) -> dict[str, pl.Series]:
    """``starts_at``, ``ends_at`` and ``due_at`` of ``height`` order lines where a window of a single day is that day;
    nothing where none is."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    told = {name: columns.get(name, nothing) for name in ("starts_at", "ends_at", "due_at")}
    if told["starts_at"].null_count() == height:
        return {}
    spans = told["starts_at"] + _SPAN + told["ends_at"]
    days = [span for span in spans.unique().drop_nulls() if _is_day(span, zone)]
    if not days:
        return {}
    is_day = spans.is_in(pl.Series(days, dtype=pl.String).implode()).fill_null(False)
    dated = told["due_at"].is_not_null() | ~is_day
    return {
        "starts_at": nothing.zip_with(is_day, told["starts_at"]),
        "ends_at": nothing.zip_with(is_day, told["ends_at"]),
        "due_at": told["due_at"].zip_with(dated, told["starts_at"]),
    }


_SPAN = "\x1f"


def _is_day(span: str, zone: ZoneInfo) -> bool:
    starts, _, ends = span.partition(_SPAN)
    return datetime.fromisoformat(starts).time() == time() and bucket_end(starts, "day", zone) == ends


#: What is told once of an item, on a line of its own or on any of its lines.
_OF_ITEM = ("received_cumulative", "shipped_cumulative", "fabrication_authorized", "material_authorized")
_WINDOW = ("starts_at", "ends_at", "due_at", "ship_by")


def told_beside(columns: Columns) -> tuple[dict[str, pl.Series], pl.Series]:
    """Columns in which each line has what is told beside it, and which rows are lines of their own.

    A row whose ``counting`` is ``beside`` says something of its whole item (so much was received); a cumulative one
    of the same window as a discrete one says how far that one goes.
    """
    told = {name: columns[name].to_list() for name in (*_OF_ITEM, "cumulative")}
    counting, quantities = columns["counting"].to_list(), columns["quantity"].to_list()
    spans = list(zip(*(columns[name].to_list() for name in _WINDOW), strict=True))
    kept = [kind != "beside" for kind in counting]
    for rows in _items(columns):
        for name in _OF_ITEM:
            value = next((told[name][row] for row in rows if told[name][row] is not None), None)
            for row in rows:
                told[name][row] = value if told[name][row] is None else told[name][row]
        discrete = {spans[row]: row for row in rows if counting[row] in (None, "discrete")}
        for row in rows:
            if counting[row] == "cumulative" and spans[row] in discrete:
                told["cumulative"][discrete[spans[row]]] = quantities[row]
                kept[row] = False
    series = {name: pl.Series(name, values, dtype=pl.String) for name, values in told.items()}
    counted = [kind if keep else None for kind, keep in zip(counting, kept, strict=True)]
    return series | {"counting": pl.Series("counting", counted, dtype=pl.String)}, pl.Series(kept, dtype=pl.Boolean)


def irreconcilable(columns: Columns, kept: pl.Series | None = None) -> list[int]:
    """Rows of discrete lines whose cumulative quantity is not that of the line before and their own quantity.

    ``kept``: which rows are lines, where not all are.
    """
    if columns["cumulative"].null_count() == len(columns["cumulative"]):
        return []
    wrong: list[int] = []
    for rows in _items(columns):
        reached: Decimal | None = None
        for row in (row for row in rows if kept is None or kept[row]):
            told, wanted = _decimal(columns["cumulative"][row]), _decimal(columns["quantity"][row])
            if told is not None and wanted is not None and reached is not None and told != reached + wanted:
                wrong.append(row)
            reached = told
    return wrong


#: What makes lines, one after the other, count on from each other.
_ITEM = ("document_number", "release", "partner_item", "item", "site", "order")


def single_quantities(columns: Columns) -> tuple[list[str | None], list[str | None], list[int]]:
    """Quantities and cumulative quantities of the lines, and the rows whose quantity cannot be told.

    Where ``counting`` is cumulative, a line wants what its cumulative quantity exceeds that of the line before and
    what was received (shipped, where the dates are of shipment): nothing, where the goods are ahead. The first line of
    an item that says nothing of these cannot be told.
    """
    quantities, cumulatives = columns["quantity"].to_list(), columns["cumulative"].to_list()
    untold: list[int] = []
    for rows in _items(columns):
        reached: Decimal | None = None
        for row in rows:
            wanted = _decimal(quantities[row])
            if columns["counting"][row] != "cumulative" or wanted is None:
                continue
            if reached is None:
                by = "shipped_cumulative" if columns["basis"][row] == "shipment" else "received_cumulative"
                reached = _decimal(columns[by][row])
            cumulatives[row] = quantities[row]
            if reached is None:
                untold.append(row)
                quantities[row] = None
                reached = wanted
                continue
            quantities[row] = format(max(wanted - reached, Decimal(0)), "f")
            reached = max(wanted, reached)
    return quantities, cumulatives, untold


def _items(columns: Columns) -> Iterator[Sequence[int]]:
    """Rows of one item, item by item."""
    said = [columns[name].to_list() for name in _ITEM]
    rows: list[int] = []
    last: tuple[str | None, ...] | None = None
    for row, item in enumerate(zip(*said, strict=True)):
        if item != last and rows:
            yield rows
            rows = []
        last = item
        rows.append(row)
    if rows:
        yield rows


def _decimal(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
