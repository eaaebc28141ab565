"""Periods as headers: days, weeks and months across the columns of a forecast.

Dates are read as cells or as text in ISO order or with the month as a word; weeks are ISO 8601 weeks, or those
of the US where the partner says so, with their year (``KW 14/2026``, ``2026-W14``) or below a line that names it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from schemas.weeks import week_start

_WEEK = r"(?:kw|cw|wk|week|woche|w|semana|sem|semaine|s|settimana|tydzień|týden|vecka|uge|uke)"
_YEAR = r"(20\d\d|'?\d\d)"
_WEEK_YEAR = re.compile(rf"(?:.*\s)?{_WEEK}[\s.\-/]*(\d{{1,2}})[\s.\-/]+{_YEAR}", re.I)
_YEAR_WEEK = re.compile(rf"(?:.*\s)?(20\d\d)[\s.\-/]*{_WEEK}[\s.\-/]*(\d{{1,2}})", re.I)
_ISO_DAY = re.compile(r"(?:.*\s)?(20\d\d)-(\d\d)-(\d\d)")
_DAY = re.compile(r"(?:.*\s)?(\d{1,2})[./\-](\d{1,2})[./\-](20\d\d)")
_ISO_MONTH = re.compile(r"(?:.*\s)?(20\d\d)[\-/.](\d{1,2})")
_MONTH_ISO = re.compile(r"(?:.*\s)?(\d{1,2})[\-/.](20\d\d)")
_WORDS = re.compile(r"([^\W\d_]{3,})[\s.\-/']*(20\d\d|\d\d)|(20\d\d)[\s.\-/]*([^\W\d_]{3,})")

#: The first letters of the months: English, German, Spanish, French, Italian, Portuguese, Dutch.
_MONTHS = (
    ("jan", "ene", "gen"),
    ("feb", "fév", "fev"),
    ("mar", "mär", "mrt", "maa", "mrz"),
    ("apr", "abr", "avr"),
    ("may", "mai", "mag", "mei"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "ago", "aoû", "aou"),
    ("sep", "set"),
    ("oct", "okt", "ott", "out"),
    ("nov",),
    ("dec", "dez", "dic", "déc"),
)


_ORDINAL = r"(?:\.|st|nd|rd|th|er|º)?"
#: ``1-Mar-26``, ``3. März 2026``, ``3 de marzo de 2026``; ``March 3rd, 2026``
_DAY_IN_WORDS = re.compile(
    rf"(\d{{1,2}}){_ORDINAL}[\s.\-/]*(?:de\s+)?([^\W\d_]{{3,}})\.?[\s,\-/'](?:\s*de\s+)?\s*(20\d\d|\d\d)"
    rf"|([^\W\d_]{{3,}})\.?[\s\-](\d{{1,2}}){_ORDINAL}[\s,\-]\s*(20\d\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Period:
    """One column of a forecast: ``ends`` is the first day after it."""

    index: int
    title: str
    starts: date
    ends: date
    bucket: str  #: day, week or month


def periods_in(header: Sequence[object], weeks: str = "iso") -> tuple[Period, ...]:
    """The columns that are headed by a period, in order; a header may be a date, texts, or None to pass it over."""
    found: list[Period] = []
    days: list[tuple[int, str, date]] = []
    order = _order(header)
    for index, cell in enumerate(header):
        for text in cell if isinstance(cell, tuple) else (cell,):
            day = _day(text, order)
            period = None if day is not None else _longer(index, text, weeks)
            if day is not None:
                days.append((index, str(text), day))
                break
            if period is not None:
                found.append(period)
                break
    return tuple(sorted([*found, *_days(days)], key=lambda one: one.index))


def _days(days: Sequence[tuple[int, str, date]]) -> list[Period]:
    """Single dates: a week each where they are seven days apart, a month each where all are a first of a month."""
    starts = [day for _, _, day in days]
    gaps = {(b - a).days for a, b in pairwise(starts)}
    if gaps == {7}:
        return [Period(index, title, day, day + timedelta(days=7), "week") for index, title, day in days]
    if gaps and all(day.day == 1 for day in starts) and min(gaps) >= 28:
        return [Period(index, title, day, _next_month(day), "month") for index, title, day in days]
    return [Period(index, title, day, day + timedelta(days=1), "day") for index, title, day in days]


def _order(header: Sequence[object]) -> str:
    """``dmy`` or ``mdy`` where the dates written with figures tell, else nothing."""
    texts = [text for cell in header for text in (cell if isinstance(cell, tuple) else (cell,))]
    pairs = [(int(m[1]), int(m[2])) for text in texts if isinstance(text, str) and (m := _DAY.fullmatch(text))]
    if any(first > 12 for first, _ in pairs):
        return "dmy"
    return "mdy" if any(second > 12 for _, second in pairs) else ""


def _day(cell: object, order: str) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if not isinstance(cell, str):
        return None
    if match := _ISO_DAY.fullmatch(cell):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    match = _DAY.fullmatch(cell)
    if match is None:
        return None
    first, second, year = int(match[1]), int(match[2]), int(match[3])
    if order == "":
        return _date(year, second, first) if first == second or "." in cell else None
    return _date(year, second, first) if order == "dmy" else _date(year, first, second)


def _longer(index: int, cell: object, weeks: str) -> Period | None:
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if (match := _YEAR_WEEK.fullmatch(text)) is not None:
        return _week(index, text, int(match[1]), int(match[2]), weeks)
    if (match := _WEEK_YEAR.fullmatch(text)) is not None:
        return _week(index, text, _year(match[2]), int(match[1]), weeks)
    if (match := _ISO_MONTH.fullmatch(text)) is not None:
        return _month(index, text, int(match[1]), int(match[2]))
    if (match := _MONTH_ISO.fullmatch(text)) is not None:
        return _month(index, text, int(match[2]), int(match[1]))
    if (match := _WORDS.fullmatch(text)) is not None:
        word, year = (match[1], match[2]) if match[1] else (match[4], match[3])
        return _month(index, text, _year(year), _month_of(word))
    return None


def day_in_words(text: str) -> date | None:
    """The day that a text names with its month as a word, in any of the languages; None where it names none."""
    match = _DAY_IN_WORDS.fullmatch(text.strip())
    if match is None:
        return None
    day, word, year = match.groups()[:3] if match[1] else (match[5], match[4], match[6])
    return _date(_year(year), _month_of(word), int(day))


def _month_of(word: str) -> int:
    """The month that a word begins as the name of; 0 for any other word."""
    return next((number for number, names in enumerate(_MONTHS, 1) if word.casefold().startswith(names)), 0)


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text.lstrip("'"))


def _week(index: int, title: str, year: int, week: int, weeks: str) -> Period | None:
    try:
        start = week_start(year, week, weeks)
    except ValueError:
        return None
    return Period(index, title, start, start + timedelta(days=7), "week")


def _month(index: int, title: str, year: int, month: int) -> Period | None:
    start = _date(year, month, 1)
    return None if start is None else Period(index, title, start, _next_month(start), "month")


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
