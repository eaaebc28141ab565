"""Functions that mappings may name."""

from __future__ import annotations

import pytest

from mappings.functions import FUNCTIONS, mapping_function


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("strip_leading_zeros", "0000000815", "815"),
        ("strip_leading_zeros", "000", "0"),
        ("digits_only", "PO 4711/2", "47112"),
        ("digits_only", "none", None),
        ("first_word", "PUMP-7 Rev B", "PUMP-7"),
        ("first_word", " ", None),
        ("sscc_digits", "(00) 0952 1001 1000 0002 05", "095210011000000205"),
        ("sscc_digits", "095210011000000205", "095210011000000205"),
        ("upper", "pump-7", "PUMP-7"),
    ],
)
def test_what_they_do(name: str, text: str, expected: str | None) -> None:
    assert FUNCTIONS[name](text) == expected


def test_an_sscc_has_18_digits() -> None:
    with pytest.raises(ValueError, match="18 digits"):
        FUNCTIONS["sscc_digits"]("12345")


def test_a_function_needs_words_and_a_name_of_its_own() -> None:
    def upper(text: str) -> str | None:
        """Another one."""
        return text

    def silent(text: str) -> str | None:
        return text

    for function in (upper, silent):
        with pytest.raises(ValueError, match="docstring and a name"):
            mapping_function(function)
    assert "silent" not in FUNCTIONS
