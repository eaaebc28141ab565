"""The trigger behind the asset ``crossdock_landed_<channel>``: it fires when something lands at the channel.

Channels of one kind share one watch in the triggerer: one inotify for all folders, one loop over all mailboxes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from connectors.channel import Channel, load_channels
from connectors.landings import is_watched, landings
from crossdock import word
from crossdock.airflow.connection import connection
from crossdock.settings import Settings

#: Kinds and channels of which this process's shared watches told while no trigger listened for them.
_unheard: set[tuple[str, str]] = set()


class Landing(BaseEventTrigger):
    """Fires for each landing at ``channel``, whose source is of that ``kind``; what landed the run finds out.

    The watch of a kind may run long before a channel's own trigger comes to listen (its DAG was switched on a moment
    ago, say). What the watch told meanwhile the trigger fires for as soon as it comes.
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
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[str]:
        """Names of channels of the kind at which something landed."""
        kind = kwargs["kind"]
        async for channel in landed(kind):
            _unheard.add((kind, channel))
            yield channel

    async def filter_shared_stream(self, shared_stream: AsyncIterator[str]) -> AsyncIterator[TriggerEvent]:
        mine = (self.kind, self.channel)
        if mine in _unheard:
            _unheard.discard(mine)
            yield TriggerEvent({"channel": self.channel})
        async for channel in shared_stream:
            if channel == self.channel:
                _unheard.discard(mine)
                yield TriggerEvent({"channel": channel})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """By itself, where streams are not shared."""
        async for channel in landed(self.kind):
            if channel == self.channel:
                yield TriggerEvent({"channel": channel})


def landed(kind: str) -> AsyncIterator[str]:
    """What lands at this installation's channels of a kind; of kind ``word``, that word was left."""
    settings = Settings.from_environment()

    def configured() -> Mapping[str, Channel]:
        if kind == WORD:
            return {kind: _WORD}
        channels = load_channels(settings.channels)
        return {name: one for name, one in channels.items() if is_watched(one) and one.source["kind"] == kind}

    like = "folder" if kind == WORD else kind
    return landings(like, configured, home=settings.home, connections=connection)


WORD = "word"  #: the kind of a watch for word that was left (``crossdock.word``)
_WORD = Channel(
    channel=WORD,
    source={"kind": "folder", "path": str(word.PLACE.parent), "pattern": word.PLACE.name},
)
