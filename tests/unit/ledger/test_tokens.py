"""Tokens: shown once, kept as a hash, good until they expire or are revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crossdock.ledger import Ledger
from crossdock.ledger.tables import tokens

NOW = datetime.now(UTC)


@pytest.fixture
def new(ledger: Ledger) -> Any:
    def make(**differs: Any) -> str:
        given = {
            "name": "hub",
            "audience": "planner",
            "expires_at": NOW + timedelta(days=1),
            "per_minute": 60,
            "by": "me",
        }
        return ledger.tokens.new(**{**given, **differs})

    return make


def test_a_token_says_who_shows_it(ledger: Ledger, new: Any) -> None:
    token = ledger.tokens.check(new(audience="supplier", partner="ACME"), NOW)
    assert token is not None
    assert (token.name, token.audience, token.partner, token.per_minute) == ("hub", "supplier", "ACME", 60)


def test_the_secret_is_not_in_the_database(ledger: Ledger, new: Any) -> None:
    secret = new().split("_", 2)[2]
    with ledger._database.read() as connection:
        rows = repr(connection.execute(sa.select(tokens)).all()) + repr(ledger.tokens.all())
    assert secret not in rows
    assert "hash" not in ledger.tokens.all()[0]


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t + "x", str.upper])
def test_another_secret_opens_nothing(ledger: Ledger, new: Any, change: Any) -> None:
    assert ledger.tokens.check(change(new()), NOW) is None
    for shown in ("", "cd_", "cd_000000000000_" + "A" * 43, "x" * 500):
        assert ledger.tokens.check(shown, NOW) is None


def test_it_ends(ledger: Ledger, new: Any) -> None:
    shown = new(expires_at=NOW + timedelta(minutes=1))
    assert ledger.tokens.check(shown, NOW + timedelta(seconds=59)) is not None
    assert ledger.tokens.check(shown, NOW + timedelta(minutes=1)) is None


def test_revoked_by_id_or_by_name(ledger: Ledger, new: Any) -> None:
    one, other, third = new(), new(), new(name="else")
    assert ledger.tokens.revoke([one.split("_")[1]]) == [one.split("_")[1]]
    assert ledger.tokens.check(one, NOW) is None
    assert ledger.tokens.check(other, NOW) is not None
    assert len(ledger.tokens.revoke(["hub", "nobody"])) == 1
    assert ledger.tokens.check(other, NOW) is None
    assert ledger.tokens.check(third, NOW) is not None


def test_when_it_was_last_used_is_known_to_five_minutes(ledger: Ledger, new: Any) -> None:
    shown = new()
    for minutes, known in ((0, 0), (4, 0), (6, 6)):
        ledger.tokens.check(shown, NOW + timedelta(minutes=minutes))
        assert ledger.tokens.all()[0]["used_at"] == NOW + timedelta(minutes=known)
