"""The Outlets pages: how each way out does, what its receiver did not take, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.console.workplace import Workplace
from crossdock.ledger import Ledger
from crossdock.publish import point_before
from crossdock.views.display import count
from crossdock.views.outlets import state_of
from schemas.errors import ConfigError, PermanentError

if TYPE_CHECKING:
    from connectors.outlet import Outlet

LETTERS = 100  #: of a page

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletStanding:
    """An outlet for events. ``configured`` is None where its file is gone, ``known`` where it never got anything."""

    name: str
    configured: Outlet | None
    known: Row | None

    @property
    def state(self) -> tuple[str, str, str]:
        """See ``state_of``."""
        return state_of(self.known, self.configured)

    @property
    def is_paused(self) -> bool:
        return self.known is not None and self.known["paused_at"] is not None

    @property
    def waits_until(self) -> Any:
        """When it is tried again after failures; None: it does not wait."""
        return None if self.known is None else self.known["retry_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletPage:
    """One outlet, and the first LETTERS events it did not take."""

    outlet: OutletStanding
    letters: Sequence[Row]


def standings(place: Workplace) -> list[OutletStanding]:
    """All outlets for events that have a file or were ever handed something."""
    known = {row["sink"]: row for row in place.service.ledger.sinks()}
    configured = {name: one for name, one in place.outlets().items() if one.carries == "events"}
    return [
        OutletStanding(name=name, configured=configured.get(name), known=known.get(name))
        for name in sorted({*known, *configured})
    ]


def outlet_page(place: Workplace, name: str) -> OutletPage | None:
    found = next((one for one in standings(place) if one.name == name), None)
    if found is None:
        return None
    return OutletPage(outlet=found, letters=place.service.ledger.held_events(name, limit=LETTERS))


def act(place: Workplace, name: str, given: Mapping[str, str]) -> str:
    """Do what a form of the page asks for; what was done, for people. Raises ConfigError for what cannot be done."""
    if not any(one.name == name for one in standings(place)):
        raise ConfigError(f"there is no outlet {name}")
    ledger, positions = place.service.ledger, _positions(given.get("position", ""))
    match given.get("do"):
        case "pause":
            told = _pause(ledger, name, given.get("reason", ""))
        case "resume":
            ledger.resume_sink(name)
            told = f"{name} goes on."
        case "redrive":
            number = ledger.redrive(name, positions)
            told = f"{count(number, 'event')} {'is' if number == 1 else 'are'} offered again."
        case "discard" if positions:
            told = f"{count(ledger.discard(name, positions), 'dead letter')} given up; what waits behind goes on."
        case "backfill":
            told = _backfill(ledger, name, given.get("from", ""))
        case _:
            raise ConfigError("nothing of the kind can be done with an outlet")
    return told


def _pause(ledger: Ledger, name: str, reason: str) -> str:
    if not ledger.pause_sink(name, reason):
        raise ConfigError(f"nothing was ever handed to {name}; `enabled: false` in its file stops it")
    return f"{name} is paused; what comes in meanwhile waits for it."


def _backfill(ledger: Ledger, name: str, begin: str) -> str:
    try:
        ledger.backfill_sink(name, point_before(begin, ledger))
    except (ValueError, PermanentError) as error:
        raise ConfigError(str(error)) from None
    return f"{name} gets the feed again, from {begin} on."


def _positions(written: str) -> list[int] | None:
    """None: all."""
    if not written:
        return None
    if not written.isdecimal():
        raise ConfigError(f"{written!r} is no position of the feed")
    return [int(written)]
