"""The trigger behind the asset ``crossdock_landed_<channel>``: it fires when something lands at the channel.

Channels of one kind share one watch in the triggerer: one inotify for all folders, one loop over all mailboxes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Hashable, Mapping
from functools import partial
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from connectors.channel import Channel, load_channels
from connectors.landings import is_watched, landings, may_wait
from crossdock import word
from crossdock.airflow.connection import connection
from crossdock.settings import Settings
from schemas.errors import CrossdockError


class Landing(BaseEventTrigger):
    """Fires for each landing at ``channel``, whose source is of that ``kind``; what landed the run finds out.

    The watch of a kind may run while a channel's own trigger does not (its DAG is paused, or was switched on a moment
    ago): what landed meanwhile nobody heard. So it fires, too, when it begins and something may wait there.
    """

    def __init__(self, channel: str, kind: str) -> None:
        super().__init__()
        self.channel = channel
        self.kind = kind

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__name__}", {"channel": self.channel, "kind": self.kind}

    def shared_stream_key(self) -> Hashable:
        return "crossdock", self.kind

    @classmethod
    def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[str]:
        """Names of channels of the kind at which something landed."""
        return landed(kwargs["kind"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[str]) -> AsyncIterator[TriggerEvent]:
        if await asyncio.to_thread(waits, self.kind, self.channel):
            yield TriggerEvent({"channel": self.channel})
        async for channel in shared_stream:
            if channel == self.channel:
                yield TriggerEvent({"channel": channel})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """By itself, where streams are not shared."""
        async for channel in landed(self.kind):
            if channel == self.channel:
                yield TriggerEvent({"channel": channel})


def landed(kind: str) -> AsyncIterator[str]:
    """What lands at this installation's channels of a kind; of kind ``word``, that word was left."""
    settings = Settings.from_environment()
    configured = partial(_configured, kind, settings)
    if kind == WORD:  # it stays where it is
        return landings("folder", configured, home=settings.home, connections=connection, again=math.inf)
    return landings(kind, configured, home=settings.home, connections=connection)


def waits(kind: str, channel: str) -> bool:
    """Whether something may wait at the channel."""
    settings = Settings.from_environment()
    try:
        found = _configured(kind, settings).get(channel)
        return found is not None and may_wait(found, home=settings.home)
    except CrossdockError:  # the watch says so
        return False


def _configured(kind: str, settings: Settings) -> Mapping[str, Channel]:
    if kind == WORD:
        return {kind: _WORD}
    channels = load_channels(settings.channels)
    return {name: one for name, one in channels.items() if is_watched(one) and one.source["kind"] == kind}


WORD = "word"  #: the kind of a watch for word that was left (``crossdock.word``)
_WORD = Channel(
    channel=WORD,
    source={"kind": "folder", "path": str(word.PLACE.parent), "pattern": word.PLACE.name},
)
