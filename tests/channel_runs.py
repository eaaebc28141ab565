"""Runs of an installation against an ERP of the test's own."""

from __future__ import annotations

import json
from typing import Any

from connectors.connections import Connection
from crossdock.dock import Dock
from crossdock.settings import Settings


def new_events(settings: Settings, connection: Connection, channel: str | None = None) -> list[dict[str, Any]]:
    """The CloudEvents that are new after one run of the channel, or of all; every connection leads to the ERP."""
    with Dock.open(settings, connections=lambda _: connection) as dock:
        before = len(dock.ledger.events(after=0, limit=100_000))
        done = dock.run(channel)
        assert not done.errors, done.errors
        return [json.loads(event.cloud_event()) for event in dock.ledger.events(after=before, limit=100_000)]


def sound_events(settings: Settings, connection: Connection) -> list[dict[str, Any]]:
    """The same of all channels, when nothing by then was worth more than a remark."""
    events = new_events(settings, connection)
    assert not [row for row in findings(settings) if row["severity"] != "info"]
    return events


def findings(settings: Settings, code: str = "") -> list[dict[str, Any]]:
    """The findings of codes that begin so."""
    with Dock.open(settings) as dock:
        return [one for one in dock.ledger.findings(limit=1000) if one["code"].startswith(code)]
