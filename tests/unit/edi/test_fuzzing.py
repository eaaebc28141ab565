"""What the fuzz run asserts holds for neighbours of sound payloads, and fails where something is wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest

from connectors.formats.edi import X12
from fuzz import invariants, mutation, seeds
from schemas.documents import DocumentEnd, DocumentStart, LineChunk
from schemas.findings import Finding

SEEDS = dict(seeds.seeds())
EDIFACT_SEEDS = dict(seeds.edifact_seeds())


def scrambled(data: bytes, most: int) -> bytes:
    chance = random.Random(data)
    some = bytearray(data)
    for _ in range(min(5, len(some))):
        some[chance.randrange(len(some))] = chance.randrange(256)
    return bytes(some[:most])


@pytest.fixture(scope="module")
def standard():
    return invariants.StandardPlans(invariants.lenient())


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_and_their_neighbours_hold(name, standard) -> None:
    payload = SEEDS[name]
    invariants.check_reading(payload, standard)
    for seed in range(6):
        payload = mutation.mutate(payload, 4096, seed, scrambled)
        invariants.check_reading(payload, standard)


@pytest.mark.parametrize("name", EDIFACT_SEEDS)
def test_seeds_of_edifact_and_their_neighbours_hold(name, standard) -> None:
    payload = EDIFACT_SEEDS[name]
    invariants.check_edifact(payload, standard)
    for seed in range(6):
        payload = mutation.mutate(payload, 4096, seed, scrambled)
        invariants.check_edifact(payload, standard)


def test_sound_seeds_hold_all_the_way_to_events() -> None:
    context = invariants.lenient()
    for kind in ("850", "856", "862", "several"):
        invariants.check_translation(SEEDS[kind], context)


def test_mutations_are_the_same_for_the_same_seed_and_stay_within_bounds() -> None:
    payload = SEEDS["856"]
    made = [mutation.mutate(payload, 900, seed, scrambled) for seed in range(50)]
    assert made == [mutation.mutate(payload, 900, seed, scrambled) for seed in range(50)]
    assert len(set(made)) > 40
    assert max(map(len, made)) <= 900
    assert mutation.cross(payload, SEEDS["850"], 500, 3) == mutation.cross(payload, SEEDS["850"], 500, 3)


def without(kind):
    return lambda items: [item for item in items if not isinstance(item, kind)]


def changed(kind, **what):
    def change(item):
        if not isinstance(item, kind):
            return item
        return msgspec.structs.replace(item, **what) if kind is Finding else replace(item, **what)

    return lambda items: [change(item) for item in items]


@pytest.mark.parametrize(
    "spoil",
    [
        without(LineChunk), without(DocumentEnd), without(DocumentStart),
        changed(DocumentEnd, lines=99), changed(DocumentEnd, offset=10**9), changed(DocumentStart, ordinal=2),
        changed(Finding, offset=10**9), changed(Finding, location=""), changed(Finding, line=77),
        lambda items: [
            LineChunk(ordinal=item.ordinal, table=item.table.with_columns(_offset=item.table["_offset"] + 1))
            if isinstance(item, LineChunk) else item
            for item in items
        ],
        lambda items: [item for item in items for _ in range(1 + isinstance(item, LineChunk))],
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_reading_is_noticed(spoil, standard) -> None:
    payload = SEEDS["850"].replace(b"PO1*1*5", b"PO1*1*x")
    items = invariants.read(X12(), payload, standard)
    invariants.check_items(items, payload, standard)
    with pytest.raises(AssertionError):
        invariants.check_items(spoil(items), payload, standard)


def test_a_difference_between_two_readings_is_noticed(standard) -> None:
    items = invariants.read(X12(), SEEDS["856"], standard)
    with pytest.raises(AssertionError):
        invariants.check_same(items, items[:-1])
    with pytest.raises(AssertionError):
        invariants.check_same(items, [*items[:2], *items[3:], items[2]])
