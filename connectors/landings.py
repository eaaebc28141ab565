"""What lands is told as it lands: the names of channels at which something has just arrived.

For folders the kernel tells (inotify); mailboxes and SFTP servers are waited at, each by a thread of its own. What
cannot be told (a file that another machine wrote to a network folder, a notification that was lost) is found by a look
every half minute, and by the channel's schedule. What was told and still lies there after a minute is told once more:
the run that it started has failed, or came to nothing. Nothing is taken here: whoever hears a name lets the
channel receive.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import SOON, Place, Waits
from connectors.channel import Channel
from connectors.connections import Connections
from connectors.registry import SOURCES, open_source
from schemas.errors import CrossdockError, TransientError

if TYPE_CHECKING:
    from asyncinotify import Event, Inotify

FOLDERS = frozenset({"as2", "folder", "maildir"})  #: their modules have ``place``
WAITED_AT = frozenset({"imap", "sftp"})  #: their sources have ``wait``
KINDS = FOLDERS | WAITED_AT

LOOK = 30.0  #: seconds between two looks at what nobody tells, and at the channel files
GRACE = 5.0  #: seconds before the first of them: who listens may still be on the way
PAUSE = 0.5  #: seconds for which what lands after something was told is told together
AGAIN = 60.0  #: seconds after which what still lies where it landed is told once more
_GAP = 0.02  #: seconds without a notification after which a burst is over
_WAIT = 60.0  #: seconds that a source waits in one go
_AGAIN, _MUCH_LATER = 15.0, 300.0  #: seconds until the next try, where it may help and where a person has to

log = logging.getLogger(__name__)

#: The channels of one kind that are to be watched, by name, as configured now.
Configured = Callable[[], Mapping[str, Channel]]


def is_watched(channel: Channel) -> bool:
    """Whether what lands at the channel is told."""
    return channel.enabled and channel.watch and channel.schedule is not None and channel.source.get("kind") in KINDS


async def landings(
    kind: str,
    configured: Configured,
    *,
    home: Path,
    connections: Connections,
    grace: float = GRACE,
    look: float = LOOK,
    again: float = AGAIN,
) -> AsyncIterator[str]:
    """Names of channels at which something has landed, for ever; the same name at most twice a second.

    ``connections`` is called from threads. Whatever goes wrong as a whole (no folder of channels, no inotify to be had)
    is logged and tried again after ``look`` seconds: whoever listens has nobody to start it anew.
    """
    while True:
        try:
            if kind in FOLDERS:
                told = _in_folders(configured, home, grace, look, again)
            else:
                told = _waited_for(configured, home, look, again, connections)
            async with aclosing(told):
                async for channel in told:
                    yield channel
        except (CrossdockError, OSError) as error:
            log.error("what lands at channels of kind %s is not told until this is mended: %s", kind, error)
            await asyncio.sleep(look)
        except Exception:
            log.exception("what lands at channels of kind %s is not told for %.0f seconds", kind, look)
            await asyncio.sleep(look)


def may_wait(channel: Channel, *, home: Path) -> bool:
    """Whether something may wait at the channel already: looked up in a folder, always so where one has to ask."""
    if channel.source["kind"] not in FOLDERS:
        return True
    (place,) = _places({channel.channel: channel}, home).values()
    return bool(_lying(place))


# -- folders ------------------------------------------------------------------------------------------


async def _in_folders(
    configured: Configured, home: Path, grace: float, look: float, again: float
) -> AsyncGenerator[str]:
    from asyncinotify import Inotify

    loop = asyncio.get_running_loop()
    with Inotify() as inotify:
        watched = _Watched(inotify)
        watched.follow(_places(configured(), home))
        look_at = loop.time() + grace
        while True:
            landed = set(watched.told_by(await _burst(inotify, until=look_at)))
            if loop.time() >= look_at:
                watched.follow(_places(await asyncio.to_thread(configured), home))
                landed |= await asyncio.to_thread(watched.found, loop.time(), again)
                look_at = loop.time() + look
            for channel in sorted(landed):
                yield channel
            if landed:
                await asyncio.sleep(PAUSE)


async def _burst(inotify: Inotify, *, until: float) -> list[Event]:
    """Notifications that come close together, once there is a first; none when there is none ``until`` then."""
    loop = asyncio.get_running_loop()
    events: list[Event] = []
    last = loop.time() + PAUSE
    while event := await _notified(inotify, until=loop.time() + _GAP if events else until):
        events.append(event)
        if loop.time() > last and len(events) > 1:
            break
    return events


async def _notified(inotify: Inotify, *, until: float) -> Event | None:
    try:
        async with asyncio.timeout_at(until):
            return await inotify.get()
    except TimeoutError:
        return None


def _places(channels: Mapping[str, Channel], home: Path) -> dict[str, Place]:
    places = {}
    for name, channel in channels.items():
        module = import_module(SOURCES[channel.source["kind"]])
        options = {key: value for key, value in channel.source.items() if key != "kind"}
        places[name] = module.place(module.Options.model_validate(options), home=home)
    return places


_Lying = tuple[str, int, int]  #: name, when it was modified (ns), size


def _lying(place: Place) -> set[_Lying]:
    """What lies there and tells that something has landed; nothing where the folder cannot be looked into."""
    from connectors.sources.folder import stamps

    with suppress(OSError), os.scandir(place.folder) as entries:
        found = stamps(entries).items()
        return {(name, stamp.modified, stamp.size) for name, stamp in found if place.wants(name)}
    return set()


@dataclass(slots=True)
class _Watched:
    """The folders that the kernel watches for us, and what lay in them at the last look, by channel, with the time when
    it was first seen; None where it was told once more."""

    inotify: Inotify
    places: Mapping[str, Place] = field(default_factory=dict)
    seen: Mapping[tuple[str, _Lying], float | None] = field(default_factory=dict)
    heard: set[tuple[str, str]] = field(default_factory=set)  #: channel and name, told since then in time to be taken

    def follow(self, places: Mapping[str, Place]) -> None:
        """Watch the folders of ``places`` and no others. One that is not there is tried at the next look."""
        from asyncinotify import Mask

        self.places = places
        wanted = {place.folder for place in places.values()}
        watched = {watch.path: watch for watch in self.inotify.watches}
        for path in watched.keys() - wanted:
            self.inotify.rm_watch(watched[path])
        for path in wanted - watched.keys():
            with suppress(OSError):
                self.inotify.add_watch(path, Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR)

    def told_by(self, events: Iterable[Event]) -> Iterator[str]:
        """The channels that want what the notifications are about."""
        for event in events:
            if event.watch is None or event.name is None:
                continue
            for channel, place in self.places.items():
                if place.folder == event.watch.path and place.wants(str(event.name)):
                    if place.rests <= SOON:
                        self.heard.add((channel, str(event.name)))
                    yield channel

    def found(self, now: float, again: float) -> set[str]:
        """The channels in whose folders lies what was not there at the last look, unless a run that the kernel's word
        started has it, or what lies there since ``again`` seconds."""
        told = set()
        seen: dict[tuple[str, _Lying], float | None] = {}
        for channel, place in self.places.items():
            for file in _lying(place):
                since = self.seen.get((channel, file), now)
                is_late = since is not None and now - since >= max(again, place.rests)
                seen[channel, file] = None if is_late else since
                is_new = (channel, file) not in self.seen and (channel, file[0]) not in self.heard
                if is_late or is_new:
                    told.add(channel)
        self.seen = seen
        self.heard.clear()
        return told


# -- mailboxes and servers ----------------------------------------------------------------------------


async def _waited_for(
    configured: Configured, home: Path, look: float, again: float, connections: Connections
) -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[str] = asyncio.Queue()
    waiters: dict[str, _Waiter] = {}

    def tell(channel: str) -> None:
        with suppress(RuntimeError):  # nobody listens any more
            loop.call_soon_threadsafe(told.put_nowait, channel)

    try:
        while True:
            channels = await asyncio.to_thread(configured)
            for name in [name for name, waiter in waiters.items() if waiter.channel != channels.get(name)]:
                waiters.pop(name).stop()
            for name in channels.keys() - waiters.keys():
                waiters[name] = _Waiter(channels[name], home, connections, tell, again)
                waiters[name].start()
            look_at = loop.time() + look
            while (landed := await _heard(told, until=look_at)) is not None:
                yield landed
    finally:
        for waiter in waiters.values():
            waiter.stop()


async def _heard(told: asyncio.Queue[str], *, until: float) -> str | None:
    try:
        async with asyncio.timeout_at(until):
            return await told.get()
    except TimeoutError:
        return None


class _Waiter:
    """A thread that waits at one channel's source. It ends within ``_WAIT`` seconds of being stopped, and with us."""

    def __init__(
        self, channel: Channel, home: Path, connections: Connections, tell: Callable[[str], None], again: float
    ) -> None:
        self.channel = channel
        self._home = home
        self._connections = connections
        self._tell = tell
        self._again = again
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"waits at {self.channel.channel}", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._wait()
            except TransientError as error:
                log.warning("%s: %s", self.channel.channel, error)
                self._over.wait(error.retry_after or _AGAIN)
            except CrossdockError as error:
                log.error("%s: what lands is not told until this is mended: %s", self.channel.channel, error)
                self._over.wait(_MUCH_LATER)
            except Exception:
                log.exception("%s: what lands is not told for %.0f seconds", self.channel.channel, _AGAIN)
                self._over.wait(_AGAIN)

    def _wait(self) -> None:
        source = open_source(self.channel, home=self._home, state=_Nothing(), connections=self._connections)
        with closing(source):
            assert isinstance(source, Waits)
            once_more: float | None = None
            while not self._over.is_set():
                if source.wait(min(_WAIT, self._again)):
                    once_more = time.monotonic() + self._again
                elif once_more is None or time.monotonic() < once_more:
                    continue
                else:
                    once_more = None
                    if not source.lies():
                        continue
                self._tell(self.channel.channel)
                self._over.wait(PAUSE)


class _Nothing:
    """A State for sources that are only waited at: they keep none."""

    def get(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def set(self, key: str, value: str) -> None: ...
