"""What the feed is made of, put together for ``crossdock serve``, the plugin in Airflow, and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from crossdock.ledger import Ledger
from crossdock.rereading import Rereading
from crossdock.visibility import Visibility, load_rules
from mappings.values import zone_of
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from connectors.as2.station import Station
    from crossdock.dock import Dock
    from mappings.spec import Partner

#: Takes in a file that ``partner`` (empty: whoever it says) sent under a name; its payload's id.
TakeIn = Callable[[bytes, str, str], int]


def _nothing_known(_partner: str, _day: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The ledger, who sees what of it, and what else the feed's routes need."""

    ledger: Ledger
    visibility: Visibility = field(default_factory=lambda: Visibility(load_rules(), tier=_nothing_known))
    partners: Mapping[str, Partner] = field(default_factory=dict)  #: where ``files`` do not tell them
    files: Rereading | None = None  #: mappings and partners as their files say now
    take_in: TakeIn | None = None  #: None: nothing can be uploaded here
    stations: Mapping[str, Station] = field(default_factory=dict)
    zone: tzinfo = UTC  #: in which people are shown times, and a day begins
    origins: Sequence[str] = ()  #: pages of other origins that may ask (CORS)
    most_bytes: int = 20_000_000  #: of a request's body

    def now(self) -> datetime:
        """This moment, in the installation's zone."""
        return datetime.now(self.zone)

    def partners_of_now(self) -> Mapping[str, Partner]:
        return self.partners if self.files is None else self.files.of_now().library.partners


def service_of(dock: Dock, **differs: Any) -> Service:
    """The service of an installation. Raises ConfigError for a faulty file of visibility, or a zone that is none."""
    from crossdock.stations import stations
    from crossdock.uploads import uploads
    from crossdock.visibility.installation import visibility_of

    files = Rereading(dock)
    given: dict[str, Any] = {
        "ledger": dock.ledger,
        "visibility": visibility_of(dock.settings, lambda: files.of_now().library, dock.ledger),
        "files": files,
        "take_in": uploads(dock),
        "zone": _zone(dock.settings.zone),
        "stations": stations(dock.channels, home=dock.settings.home, connections=dock.connections),
    }
    return Service(**{**given, **differs})


def _zone(name: str) -> tzinfo:
    try:
        return zone_of(name)
    except ValueError as error:
        raise ConfigError(f"CROSSDOCK_TIMEZONE is {error}") from None
