"""The dock: one object that holds an installation's parts together.

DAG tasks and the command line call only this. Everything is opened when it is first needed, so
that a ``Dock`` costs nothing until it is asked for something::

    with Dock.open() as dock:
        ids = dock.receive("edi_inbox")
        for batch in dock.batches(ids, "edi_inbox"):
            dock.translate(batch)
        dock.publish()

``Dock.run`` is the same for all channels at once, in the right order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from crossdock.progress import Progress, Unwatched, WatchedSink, watched_archive
from crossdock.settings import Settings
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError

if TYPE_CHECKING:
    from connectors.archive import Archive
    from connectors.base import Outbox, Source
    from connectors.channel import Channel
    from connectors.connections import Connection, Connections
    from connectors.outlet import Outlet
    from crossdock.ledger import Ledger, StoreSummary
    from crossdock.master.loading import MasterLoad
    from crossdock.mending.release import Released
    from crossdock.respond import Responded
    from crossdock.translation import Context
    from mappings.library import Library
    from schemas.configuration import Shelf

Configured = TypeVar("Configured", "Channel", "Outlet")

#: Arrivals taken from a source in one go. A source with more is asked again at once.
ARRIVALS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRun:
    """What one run did on one channel. ``errors`` are what stopped a part of it."""

    channel: str
    received: int = 0  #: payloads that were new at the dock
    documents: int = 0
    rejected: int = 0
    lines: int = 0
    events: int = 0  #: new in the feed
    unchanged: int = 0
    parked: int = 0
    findings: int = 0
    masters: tuple[MasterLoad, ...] = ()
    errors: tuple[CrossdockError, ...] = ()

    def with_summary(self, summary: StoreSummary) -> ChannelRun:
        """This run and what storing one more payload did."""
        counts = ("documents", "rejected", "lines", "events", "unchanged", "parked", "findings")
        return replace(self, **{name: getattr(self, name) + getattr(summary, name) for name in counts})

    def with_error(self, error: CrossdockError) -> ChannelRun:
        return replace(self, errors=(*self.errors, error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of the whole pipeline did. ``published`` counts events handed to each outlet."""

    channels: tuple[ChannelRun, ...]
    published: Mapping[str, int]
    undelivered: Mapping[str, CrossdockError]  #: why an outlet did not get its events
    responded: Responded  #: what became of the answers that partners are promised
    released: Released | None = None  #: what became of lines that waited; None where only one channel was run
    faulty: ConfigError | None = None  #: mappings and partners that had to be left out

    @property
    def errors(self) -> tuple[CrossdockError, ...]:
        """Everything that stopped a part of the run, in order."""
        stopped = (error for run in self.channels for error in run.errors)
        faulty = (self.faulty,) if self.faulty else ()
        return (*faulty, *stopped, *self.responded.errors, *self.undelivered.values())


