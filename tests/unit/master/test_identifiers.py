"""Keys that others give out: a wrong check digit is told, and told apart from an unknown key."""

from __future__ import annotations

import polars as pl
import pytest
from biip.gln import Gln
from biip.gtin import Gtin
from biip.sscc import Sscc
from hypothesis import given
from hypothesis import strategies as st

from mappings.identifiers import (
    DIGITS,
    KINDS,
    countries,
    currencies,
    fault_of,
    faulty,
    right_digit,
    wrong_check_digits,
)

KEYS = [(kind, length) for kind, lengths in DIGITS.items() for length in lengths]
PARSED = {"gtin": Gtin, "gln": Gln, "sscc": Sscc}


@pytest.mark.parametrize(("kind", "length"), KEYS)
@given(data=st.data())
def test_any_digit_but_one_is_wrong_and_the_right_one_is_named(kind: str, length: int, data: st.DataObject) -> None:
    body = data.draw(st.text("0123456789", min_size=length - 1, max_size=length - 1))
    right = right_digit(f"{body}0")
    keys = [f"{body}{digit}" for digit in range(10)]
    wrong = wrong_check_digits(kind, pl.Series(keys), (length,))
    assert [key for key, is_wrong in zip(keys, wrong, strict=True) if not is_wrong] == [body + right]
    for key in keys:
        said = fault_of(kind, key)
        assert said == "" if key[-1] == right else said.endswith(f"call for {right}")


@pytest.mark.parametrize(("kind", "length"), KEYS)
@given(digits=st.text("0123456789", min_size=17, max_size=17))
def test_the_library_parses_what_we_find_right(kind: str, length: int, digits: str) -> None:
    body = "952" + digits[: length - 4]
    key = body + right_digit(f"{body}0")
    assert PARSED[kind].parse(key).value == key


@given(st.text(max_size=20))
def test_nothing_of_another_form_has_a_wrong_check_digit(text: str) -> None:
    for kind in DIGITS:
        if not (text.isascii() and text.isdigit() and len(text) in DIGITS[kind]):
            assert wrong_check_digits(kind, pl.Series([text, None])).to_list() == [False, False]
            assert "digits" in fault_of(kind, text)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("duns", "123456789", ""),
        ("duns", "12-345-6789", ""),
        ("duns", "12345678", "nine digits"),
        ("vat", "DE136695976", ""),
        ("vat", "DE136695975", "check digits"),
        ("vat", "DE13669597", "no VAT number of DE"),
        ("vat", "GB980780684", ""),
        ("vat", "GB980780685", "check digits"),
        ("vat", "US123", ""),
        ("vat", "ZZ123", "begins with its country"),
        ("currency", "EUR", ""),
        ("currency", "DEM", "no currency"),
        ("currency", "eur", "no currency"),
        ("country", "GB", ""),
        ("country", "UK", "no country"),
        ("country", "EU", "no country"),
        ("incoterm", "DPU Gullhaven", ""),
        ("incoterm", "DPU Gullhaven Incoterms 2020", ""),
        ("incoterm", "DPU Gullhaven Incoterms 2010", "not among the Incoterms 2010"),
        ("incoterm", "DAT", ""),
        ("incoterm", "DAT Hull 2020", "not among"),
        ("incoterm", "ABC", "none of the Incoterms"),
    ],
)
def test_what_is_said_of_a_code(kind: str, value: str, said: str) -> None:
    told = fault_of(kind, value)
    assert bool(told) == bool(said)
    assert said in told


def test_the_lists_are_whole() -> None:
    assert len(countries()) == 249
    assert {"EUR", "USD", "JPY", "XAU"} <= currencies()
    assert set(KINDS) == {*DIGITS, "duns", "vat", "currency", "country", "incoterm"}


@pytest.mark.parametrize("kind", ["gtin", "gln", "sscc", "country"])
@given(bodies=st.lists(st.text("0123456789A ", max_size=19), max_size=8))
def test_a_column_has_the_faults_that_its_values_have_one_by_one(kind: str, bodies: list[str]) -> None:
    keys = [*bodies, *(body + right_digit(f"{body}0") for body in bodies if body.isdigit()), "4006381333931", "DE", ""]
    assert sorted(faulty(kind, pl.Series([*keys, None]))) == sorted(
        {key for key in keys if key and fault_of(kind, key)}
    )
