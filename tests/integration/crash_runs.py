"""Runs the whole pipeline again and again, each time in a process of its own that may be killed.

Started by test_crash.py. Imports everything once and then forks, so that a run begins at once.
Each line on standard input is one run: ``<phase> <seconds>`` has it killed that long after it
entered the phase (receive, translate or publish), ``-`` lets it be. Each line on standard output
says what became of it: ``killed``, ``done`` or ``failed``.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

from crossdock.dock import Dock

PHASES = ("receive", "translate", "publish")
#: What the dock imports when it first needs it.
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


def pipeline(enter: Callable[[str], object]) -> None:
    """One run, phase by phase, as the DAGs' tasks do it."""
    with Dock.open() as dock:
        dock.context()
        enter("receive")
        dock.receive("inbox")
        enter("translate")
        for batch in dock.batches(dock.ledger.waiting("inbox"), "inbox"):
            dock.translate(batch)
        enter("publish")
        dock.publish()


def run(pipe: int) -> None:
    """The child: tells the phases it enters through ``pipe``; never returns."""
    status = 1
    try:
        pipeline(lambda phase: os.write(pipe, phase[:1].encode()))
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def kill(pid: int, pipe: int, phase: str, patience: float) -> None:
    """SIGKILL, ``patience`` seconds after the child has entered ``phase``; too late if it is done by then."""
    while (told := os.read(pipe, 1)) and told.decode() != phase[:1]:
        pass
    deadline = time.monotonic() + patience
    while (rest := deadline - time.monotonic()) > 0:
        if select.select([pipe], [], [], rest)[0] and not os.read(pipe, 1):
            return
    os.kill(pid, signal.SIGKILL)


def main() -> None:
    for name in LATER:
        import_module(name)
    for line in sys.stdin:
        phase, _, patience = line.strip().partition(" ")
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(readable)
            run(writable)
        os.close(writable)
        if phase in PHASES:
            kill(pid, readable, phase, float(patience))
        _, status = os.waitpid(pid, 0)
        os.close(readable)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else "done" if status == 0 else "failed", flush=True)


if __name__ == "__main__":
    main()
