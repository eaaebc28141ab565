"""How a process of our own is set up; a program that uses our packages as a library does this as it likes."""

from __future__ import annotations

import ctypes
import gc
import os
from functools import cache
from typing import Final


def prepare_polars() -> None:
    """To be called before polars is imported, which reads these once from the environment, where nobody has set them.

    Handing work to its pool of threads takes polars some 70 microseconds each time, longer than most of our work
    on a few thousand rows. What more processors can do, more processes do: Airflow starts them. On the way of the data
    ``select_seq`` and ``with_columns_seq`` stand for ``select`` and ``with_columns``: they work in the calling thread.

    Its allocator (jemalloc) keeps what columns let go of for ten seconds: a load needs as many pages as the one before,
    and the system takes two microseconds for each that it gets anew, 7,700 of them for 50,000 lines translated. Two
    threads of ours hardly ever want memory at once: they share one pool of it (arena), and hold nine megabytes less.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:10000,muzzy_decay_ms:10000")


@cache
def settle_in() -> None:
    """To be called when a process begins to take payloads in.

    What is there by then (modules, grammars, mappings) stays, and the collector need not look through it again, a tenth
    of a second each time; nor need it come for every 700 objects, most of which are rows that are gone soon. Memory
    that is let go of stays with the process.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    _keep_memory()


_YOUNG: Final = 50_000  #: new objects for which the collector comes

_TRIM_THRESHOLD: Final = -1  # of malloc.h
_MMAP_THRESHOLD: Final = -3
_LARGE = 32 << 20  #: bytes that are given back at once, as nothing of ours is; the most that glibc takes
_SPARE = 64 << 20  #: bytes at the end of the heap beyond which they are given back


def _keep_memory() -> None:
    """glibc gets what is larger than 128 KB from the system each time, and gives it back: columns that are handed to
    SQLite and blocks of files cost more to be had than to be filled, a quarter of all pages that a payload touches.

    Other C libraries have no such setting.
    """
    if setting := getattr(ctypes.CDLL(None), "mallopt", None):
        setting(_MMAP_THRESHOLD, _LARGE)
        setting(_TRIM_THRESHOLD, _SPARE)
