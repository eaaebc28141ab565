"""Runs the whole pipeline again and again, each time in a process of its own that may be killed.

Started by test_crash.py. Imports everything once and then forks, so that a run begins at once.
Each line on standard input is one run: how many seconds until SIGKILL, or ``-`` to let it be.
Each line on standard output says what became of it: ``killed``, ``done`` or ``failed``, and the
seconds it had.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from importlib import import_module

from crossdock.dock import Dock

LATER = (
    "connectors.formats.mail",
    "connectors.registry",
    "connectors.sinks.folder",
    "connectors.sources.folder",
    "crossdock.ledger",
    "crossdock.process",
    "crossdock.publish",
    "crossdock.receive",
    "mappings.library",
)


def run() -> None:
    """One whole run; never returns."""
    status = 1
    try:
        with Dock.open() as dock:
            errors = dock.run().errors
        status = 1 if errors else 0
        for error in errors:
            print(error, file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def watch(pid: int, patience: float | None) -> str:
    """Wait for the run, or kill it when its time is up."""
    if patience is not None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return "done" if status == 0 else "failed"
            time.sleep(0.0005)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else "failed"


def main() -> None:
    for name in LATER:
        import_module(name)
    for line in sys.stdin:
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            run()
        outcome = watch(pid, None if line.strip() == "-" else float(line))
        print(outcome, f"{time.monotonic() - started:.4f}", flush=True)


if __name__ == "__main__":
    main()
