"""Unit codes, exact factors, and conversions that do not exist."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mappings.units
from mappings.master_data import MasterData
from mappings.units import COUNTS, PHYSICAL, Step, find_rate, physical_rate, rounding_of, shipped_units, times
from schemas.master import MASTER_TABLES


class TestCodes:
    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("EA", "EA"),
            ("PCS", "H87"),
            ("STK", "H87"),
            ("CAJA", "XBX"),
            ("KARTON", "XCT"),
            ("LB", "LBR"),
            ("M²", "MTK"),
        ],
    )
    def test_words_and_codes_of_three_languages(self, written: str, code: str) -> None:
        assert shipped_units()[written] == code

    @pytest.mark.parametrize("code", ["ST", "RL", "TO", "PA", "MI"])
    def test_what_means_different_things_is_left_to_cross_references(self, code: str) -> None:
        assert code not in shipped_units()

    def test_the_file_says_nothing_twice(self) -> None:
        """YAML would silently take the later line."""
        file = Path(mappings.units.__file__).parent / "codes" / "unit.yaml"
        keys = [
            line.partition(":")[0].upper() for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == '"'
        ]
        assert len(keys) == len(set(keys)) > 200

    def test_every_recommendation_20_code_stands_for_itself(self) -> None:
        codes = {*COUNTS, *PHYSICAL, *shipped_units().values()}
        assert {code: shipped_units()[code] for code in codes} == {code: code for code in codes}


class TestPhysics:
    @pytest.mark.parametrize(
        ("unit", "wanted", "rate"),
        [
            ("LBR", "KGM", "45359237/100000000"),  # international yard and pound agreement, 1959
            ("YRD", "MTR", "9144/10000"),
            ("FOT", "INH", "12"),
            ("GLL", "INQ", "231"),  # US liquid gallon
            ("GLI", "LTR", "454609/100000"),  # imperial gallon
            ("OZA", "GLL", "1/128"),
            ("LTN", "LBR", "2240"),
            ("STN", "LBR", "2000"),
            ("CWA", "LBR", "100"),
            ("DTN", "KGM", "100"),
            ("BLL", "GLL", "42"),
            ("MTK", "CMK", "10000"),
            ("MTQ", "LTR", "1000"),
            ("KWH", "KJO", "3600"),
            ("DZN", "EA", "12"),
            ("GRO", "DZN", "12"),
            ("EA", "H87", "1"),
        ],
    )
    def test_factors_are_those_of_the_definitions(self, unit: str, wanted: str, rate: str) -> None:
        assert physical_rate(unit, wanted) == Fraction(rate)

    @pytest.mark.parametrize(
        ("unit", "wanted"), [("KGM", "MTR"), ("KGM", "EA"), ("XCT", "XBX"), ("SET", "EA"), ("LTR", "KGM")]
    )
    def test_different_dimensions_have_no_factor(self, unit: str, wanted: str) -> None:
        assert physical_rate(unit, wanted) is None

    def test_pint_knows_every_unit_and_there_and_back_is_one(self) -> None:
        for unit in PHYSICAL:
            related = [other for other in PHYSICAL if physical_rate(unit, other) is not None]
            assert len(related) > 1, unit
            for other in related:
                there, back = physical_rate(unit, other), physical_rate(other, unit)
                assert there is not None
                assert back is not None
                assert there * back == 1


def steps(*rows: tuple[str, str, str]) -> list[Step]:
    return [Step(from_unit, to_unit, Fraction(rate)) for from_unit, to_unit, rate in rows]


class TestRates:
    carton = steps(("XCT", "EA", "12"))

    def test_either_direction(self) -> None:
        assert find_rate("XCT", "EA", self.carton) == 12
        assert find_rate("EA", "XCT", self.carton) == Fraction(1, 12)

    def test_two_steps_but_not_three(self) -> None:
        chain = steps(("XPX", "XCT", "40"), ("XCT", "XPK", "6"), ("XPK", "KGM", "0.5"))
        assert find_rate("XPX", "XPK", chain) == 240
        assert find_rate("XPX", "KGM", chain) is None

    def test_the_items_own_factor_beats_the_general_one_beats_physics(self) -> None:
        own, general = steps(("DZN", "EA", "13")), steps(("DZN", "EA", "14"))
        assert find_rate("DZN", "EA", own, general) == 13
        assert find_rate("DZN", "EA", (), general) == 14
        assert find_rate("DZN", "EA", ()) == 12

    def test_physics_bridges_the_ends_of_an_agreed_step(self) -> None:
        per_metre = steps(("MTR", "KGM", "2.5"))
        assert find_rate("FOT", "KGM", per_metre) == Fraction("0.3048") * Fraction("2.5")
        assert find_rate("FOT", "LBR", per_metre) == Fraction("0.762") / Fraction("0.45359237")
        assert find_rate("DZN", "KGM", steps(("EA", "KGM", "3"))) == 36

    def test_what_does_not_lead_there_is_nothing_never_one_to_one(self) -> None:
        assert find_rate("XBX", "EA", self.carton) is None

    @given(st.lists(st.sampled_from(["XCT", "XPX", "XPK", "EA", "KGM"]), min_size=2, max_size=2, unique=True))
    def test_the_order_of_rows_does_not_matter(self, pair: list[str]) -> None:
        rows = steps(
            ("XCT", "EA", "12"), ("XPX", "XCT", "40"), ("XPX", "XPK", "80"), ("XPK", "EA", "6"), ("EA", "KGM", "2")
        )
        assert find_rate(pair[0], pair[1], rows) == find_rate(pair[0], pair[1], rows[::-1])


class TestProducts:
    @pytest.mark.parametrize(
        ("quantity", "rate", "product"),
        [
            ("3", "12", "36"),
            ("-1.50", "2", "-3"),
            ("100", "1/3", "33.333333333333"),
            ("200", "1/3", "66.666666666667"),
            ("0", "12", "0"),
            ("-0", "1/7", "0"),
            ("1200", "1/12", "100"),
            ("123456789012345678901234567890", "10", "1234567890123456789012345678900"),
            ("0.1", "45359237/100000000", "0.045359237"),
            ("", "1", None),
            ("many", "1", None),
            ("NaN", "1", None),
            ("Infinity", "1", None),
            (None, "1", None),
        ],
    )
    def test_decimal_text_times_a_fraction(self, quantity: str | None, rate: str, product: str | None) -> None:
        assert times(quantity, Fraction(rate)) == product

    @given(st.decimals(-(10**12), 10**12, places=4), st.integers(1, 10**6))
    def test_a_whole_factor_there_and_back_loses_nothing(self, quantity: Decimal, factor: int) -> None:
        there = times(f"{quantity:f}", Fraction(factor))
        back = times(there, Fraction(1, factor))
        assert back is not None
        assert Decimal(back) == quantity


def tables(*, items: list[tuple[str, ...]], units: list[tuple[str, ...]]) -> MasterData:
    given = {"items": items, "units": units}
    return MasterData.of(
        {
            name: pl.DataFrame(rows, schema=dict.fromkeys(MASTER_TABLES[name], pl.String), orient="row")
            for name, rows in given.items()
        }
    )


class TestRounding:
    @pytest.mark.parametrize(
        ("rounding", "given", "rounded"),
        [
            ("up", "2.1", "3"), ("up", "-2.1", "-3"), ("down", "2.9", "2"), ("half_up", "2.5", "3"),
            ("half_even", "2.5", "2"), ("half_even:2", "2.345", "2.34"), ("UP:1", "2.31", "2.4"), ("", "2.1", "2.1"),
        ],
    )  # fmt: skip
    def test_how_a_converted_quantity_is_rounded(self, rounding: str, given: str, rounded: str) -> None:
        assert times(given, Fraction(1), rounding) == rounded

    @given(st.integers(1, 10**6), st.integers(1, 1000))
    def test_what_comes_out_whole_is_not_rounded_up(self, whole: int, factor: int) -> None:
        assert times(str(whole * factor), Fraction(1, factor), "up") == str(whole)

    @pytest.mark.parametrize("text", ["sometimes", "up:x", "up:99", "half_even:-1", ""])
    def test_what_is_no_rounding(self, text: str) -> None:
        assert rounding_of(text) is None

    def test_what_is_agreed_for_a_step_beats_what_is_agreed_for_the_item(self) -> None:
        items = pl.DataFrame(
            [("BAR", "", "EA", "active", "", "", "down")],
            schema=dict.fromkeys((*MASTER_TABLES["items"], "rounding"), pl.String), orient="row",
        )  # fmt: skip
        units = pl.DataFrame(
            [("BAR", "EA", "KGM", "0.4", "", "", "up"), ("BAR", "XCT", "EA", "2.5", "", "", "")],
            schema=dict.fromkeys((*MASTER_TABLES["units"], "rounding"), pl.String), orient="row",
        )  # fmt: skip
        master = MasterData.of({"items": items, "units": units})
        text = [pl.Series(column) for column in (["BAR"] * 3, ["1", "1", "1.5"], ["KGM", "XCT", "EA"])]
        assert master.convert(*text)[0].to_list() == ["3", "2", "1.5"]


class TestConvert:
    data = tables(
        items=[
            ("BOLT", "", "EA", "active", "", ""),
            ("CABLE", "", "KGM", "active", "", ""),
            ("PAINT", "", "LTR", "active", "", "2026-06-30"),
            ("PAINT", "", "KGM", "active", "2026-07-01", ""),
            ("ODD", "", "", "active", "", ""),
        ],
        units=[
            ("BOLT", "CT", "EA", "12", "", "2026-06-30"),  # CT: as the ERP writes XCT
            ("BOLT", "XCT", "EA", "10", "2026-07-01", ""),
            ("CABLE", "MTR", "KGM", "2.5", "", ""),
            ("CABLE", "XCT", "KGM", "0", "", ""),
            ("", "XPK", "EA", "6", "", ""),
        ],
    )

    def convert(
        self, item: str | None, quantity: str | None, unit: str | None, on: str = "2026-01-01"
    ) -> tuple[str | None, ...]:
        text = [pl.Series([value], dtype=pl.String) for value in (item, quantity, unit, on)]
        base_quantity, base_unit = self.data.convert(*text)
        return base_quantity.item(), base_unit.item()

    def test_the_same_unit_keeps_every_digit(self) -> None:
        assert self.convert("BOLT", "1.50", "EA") == ("1.50", "EA")

    def test_the_factor_that_holds_on_the_day(self) -> None:
        assert self.convert("BOLT", "3", "XCT", "2026-06-30") == ("36", "EA")
        assert self.convert("BOLT", "3", "XCT", "2026-07-01") == ("30", "EA")

    def test_the_base_unit_that_holds_on_the_day(self) -> None:
        assert self.convert("PAINT", "1", "GLL", "2026-06-30") == ("3.785411784", "LTR")
        assert self.convert("PAINT", "1", "GLL", "2026-07-01") == (None, "KGM")

    def test_a_general_factor_serves_every_item(self) -> None:
        assert self.convert("BOLT", "2", "XPK") == ("12", "EA")

    def test_a_factor_of_nothing_is_no_factor(self) -> None:
        assert self.convert("CABLE", "2", "XCT") == (None, "KGM")

    def test_no_conversion_is_null_and_says_what_was_wanted(self) -> None:
        assert self.convert("CABLE", "2", "EA") == (None, "KGM")

    @pytest.mark.parametrize("item", ["ODD", "NEW", None])
    def test_without_a_base_unit_it_is_as_sent(self, item: str | None) -> None:
        assert self.convert(item, "2.0", "XBX") == ("2.0", "XBX")

    def test_what_was_not_sent_is_not_invented(self) -> None:
        assert self.convert("BOLT", None, "XCT") == (None, "EA")
        assert self.convert("BOLT", "2", None) == (None, "EA")
        assert self.convert("NEW", "2", None) == (None, None)

    def test_a_column_keeps_its_order(self) -> None:
        quantities = pl.Series(["1", "2", "3", "4"])
        items, units = pl.Series(["BOLT", "CABLE", "BOLT", "BOLT"]), pl.Series(["XPK", "FOT", "EA", "XPK"])
        assert self.data.convert(items, quantities, units)[0].to_list() == ["6", "1.524", "3", "24"]
