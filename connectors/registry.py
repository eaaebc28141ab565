"""What connectors there are: one line each. Modules are imported when first used.

A source module has ``Options``, a pydantic model of what may stand beside ``kind`` in a channel file,
and ``open_source(options, *, home, state, connections)``; a sink module has ``Options`` and
``open_sink(options, *, home, connections)``; a format is named by its class. The contract suites
in ``tests/contract`` run over every line of these tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from connectors.base import Format, Sink, Source, State
from connectors.channel import Channel
from connectors.connections import Connections
from connectors.outlet import Outlet
from schemas.configuration import Problem, faults, unknown
from schemas.errors import ConfigError

SOURCES = {
    "as2": "connectors.sources.as2",
    "folder": "connectors.sources.folder",
    "imap": "connectors.sources.imap",
    "maildir": "connectors.sources.maildir",
    "odata": "connectors.sources.odata",
    "odbc": "connectors.sources.odbc",
    "rest": "connectors.sources.rest",
    "sftp": "connectors.sources.sftp",
}

#: Kinds that somebody may look for and that there will not be, with the reason.
REFUSED = dict.fromkeys(
    ("odp", "sap_odp", "odp_rfc", "sap_rfc", "rfc"),
    "SAP does not permit third parties to use the RFC modules of its ODP Data Replication API (SAP Note 3255746); "
    "use kind odata, or IDocs (docs/sap.md)",
)

SINKS = {
    "as2": "connectors.sinks.as2",
    "folder": "connectors.sinks.folder",
    "http": "connectors.sinks.http",
    "kafka": "connectors.sinks.kafka",
    "parquet": "connectors.sinks.parquet",
    "postgres": "connectors.sinks.postgres",
    "sftp": "connectors.sinks.sftp",
    "smtp": "connectors.sinks.smtp",
}

#: Asked in this order whether a payload is theirs: the surest first.
FORMATS = {
    "x12": "connectors.formats.edi:X12",
    "edifact": "connectors.formats.edi.edifact:Edifact",
    "idoc": "connectors.formats.idoc:Idoc",
    "ubl": "connectors.formats.ubl:Ubl",
    "cxml": "connectors.formats.cxml:Cxml",
    "rows": "connectors.formats.rows:Rows",
    "workbook": "connectors.formats.workbook:Workbook",
}


class _Formats(Mapping[str, Format]):
    """The formats by name; each is imported when first asked for."""

    def __getitem__(self, name: str) -> Format:
        return _format(FORMATS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(FORMATS)

    def __len__(self) -> int:
        return len(FORMATS)


def formats() -> Mapping[str, Format]:
    """Every format by name."""
    return _Formats()


def recognise(head: bytes, name: str) -> Format | None:
    """The format of a payload that begins with ``head`` (4 KiB will do) and is called ``name``; None if of none."""
    return next((format_ for format_ in formats().values() if format_.recognises(head, name)), None)


def open_source(channel: Channel, *, home: Path, state: State, connections: Connections) -> Source:
    """The channel's source; relative paths start at ``home``. Raises ConfigError, TransientError, PermanentError."""
    if problems := problems_in_source(channel.source):
        raise ConfigError(f"channel {channel.channel} cannot be used", problems=tuple(map(str, problems)))
    module = import_module(SOURCES[channel.source["kind"]])
    options = module.Options.model_validate(_beside_kind(channel.source))
    return cast(Source, module.open_source(options, home=home, state=state, connections=connections))


def open_sink(outlet: Outlet, *, home: Path, connections: Connections) -> Sink:
    """The outlet's sink; relative paths start at ``home``. Raises ConfigError, TransientError, PermanentError."""
    if problems := problems_in_sink(outlet.sink):
        raise ConfigError(f"outlet {outlet.outlet} cannot be used", problems=tuple(map(str, problems)))
    module = import_module(SINKS[outlet.sink["kind"]])
    options = module.Options.model_validate(_beside_kind(outlet.sink))
    return cast(Sink, module.open_sink(options, home=home, connections=connections))


def problems_in_source(source: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with a channel's ``source``, without connecting to anything."""
    return _problems(source, SOURCES, "source")


def problems_in_sink(sink: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with an outlet's ``sink``, without connecting to anything."""
    return _problems(sink, SINKS, "sink")


def problems_in_format(name: object) -> list[Problem]:
    """Whether a channel's fixed ``format`` exists."""
    return [] if name in FORMATS else [Problem(("format",), unknown("format", name, FORMATS))]


def _problems(given: Mapping[str, Any], modules: Mapping[str, str], under: str) -> list[Problem]:
    kind = given.get("kind")
    if kind is None:
        return [Problem((under, "kind"), f"is missing; known: {', '.join(sorted(modules))}")]
    if kind in REFUSED:
        return [Problem((under, "kind"), f"{kind!r} is refused: {REFUSED[kind]}")]
    if kind not in modules:
        return [Problem((under, "kind"), unknown("kind", kind, modules))]
    return faults(import_module(modules[kind]).Options, _beside_kind(given), under=(under,))


def _beside_kind(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != "kind"}


@cache
def _format(reference: str) -> Format:
    module, _, name = reference.partition(":")
    return cast(Format, getattr(import_module(module), name)())
