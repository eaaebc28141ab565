"""Batches that are wildly different from what a partner usually sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.usefixtures("under_frames")

if TYPE_CHECKING:
    from conftest import Installation

HEADER = "Item,Site,On hand,Unit,As of\n"


def sheet(day: int, *quantities: int) -> str:
    items = ("P-100", "P-200")
    return HEADER + "".join(f"{items[n % 2]},N1,{q},EA,2026-03-{day:02}\n" for n, q in enumerate(quantities))


def held(known: Installation) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in known.run("findings", "--severity", "error", "--json").stdout.splitlines()]
    return [row for row in rows if row["code"].startswith("batch.")]


@pytest.fixture
def usual(known: Installation) -> Installation:
    """ACME sends a stock list of two lines a day; what is wildly different is held."""
    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + "batches: {fewer: 60, times: 10}\n")
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    for day in range(1, 7):
        known.drop(f"stock-{day}.csv", sheet(day, 100 + day, 40 + day))
        done = known.run("run")
        assert done.exit_code == 0, done.output
    assert held(known) == []
    return known


def events(known: Installation) -> int:
    return len(known.run("events", "--jsonl").stdout.splitlines())


@pytest.mark.parametrize(
    ("quantities", "code", "value"),
    [((5000, 4000), "batch.unusual_quantity", "4500"), ((100,), "batch.unusual_lines", "1")],
)
def test_a_wildly_different_batch_is_held_with_the_comparison_until_a_person_has_looked(
    usual: Installation, quantities: tuple[int, ...], code: str, value: str
) -> None:
    before = events(usual)
    usual.drop("stock-7.csv", sheet(7, *quantities))
    usual.run("run")

    (finding,) = held(usual)
    assert (finding["code"], finding["value"], finding["payload_status"]) == (code, value, "quarantined")
    assert "as in the last 30 days" in finding["expected"]
    assert events(usual) == before

    assert usual.run("confirm", "1", "--reason", "no").exit_code == 2
    done = usual.run("confirm", str(finding["payload"]), "--reason", "inventory taken")
    assert done.exit_code == 0, done.output
    assert events(usual) == before + len(quantities)
    trail = usual.run("audit", "--action", "batch", "--json").stdout
    assert "inventory taken" in trail


def test_what_is_like_the_usual_goes_through(usual: Installation) -> None:
    before = events(usual)
    usual.drop("stock-7.csv", sheet(7, 300, 10))
    usual.run("run")
    assert events(usual) == before + 2
