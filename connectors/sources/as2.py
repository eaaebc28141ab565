"""Documents that partners post over AS2.

`crossdock serve` receives them at ``/as2/<channel>``, answers with a receipt and lays each into the
folder ``path``, from where this source takes them like files (see ``connectors.as2.station``).
Receipts that go another way than the answer are handed over whenever the channel looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from connectors.as2.agreement import Keys, Own, Sender
from connectors.base import Arrival, Place, State
from connectors.connections import Connections
from connectors.sources.folder import FolderSource, named
from connectors.sources.names import Wanted
from schemas.configuration import Strict
from schemas.durations import Duration

if TYPE_CHECKING:
    from connectors.as2.station import Station

JOURNAL = Path("as2")  #: where messages sent and received are remembered, relative to the installation's home


class Options(Strict):
    """``source: {kind: as2, path: inbox/as2, own: {...}, partners: [{...}]}``."""

    path: Path  #: the folder in which documents wait, relative to the installation's home
    own: Own
    partners: Annotated[list[Sender], Field(min_length=1)]
    largest_mib: Annotated[int, Field(ge=1, le=2048)] = 64  #: of a message as it comes, and of a document unpacked
    quiet: Duration = Field(timedelta(0), ge=timedelta(0))  #: documents are written whole, so none is waited for

    @model_validator(mode="after")
    def _partners_differ(self) -> Options:
        names = [partner.name for partner in self.partners]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"partners: {', '.join(twice)} stands there twice")
        return self


def open_source(options: Options, *, home: Path, state: State, connections: Connections) -> As2Source:  # noqa: ARG001
    return As2Source(home / options.path, open_station(options, home=home, connections=connections))


def place(options: Options, *, home: Path) -> Place:
    """Where the station lays what partners post."""
    return Place(folder=home / options.path, wants=Wanted())


def open_station(options: Options, *, home: Path, connections: Connections) -> Station:
    """What receives for this channel. Keys are read when a message comes."""
    from connectors.as2.journal import Journal
    from connectors.as2.station import Station

    path = home / options.path
    return Station(
        options.own.name,
        [(partner, Keys(options.own, partner, home, connections)) for partner in options.partners],
        journal=Journal(home / JOURNAL),
        waiting=path,
        done=path / "done",
        most=options.largest_mib << 20,
    )


class As2Source(FolderSource):
    """See the module."""

    def __init__(self, path: Path, station: Station) -> None:
        super().__init__(path, done=path / "done", quiet=0.0)
        self._folder = path
        self._station = station

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        """Documents in the order they came, after receipts that still had to go were offered once more."""
        import requests

        with requests.Session() as session:
            self._station.hand_over_receipts(session)
        with named(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        yield from super().arrivals(limit)
