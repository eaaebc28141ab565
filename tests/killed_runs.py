"""Runs of a channel that are killed, by SIGKILL, and what stands in the feed after them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from crossdock.dock import Dock

PHASES = ("receive", "translate", "publish")


class KilledRuns:
    """An installation with master data and one channel, and the process that forks its runs: see crash_runs.py."""

    def __init__(self, known: Any, channel: str, erp: str) -> None:
        (known.home / "channels" / "inbox.yaml").write_text(channel)
        self.known = known
        environment = {name: text for name, text in os.environ.items() if not name.startswith("CROSSDOCK_")}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "integration" / "crash_runs.py")],
            env=environment | known.environment | {"AIRFLOW_CONN_ERP": erp, "POLARS_MAX_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, phase: str = "-", patience: float = 0) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{phase} {patience}\n")
        self.process.stdin.flush()
        outcome = self.process.stdout.readline().strip()
        assert outcome in ("done", "killed"), "the run failed by itself"
        return outcome

    def state(self) -> dict[str, tuple[str, str]]:
        """What stands of each order line, and that no event is there twice."""
        with Dock.open(self.known.settings) as dock:
            events = dock.ledger.events(after=0, limit=100_000)
        assert len({event.id for event in events}) == len(events)
        return {
            event.subject: (event.kind, event.data.partition('"quantity":"')[2].partition('"')[0]) for event in events
        }

    def stop(self) -> None:
        self.process.communicate(timeout=30)
