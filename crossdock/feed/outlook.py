"""What goes short first, of everything: the outlook of each place is reckoned where it holds no longer, a little at a
time, by whoever asks and by ``crossdock serve`` meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from crossdock.feed.service import Service
from crossdock.feed.supply import outlook
from crossdock.visibility import Audience, Viewer

_TOGETHER = 50  #: places between two looks at the clock
_SLICE, _BREATH = 0.05, 0.2  #: seconds of work, and between two such slices
_SEEN = Viewer(audience=Audience.INTEGRATION, name="crossdock")


def reckon(service: Service, *, seconds: float) -> bool:
    """Reckon what holds no longer, as far as ``seconds`` allow; whether nothing was left.

    Outlooks are those of who sees everything: to be shown to nobody else but who ``sees_all_supply``.
    """
    deadline = time.monotonic() + seconds
    ledger, today = service.ledger, service.now().date()
    ledger.spans.follow(seconds=seconds)
    ledger.outlooks.follow(seconds=seconds)
    view = service.visibility.view(_SEEN)
    while due := ledger.outlooks.due(today, limit=_TOGETHER):
        ledger.outlooks.keep([outlook(view, one, today=today) for one in due])
        if time.monotonic() >= deadline:
            return len(due) < _TOGETHER
    return True


def reckon_on(service: Service, wait: Callable[[float], bool], *, every: float = 30.0) -> None:
    """Go on reckoning until ``wait`` (seconds) says so; in slices, so that pages are answered between them."""
    while True:
        done = reckon(service, seconds=_SLICE)
        if wait(every if done else _BREATH):
            return
