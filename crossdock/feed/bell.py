"""The bell that wakes who follows the feed live: one thread listens to the ledger for all of them."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from crossdock.ledger import Ledger
from schemas.errors import CrossdockError

_ROUND = 2.0  #: seconds without news after which the thread looks whether anybody still waits
_APART = 0.1  #: seconds between two strokes: who follows looks no more often than that


class Bell:
    """``struck`` counts the strokes. The thread starts with the first who waits, and ends when nobody does."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._listens = False
        self.struck = 0

    async def wait(self, struck: int, seconds: float) -> None:
        """Until the feed may have grown since the bell had been ``struck`` so often, or for so many seconds."""
        event = asyncio.Event()
        with self._lock:
            if self.struck != struck:
                return
            self._waiting[event] = asyncio.get_running_loop()
            if not self._listens:
                self._listens = True
                threading.Thread(target=self._listen, name="listening for the feed", daemon=True).start()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)
        finally:
            with self._lock:
                self._waiting.pop(event, None)

    def _listen(self) -> None:
        wanted = True
        while wanted:
            try:
                with self._ledger.listening() as wait:
                    position = -1  # the first stroke comes at once: nobody listened before
                    while wanted:
                        if wait(position, _ROUND):
                            position = self._ledger.spans.newest()
                            self._strike()
                            time.sleep(_APART)
                        else:
                            wanted = self._is_wanted()
            except CrossdockError:  # who follows finds out when it looks
                self._strike()
                time.sleep(_ROUND)
                wanted = self._is_wanted()

    def _is_wanted(self) -> bool:
        with self._lock:
            self._listens = bool(self._waiting)
            return self._listens

    def _strike(self) -> None:
        with self._lock:
            self.struck += 1
            for event, loop in self._waiting.items():
                with suppress(RuntimeError):  # the loop is closed, and nobody waits in it
                    loop.call_soon_threadsafe(event.set)
