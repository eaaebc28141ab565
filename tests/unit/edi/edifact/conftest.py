"""Short ways to write and read EDIFACT."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from connectors.formats.edi.edifact import Edifact

SHARED = Path(__file__).resolve().parents[5] / "shared"
collect_ignore = [] if SHARED.is_dir() else ["test_corpus.py", "test_facts.py"]


@pytest.fixture(scope="session")
def read_edifact(read) -> Callable:
    """``read``, of EDIFACT."""
    return partial(read, of=Edifact)


@pytest.fixture(scope="session")
def wrap_message() -> Callable[..., bytes]:
    """``wrap_message("DESADV", "BGM+351+1+9", ...)``: these segments as one message of a faultless interchange."""

    def make(
        message: str, *segments: str, release: str = "96A", syntax: str = "UNOC:3", advice: str = "", end: str = "'\n"
    ) -> bytes:
        rows = [
            f"UNB+{syntax}+5412345000013:14+4012345500004:14+261122:0100+1",
            f"UNH+1+{message}:D:{release}:UN",
            *segments,
            f"UNT+{len(segments) + 2}+1",
            "UNZ+1+1",
        ]
        return (advice + "".join(row + end for row in rows)).encode()

    return make
