"""``crossdock respond`` and ``crossdock answers``: what people see of acknowledgments."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange

if TYPE_CHECKING:
    from conftest import Installation

OUTBOX = "outlet: edi-outbox\ncarries: documents\nsink: {kind: folder, path: outbox}\n"


@pytest.fixture
def answering(installation: Installation) -> Installation:
    """An installation that has read one 856 whose sender is promised a 997."""
    partner = installation.home / "partners" / "acme.yaml"
    partner.write_text(f"{partner.read_text()}acknowledge: {{functional: 997}}\n")
    (installation.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=1, written_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    rows = [("BSN", "00", "S1", "20260301", "1200"), ("HL", "1", "", "S"), ("CTT", "1")]
    group = Group(
        code="SH", sender="ACMEINC", receiver="US", control_number=4711, release="004010", sets=[("856", "0001", rows)]
    )
    installation.drop("1.edi", b"".join(write_interchange(envelope, [group])))
    return installation


def test_a_run_says_what_was_answered_and_the_answer_is_listed(answering: Installation) -> None:
    done = answering.run("run")
    assert done.exit_code == 0, done.output
    assert "997: 1 sent" in done.stdout
    assert [path.name for path in (answering.home / "outbox").iterdir()] == ["ACME-997-000000001.edi"]
    listed = answering.run("answers").stdout
    assert "ACME-997-000000001.edi" in listed
    assert "SH 4711" in listed
    [row] = [json.loads(line) for line in answering.run("answers", "--json").stdout.splitlines()]
    assert (row["kind"], row["partner"], row["transmission"]) == ("997", "ACME", "sent")
    assert "Answers to partners" in answering.run("status").stdout


def test_nothing_owed_is_said(installation: Installation) -> None:
    assert installation.run("respond").stdout.strip() == "nothing to answer"
    assert installation.run("answers").stdout.strip() == "no answer was ever owed"
    assert installation.run("answers", "--status", "refused").stdout.strip() == "no answer is refused"


def test_an_outlet_that_cannot_carry_it_keeps_the_answer_waiting(answering: Installation) -> None:
    outlet = answering.home / "outlets" / "edi-outbox.yaml"
    outlet.write_text(OUTBOX.replace("carries: documents\n", ""))
    refused = answering.run("run")
    assert refused.exit_code == 2
    assert "outlet edi-outbox carries no documents" in refused.output
    assert "made, not sent" in answering.run("answers").stdout
    outlet.write_text(OUTBOX)
    again = answering.run("respond")
    assert (again.exit_code, again.stdout.strip()) == (0, "997: 1 sent")
