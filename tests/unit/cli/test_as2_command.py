"""`crossdock as2`: what needs somebody's attention, and an exit code for monitoring."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.as2.journal import Journal, SentMessage
from crossdock.cli import app
from tests.certificates import NOW, identity, key_pem, pem


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one AS2 outlet, its partner's certificate in ``partner.pem``."""
    us = identity("us")
    outlets = tmp_path / "outlets"
    outlets.mkdir()
    (outlets / "as2.yaml").write_text(
        "outlet: as2\ncarries: documents\nsink:\n  kind: as2\n  url: https://as2.anvilgate.example/in\n"
        "  own: {name: RAVENSMOOR, conn_id: as2}\n  partner: {name: ANVILGATE, certificates: [partner.pem]}\n"
    )
    (tmp_path / "partner.pem").write_text(pem(identity("them")))
    connection = {"conn_type": "as2", "extra": {"private_key": key_pem(us), "certificate": pem(us)}}
    for name, value in {
        "CROSSDOCK_HOME": str(tmp_path), "CROSSDOCK_OUTLETS": str(outlets),
        "CROSSDOCK_CHANNELS": str(tmp_path / "none"),
        "AIRFLOW_CONN_AS2": json.dumps(connection),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "none").mkdir()
    return tmp_path


def ask(*options: str) -> Any:
    return CliRunner().invoke(app, ["as2", *options])


def sent(name: str, **differs: Any) -> SentMessage:
    return SentMessage(
        message_id=f"<{name}@us>", partner="ANVILGATE", name=name, at=NOW - timedelta(hours=3), mic="", **differs
    )


def test_all_is_well(home: Path) -> None:
    Journal(home / "as2").write(sent("fine.edi", disposition="processed", answered_at=NOW))
    Journal(home / "as2").write(sent("unasked.edi"))
    Journal(home / "as2").write(sent("young.edi", receipt_due=NOW + timedelta(hours=1)))
    told = ask()
    assert (told.exit_code, told.output) == (0, "everything sent over AS2 is receipted, and no certificate ends soon\n")


def test_what_was_refused_or_is_late_is_named(home: Path) -> None:
    Journal(home / "as2").write(sent("refused.edi", disposition="error: decryption-failed", answered_at=NOW))
    Journal(home / "as2").write(sent("late.edi", receipt_due=NOW - timedelta(hours=2)))
    told = ask()
    assert told.exit_code == 1
    assert "refused.edi to ANVILGATE" in told.output
    assert "error: decryption-failed" in told.output
    assert "late.edi to ANVILGATE" in told.output
    assert "no receipt, due" in told.output
    listed = [json.loads(line) for line in ask("--json").output.splitlines()]
    assert sorted(row["name"] for row in listed) == ["late.edi", "refused.edi"]


def test_certificates_that_end_are_named(home: Path) -> None:
    (home / "partner.pem").write_text(pem(identity("ending", days=9)))
    told = ask()
    assert told.exit_code == 1
    assert "the AS2 certificate of ANVILGATE ends on" in told.output
    (home / "partner.pem").unlink()
    assert "partner.pem: No such file" in ask().output
