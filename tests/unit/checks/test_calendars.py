"""Calendars of the master data and of countries, and what the checks make of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.calendars import Calendar, calendar_of, named_calendars
from mappings.checks import RULES, Limits
from mappings.checks.rule import KNOWN, SAID
from schemas.errors import ConfigError
from schemas.master import MASTER_TABLES

ROWS = pl.DataFrame(
    [
        ("WORKS", "2026-12-24", "no", "Christmas Eve", "", ""),
        ("WORKS", "SAT", "yes", "", "", ""),
        ("WORKS", "2026-12-26", "no", "a Saturday", "", ""),
        ("WORKS", "FRI", "no", "short weeks", "2027-01-01", "2027-01-31"),
        ("NEVER", "MON", "no", "", "", ""),
        *(("NEVER", day, "no", "", "", "") for day in ("TUE", "WED", "THU", "FRI")),
    ],
    schema=dict.fromkeys(MASTER_TABLES["calendars"], pl.String),
    orient="row",
)


@pytest.mark.parametrize(
    ("name", "day", "worked"),
    [
        ("WORKS", "2026-12-23", True),
        ("WORKS", "2026-12-24", False),
        ("WORKS", "2026-12-19", True),
        ("WORKS", "2026-12-20", False),
        ("WORKS", "2026-12-26", False),
        ("WORKS", "2026-12-25", True),
        ("WORKS", "2027-01-08", False),
        ("WORKS", "2027-02-05", True),
        ("DE", "2026-10-03", False),
        ("DE-BY", "2026-11-01", False),
        ("DE-BY", "2026-01-06", False),
        ("DE-BE", "2026-01-06", True),
        ("US", "2026-11-26", False),
        ("US", "2026-11-27", True),
    ],
)
def test_on_which_days_somebody_works(name: str, day: str, worked: bool) -> None:
    assert calendar_of(name, ROWS).is_worked(date.fromisoformat(day)) is worked


def test_a_calendar_that_nobody_knows_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="WORK'") as refused:
        calendar_of("WORK", ROWS)
    assert "NEVER, WORKS" in str(refused.value.hint)
    with pytest.raises(ConfigError, match="ZZ"):
        calendar_of("ZZ", ROWS)
    with pytest.raises(ConfigError, match="no working days"):
        calendar_of("NEVER", ROWS).after(date(2026, 1, 1), 1)


@given(
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.integers(0, 30),
    free=st.sets(st.integers(0, 60), max_size=20),
)
def test_working_days_are_counted_as_a_person_does(start: date, days: int, free: set[int]) -> None:
    closed = {start + timedelta(days=one) for one in free}
    calendar = Calendar("X", lambda day: day not in closed)
    end = calendar.after(start, days)
    between = [start + timedelta(days=one) for one in range((end - start).days + 1)]
    assert calendar.is_worked(end)
    assert sum(day not in closed for day in between) == days + 1


def test_the_master_data_name_the_calendars_of_partners_and_sites() -> None:
    rows = pl.DataFrame(
        [
            ("N1", "WORKS", "", "2026-12-31"),
            ("N1", "DE-BY", "2027-01-01", ""),
            ("N2", "", "", ""),
            ("N3", "DE", "2027-06-01", ""),
        ],
        schema=["site", "calendar", "valid_from", "valid_to"],
        orient="row",
    )
    assert named_calendars("sites", rows, "2026-12-31") == {"N1": "WORKS"}
    assert named_calendars("sites", rows, "2027-01-01") == {"N1": "DE-BY"}
    assert named_calendars("sites", rows.drop("calendar"), "2027-01-01") == {}


@pytest.mark.parametrize(("site", "late"), [("N1", False), ("N2", True), (None, True)])
def test_where_the_partner_has_no_calendar_the_sites_days_are_worked(site: str | None, late: bool) -> None:
    limits = Limits(now=datetime(2026, 1, 1, tzinfo=UTC), days=1, of_sites={"N1": calendar_of("WORKS", ROWS)})
    promised = {"due_at": "2026-12-25T00:00:00Z", "known_due_at": "2026-12-23T00:00:00Z", "site": site}
    table = pl.DataFrame([promised], schema=dict.fromkeys(promised, pl.String))
    assert RULES["order_response.date"].broken(table, limits).item() is late
    feast = table.with_columns(due_at=pl.lit("2026-12-24T00:00:00Z"))
    assert RULES["order_response.closed_day"].broken(feast, limits).item() is (site == "N1")


def broken(rule: str, said: dict[str, str], known: dict[str, str], name: str, days: int = 0) -> bool:
    row = {column: said.get(column) for column in SAID} | {KNOWN + column: known.get(column) for column in SAID}
    limits = Limits(
        days=days,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        calendar=calendar_of(name, ROWS),
        zone=ZoneInfo("Europe/Berlin"),
    )
    table = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    return bool(RULES[rule].broken(table, limits).fill_null(False).item())


def test_tolerance_is_counted_in_working_days_of_the_partners_zone() -> None:
    wanted = {"due_at": "2026-12-22T23:00:00Z"}  # the 23rd in Berlin, a Wednesday; the 24th is free
    assert not broken("order_response.date", {"due_at": "2026-12-24T23:00:00Z"}, wanted, "WORKS", days=1)
    assert broken("order_response.date", {"due_at": "2026-12-25T23:00:00Z"}, wanted, "WORKS", days=1)


@pytest.mark.parametrize(
    ("rule", "field"), [("order_response.closed_day", "due_at"), ("ship_notice.closed_day", "arrives_at")]
)
def test_nothing_comes_on_a_closed_day(rule: str, field: str) -> None:
    assert broken(rule, {field: "2026-12-23T23:00:00Z"}, {}, "WORKS")
    assert not broken(rule, {field: "2026-12-22T23:00:00Z"}, {}, "WORKS")
    assert not broken(rule, {}, {}, "WORKS")
