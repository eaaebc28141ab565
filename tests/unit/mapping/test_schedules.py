"""Windows out of buckets, single quantities out of cumulative ones."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.functions import FUNCTIONS
from mappings.schedules import bucket_end, irreconcilable, single_quantities, told_beside, windows
from schemas.lines import KINDS, LineKind

NEW_YORK = ZoneInfo("America/New_York")


def columns(*lines: dict[str, str]) -> dict[str, pl.Series]:
    return {
        name: pl.Series(name, [line.get(name) for line in lines], dtype=pl.String) for name in KINDS[LineKind.FORECAST]
    }


@pytest.mark.parametrize(
    ("start", "bucket", "end"),
    [
        ("2026-03-02T00:00:00-05:00", "week", "2026-03-09T00:00:00-04:00"),  # Monday, over a change of the clocks
        ("2026-03-01T00:00:00-05:00", "week", "2026-03-08T00:00:00-05:00"),  # Sunday
        ("2026-12-28T00:00:00-05:00", "week", "2027-01-04T00:00:00-05:00"),
        ("2026-03-08T00:00:00-05:00", "day", "2026-03-09T00:00:00-04:00"),
        ("2026-03-08T13:30:00-04:00", "day", "2026-03-09T00:00:00-04:00"),
        ("2026-11-16T00:00:00-05:00", "four_weeks", "2026-12-14T00:00:00-05:00"),
        ("2026-02-01T00:00:00-05:00", "month", "2026-03-01T00:00:00-05:00"),
        ("2026-12-14T00:00:00-05:00", "month", "2027-01-01T00:00:00-05:00"),
        ("2026-10-01T00:00:00-04:00", "quarter", "2027-01-01T00:00:00-05:00"),
        ("2026-05-20T00:00:00-04:00", "quarter", "2026-07-01T00:00:00-04:00"),
        ("2026-07-01T00:00:00-04:00", "half_year", "2027-01-01T00:00:00-05:00"),
        ("2026-07-01T00:00:00-04:00", "year", "2027-01-01T00:00:00-05:00"),
        ("2026-03-02T05:00:00Z", "week", "2026-03-09T00:00:00-04:00"),
        ("2026-03-02T00:00:00-05:00", "interval", None),
        ("2026-03-02T00:00:00-05:00", "Y", None),
    ],
)
def test_where_a_bucket_ends(start: str, bucket: str, end: str | None) -> None:
    assert bucket_end(start, bucket, NEW_YORK) == end


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]))
def test_weeks_follow_each_other_without_a_gap_at_midnight(day: date, zone: str) -> None:
    here = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=here)
    end = datetime.fromisoformat(bucket_end(start.isoformat(), "week", here) or "")
    assert end.astimezone(here).date() == day + timedelta(days=7)
    assert end.astimezone(here).hour == 0


def test_windows_as_consumers_read_them() -> None:
    start, end = "2026-03-02T00:00:00-05:00", "2026-04-01T00:00:00-04:00"
    told = windows(
        columns(
            {"starts_at": start, "bucket": "week"},
            {"starts_at": start, "bucket": "interval", "ends_at": end},
            {"starts_at": start, "bucket": "discrete"},
            {"starts_at": start, "bucket": "discrete", "basis": "delivery"},
            {"starts_at": start, "bucket": "discrete", "basis": "shipment"},
            {"starts_at": start},
            {"due_at": end},
            {},
        ),
        NEW_YORK,
    )
    assert list(zip(*(told[name] for name in ("starts_at", "ends_at", "due_at", "ship_by")), strict=True)) == [
        (start, "2026-03-09T00:00:00-04:00", None, None),
        (start, end, None, None),
        (None, None, start, None),
        (None, None, start, None),
        (None, None, None, start),
        (start, None, None, None),
        (None, None, end, None),
        (None, None, None, None),
    ]


def counted(item: str, *cumulative: str, **more: str) -> list[dict[str, str]]:
    return [{"item": item, "quantity": one, "counting": "cumulative", **more} for one in cumulative]


def test_single_quantities_of_each_item() -> None:
    quantities, cumulatives, untold = single_quantities(
        columns(
            *counted("P1", "1300", "1400", "1400", "1650.5", received_cumulative="1240"),
            *counted("P2", "90", "100", "130", received_cumulative="105"),
            *counted("P3", "10", "15", basis="shipment", shipped_cumulative="4", received_cumulative="1"),
            *counted("P4", "10", "15"),
            {"item": "P4", "quantity": "7", "counting": "discrete"},
            {"item": "P5", "quantity": "8", "cumulative": "20"},
        )
    )
    assert quantities == ["60", "100", "0", "250.5", "0", "0", "25", "6", "5", None, "5", "7", "8"]
    assert cumulatives == ["1300", "1400", "1400", "1650.5", "90", "100", "130", "10", "15", "10", "15", None, "20"]
    assert untold == [9]


@given(st.lists(st.decimals(0, 10_000, places=2), min_size=1), st.decimals(0, 10_000, places=2))
def test_what_is_wanted_adds_up_to_the_last_cumulative_quantity(wanted: list[Decimal], received: Decimal) -> None:
    rising = [str(one) for one in sorted(wanted)]
    quantities, _, _ = single_quantities(columns(*counted("P1", *rising, received_cumulative=str(received))))
    assert sum(Decimal(one or 0) for one in quantities) == max(max(wanted) - received, Decimal(0))
    assert all(Decimal(one or 0) >= 0 for one in quantities)


def test_the_day_after() -> None:
    assert FUNCTIONS["day_after"]("20260228") == "20260301"
    assert FUNCTIONS["day_after"]("261231") == "20270101"
    with pytest.raises(ValueError, match="a day that exists"):
        FUNCTIONS["day_after"]("20260231")


SPAN = {"partner_item": "A", "starts_at": "2026-03-30T00:00:00Z", "ends_at": "2026-04-06T00:00:00Z"}
NEXT = {"partner_item": "A", "starts_at": "2026-04-06T00:00:00Z", "ends_at": "2026-04-13T00:00:00Z"}


def test_what_is_told_beside_lines_is_told_on_each_of_them_and_is_no_line() -> None:
    given = columns(
        {"partner_item": "A", "counting": "beside", "quantity": "500", "received_cumulative": "500"},
        SPAN | {"counting": "discrete", "quantity": "60"},
        SPAN | {"counting": "cumulative", "quantity": "560"},
        NEXT | {"counting": "discrete", "quantity": "40"},
        {"partner_item": "B", "counting": "discrete", "quantity": "1"},
    )
    told, kept = told_beside(given)
    assert kept.to_list() == [False, True, False, True, True]
    assert told["received_cumulative"].to_list() == ["500", "500", "500", "500", None]
    assert told["cumulative"].to_list() == [None, "560", None, None, None]
    assert told["counting"].to_list() == [None, "discrete", None, "discrete", "discrete"]


@pytest.mark.parametrize(("reached", "wrong"), [("600", []), ("601", [1]), ("599.9", [1])])
def test_a_cumulative_quantity_grows_by_each_quantity(reached: str, wrong: list[int]) -> None:
    given = columns(
        SPAN | {"counting": "discrete", "quantity": "60", "cumulative": "560"},
        NEXT | {"counting": "discrete", "quantity": "40", "cumulative": reached},
    )
    assert irreconcilable(given) == wrong
    assert irreconcilable(given, pl.Series([True, False])) == []
