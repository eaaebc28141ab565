"""How numbers and dates are written, and what they say: text in, canonical text out.

A partner's ``1.234,50`` becomes ``1234.50``, ``241122`` with ``0830`` an instant with a zone.
Functions here look at one value; ``mappings.apply`` calls them once per distinct value of a
column. What cannot be read is a ``ValueError`` whose text says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.weeks import week_start

#: Digits a number may have once its exponent is written out. Beyond that it is a slip of the pen, or malice.
MAX_DIGITS = 60

_GROUPED = {
    ".": re.compile(r"[0-9]{1,3}(?P<mark>[,'\u2019 \u00a0\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?:\.[0-9]*)?"),
    ",": re.compile(r"[0-9]{1,3}(?P<mark>[.'\u2019 \u00a0\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?:,[0-9]*)?"),
}
_PLAIN = {
    ".": re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"),
    ",": re.compile(r"[0-9]+(?:,[0-9]*)?|,[0-9]+"),
}
_SIGNED = re.compile(
    r"(?P<lead>[-+\u2212]?)\s*(?P<body>[^-+\u2212eE]*?)(?:[eE](?P<exponent>[-+]?[0-9]{1,3}))?\s*(?P<trail>[-+\u2212]?)"
)
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")


def decimal_text(text: str, mark: str = ".") -> str:
    """The canonical decimal string of ``text`` whose decimal mark is ``mark``: ``.``, ``,`` or ``auto``.

    Thousands may be grouped in threes by the other mark, a blank or an apostrophe; a sign may lead
    or trail; an exponent is written out. Every digit after the mark is kept, zeroes too.
    With ``auto`` the value itself must tell: ``1.234`` could be two numbers and is refused.
    """
    parts = _SIGNED.fullmatch(text.strip())
    if parts is None or (parts["lead"] and parts["trail"]):
        raise ValueError("a number")
    body = parts["body"].strip()
    whole, fraction = _split_number(body, _mark_of(body) if mark == "auto" else mark)
    whole, fraction = _shifted(whole, fraction, int(parts["exponent"] or 0))
    whole = whole.lstrip("0") or "0"
    number = f"{whole}.{fraction}" if fraction else whole
    negative = "-" in (sign := parts["lead"] or parts["trail"]) or "\u2212" in sign
    return f"-{number}" if negative and number.strip("0.") else number


def _split_number(body: str, mark: str) -> tuple[str, str]:
    if not (_PLAIN[mark].fullmatch(body) or _GROUPED[mark].fullmatch(body)):
        raise ValueError("a number with a decimal comma" if mark == "," else "a number with a decimal point")
    whole, _, fraction = body.partition(mark)
    return re.sub(r"[^0-9]", "", whole), fraction


def _mark_of(body: str) -> str:
    """Which of ``.`` and ``,`` is the decimal mark of one value on its own."""
    if _AMBIGUOUS.fullmatch(body):
        raise ValueError(
            "a number that can be read in one way only: say in the partner's file whether decimal is '.' or ','"
        )
    last_point, last_comma = body.rfind("."), body.rfind(",")
    if body.count(".") > 1 or (last_comma > last_point and body.count(",") == 1):
        return ","
    return "."


def _shifted(whole: str, fraction: str, exponent: int) -> tuple[str, str]:
    if len(whole) + len(fraction) + abs(exponent) > MAX_DIGITS:
        raise ValueError(f"a number of at most {MAX_DIGITS} digits")
    if exponent > 0:
        moved = fraction.ljust(exponent, "0")
        return whole + moved[:exponent], moved[exponent:]
    if exponent < 0:
        moved = whole.rjust(-exponent + 1, "0")
        return moved[:exponent], moved[exponent:] + fraction
    return whole, fraction


def implied_decimal_text(text: str, places: int) -> str:
    """X12 type Nn: digits with ``places`` decimals implied (X12.6, 3.5.1.1); ``1234`` with 2 is ``12.34``."""
    if not re.fullmatch(r"-?[0-9]+", text.strip()):
        raise ValueError("digits without a decimal mark")
    return decimal_text(f"{text.strip()}E-{places}" if places else text)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The time zone called ``name`` in the IANA database. Raises ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"a time zone of the IANA database, such as Europe/Berlin, not {name!r}") from error


def instant_text(moment: datetime, zone: ZoneInfo) -> str:
    """ISO 8601 to the second, or to the microsecond where there is a fraction, with its offset; ``Z`` for UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    offset = aware.utcoffset() or timedelta()
    if offset.total_seconds() % 60:  # local mean times of the 19th century
        aware = aware.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def ccyymmdd(text: str, clock: str, zone: ZoneInfo) -> datetime:
    """X12 DT and TM, EDIFACT 101, 102 and 203: ``20241122``, ``241122``, both with ``0830[SS[d..]]`` beside or behind.

    Two-digit years are within 50 years of 2000, as the X12 date note of 004010 suggests.
    """
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (6, 8, 12, 14):
        raise ValueError("a date as CCYYMMDD or YYMMDD")
    if len(digits) > 8:
        digits, clock = digits[:8], digits[8:]
    if len(digits) == 6:
        digits = ("20" if digits < "50" else "19") + digits
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise ValueError("a day that exists, as CCYYMMDD") from error
    return datetime.combine(day, clock_time(clock), zone)


