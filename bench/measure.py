"""What a measurement is, and how a piece of work is timed in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure beside its peer's, from the same run.

    ``ratio`` is how many times better ours is (for a rate: value / peer_value; for a time or a
    size: peer_value / value). ``floor`` is the least ratio that is promised, or None for a figure
    that is only shown; ``limit`` is the most that ``value`` itself may be (memory).
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    floor: float | None = None
    limit: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise is kept (a figure without one always holds)."""
        above = self.floor is None or (self.ratio is not None and self.ratio >= self.floor)
        return above and (self.limit is None or self.value <= self.limit)

    def as_json(self) -> dict[str, Any]:
        """The object that stands in ``bench/latest.json``."""
        return asdict(self) | {"holds": self.holds}


#: A benchmark yields measurements as they are taken. Its key in a module's ``BENCHMARKS`` is the
#: prefix that its measurements' names share, which is what ``make bench NAME=...`` selects by.
Benchmark = Callable[[], Iterator[Measurement]]


@dataclass(frozen=True, slots=True)
class Run:
    """One child process: its result, the seconds its work took by its own clock, its peak memory in MB.

    ``cpu`` are the seconds of processor time, of all its threads: for work that waits for nothing they say the
    same on a busy machine as on an idle one.
    """

    result: Any
    seconds: float
    peak_mb: float
    grown_mb: float  #: peak beyond what the process held when its work began
    cpu: float


_CHILD = """
import importlib, inspect, json, sys, time
from crossdock.own_process import prepare_polars
prepare_polars()  # as a command and a task of ours do
module, function, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
work = getattr(importlib.import_module(module), function)
def peak():  # getrusage would tell that of whoever started us, where it is higher
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
before = peak()
if inspect.isgeneratorfunction(work):
    prepared = work(**arguments)
    next(prepared)
    def work():
        try:
            return next(prepared)
        except StopIteration as done:
            return done.value
    arguments = {}
start, begun = time.perf_counter(), time.process_time()
result = work(**arguments)
seconds, cpu = time.perf_counter() - start, time.process_time() - begun
print(json.dumps({"result": result, "seconds": seconds, "peak_mb": peak(), "grown_mb": peak() - before,
                  "cpu": cpu}))
"""


def in_child(module: str, function: str, arguments: Mapping[str, Any]) -> Run:
    """Call ``module.function(**arguments)`` in a fresh interpreter and say what it cost.

    Imports of the module are not counted, nor is what a generator function does before it first yields, and after it
    has yielded its result (or it returns that). The result is something JSON can carry.
    Raises RuntimeError with the child's own words when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, module, function, json.dumps(dict(arguments))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module}.{function} failed:\n{done.stderr}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def in_turn(rounds: int, *works: Callable[[], Run]) -> list[Run]:
    """Run the works A B A B ... and give each one's median run by time, so that drift hits all alike."""
    runs: list[list[Run]] = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, runs, strict=True):
            taken.append(work())
    chosen = []
    for taken in runs:
        middle = median(run.seconds for run in taken)
        chosen.append(min(taken, key=lambda run: abs(run.seconds - middle)))
    return chosen
