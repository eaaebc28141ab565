"""Counting keys that stand in a document more than once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mappings.occurrences import Occurrences, key_hashes


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=12))
def test_numbers_are_those_of_counting(chunks: list[list[int]]) -> None:
    occurrences, counter = Occurrences(), Counter[int]()
    for chunk in chunks:
        numbers = occurrences.numbers(key_hashes("shipment", map(str, chunk)))
        for position, value in enumerate(chunk):
            counter[value] += 1
            assert numbers.get(position, 1) == counter[value]


def test_a_key_depends_on_its_stream() -> None:
    (demand,), (shipment,) = key_hashes("demand", ["a"]), key_hashes("shipment", ["a"])
    assert demand != shipment
    assert len(demand) == 20


def test_many_keys_are_remembered_in_few_runs() -> None:
    occurrences = Occurrences()
    for start in range(0, 200_000, 2_000):
        assert occurrences.numbers(key_hashes("shipment", map(str, range(start, start + 2_000)))) == {}
    assert occurrences.numbers(key_hashes("shipment", ["5", "5"])) == {0: 2, 1: 3}
    assert len(occurrences._runs) <= 12
