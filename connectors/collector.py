"""The cyclic collector, left out where it could free nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """While rows are made, lists and tuples of text: they are part of no cycle and soon gone, but the collector would
    come for every 700 of them and take as long as making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
