"""A circuit of back-off: a system that fails again and again is left alone for longer and longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.base import State
from schemas.errors import TransientError

_KEY = "circuit"
_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=15)
_PATIENCE = 2  #: failures in a row that open no circuit yet


class _Kept(msgspec.Struct):
    failures: int
    until: datetime
    why: str = ""


class Circuit:
    """Remembers failures between runs, in the source's own state."""

    def __init__(self, state: State, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._state = state
        self._now = now

    def check(self) -> None:
        """Raises TransientError while the system is to be left alone."""
        kept = self._kept()
        if kept is not None and (wait := (kept.until - self._now()).total_seconds()) > 0:
            raise TransientError(
                f"it failed {kept.failures} times in a row and is left alone for {wait:.0f} s: {kept.why}",
                retry_after=wait,
                hint="the circuit closes again by itself",
            )

    def failed(self, error: TransientError) -> None:
        """Take note of a failure; how long the system is left alone, it says itself or the failures say."""
        kept = self._kept()
        failures = (kept.failures if kept else 0) + 1
        wait = timedelta(0)
        if error.retry_after is not None:
            wait = min(timedelta(seconds=error.retry_after), _LONGEST)
        elif failures > _PATIENCE:
            wait = min(_FIRST * 2 ** min(failures - _PATIENCE - 1, 20), _LONGEST)
        self._write(_Kept(failures, self._now() + wait, error.message))

    def worked(self) -> None:
        """It answers: all is forgotten."""
        if self._kept() is not None:
            self._state.set(_KEY, "")

    def _kept(self) -> _Kept | None:
        text = self._state.get(_KEY)
        return msgspec.json.decode(text, type=_Kept) if text else None

    def _write(self, kept: _Kept) -> None:
        self._state.set(_KEY, msgspec.json.encode(kept).decode())
