"""How a process of our own is set up; a program that uses our packages as a library does this as it likes."""

from __future__ import annotations

import gc
import os
from functools import cache


def one_thread_for_columns() -> None:
    """To be called before polars is imported, which reads this once: ``POLARS_MAX_THREADS``, where nobody has set it.

    Handing work to its pool of threads takes polars some 70 microseconds each time, longer than most of our work
    on a few thousand rows. What more processors can do, more processes do: Airflow starts them.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")


@cache
def keep_what_is_loaded() -> None:
    """To be called when a process begins its work: what is there by then (modules, grammars, mappings) stays, and the
    collector need not look through it again, a tenth of a second each time."""
    gc.freeze()
