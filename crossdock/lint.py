"""Linting the configuration: every fault of every file, each with file, line, key and what is allowed.

Nothing is connected to; the paths of mappings are compiled against the grammars of their formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.channel import Channel
    from connectors.outlet import Outlet
    from crossdock.settings import Settings
    from mappings.library import Library
    from schemas.configuration import Model, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was looked at, and every problem: ``channels/edi.yaml:4: source.kind: unknown ...``."""

    channels: int
    outlets: int
    mappings: int  #: standard mappings
    partners: int
    agreements: int  #: documents that partners' files speak of
    problems: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was looked at and what came of it, in a line."""
        counts = {
            "channel": self.channels,
            "outlet": self.outlets,
            "standard mapping": self.mappings,
            "partner": self.partners,
            "agreement": self.agreements,
        }
        looked_at = ", ".join(f"{number} {name}{'s' * (number != 1)}" for name, number in counts.items())
        found = len(self.problems)
        return f"{looked_at}: {f'{found} problem' + 's' * (found != 1) if found else 'no problems'}"


def lint(settings: Settings) -> Linted:
    """Read all configuration. Never raises for what a file holds."""
    from connectors.channel import load_channels
    from connectors.outlet import load_outlets
    from connectors.registry import formats
    from crossdock.translation import compile_with
    from mappings.library import Library

    problems: list[str] = []
    library = Library.read(settings.mappings, settings.partners, compile=compile_with(formats()))
    problems += library.problems
    channels = _read(load_channels, settings.channels, problems)
    outlets = _read(load_outlets, settings.outlets, problems)
    problems += _strangers(channels, library)
    problems += _visibility(settings.visibility)
    problems += _dead_ends(settings.partners, outlets, library)
    return Linted(
        channels=len(channels),
        outlets=len(outlets),
        mappings=len(library.standard),
        partners=len(library.partners),
        agreements=len(library.agreed),
        problems=tuple(dict.fromkeys(problems)),
    )


def _read(load: Callable[[Path], Shelf[Model]], folder: Path, problems: list[str]) -> Shelf[Model]:
    from schemas.configuration import Shelf
    from schemas.errors import ConfigError

    try:
        shelf = load(folder)
    except ConfigError as error:
        problems.append(str(error))
        return Shelf()
    problems += shelf.problems
    return shelf


def _visibility(path: Path) -> list[str]:
    from crossdock.visibility import load_rules
    from schemas.errors import ConfigError

    try:
        load_rules(path)
    except ConfigError as error:
        return list(error.problems)
    return []


def _strangers(channels: Shelf[Channel], library: Library) -> Iterator[str]:
    """Channels that name a partner no file describes."""
    from schemas.configuration import unknown

    for name, channel in channels.items():
        if channel.partner and channel.partner not in library.partners:
            yield channels.files[name].problem(("partner",), unknown("partner", channel.partner, library.partners))


def _dead_ends(folder: Path, outlets: Shelf[Outlet], library: Library) -> Iterator[str]:
    """Partners whose answers go to an outlet that is not there or carries no documents."""
    from schemas.configuration import read_yaml, unknown, yaml_files

    able = {name: outlet for name, outlet in outlets.items() if outlet.carries == "documents"}
    promised = (
        (name, to) for name, one in library.partners.items() if one.acknowledge for to in one.acknowledge.outlets
    )
    lost = {name: to for name, to in promised if to not in able}
    for path in yaml_files(folder) if lost else ():
        file, _ = read_yaml(path)
        if (to := lost.get(dict(file.content or {}).get("partner", ""))) is not None:
            yield file.problem(("acknowledge", "to"), unknown("outlet for documents", to, able))
