"""Linting the configuration: every fault of every file, each with file, line, key and what is allowed.

Nothing is connected to; the paths of mappings are compiled against the grammars of their formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.channel import Channel
    from connectors.configuration import Model, Shelf
    from connectors.outlet import Outlet
    from crossdock.settings import Settings
    from mappings.library import Library
    from mappings.yaml_files import Key, YamlFile
    from schemas.errors import ConfigError


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
    problems += _strangers(settings.channels, channels.values(), library)
    problems += _dead_ends(settings.partners, outlets, library)
    return Linted(
        channels=len(channels),
        outlets=len(outlets),
        mappings=len(library.standard),
        partners=len(library.partners),
        agreements=len(library.agreed),
        problems=tuple(dict.fromkeys(problems)),
    )


def _read(load: Callable[[Path], Shelf[Model]], folder: Path, problems: list[str]) -> Mapping[str, Model]:
    from schemas.errors import ConfigError

    try:
        shelf = load(folder)
    except ConfigError as error:
        problems.append(str(error))
        return {}
    problems += _broken(folder, shelf.broken)
    return shelf


def _broken(folder: Path, broken: dict[str, ConfigError]) -> Iterator[str]:
    """The problems of files that could not be used, with the line each is on."""
    from mappings.yaml_files import read_yaml

    for stem, error in broken.items():
        path = next((p for suffix in ("yaml", "yml") if (p := folder / f"{stem}.{suffix}").exists()), folder / stem)
        file, unreadable = read_yaml(path)
        yield from unreadable or (_placed(file, problem.removeprefix(f"{path}: ")) for problem in error.problems)


def _strangers(folder: Path, channels: Iterable[Channel], library: Library) -> Iterator[str]:
    """Channels that name a partner no file describes."""
    from mappings.yaml_files import read_yaml, unknown, yaml_files

    lost = {one.channel: one.partner for one in channels if one.partner and one.partner not in library.partners}
    for path in yaml_files(folder) if lost else ():
        file, _ = read_yaml(path)
        if (partner := lost.get(dict(file.content or {}).get("channel", ""))) is not None:
            yield file.problem(("partner",), unknown("partner", partner, library.partners))


def _dead_ends(folder: Path, outlets: Mapping[str, Outlet], library: Library) -> Iterator[str]:
    """Partners whose answers go to an outlet that is not there or carries no documents."""
    from mappings.yaml_files import read_yaml, unknown, yaml_files

    able = {name: outlet for name, outlet in outlets.items() if outlet.carries == "documents"}
    promised = {name: one.acknowledge.to for name, one in library.partners.items() if one.acknowledge}
    lost = {name: to for name, to in promised.items() if to not in able}
    for path in yaml_files(folder) if lost else ():
        file, _ = read_yaml(path)
        if (to := lost.get(dict(file.content or {}).get("partner", ""))) is not None:
            yield file.problem(("acknowledge", "to"), unknown("outlet for documents", to, able))


def _placed(file: YamlFile, problem: str) -> str:
    """``key: sentence`` with file and line in front, the key looked for in the file."""
    key, separator, sentence = problem.partition(": ")
    found = _key_in(file, key)
    return file.problem(found, sentence) if separator and found is not None else file.problem((), problem)


def _key_in(file: YamlFile, dotted: str) -> Key | None:
    """The key that is written ``dotted``, or the nearest one above it that stands in the file."""
    spelled = {".".join(map(str, key)): key for key in file.lines}
    if dotted in spelled:
        return spelled[dotted]
    parent, dot, last = dotted.rpartition(".")
    above = _key_in(file, parent) if dot else ()
    return (*above, last) if above is not None and (above or not dot) else None
