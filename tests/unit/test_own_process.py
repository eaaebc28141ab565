"""A process that takes payloads in: what it lets go of, and what it keeps."""

from __future__ import annotations

import os
import subprocess
import sys

_CHILD = """
import resource, sys
from crossdock.own_process import settle_in
if sys.argv[1] == "settled":
    settle_in()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for size in range(50):
    b"." * ((4 << 20) + size * 4096)
print(faults() - before)
"""

_ALLOCATOR = """
import os
from crossdock.own_process import prepare_polars
prepare_polars()
os.environ["_RJEM_MALLOC_CONF"] += ",confirm_conf:true"
import polars as pl
pl.Series([1])
"""


def test_memory_that_was_let_go_of_is_not_had_from_the_system_anew() -> None:
    pages = (4 << 20) // 4096
    assert _faults("as it begins") > 40 * pages
    assert _faults("settled") < 5 * pages


def test_the_allocator_of_polars_keeps_pages_for_ten_seconds_in_one_arena() -> None:
    # polars hands down what it has set in this very process
    untold = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    done = subprocess.run([sys.executable, "-c", _ALLOCATOR], capture_output=True, text=True, check=True, env=untold)
    told = [line.rpartition(": ")[2] for line in done.stderr.splitlines() if "Set conf value" in line]
    last = dict(one.split(":") for one in told)  # what polars sets itself comes before
    assert (last["dirty_decay_ms"], last["muzzy_decay_ms"], last["narenas"]) == ("10000", "10000", "1")


def _faults(how: str) -> int:
    """Pages that fifty texts of 4 MB, each let go of before the next one, cost a process of its own."""
    done = subprocess.run([sys.executable, "-c", _CHILD, how], capture_output=True, text=True, check=True)
    return int(done.stdout)
