"""Numbers and dates as partners write them."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.formats import MARKS, NUMBER_FORMATS, PLAIN_NUMBER, TIME_FORMATS
from mappings.values import (
    ccyymmdd,
    clock_time,
    decimal_text,
    implied_decimal_text,
    instant_text,
    iso,
    last_moment,
    period_end,
    period_start,
    written,
    zone_of,
)
from schemas.weeks import week_start

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4)


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("12", ".", "12"),
        ("12.50", ".", "12.50"),
        ("007", ".", "7"),
        ("+3", ".", "3"),
        ("12-", ".", "-12"),
        ("\u22125", ".", "-5"),
        ("-0.00", ".", "0.00"),
        (".5", ".", "0.5"),
        ("5.", ".", "5"),
        ("1.5E3", ".", "1500"),
        ("1E-3", ".", "0.001"),
        ("12.345e1", ".", "123.45"),
        ("1,234.5", ".", "1234.5"),
        ("1.234,50", ",", "1234.50"),
        ("1 234,5", ",", "1234.5"),
        ("1\u202f234\u202f567", ",", "1234567"),
        ("1'234.5", ".", "1234.5"),
        ("1.234.567", "auto", "1234567"),
        ("1.234,5", "auto", "1234.5"),
        ("1,234.5", "auto", "1234.5"),
        ("0,125", "auto", "0.125"),
        ("12,5", "auto", "12.5"),
        ("1234.567", "auto", "1234.567"),
    ],
)
def test_numbers_as_written(text: str, mark: str, expected: str) -> None:
    assert decimal_text(text, mark) == expected


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("", "."),
        ("-", "."),
        (".", "."),
        ("-5-", "."),
        ("1,23", "."),
        ("12,34.5", "."),
        ("1.2.3", "."),
        ("1e999", "."),
        ("NaN", "."),
        ("Infinity", "."),
        ("5 pcs", "."),
        ("1.234", "auto"),
        ("12,345", "auto"),
        ("1.5", ","),
        ("٣", "."),
        ("1_000", "."),
    ],
)
def test_what_is_no_number_is_refused(text: str, mark: str) -> None:
    with pytest.raises(ValueError, match="a number"):
        decimal_text(text, mark)


@given(decimals, st.sampled_from([".", ","]), st.booleans(), st.booleans())
def test_every_digit_survives_any_locale(number: Decimal, mark: str, grouped: bool, trailing: bool) -> None:
    thousands = {".": ",", ",": "."}[mark]
    text = f"{abs(number):,f}" if grouped else f"{abs(number):f}"
    text = text.translate(str.maketrans({",": thousands, ".": mark}))
    text = text if number >= 0 else f"{text}-" if trailing else f"-{text}"
    canonical = decimal_text(text, mark)
    assert Decimal(canonical) == number
    assert len(canonical.partition(".")[2]) == 4
    assert decimal_text(canonical) == canonical


@given(decimals)
def test_an_exponent_is_written_out(number: Decimal) -> None:
    assert Decimal(decimal_text(f"{number:E}")) == number


@given(st.sampled_from(sorted(PLAIN_NUMBER)), st.from_regex(r"\A-?[0-9]{1,6}([.,][0-9]{1,5})?\Z"))
def test_what_needs_no_reading_reads_as_itself(format: str, text: str) -> None:
    import re

    if re.search(PLAIN_NUMBER[format], text) and text.strip("-0.") != "":
        assert NUMBER_FORMATS[format](text) == text


def test_each_decimal_mark_has_a_format() -> None:
    assert set(MARKS.values()) <= set(NUMBER_FORMATS)


@pytest.mark.parametrize(("text", "places", "expected"), [("1234", 2, "12.34"), ("-5", 2, "-0.05"), ("7", 0, "7")])
def test_implied_decimals(text: str, places: int, expected: str) -> None:
    assert implied_decimal_text(text, places) == expected


def test_implied_decimals_take_no_mark() -> None:
    with pytest.raises(ValueError, match="digits"):
        implied_decimal_text("12.34", 2)


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)), st.times())
def test_edi_dates_of_six_and_eight_digits(day: date, clock: time) -> None:
    clock = clock.replace(microsecond=0, fold=0)
    expected = datetime.combine(day, clock, UTC)
    assert ccyymmdd(f"{day:%Y%m%d}", f"{clock:%H%M%S}", UTC) == expected
    assert ccyymmdd(f"{day:%y%m%d}", f"{clock:%H%M%S}", UTC) == expected
    assert ccyymmdd(f"{day:%Y%m%d}{clock:%H%M%S}", "", UTC) == expected


@pytest.mark.parametrize("text", ["", "2024", "20240230", "20241301", "2024-01-01", "2024112x", "1234567"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CCYYMMDD"):
        ccyymmdd(text, "", UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", time()),
        ("0830", time(8, 30)),
        ("083015", time(8, 30, 15)),
        ("08301599", time(8, 30, 15, 990000)),
        ("08:30", time(8, 30)),
        ("08:30:15.5", time(8, 30, 15, 500000)),
    ],
)
def test_times_of_day(text: str, expected: time) -> None:
    assert clock_time(text) == expected


@pytest.mark.parametrize("text", ["8", "830", "2460", "2500", "08305", "noon"])
def test_times_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HHMM"):
        clock_time(text)


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("30.03.2026", "dmy", "2026-03-30"),
        ("3/4/26", "dmy", "2026-04-03"),
        ("3/4/26", "mdy", "2026-03-04"),
        ("26-04-03", "ymd", "2026-04-03"),
        ("2026/4/3", "mdy", "2026-04-03"),
        ("30/03/2026", "auto", "2026-03-30"),
        ("03/30/2026", "auto", "2026-03-30"),
        ("04/04/2026", "auto", "2026-04-04"),
        ("2026-03-30", "auto", "2026-03-30"),
    ],
)
def test_dates_as_people_write_them(text: str, order: str, expected: str) -> None:
    assert written(order)(text, "", UTC).date().isoformat() == expected


@pytest.mark.parametrize(
    ("text", "order", "message"),
    [
        ("03/04/2026", "auto", "dmy or mdy"),
        ("31.02.2026", "dmy", "day that exists"),
        ("13/13/2026", "mdy", "day that exists"),
        ("30/03/026", "dmy", "two or four digits"),
        ("soon", "dmy", "ISO 8601"),
    ],
)
def test_dates_that_cannot_be_read_say_why(text: str, order: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written(order)(text, "", UTC)


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)), st.sampled_from(["dmy", "mdy", "ymd"]), st.sampled_from("./- "))
def test_any_order_and_separator(day: date, order: str, separator: str) -> None:
    parts = {"d": f"{day.day}", "m": f"{day.month:02d}", "y": f"{day.year}"}
    assert written(order)(separator.join(parts[one] for one in order), "", UTC).date() == day


def test_a_time_without_a_zone_is_in_the_partners() -> None:
    assert instant_text(iso("2026-07-01T08:00:00", "", BERLIN), BERLIN) == "2026-07-01T08:00:00+02:00"
    assert instant_text(iso("2026-01-01", "", BERLIN), BERLIN) == "2026-01-01T00:00:00+01:00"
    assert instant_text(written("dmy")("1.7.2026 8:05", "", BERLIN), BERLIN) == "2026-07-01T08:05:00+02:00"


def test_a_time_with_a_zone_keeps_it() -> None:
    assert instant_text(iso("2026-07-01T08:00:00-05:00", "", BERLIN), BERLIN) == "2026-07-01T08:00:00-05:00"
    assert instant_text(iso("2026-07-01T08:00:00Z", "", BERLIN), BERLIN) == "2026-07-01T08:00:00Z"


def test_what_ends_at_midnight_is_wanted_the_day_before() -> None:
    assert last_moment("2026-04-11T00:00:00-04:00") == "2026-04-10T23:59:59-04:00"
    assert last_moment("2026-03-01T00:00:00Z") == "2026-02-28T23:59:59Z"


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Europe/Berlinn", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="IANA"):
            zone_of(name)


@pytest.mark.parametrize(
    ("text", "code", "first", "after"),
    [
        ("20260330", "102", "2026-03-30T00:00", "2026-03-31T00:00"),
        ("260330", "101", "2026-03-30T00:00", "2026-03-31T00:00"),
        ("202603301230", "203", "2026-03-30T12:30", "2026-03-30T12:30"),
        ("2603301230", "201", "2026-03-30T12:30", "2026-03-30T12:30"),
        ("202614", "616", "2026-03-30T00:00", "2026-04-06T00:00"),
        ("202601", "616", "2025-12-29T00:00", "2026-01-05T00:00"),
        ("202612", "610", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("2026", "602", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("20260330-20260405", "718", "2026-03-30T00:00", "2026-04-06T00:00"),
        ("2026033020260405", "718", "2026-03-30T00:00", "2026-04-06T00:00"),
        ("20260330", "", "2026-03-30T00:00", "2026-03-31T00:00"),
    ],
)
def test_what_edifact_writes_of_days_weeks_and_periods(text: str, code: str, first: str, after: str) -> None:
    begin, end = (part.isoformat()[:16] for part in (period_start(text, code, UTC), period_end(text, code, UTC)))
    assert (begin, end) == (first, after)


@pytest.mark.parametrize(("text", "code"), [("202677", "616"), ("202613", "610"), ("20260230", "102"), ("abc", "718")])
def test_what_its_own_code_contradicts_is_refused(text: str, code: str) -> None:
    with pytest.raises(ValueError, match="a date"):
        period_start(text, code, UTC)


@pytest.mark.parametrize(
    ("year", "week", "iso_day", "us_day"),
    [
        (2026, 1, "2025-12-29", "2025-12-28"),
        (2026, 14, "2026-03-30", "2026-03-29"),
        (2027, 1, "2027-01-04", "2026-12-27"),
        (2022, 53, "", "2022-12-25"),
        (2020, 53, "2020-12-28", ""),
        (2000, 53, "", "2000-12-24"),
    ],
)
def test_weeks_by_their_numbers(year: int, week: int, iso_day: str, us_day: str) -> None:
    for weeks, day in (("iso", iso_day), ("us", us_day)):
        if day:
            assert week_start(year, week, weeks) == date.fromisoformat(day)
        else:
            with pytest.raises(ValueError, match=r"[Ii]nvalid week|a week of"):
                week_start(year, week, weeks)


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_every_week_of_the_us_begins_on_sunday_and_the_first_holds_new_year(day: date) -> None:
    first = week_start(day.year, 1, "us")
    assert first.isoweekday() == 7
    assert 0 <= (date(day.year, 1, 1) - first).days < 7


def test_weeks_of_the_us_in_edifact() -> None:
    for name, moment in (("edifact_us", "2026-03-29T00:00"), ("edifact_end_us", "2026-04-05T00:00")):
        assert TIME_FORMATS[name]("202614", "616", UTC).isoformat()[:16] == moment


@pytest.mark.parametrize(
    ("text", "code", "day", "begin", "end", "last"),
    [
        ("20260402", "102", "2026-04-02", None, None, "2026-04-02"),
        ("202604020730", "203", "2026-04-02", None, None, "2026-04-02"),
        ("202617", "616", None, "2026-04-20", "2026-04-27", "2026-04-26"),
        ("202605", "610", None, "2026-05-01", "2026-06-01", "2026-05-31"),
        ("2026042020260424", "718", None, "2026-04-20", "2026-04-25", "2026-04-24"),
        ("2026042020260420", "718", "2026-04-20", None, None, "2026-04-20"),
        ("202604200600202604201400", "719", None, "2026-04-20", "2026-04-20", "2026-04-20"),
        ("2026032920260329", "718", "2026-03-29", None, None, "2026-03-29"),  # a day of 23 hours
    ],
)
def test_what_is_longer_than_a_day_is_a_window_and_no_day(
    text: str, code: str, day: str | None, begin: str | None, end: str | None, last: str
) -> None:
    read = (TIME_FORMATS[f"edifact_{name}"](text, code, BERLIN) for name in ("day", "range", "range_end", "last"))
    assert [moment and moment.date().isoformat() for moment in read] == [day, begin, end, last]


def test_what_cannot_be_read_is_told_once() -> None:
    assert TIME_FORMATS["edifact_range"]("202677", "616", BERLIN) is None
    assert TIME_FORMATS["edifact_range_end_us"]("202677", "616", BERLIN) is None
    with pytest.raises(ValueError, match="616"):
        TIME_FORMATS["edifact_day"]("202677", "616", BERLIN)
