"""A process that takes payloads in: what it lets go of, and what it keeps."""

from __future__ import annotations

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

_COLUMNS = """
import resource, sys, time
from crossdock.own_process import prepare_polars
if sys.argv[1] == "settled":
    prepare_polars()
import polars as pl
def load():
    time.sleep(0.02)
    column = pl.select(pl.int_range(200_000).cast(pl.String) + "x" * 20).to_series()
    column.str.to_uppercase()
for _ in range(3):
    load()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    load()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_was_let_go_of_is_not_had_from_the_system_anew() -> None:
    pages = (4 << 20) // 4096
    assert _faults("as it begins") > 40 * pages
    assert _faults("settled") < 5 * pages


def test_columns_are_made_where_earlier_ones_were() -> None:
    assert _faults("settled", _COLUMNS) < _faults("as it begins", _COLUMNS) / 2


def _faults(how: str, code: str = _CHILD) -> int:
    """Pages that fifty texts of 4 MB (or what ``code`` makes), each let go of before the next one, cost a process."""
    done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True)
    return int(done.stdout)
