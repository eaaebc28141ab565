"""The file of rules: read strictly, every fault at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.visibility import load_rules
from crossdock.visibility.rules import SHIPPED
from schemas.errors import ConfigError


def problems(tmp_path: Path, *changes: tuple[str, str]) -> tuple[str, ...]:
    text = SHIPPED.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "visibility.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        load_rules(path)
    return told.value.problems


def test_the_shipped_rules_are_sound() -> None:
    rules = load_rules()
    assert set(rules.tiers) == {"strategic", "preferred", "transactional"}


def test_words_that_name_nothing_are_told_all_at_once(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        ("hides: [price, currency]", "hides: [prize, currency]"),
        ("fields: [fabrication_authorized,", "fields: [fabrication,"),
        ("kinds: [ordered, changed, cancelled, confirmed], shows", "kinds: [orderd], shows"),
    )
    assert len(told) == 3
    assert "audiences.planner.demand.hides.0: unknown hide 'prize'; did you mean 'price'?" in told[0]
    assert all(one.partition(":")[2].partition(":")[0].isdigit() for one in told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  quality: ", "  qualty: ", "did you mean 'quality'?"),
        ("  transactional: ", "  basic: ", "transactional is missing"),
        ("hides: [price, currency]", "hides: [due_at]", "it stands in the subject"),
        ("hides: [price, currency]", "hides: [price], shows: [note]", "either what it shows or what it hides"),
        ("confirmed, called_off], shows", "confirmed, forecast], shows", "forecast: shown one by one and added up"),
        ("by: month", "by: day", "week"),
        ("horizon: 183d", "horizon: 0d", "greater than"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert any(told in problem for problem in problems(tmp_path, (old, new)))
