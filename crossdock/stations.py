"""What an installation has of AS2: the stations that receive, and the certificates all of it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from connectors.as2.agreement import Own, Partner
    from connectors.as2.journal import SentMessage
    from connectors.as2.station import Station
    from connectors.channel import Channel
    from connectors.connections import Connections
    from connectors.outlet import Outlet

KIND = "as2"


def stations(channels: Mapping[str, Channel], *, home: Path, connections: Connections) -> dict[str, Station]:
    """What receives, by channel. Keys and certificates are read when the first message comes."""
    from connectors.sources.as2 import Options, open_station

    return {
        name: open_station(Options.model_validate(_options(channel.source)), home=home, connections=connections)
        for name, channel in channels.items()
        if channel.enabled and channel.source.get("kind") == KIND
    }


def ending_certificates(
    channels: Mapping[str, Channel],
    outlets: Mapping[str, Outlet],
    *,
    home: Path,
    connections: Connections,
    at: datetime,
) -> list[str]:
    """A sentence for each certificate, ours or a partner's, that ends soon, has ended, or cannot be read."""
    from connectors.as2.identity import certificates, expiry_warning, own_identity

    warnings: dict[str, None] = {}  # a dict keeps each once, in order
    for own, partners in _agreements(channels, outlets):
        try:
            mine = tuple(own_identity(connections(one), home).certificate for one in (own.conn_id, *own.also))
            told: list[tuple[str, tuple[Certificate, ...]]] = [(f"{own.name} (ours)", mine[:1])]
            told += [(partner.name, certificates(partner.certificates, home)) for partner in partners]
        except ConfigError as error:
            warnings[str(error)] = None
            continue
        for whose, given in told:
            if warning := expiry_warning(whose, given, at):
                warnings[warning] = None
    return list(warnings)


def late_documents(home: Path, at: datetime) -> list[SentMessage]:
    """What was sent over AS2 and refused, or whose receipt is late; oldest first."""
    from connectors.as2.journal import Journal
    from connectors.sinks.as2 import sent_late
    from connectors.sources.as2 import JOURNAL

    return sent_late(Journal(home / JOURNAL), at)


def told(late: SentMessage) -> str:
    """A sentence on such a document."""
    fate = late.disposition or f"no receipt, due {late.receipt_due:%Y-%m-%d %H:%M}"
    return f"{late.name} to {late.partner}, sent {late.at:%Y-%m-%d %H:%M}: {fate}"


def _agreements(channels: Mapping[str, Channel], outlets: Mapping[str, Outlet]) -> Iterator[tuple[Own, list[Partner]]]:
    from connectors.sinks import as2 as sink
    from connectors.sources import as2 as source

    for channel in channels.values():
        if channel.source.get("kind") == KIND:
            receiving = source.Options.model_validate(_options(channel.source))
            yield receiving.own, list(receiving.partners)
    for outlet in outlets.values():
        if outlet.sink.get("kind") == KIND:
            sending = sink.Options.model_validate(_options(outlet.sink))
            yield sending.own, [sending.partner]


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != "kind"}