#: EDIFACT data element 2379: how many digits, and what they are
_PERIODS = {"101": "day", "102": "day", "610": "month", "616": "week", "602": "year"}
_INSTANTS = {"201": 10, "203": 12, "204": 14}
_RANGES = {"718": 8, "713": 10, "719": 12}


def period_start(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime:
    """The first moment of what EDIFACT data element 2380 says, written as ``code`` (2379) tells; a date without one."""
    return _period(text, code, zone, weeks)[0]


def period_end(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime:
    """The first moment after it: of a day the next midnight, of a time of day that time itself."""
    return _period(text, code, zone, weeks)[1]


def day_alone(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime | None:
    """What ``period_start`` says of a single day or a time of day; None of what is longer."""
    first, after = _period(text, code, zone, weeks)
    return first if _is_one_day(first, after) else None


def range_start(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime | None:
    """What ``period_start`` says of a week, a month, a range; None of a single day or a time of day, and of what cannot
    be read, which is told of the field that is read as a day."""
    found = _range(text, code, zone, weeks)
    return found and found[0]


def range_end(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime | None:
    """The same of ``period_end``."""
    found = _range(text, code, zone, weeks)
    return found and found[1]


def _range(text: str, code: str, zone: ZoneInfo, weeks: str) -> tuple[datetime, datetime] | None:
    with suppress(ValueError):
        first, after = _period(text, code, zone, weeks)
        return None if _is_one_day(first, after) else (first, after)
    return None


def last_day(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> datetime:
    """The last day of it, as its first moment; a time of day as it is."""
    first, after = _period(text, code, zone, weeks)
    if first == after or after.time() != time():
        return after
    return datetime.combine(after.date() - timedelta(days=1), time(), zone)


def _is_one_day(first: datetime, after: datetime) -> bool:
    at_midnight = first.time() == after.time() == time()
    return first == after or (at_midnight and after.date() - first.date() == timedelta(days=1))


def _period(text: str, code: str, zone: ZoneInfo, weeks: str = "iso") -> tuple[datetime, datetime]:
    digits, code = text.strip().replace("-", ""), code.strip()
    if code in _RANGES and len(digits) == 2 * _RANGES[code] and digits.isdecimal():
        each = {8: "102", 10: "201", 12: "203"}[_RANGES[code]]
        half = _RANGES[code]
        return _period(digits[:half], each, zone)[0], _period(digits[half:], each, zone)[1]
    if code in _INSTANTS and len(digits) == _INSTANTS[code] and digits.isdecimal():
        moment = ccyymmdd(digits[:6] if code == "201" else digits[:8], digits[6 if code == "201" else 8 :], zone)
        return moment, moment
    kind = _PERIODS.get(code, "day")
    try:
        if kind == "week" and len(digits) == 6:
            first = week_start(int(digits[:4]), int(digits[4:]), weeks)
            after = first + timedelta(days=7)
        elif kind == "month" and len(digits) == 6:
            first = date(int(digits[:4]), int(digits[4:]), 1)
            after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        elif kind == "year" and len(digits) == 4:
            first, after = date(int(digits), 1, 1), date(int(digits) + 1, 1, 1)
        elif kind == "day":
            moment = ccyymmdd(digits, "", zone)
            if len(digits) > 8:
                return moment, moment
            first, after = moment.date(), moment.date() + timedelta(days=1)
        else:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise ValueError(f"a date as {code or 'CCYYMMDD'} (data element 2379) says") from error
    return datetime.combine(first, time(), zone), datetime.combine(after, time(), zone)


def last_moment(ends: str) -> str:
    """The last second of what is over at the moment ``ends`` (ISO 8601 with its offset), which is kept."""
    return instant_text(datetime.fromisoformat(ends) - timedelta(seconds=1), zone_of("UTC"))


def clock_time(text: str) -> time:
    """``HHMM``, ``HHMMSS``, decimals of a second, or any of these with colons; empty is midnight."""
    digits = text.strip().replace(":", "").replace(".", "")
    if not digits:
        return time()
    if not digits.isascii() or not digits.isdigit() or len(digits) < 4 or len(digits) == 5:
        raise ValueError("a time as HHMM or HHMMSS")
    fraction = digits[6:12].ljust(6, "0")
    try:
        return time(int(digits[:2]), int(digits[2:4]), int(digits[4:6] or 0), int(fraction))
    except ValueError as error:
        raise ValueError("a time of day as HHMM or HHMMSS") from error


def iso(text: str, clock: str, zone: ZoneInfo) -> datetime:
    """ISO 8601: a day or an instant, with or without an offset (without: the zone given)."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
    except ValueError as error:
        raise ValueError("an ISO 8601 date or time, such as 2024-11-22 or 2024-11-22T08:30:00+01:00") from error
    if clock.strip():
        moment = datetime.combine(moment.date(), clock_time(clock), moment.tzinfo)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


_WRITTEN = re.compile(r"(\d{1,4})[./\- ](\d{1,2})[./\- ](\d{1,4})\.?(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?")


def written(order: str) -> Callable[[str, str, ZoneInfo], datetime]:
    """A reader of dates as people write them, day, month and year in ``order`` (``dmy``, ``mdy``, ``ymd``, ``auto``).

    A year of four digits in front is always year, month, day. With ``auto`` a day above 12 tells; a
    date that could be read in two ways (``03/04/2026``) is refused, not guessed.
    """

    def read(text: str, clock: str, zone: ZoneInfo) -> datetime:
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            return iso(text, clock, zone)
        year, month, day = _ordered(match[1], match[2], match[3], order)
        try:
            return datetime.combine(date(year, month, day), clock_time(_padded(match[4] or clock)), zone)
        except ValueError as error:
            raise ValueError(f"a day that exists, written {_SPELLED[order]}") from error

    return read


_SPELLED = {
    "dmy": "day.month.year",
    "mdy": "month/day/year",
    "ymd": "year-month-day",
    "auto": "so that day and month can be told apart",
}


def _padded(clock: str) -> str:
    return clock.rjust(len(clock) + 1, "0") if clock[1:2] == ":" else clock


def _ordered(first: str, second: str, third: str, order: str) -> tuple[int, int, int]:
    if len(first) == 4:
        return int(first), int(second), int(third)
    if order == "ymd":
        return _year(first), int(second), int(third)
    a, b, year = int(first), int(second), _year(third)
    if order == "auto":
        if a <= 12 and b <= 12 and a != b:
            raise ValueError(
                "a date that can be read in one way only: say in the partner's file whether dates are dmy or mdy"
            )
        order = "dmy" if a > 12 else "mdy"
    return (year, b, a) if order == "dmy" else (year, a, b)


def _year(text: str) -> int:
    if len(text) not in (2, 4):
        raise ValueError("a year of two or four digits")
    return int(text) if len(text) == 4 else int(text) + (2000 if int(text) < 50 else 1900)
