"""Checks that need other rows or other tables."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.integrity import left_dangling, with_checks
from schemas.master import MASTER_TABLES


def table(name: str, *rows: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(MASTER_TABLES[name], pl.String), orient="row")


TABLES = {
    "partners": table("partners", ("ACME", "Acme", "DE", "", "", "", "")),
    "sites": table("sites", ("NORTH", "North", "GB", "", "Europe/London", "", "")),
    "items": table("items", ("P1", "Pump", "EA", "active", "", ""), ("P2", "Seal", "KGM", "active", "", "")),
    "units": table("units"),
    "cross_references": table("cross_references"),
}


def check(name: str, column: str, *rows: tuple[str, ...]) -> list[str | None]:
    return with_checks(name, table(name, *rows), TABLES).get_column(column).to_list()


def test_rows_are_numbered_as_a_person_counts() -> None:
    assert check("sites", "row", *[("S", "", "", "", "", "", "")] * 3) == [1, 2, 3]


class TestReferences:
    def test_a_cross_reference_points_into_the_table_of_its_kind(self) -> None:
        rows = [
            ("ACME", "item", "a", "P1", "", ""),
            ("ACME", "item", "b", "NORTH", "", ""),
            ("ACME", "site", "c", "NORTH", "", ""),
            ("ACME", "partner", "d", "NOBODY", "", ""),
            ("ACME", "unit", "e", "XCT", "", ""),
            ("ACME", "unit", "f", "carton", "", ""),
            ("ACME", "item", "g", "", "", ""),
        ]
        assert check("cross_references", "unknown_ours", *rows) == [None, "NORTH", None, "NOBODY", None, "carton", None]

    def test_a_cross_reference_is_of_a_partner_or_of_everybody(self) -> None:
        rows = [
            ("ACME", "item", "a", "P1", "", ""),
            ("", "item", "a", "P1", "", ""),
            ("ACNE", "item", "a", "P1", "", ""),
        ]
        assert check("cross_references", "unknown_partner", *rows) == [None, None, "ACNE"]

    def test_a_factor_is_of_an_item_or_of_all(self) -> None:
        rows = [("P1", "XCT", "EA", "12", "", ""), ("", "XCT", "EA", "12", "", ""), ("P9", "EA", "EA", "1", "", "")]
        assert check("units", "unknown_item", *rows) == [None, None, "P9"]
        assert check("units", "to_itself", *rows) == [None, None, "EA"]

    def test_units_the_code_list_does_not_have_are_named(self) -> None:
        assert check("units", "unlisted_unit", ("P1", "XCT", "ZZ9", "1", "", "")) == ["ZZ9"]
        assert check("items", "unlisted_unit", ("P1", "", "EA", "", "", ""), ("P2", "", "QQQ", "", "", "")) == [
            None,
            "QQQ",
        ]

    def test_what_a_new_table_takes_away_is_counted_in_those_that_point_to_it(self) -> None:
        references = table(
            "cross_references",
            ("ACME", "item", "a", "P1", "", ""),
            ("ACME", "item", "b", "P2", "", ""),
            ("ACME", "item", "c", "P3", "", ""),
        )
        after = TABLES | {"items": TABLES["items"].head(1)}
        assert left_dangling("cross_references", references, before=TABLES, after=after) == 1
        assert left_dangling("cross_references", references, before=TABLES, after=TABLES) == 0


class TestPeriods:
    def periods(self, *dates: tuple[str, str]) -> list[str | None]:
        return check("items", "overlaps", *(("P1", "", "EA", "active", begins, ends) for begins, ends in dates))

    def test_periods_that_follow_each_other(self) -> None:
        assert self.periods(("", "2026-01-31"), ("2026-02-01", "2026-02-28"), ("2026-03-01", "")) == [None] * 3

    def test_both_ends_count_so_the_same_day_overlaps(self) -> None:
        assert self.periods(("", "2026-01-31"), ("2026-01-31", "")) == [None, "2026-01-31"]

    def test_a_long_period_is_seen_across_a_short_one(self) -> None:
        assert self.periods(("2026-01-01", "2026-12-31"), ("2025-01-01", "2025-01-02"), ("2026-06-01", "")) == [
            None,
            None,
            "2026-06-01",
        ]

    def test_another_key_is_another_matter(self) -> None:
        assert check("items", "overlaps", ("P1", "", "EA", "", "", ""), ("P2", "", "EA", "", "", "")) == [None, None]

    _day = st.sampled_from(["", "2026-01-01", "2026-01-02", "2026-01-03"])

    @given(
        st.lists(st.tuples(_day, _day).filter(lambda p: not p[1] or p[0] <= p[1]), max_size=5, unique_by=lambda p: p[0])
    )
    def test_some_row_is_named_exactly_when_some_day_is_covered_twice(self, periods: list[tuple[str, str]]) -> None:
        days = ["0000", "2026-01-01", "2026-01-02", "2026-01-03", "9999"]
        twice = any(sum(begin <= day <= (end or "9999") for begin, end in periods) > 1 for day in days)
        assert any(self.periods(*periods)) == twice


class TestGln:
    # check digits worked out by hand: sum of digits, every second one threefold
    @pytest.mark.parametrize("gln", ["4012345000009", "5412345000013", "0000000000000"])
    def test_a_digit_that_checks(self, gln: str) -> None:
        assert check("partners", "wrong_gln", ("A", "", "", "", gln, "", "")) == [None]

    @pytest.mark.parametrize("place", range(13))
    def test_one_changed_digit_is_found(self, place: int) -> None:
        right = "4012345000009"
        wrong = right[:place] + str((int(right[place]) + 1) % 10) + right[place + 1 :]
        assert check("sites", "wrong_gln", ("A", "", "", wrong, "", "", "")) == [wrong]

    def test_what_is_no_gln_at_all_is_left_to_the_pattern(self) -> None:
        assert check("partners", "wrong_gln", ("A", "", "", "", "4012345", "", ""), ("B", "", "", "", "", "", "")) == [
            None,
            None,
        ]


def test_time_zones_are_those_of_the_iana_database() -> None:
    rows = [("A", "", "", "", zone, "", "") for zone in ("Europe/Berlin", "CET", "Mars/Base", "")]
    assert check("sites", "unknown_timezone", *rows) == [None, None, "Mars/Base", None]
