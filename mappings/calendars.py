"""On which days somebody works: a calendar of the master data, or a country's own.

A calendar is named in a partner's file, or in the master data's partners and sites. ``DE``, or ``DE-BY`` for a part of
it, is the country's own: the public holidays that the package holidays knows, and its weekend. Any other name is one of
the master table ``calendars``, whose rows say of dates and days of the week whether they are worked; where nothing says
otherwise Monday to Friday are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from schemas.errors import ConfigError

COUNTRY = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
#: More days in a row than anybody is closed; a calendar with more has no working day at all.
_LONGEST = 366


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar by its name; ``is_worked`` says it of a day."""

    name: str
    is_worked: Callable[[date], bool]

    def after(self, day: date, days: int) -> date:
        """The working day that comes so many after ``day``; with 0, ``day`` or the first working day after it."""
        left = days
        for _ in range(_LONGEST + 7 * days):
            if self.is_worked(day):
                if not left:
                    return day
                left -= 1
            day += timedelta(days=1)
        raise ConfigError(f"calendar {self.name!r} has no working days")


def calendar_of(name: str, rows: pl.DataFrame) -> Calendar:
    """The calendar of that name; ``rows`` are those of the master table. Raises ConfigError where there is none."""
    if country := COUNTRY.fullmatch(name):
        return _of_country(name, country[1], country[2])
    mine = rows.filter(pl.col("calendar") == name)
    if mine.is_empty():
        known = ", ".join(sorted(rows["calendar"].unique())) or "none"
        raise ConfigError(f"no calendar is called {name!r}", hint=f"known: {known}, and countries, as in DE or DE-BY")
    told: dict[tuple[str, str, str], bool] = {
        (row["day"], row["valid_from"], row["valid_to"]): row["working"] == "yes" for row in mine.iter_rows(named=True)
    }

    def is_worked(day: date) -> bool:
        """What is said of the date beats what is said of the day of the week; the later start beats the earlier."""
        text = day.isoformat()
        for said in (text, WEEKDAYS[day.weekday()]):
            holding = [
                (begins, worked)
                for (about, begins, ends), worked in told.items()
                if about == said and begins <= text and (not ends or text <= ends)
            ]
            if holding:
                _, worked = max(holding)
                return worked
        return day.weekday() < 5

    return Calendar(name, is_worked)


def named_calendars(table: str, rows: pl.DataFrame, day: str) -> dict[str, str]:
    """Partner or site -> the calendar that its row of the master table names on ``day`` (ISO 8601).

    Of several rows that hold the latest ``valid_from`` wins, then the later row, as everywhere in the master data.
    """
    if "calendar" not in rows.columns:
        return {}
    holding = rows.filter(
        (pl.col("valid_from") <= day) & ((pl.col("valid_to") == "") | (pl.col("valid_to") >= day))
    ).sort("valid_from", maintain_order=True)
    told = dict(holding.select_seq(table.removesuffix("s"), pl.col("calendar").str.strip_chars()).iter_rows())
    return {name: calendar for name, calendar in told.items() if calendar}


def _of_country(name: str, country: str, part: str | None) -> Calendar:
    import holidays

    try:
        free = holidays.country_holidays(country, subdiv=part)
    except NotImplementedError as error:
        raise ConfigError(f"no calendar of {name!r} is known: {error}") from error
    return Calendar(name, lambda day: bool(free.is_working_day(day)))
