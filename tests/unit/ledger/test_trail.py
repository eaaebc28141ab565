"""The audit trail, and how any tampering with it shows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.acting import acting_as, from_process
from crossdock.ledger import Ledger

COLUMNS = ("at", "actor", "action", "subject", "reason", "detail", "previous", "hash")


def faults(ledger: Ledger) -> list[tuple[int, str]]:
    return [(one.entry, one.fault) for one in ledger.trail.broken()]


def test_every_change_of_state_is_an_entry_with_time_actor_and_reason(ledger: Ledger, workshop: Any) -> None:
    with acting_as("person anna"):
        payload = workshop.store(
            ledger, workshop.Paper([workshop.Fact("S", "1")], parked=[(2, "item.unknown")], findings=[])
        )
        bad = workshop.payload(ledger)
        ledger.quarantine(bad.id, [workshop.finding()])
        ledger.requeue([bad.id])
        ledger.give_back([line["id"] for line in ledger.parked()], "too late")

    told = [(one["action"], one["subject"], one["reason"]) for one in reversed(ledger.trail.entries())]
    assert told == [
        ("payload.received", f"payload {payload.id}", ""),
        ("payload.translated", f"payload {payload.id}", ""),
        ("payload.received", f"payload {bad.id}", ""),
        ("payload.quarantined", f"payload {bad.id}", "item.unknown here"),
        ("payload.requeued", f"payload {bad.id}", ""),
        ("line.rejected", "document 1", "too late"),
    ]
    assert {one["actor"] for one in ledger.trail.entries()} == {"person anna"}
    assert faults(ledger) == []
    assert ledger.trail.head()[0] == 6


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(1, 6), st.sampled_from([*COLUMNS, "row", "later"]))
def test_tampering_with_any_entry_is_found(tmp_path: Path, entry: int, what: str) -> None:
    file = tmp_path / "ledger.db"
    file.unlink(missing_ok=True)
    with Ledger.open(f"sqlite:///{file}") as ledger:
        for number in range(6):
            ledger.trail.note("test", f"thing {number}", reason="because", detail={"n": number})
        assert faults(ledger) == []

        with closing(sqlite3.connect(file)) as connection, connection:
            if what == "row":
                connection.execute(f"DELETE FROM audit WHERE id = {entry}")
            elif what == "later":
                connection.execute(f"DELETE FROM audit WHERE id >= {entry}")
            else:
                value = "'2020-01-01T00:00:00.000000Z'" if what == "at" else "'forged'"
                connection.execute(f"UPDATE audit SET {what} = {value} WHERE id = {entry}")
        assert faults(ledger) != []


def test_pruning_spares_what_waits_is_young_or_on_hold(ledger: Ledger, workshop: Any) -> None:
    done, waiting = (
        workshop.store(ledger, workshop.Paper([workshop.Fact(name, "1")], parked=parked))
        for name, parked in (("A", ()), ("B", [(2, "item.unknown")]))
    )
    unread = workshop.payload(ledger)
    removed: list[str] = []
    young = datetime(2020, 1, 1, tzinfo=UTC)
    assert ledger.trail.prune_raw(young, removed.append) == 0

    old = datetime.now(UTC) + timedelta(days=1)
    ledger.trail.hold("ACME", "case 4711")
    assert [one["reason"] for one in ledger.trail.holds()] == ["case 4711"]
    assert ledger.trail.prune_raw(old, removed.append) == 0
    assert ledger.trail.lift("ACME", "settled")
    assert ledger.trail.prune_raw(old, removed.append) == 1
    assert removed == [done.sha256]
    assert {sha256: kept for sha256, _, kept in ledger.trail.archived()} == {
        done.sha256: False,
        waiting.sha256: True,
        unread.sha256: True,
    }
    assert ledger.trail.prune_raw(old, removed.append) == 0
    ledger.trail.compact()


@pytest.mark.parametrize(
    ("environment", "arguments", "told"),
    [
        (
            {"AIRFLOW_CTX_DAG_ID": "inbound_edi", "AIRFLOW_CTX_DAG_RUN_ID": "manual__1"},
            ["airflow"],
            "dag inbound_edi run manual__1",
        ),
        ({"USER": "root", "SUDO_USER": "anna"}, ["/bin/crossdock", "--debug", "fix"], "command crossdock fix by anna"),
        ({"LOGNAME": "bo"}, [], "command python by bo"),
    ],
)
def test_who_acts_is_taken_from_the_process(environment: dict[str, str], arguments: list[str], told: str) -> None:
    assert from_process(environment, arguments) == told