class Dock:
    """The assembled installation. Use ``Dock.open``, and close it or use it in ``with``."""

    def __init__(self, settings: Settings, connections: Connections, *, create: bool = True) -> None:
        self.settings = settings
        self.connections = connections
        self._create = create
        self._context: Context | None = None

    @classmethod
    def open(
        cls, settings: Settings | None = None, *, connections: Connections | None = None, create: bool = True
    ) -> Dock:
        """The dock that ``settings`` (default: the environment's) describe.

        ``connections`` finds a connection by its id; by default ``crossdock.conn_ids`` does.
        Without ``create``, for who only looks, a ledger that is not there is not made but missed.
        Nothing is opened yet.
        """
        return cls(settings or Settings.from_environment(), connections or _from_environment, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger if it was opened. Idempotent."""
        if (ledger := self.__dict__.pop("ledger", None)) is not None:
            ledger.close()

    # -- the parts --------------------------------------------------------------------------------

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, its schema up to date. Raises TransientError when the database is away, ConfigError
        when there is none and none may be made."""
        from crossdock.ledger import Ledger

        if not self._create:
            return Ledger.open(self.settings.ledger_url, create=False)
        try:
            self.settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermanentError(
                f"{self.settings.home}: {error.strerror or error}",
                hint="CROSSDOCK_HOME names the folder where everything is kept; this user must be able to write there",
            ) from None
        return Ledger.open(self.settings.ledger_url)

    @cached_property
    def archive(self) -> Archive:
        from connectors.archive import Archive

        return Archive(self.settings.archive)

    @cached_property
    def library(self) -> Library:
        """All mappings and partners. A faulty file keeps itself out, no other; see ``Library.problems``."""
        from connectors.registry import formats
        from crossdock.translation import compile_with
        from mappings.library import Library

        return Library.read(self.settings.mappings, self.settings.partners, compile=compile_with(formats()))

    @cached_property
    def channels(self) -> Shelf[Channel]:
        """The channels by name; ``.broken`` has the error of each file that cannot be used."""
        from connectors.channel import load_channels

        return load_channels(self.settings.channels)

    @cached_property
    def outlets(self) -> Shelf[Outlet]:
        """The outlets by name; ``.broken`` has the error of each file that cannot be used."""
        from connectors.outlet import load_outlets

        return load_outlets(self.settings.outlets)

    def reread(self) -> None:
        """Read mappings and partners' files anew when they are next asked for."""
        self.__dict__.pop("library", None)
        self._context = None

    def left_out(self) -> ConfigError | None:
        """What had to be left out of the library, and why; None when every file is sound."""
        if not (problems := self.library.problems):
            return None
        return ConfigError("some mappings or partners are left out", problems=problems)

    def channel(self, name: str) -> Channel:
        """The channel called ``name``. Raises ConfigError: its file's own, or one that names the nearest known."""
        return _on_shelf("channel", name, self.channels, self.settings.channels)

    def outlet(self, name: str) -> Outlet:
        """The outlet called ``name``, likewise."""
        return _on_shelf("outlet", name, self.outlets, self.settings.outlets)

    def source(self, channel: Channel) -> Source:
        """The channel's source; the caller closes it."""
        from connectors.registry import open_source

        home, state = self.settings.home, self.ledger.state(f"source:{channel.channel}")
        return open_source(channel, home=home, state=state, connections=self.connections)

    def context(self) -> Context:
        """What translation needs to know, with the master data in force now.

        Raises TransientError when master data is still to come: translated without it, every line
        would be parked. What was received waits.
        """
        from crossdock.master.loading import master_in_force

        if not self.ledger.master_version() and any(
            one.enabled and one.purpose == "master_data" for one in self.channels.values()
        ):
            raise TransientError(
                "no master data is in force yet",
                retry_after=30,
                hint="load it with `crossdock run` or the DAG master_data; what was received waits until then",
            )
        master = master_in_force(self.ledger)
        if self._context is None or self._context.master is not master:
            from connectors.registry import formats
            from crossdock.translation import Context

            version = self.ledger.master_version()
            self._context = Context(library=self.library, master=master, formats=formats(), master_version=version)
        return self._context

    # -- the steps --------------------------------------------------------------------------------

    def receive(self, channel_name: str) -> list[int]:
        """Take in what waits at the channel's source; ids of the payloads that are new."""
        from crossdock.receive import receive

        channel = self.channel(channel_name)
        received: list[int] = []
        with closing(self.source(channel)) as source:
            while True:
                ids = receive(channel, source, archive=self.archive, ledger=self.ledger, limit=ARRIVALS)
                received += ids
                if len(ids) < ARRIVALS:
                    return received

    def batches(self, ids: Iterable[int], channel: str) -> list[list[int]]:
        """``ids`` in groups as large as one translate task of the channel takes."""
        ordered, size = list(ids), self.channel(channel).batch
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def translate(self, ids: Iterable[int]) -> list[StoreSummary]:
        """Read, map and store these payloads; what cannot be read is quarantined and the rest goes on."""
        return self._translate(ids, self.archive)

    def publish(self, outlet: str | None = None) -> dict[str, int]:
        """Hand every outlet (or only ``outlet``) the events it has not got yet; how many, by outlet.

        An outlet that fails does not stop the others; the first failure is raised after them.
        """
        published, undelivered = self._publish(outlet, Unwatched())
        for error in undelivered.values():
            raise error
        return published

    def respond(self) -> Responded:
        """Make the answers that partners are promised, and hand them over.

        What stops one answer or one outlet stops no other; it stands in the result's ``errors``.
        """
        from connectors.formats.edi.acknowledgments import referees
        from crossdock.partners.correction import corrections
        from crossdock.partners.letters import Letters
        from crossdock.respond import respond

        agreements = {name: partner.acknowledge for name, partner in self.library.partners.items()}
        with ExitStack() as open_ones:
            outboxes = cache(lambda name: self._outbox(name, open_ones))
            return respond(
                ledger=self.ledger,
                agreements=agreements,
                outboxes=outboxes,
                referee=referees(),
                returning=Letters(
                    corrections(self.archive, self.ledger, self.context), ledger=self.ledger, outlets=self.outlets
                ),
            )

    def release(self, reason: str = "") -> Released:
        """Let go on whatever waits and need wait no longer; cheap while nothing has changed."""
        from crossdock.mending.release import release

        return release(archive=self.archive, ledger=self.ledger, context=self.context(), reason=reason)

    def load_master_data(self, channel_name: str) -> list[MasterLoad]:
        """Load the channel's master tables. A load that fails its expectations leaves the old version in force."""
        from crossdock.master.loading import load_master_data

        channel = self.channel(channel_name)
        with closing(self.source(channel)) as source:
            return load_master_data(
                channel,
                source,
                archive=self.archive,
                ledger=self.ledger,
                suites=EXPECTATIONS,
                data_docs=self.settings.data_docs,
            )

    def run(self, channel: str | None = None, *, progress: Progress | None = None) -> Run:
        """The whole pipeline once: master data, then every event channel, then publishing.

        Payloads that an earlier, killed run had received are translated too. What stops one
        channel or outlet does not stop another; it stands in the result's ``errors``.
        """
        watch = progress or Unwatched()
        chosen = [self.channel(channel)] if channel else [c for c in self.channels.values() if c.enabled]
        ordered = sorted(chosen, key=lambda c: c.purpose != "master_data")
        broken = {} if channel else self.channels.broken
        runs = [self._run_channel(one, watch) for one in ordered]
        runs += [ChannelRun(channel=name, errors=(error,)) for name, error in broken.items()]
        released = self._release(channel)
        responded = self.respond()
        published, undelivered = self._publish(None, watch)
        return Run(
            channels=tuple(runs),
            published=published,
            undelivered=undelivered,
            responded=responded,
            released=released,
            faulty=self.left_out(),
        )

    # -- within -----------------------------------------------------------------------------------

    def _translate(self, ids: Iterable[int], archive: Archive) -> list[StoreSummary]:
        from crossdock.process import process

        return process(ids, archive=archive, ledger=self.ledger, context=self.context())

    def _publish(self, only: str | None, watch: Progress) -> tuple[dict[str, int], dict[str, CrossdockError]]:
        chosen = [self.outlet(only)] if only else self._for_events()
        published: dict[str, int] = {}
        undelivered: dict[str, CrossdockError] = {} if only else dict(self.outlets.broken)
        for outlet in chosen:
            try:
                published[outlet.outlet] = self._publish_to(outlet, watch)
            except CrossdockError as error:
                undelivered[outlet.outlet] = error
        return published, undelivered

    def _for_events(self) -> list[Outlet]:
        return [one for one in self.outlets.values() if one.enabled and one.carries == "events"]

    def _outbox(self, name: str, open_ones: ExitStack) -> Outbox:
        """Where the outlet's documents go. Raises ConfigError for one that carries none."""
        from connectors.base import Outbox
        from connectors.registry import open_sink

        outlet = self.outlet(name)
        sink = open_sink(outlet, home=self.settings.home, connections=self.connections)
        open_ones.enter_context(closing(sink))
        if outlet.carries != "documents" or not isinstance(sink, Outbox):
            raise ConfigError(
                f"outlet {name} carries no documents", hint="say `carries: documents`, with a sink that holds files"
            )
        return sink

    def _publish_to(self, outlet: Outlet, watch: Progress) -> int:
        from connectors.registry import open_sink
        from crossdock.publish import publish_outlet
        from crossdock.visibility.installation import view_of

        name = outlet.outlet
        behind = next((sink["behind"] for sink in self.ledger.sinks() if sink["sink"] == name), 0)
        with closing(open_sink(outlet, home=self.settings.home, connections=self.connections)) as sink:
            watch.begin(name, behind, "events")
            try:
                watched = WatchedSink(sink, watch.advance)
                view = view_of(outlet, self.settings, lambda: self.library, self.ledger)
                return publish_outlet(outlet, watched, ledger=self.ledger, view=view)
            finally:
                watch.end()

    def _run_channel(self, channel: Channel, watch: Progress) -> ChannelRun:
        run = ChannelRun(channel=channel.channel)
        watch.begin(channel.channel, 0, "payloads")
        try:
            if channel.purpose == "master_data":
                return replace(run, masters=tuple(self.load_master_data(channel.channel)))
            run = replace(run, received=len(self.receive(channel.channel)))
            watch.advance(run.received)
        except CrossdockError as error:
            run = run.with_error(error)
        finally:
            watch.end()
        if channel.purpose == "master_data":
            return run
        try:
            for summary in self._work_off(channel, watch):
                run = run.with_summary(summary)
        except CrossdockError as error:
            run = run.with_error(error)
        return run

    def _release(self, channel: str | None) -> Released | None:
        """Before there is any master data nothing can be released."""
        if channel is not None:
            return None
        try:
            return self.release()
        except TransientError:
            return None

    def _work_off(self, channel: Channel, watch: Progress) -> Iterator[StoreSummary]:
        """Translate all payloads of the channel that wait, this run's and those of runs that were killed."""
        seen: set[int] = set()
        archive = watched_archive(self.settings.archive, watch.advance)
        while waiting := [id for id in self.ledger.waiting(channel.channel) if id not in seen]:
            seen.update(waiting)
            watch.begin(channel.channel, sum(self.ledger.payload(id).size for id in waiting), "bytes")
            try:
                for id in waiting:
                    for summary in self._translate([id], archive):
                        watch.advance(0, summary.lines)
                        yield summary
            finally:
                watch.end()


#: The expectation suites that master data must pass.
EXPECTATIONS = Path(__file__).resolve().parent.parent / "schemas" / "expectations"


def _from_environment(conn_id: str) -> Connection:
    from crossdock.conn_ids import connection

    return connection(conn_id)


def _on_shelf(kind: str, name: str, shelf: Shelf[Configured], folder: Path) -> Configured:
    from schemas.configuration import unknown

    if name in shelf:
        return shelf[name]
    if name in shelf.broken:
        raise shelf.broken[name]
    raise ConfigError(unknown(kind, name, (*shelf, *shelf.broken)), hint=f"each {kind} is a YAML file in {folder}")
