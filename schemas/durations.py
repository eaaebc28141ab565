"""Lengths of time as people write them: ``500ms``, ``30s``, ``5m``, ``2h``, ``1d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def duration(given: object) -> object:
    """Text as a timedelta; anything else as it is. Raises ValueError for text that is none."""
    if isinstance(given, str) and (match := _DURATION.fullmatch(given.strip())):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    if isinstance(given, str):
        raise ValueError("not a duration; write 500ms, 30s, 5m, 2h or 1d")
    return given


#: A length of time as people write it: ``30s``, ``5m``, ``2h``, ``1d``; a bare number is seconds.
Duration = Annotated[timedelta, BeforeValidator(duration)]
