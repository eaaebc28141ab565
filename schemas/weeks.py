"""Weeks by their numbers, as ISO 8601 and as the US count them."""

from __future__ import annotations

from datetime import date, timedelta


def week_start(year: int, week: int, weeks: str = "iso") -> date:
    """The first day of a week by its number; ValueError where the year has no such week.

    ``iso``: from Monday, week 1 holds the first Thursday (ISO 8601); ``us``: from Sunday, week 1 holds January 1st.
    """
    if weeks == "iso":
        return date.fromisocalendar(year, week, 1)
    first, after = (_sunday(date(one, 1, 1)) for one in (year, year + 1))
    start = first + timedelta(weeks=week - 1)
    if not first <= start < after:
        raise ValueError(f"a week of {year}")
    return start


def _sunday(day: date) -> date:
    return day - timedelta(days=day.isoweekday() % 7)
