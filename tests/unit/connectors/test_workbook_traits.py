"""Workbooks as people make them: odd headers, faults in cells, columns that drift."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats.workbook.safety import as_sent, neutral
from schemas.documents import DocumentStart
from schemas.findings import Finding, Severity
from tests.workbooks import FORECAST, STOCK, TABLE, lines, made, read, rows, told

# -- headers ----------------------------------------------------------------------------------------


def test_a_header_of_two_lines_with_merged_cells() -> None:
    def fill(sheet: Any) -> None:
        sheet.append(["Part", None, "Stock", None])
        sheet.append(["no.", "Plant", "Qty", "Unit"])
        sheet.append(["A", "P1", 5, "EA"])
        sheet.merge_cells("C1:D1")

    items = read(made(fill), "s.xlsx")
    assert lines(items, "Part no.", "Plant", "Qty", "Unit", "_at") == [("A", "P1", "5", "EA", "Sheet!A3")]


def test_a_unit_in_the_header_is_that_of_every_line() -> None:
    items = read(rows(["Part no.", "Qty (kg)"], ["A", 5]), "s.xlsx")
    assert lines(items, "Part no.", "Qty", "Unit", "Unit@") == [("A", "5", "kg", "Sheet!B1")]


def test_a_unit_in_a_header_that_was_agreed_on_counts_too() -> None:
    agreed = {**STOCK, "fields": {**STOCK["fields"], "quantity": ("Free (kg)", "Qty")}}
    items = read(rows(["Part no.", "Free (kg)"], ["A", 5]), "s.xlsx", agreed)
    assert lines(items, "Part no.", "Free (kg)", "Unit") == [("A", "5", "kg")]


def test_a_way_of_writing_in_the_header_is_believed() -> None:
    items = read(b"Part no.;Qty;As of (MM/DD/YYYY)\nA;1;03/04/2026\n", "s.csv")
    assert lines(items, "As of") == [("2026-03-04",)]
    assert told(items) == []


def test_what_stands_above_the_table_holds_for_every_line() -> None:
    items = read(
        rows(["Stock list"], ["Plant:", "P1"], ["As of: 2026-03-02"], [], ["Part no.", "Qty"], ["A", 5]), "s.xlsx"
    )
    assert lines(items, "Part no.", "Plant", "As of", "Plant@") == [("A", "P1", "2026-03-02", "Sheet!B2")]


@pytest.mark.parametrize(
    ("said", "language", "read_as"),
    [
        ("12.03.2026", "de", "2026-03-12"), ("12.03.2026", "", "12.03.2026"), ("31/03/2026", "", "2026-03-31"),
        ("12. März 2026", "", "2026-03-12"), ("31.02.2026", "de", "31.02.2026"),
    ],
)  # fmt: skip
def test_a_date_above_the_table_is_read_as_those_in_it(said: str, language: str, read_as: str) -> None:
    sheet = rows(["As of", said], ["Part no.", "Qty"], ["A", 5], ["As of: " + said], ["B", 6])
    items = read(sheet, "s.xlsx", {**STOCK, "language": language})
    assert lines(items, "Part no.", "As of") == [("A", read_as), ("B", read_as)]


def test_blocks_each_below_what_it_is_about() -> None:
    text = "Part no.: A\nPlant;Qty\nP1;5\nP2;6\n\nPart no.: B\nPlant;Qty\nP1;7\nTotal;7\n"
    items = read(text.encode(), "s.csv")
    assert lines(items, "Part no.", "Plant", "Qty") == [("A", "P1", "5"), ("A", "P2", "6"), ("B", "P1", "7")]


# -- periods across ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "starts", "ends", "bucket"),
    [
        (["2026-04-06", "2026-04-13"], "2026-04-06", "2026-04-13", "week"),
        ([date(2026, 4, 1), date(2026, 5, 1)], "2026-04-01", "2026-05-01", "month"),
        ([date(2026, 4, 1), date(2026, 4, 2)], "2026-04-01", "2026-04-02", "day"),
        (["KW 15/2026", "KW 16/2026"], "2026-04-06", "2026-04-13", "week"),
        (["2026-W15", "2026-W16"], "2026-04-06", "2026-04-13", "week"),
        (["Week 15 2026", "Week 16 2026"], "2026-04-06", "2026-04-13", "week"),
        (["April 2026", "Mai 2026"], "2026-04-01", "2026-05-01", "month"),
        (["abr-26", "may-26"], "2026-04-01", "2026-05-01", "month"),
        (["04/2026", "05/2026"], "2026-04-01", "2026-05-01", "month"),
        (["13/04/2026", "20/04/2026"], "2026-04-13", "2026-04-20", "week"),
        (["4/13/2026", "4/20/2026"], "2026-04-13", "2026-04-20", "week"),
    ],
)
def test_periods_as_people_write_them(header: list[object], starts: str, ends: str, bucket: str) -> None:
    items = read(rows(["Part no.", *header, "Remark"], ["A", 5, None, "x"]), "s.xlsx", FORECAST)
    assert lines(items, "Part no.", "@value", "@starts", "@ends", "@bucket", "_at") == [
        ("A", "5", starts, ends, bucket, "Sheet!B2")
    ]


@pytest.mark.parametrize(
    ("week", "day"), [("KW 15/2026", "2026-04-06"), ("2026-W15", "2026-04-06"), ("Mai 2026", "2026-05-01")]
)
def test_a_row_may_name_its_week_or_month(week: str, day: str) -> None:
    items = read(rows(["Part no.", "Qty", "Week"], ["A", 5, week], ["B", 6, date(2026, 4, 20)]), "s.xlsx", FORECAST)
    assert lines(items, "Part no.", "Qty", "Week") == [("A", "5", day), ("B", "6", "2026-04-20")]


def test_weeks_of_the_us_begin_on_sunday() -> None:
    us = {**FORECAST, "weeks": "us"}
    items = read(rows(["Part no.", "Week 14 2026", "2026-W15"], ["A", 5, 6]), "s.xlsx", us)
    assert lines(items, "@starts", "@ends") == [("2026-03-29", "2026-04-05"), ("2026-04-05", "2026-04-12")]


def test_rows_of_another_kind_are_passed_over_and_counted() -> None:
    options = {**STOCK, "fields": {**STOCK["fields"], "status": ("Kind",)}, "only": {"status": ["Free stock"]}}
    items = read(rows(["Part no.", "Qty", "Kind"], ["A", 5, "free stock"], ["A", 6, "Blocked"]), "s.xlsx", options)
    assert lines(items, "Part no.", "Qty") == [("A", "5")]
    assert told(items, Severity.INFO) == [("workbook.row_passed_over", "Sheet!A3")]


def test_dates_across_that_can_be_read_in_two_ways_are_no_periods() -> None:
    items = read(rows(["Part no.", "03/04/2026", "10/04/2026"], ["A", 5, 6]), "s.xlsx", FORECAST)
    assert [code for code, _ in told(items)] == ["workbook.header_incomplete"]


# -- cells ------------------------------------------------------------------------------------------


def test_errors_and_formulas_without_a_value_hold_their_line_back() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Part no.", "Qty", "Unit"], ["A", "#N/A", "EA"], ["B", "=1+1", "EA"], ["C", 3, "#REF!"]):
            sheet.append(row)
        sheet["B2"].data_type = sheet["C4"].data_type = "e"

    items = read(made(fill), "s.xlsx", {**STOCK, "required": ("item", "quantity")})
    assert lines(items, "Part no.", "Qty", "Unit") == [("A", None, "EA"), ("B", None, "EA"), ("C", "3", None)]
    found = [item for item in items if isinstance(item, Finding)]
    assert [(one.code, one.location, one.line, one.severity.value, one.value) for one in found] == [
        ("cell.error", "Sheet!B2", 1, "error", "#N/A"),
        ("cell.uncalculated", "Sheet!B3", 2, "error", "=1+1"),
        ("cell.error", "Sheet!C4", 3, "warning", "#REF!"),
    ]


def test_zeroes_that_only_the_format_shows_are_read() -> None:
    def fill(sheet: Any) -> None:
        for row in (["Part no.", "Qty"], [4711, 1], [815, 2], [12, 3], [13, 4], [14, 5]):
            sheet.append(row)
        for row, format in enumerate(("0000000", "000-000", r"00\.000", "0.000", "0"), 2):
            sheet[f"A{row}"].number_format = format

    parts = [("0004711",), ("000815",), ("00012",), ("13",), ("14",)]
    assert lines(read(made(fill), "s.xlsx"), "Part no.") == parts


def test_long_numbers_that_a_spreadsheet_shortened() -> None:
    text = b"Part no.;Qty\n1.234567E+6;1\n1.23E+12;2\n"
    items = read(text, "s.csv")
    assert lines(items, "Part no.") == [("1234567",), ("1.23E+12",)]
    assert told(items) == [("cell.digits_lost", "A3")]
    long = read(rows(["Part no.", "Qty"], [12345678901234567, 1], [123456789012345, 1]), "s.xlsx")
    assert lines(long, "Part no.")[1] == ("123456789012345",)
    assert told(long) == [("cell.digits_lost", "Sheet!A2")]


@pytest.mark.parametrize(
    "text",
    ["1-Mar-26", "01-MAR-2026", "1 March 2026", "March 1, 2026", "Mar. 1st, 2026", "1. März 2026", "1 mars 2026",
     "1er mars 2026", "1 de marzo de 2026", "01/Mar/2026", "1 marzo 2026"],
)  # fmt: skip
def test_days_whose_month_is_a_word(text: str) -> None:
    read_ = lines(read(f"Part no.;Qty;As of\nA;1;{text}\nB;2;31 Foo 2026\nC;3;31-Feb-26\n".encode(), "s.csv"), "As of")
    assert read_ == [("2026-03-01",), ("31 Foo 2026",), ("31-Feb-26",)]


def test_dates_of_1904() -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in TABLE:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    assert lines(read(file.getvalue(), "s.xlsx"), "As of") == [("2026-03-02",), ("2026-03-03",)]


@pytest.mark.parametrize("system", ["WINDOWS_1900", "MAC_1904"])
def test_days_that_are_mere_numbers(system: str) -> None:
    """A column of dates that somebody has formatted as numbers; what is no day of these times stays as it is."""
    book = openpyxl.Workbook()
    epoch = book.epoch = getattr(openpyxl.utils.datetime, f"CALENDAR_{system}")
    day, noon = (openpyxl.utils.datetime.to_excel(datetime(2026, 3, 2, hour), epoch) for hour in (0, 12))  # noqa: DTZ001
    for row in (["Part no.", "Qty", "As of"], ["A", 1, day], ["B", 2, noon], ["C", 3, 20260302], ["D", 46083, 26]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    found = lines(read(file.getvalue(), "s.xlsx"), "Qty", "As of")
    assert found == [("1", "2026-03-02"), ("2", "2026-03-02T12:00:00"), ("3", "20260302"), ("46083", "26")]


def test_hidden_rows_are_read_and_said() -> None:
    def fill(sheet: Any) -> None:
        for row in TABLE:
            sheet.append(row)
        sheet.row_dimensions[3].hidden = True

    items = read(made(fill), "s.xlsx")
    assert lines(items, "Part no.") == [("0017",), ("A-2",)]
    assert told(items) == [("workbook.rows_hidden", "Sheet!A3")]


# -- how columns are written ------------------------------------------------------------------------


def dated(*texts: str, **options: object) -> tuple[list[str | None], list[str]]:
    text = "Part no.;Qty;As of\n" + "".join(f"A;1;{one}\n" for one in texts)
    items = read(text.encode(), "s.csv", {**STOCK, **options})
    return [one for (one,) in lines(items, "As of")], [code for code, _ in told(items)]


days = st.dates(date(2000, 1, 1), date(2049, 12, 31))


@given(st.lists(days, min_size=1, max_size=8), st.sampled_from(["dmy", "mdy"]), st.sampled_from("/.-"))
def test_an_order_of_day_and_month_is_proved_or_nothing_is_changed(some: list[date], order: str, mark: str) -> None:
    pattern = mark.join({"dmy": ("%d", "%m", "%Y"), "mdy": ("%m", "%d", "%Y")}[order])
    texts = [day.strftime(pattern) for day in some]
    found, codes = dated(*texts)
    if any(day.day > 12 for day in some):
        assert found == [day.isoformat() for day in some]
        assert codes == []
    else:
        assert found == texts
        assert codes == (["workbook.dates_ambiguous"] if any(day.day != day.month for day in some) else [])


@given(st.lists(days, min_size=1, max_size=8))
def test_the_habit_of_a_language_settles_what_a_column_leaves_open(some: list[date]) -> None:
    found, codes = dated(*(day.strftime("%d.%m.%Y") for day in some), language="de")
    assert codes == []
    readable = [day for day in some if day.day != day.month]
    if readable:
        assert found == [day.isoformat() for day in some]


def test_a_column_with_days_first_and_months_first_is_reported() -> None:
    found, codes = dated("31.01.2026", "01/31/2026", language="de")
    assert found == ["31.01.2026", "01/31/2026"]
    assert codes == ["workbook.dates_mixed"]


@given(st.lists(st.decimals(0, 10**7, places=2, allow_nan=False), min_size=1, max_size=8), st.sampled_from(".,"))
def test_a_decimal_mark_is_proved_by_any_number_with_two_decimals(numbers: list[Any], mark: str) -> None:
    group = "," if mark == "." else "."
    texts = [f"{number:,.2f}".replace(",", "\0").replace(".", mark).replace("\0", group) for number in numbers]
    text = "Part no.|Qty\n" + "".join(f"A|{one}\n" for one in texts)
    items = read(text.encode(), "s.csv")
    (start,) = [item for item in items if isinstance(item, DocumentStart)]
    assert start.attributes["decimal:Qty"] == mark
    assert told(items) == []


def test_the_whole_column_is_looked_at_not_its_beginning() -> None:
    text = "Part no.;Qty\n" + "A;1,234\n" * 9000 + "A;0,5\n"
    items = read(text.encode(), "s.csv")
    (start,) = [item for item in items if isinstance(item, DocumentStart)]
    assert start.attributes["decimal:Qty"] == ","


# -- drift ------------------------------------------------------------------------------------------

CONFIRMED = {**STOCK, "columns": ["Part no.", "Qty", "Plant", "Bin"]}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Part no.;Qty;Plant;Bin", []),
        ("part no;QTY;Plant;bin", []),
        ("Qty;Part no.;Plant;Bin", [("workbook.column_moved", "Part no.")]),
        ("Part no.;Qty;Plant;Bin;Colour", [("workbook.column_appeared", "Colour")]),
        ("Part no.;Qty;Bin", [("workbook.column_vanished", "Plant")]),
        ("Part no.;Qty;Plant;Bin no", [("workbook.column_renamed", "Bin no")]),
        ("Part no.;Qty;Factory;Bin", [("workbook.column_renamed", "Factory")]),
    ],
)
def test_what_differs_from_the_confirmed_header_is_said(header: str, expected: list[tuple[str, str]]) -> None:
    values = {"part no": "A", "qty": "5"}
    row = ";".join(values.get(one.casefold().rstrip("."), "x") for one in header.split(";"))
    items = read(f"{header}\n{row}\n".encode(), "s.csv", CONFIRMED)
    assert [(one.code, one.value) for one in items if isinstance(one, Finding)] == expected
    assert lines(items, "Part no.", "Qty") == [("A", "5")]


def test_the_fingerprint_is_that_of_the_header() -> None:
    def fingerprint(header: str) -> str:
        items = read(f"{header}\nA;5;x\n".encode(), "s.csv")
        return next(item for item in items if isinstance(item, DocumentStart)).attributes["fingerprint"]

    assert fingerprint("Part no.;Qty;Bin") == fingerprint("PART NO;qty.;bin") != fingerprint("Part no.;Bin;Qty")


# -- what goes out ----------------------------------------------------------------------------------


@given(st.text(max_size=12))
def test_a_neutral_text_runs_nowhere_and_comes_back_as_it_was(text: str) -> None:
    safe = neutral(text)
    printable = "".join("\ufffd" if ord(one) < 32 and one not in "\t\n\r" else one for one in text)
    assert as_sent(safe) == printable or safe == printable
    if safe[:1] in "=@\t\r" and safe:
        raise AssertionError(safe)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_might_run_is_text(text: str) -> None:
    assert neutral(text) == f"'{text}"
    assert as_sent(neutral(text)) == text


def test_our_apostrophe_is_taken_away_again() -> None:
    items = read(b"Part no.;Qty\n'=A1;5\n'quoted;6\n", "s.csv")
    assert lines(items, "Part no.") == [("=A1",), ("'quoted",)]


@pytest.mark.parametrize("text", ["-5", "+5", "-1.234,5", "-", "--", "-12%", "A=1", ""])
def test_numbers_and_dashes_stay(text: str) -> None:
    assert neutral(text) == text


def test_moments_keep_their_time() -> None:
    items = read(rows(["Part no.", "Qty", "As of"], ["A", 1, datetime(2026, 3, 2, 14, 30)]), "s.xlsx")  # noqa: DTZ001
    assert lines(items, "As of") == [("2026-03-02T14:30:00",)]
