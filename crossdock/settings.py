"""Where this installation keeps its things, read once from the environment.

``CROSSDOCK_HOME`` is the folder for everything that is remembered (default ``./var``). The rest
follows from it unless it is set on its own: ``CROSSDOCK_LEDGER`` (an SQLAlchemy URL),
``CROSSDOCK_ARCHIVE``, ``CROSSDOCK_FEED`` (the folder sink's), ``CROSSDOCK_DATA_DOCS``.
``CROSSDOCK_PARTNERS``, ``CROSSDOCK_CHANNELS``, ``CROSSDOCK_OUTLETS`` and ``CROSSDOCK_MAPPINGS`` (the
standard mappings; code lists lie in ``codes`` beside it) are the folders of YAML, by default the shipped
ones; ``CROSSDOCK_VISIBILITY`` is the file that says who sees what. ``CROSSDOCK_TIMEZONE`` is the zone (of
the IANA database; default UTC) in which people are shown times, and a day begins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TREE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The resolved places. Relative paths in channel files are relative to ``home``."""

    home: Path
    ledger_url: str
    archive: Path
    feed: Path
    data_docs: Path
    partners: Path
    channels: Path
    outlets: Path
    mappings: Path
    visibility: Path
    zone: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read ``environment`` (default: the process's)."""
        env = os.environ if environment is None else environment
        home = Path(env.get("CROSSDOCK_HOME") or "var").absolute()

        def place(name: str, default: Path) -> Path:
            return Path(env.get(name) or default).absolute()

        return cls(
            home=home,
            ledger_url=env.get("CROSSDOCK_LEDGER") or f"sqlite:///{home / 'ledger.db'}",
            archive=place("CROSSDOCK_ARCHIVE", home / "archive"),
            feed=place("CROSSDOCK_FEED", home / "feed"),
            data_docs=place("CROSSDOCK_DATA_DOCS", home / "data-docs"),
            partners=place("CROSSDOCK_PARTNERS", _TREE / "mappings" / "partners"),
            channels=place("CROSSDOCK_CHANNELS", _TREE / "connectors" / "channels"),
            outlets=place("CROSSDOCK_OUTLETS", _TREE / "connectors" / "outlets"),
            mappings=place("CROSSDOCK_MAPPINGS", _TREE / "mappings" / "standard"),
            visibility=place("CROSSDOCK_VISIBILITY", _TREE / "schemas" / "visibility.yaml"),
            zone=env.get("CROSSDOCK_TIMEZONE") or "UTC",
        )
