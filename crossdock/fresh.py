"""The way of what has just landed: taken in and translated in one go, so that its events stand in the feed at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.base import SOON, Ripens
from schemas.errors import CrossdockError

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from crossdock.ledger import StoreSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of everything that waited at a channel."""

    translated: tuple[StoreSummary, ...] = ()  #: of each payload, where all of them made one batch
    batches: tuple[list[int], ...] = ()  #: ids of payloads that are still to be translated
    trouble: CrossdockError | None = None  #: why not everything could be taken in

    @property
    def nothing(self) -> bool:
        return not (self.translated or self.batches)


def take_in(dock: Dock, channel: str, *, pause: Callable[[float], None] = time.sleep) -> TakenIn:
    """Receive what waits at the channel, also what a killed run left behind, and translate it if it is one batch.

    More is handed back in batches, for as many tasks. What cannot be taken in stops nothing else. Raises the errors of
    ``Dock.translate``.
    """
    trouble: CrossdockError | None = None
    try:
        _let_ripen(dock, channel, pause)
        dock.receive(channel)
    except CrossdockError as error:
        trouble = error
    batches = dock.batches(dock.ledger.waiting(channel), channel)
    if len(batches) == 1:
        return TakenIn(translated=tuple(dock.translate(batches[0])), trouble=trouble)
    return TakenIn(batches=tuple(batches), trouble=trouble)


def _let_ripen(dock: Dock, channel: str, pause: Callable[[float], None]) -> None:
    """A run that a landing started is often there before the file counts as complete."""
    with closing(dock.source(dock.channel(channel))) as source:
        seconds = source.ripe_in() if isinstance(source, Ripens) else 0.0
    if 0 < seconds <= SOON:
        pause(seconds)
