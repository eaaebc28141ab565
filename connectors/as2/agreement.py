"""What is agreed about AS2: who we are, who a partner is, and what must be done to a message. Parts of channel
and outlet files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from connectors.as2.identity import Identity, certificates, own_identity
from connectors.connections import Connections
from schemas.configuration import Strict

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: AS2-From and AS2-To: 1 to 128 printable characters (RFC 4130, 6.2)
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]+$")]


class Own(Strict):
    """``own: {name: RAVENSMOOR, conn_id: as2}``: our AS2 name, and the connection that holds key and certificate.

    ``also`` names the connections of other keys of ours: while one key replaces another, what comes in may be
    encrypted for either.
    """

    name: Name
    conn_id: str
    also: list[str] = []


class Partner(Strict):
    """A partner: its AS2 name and its certificates, files relative to the installation's home or PEM text.

    There may be several certificates, the present one and the next; any in force is believed.
    """

    name: Name
    certificates: Annotated[list[str], Field(min_length=1)]


class Sender(Partner):
    """A partner who sends to us, and what its messages must be."""

    require: list[Literal["signed", "encrypted"]] = ["signed", "encrypted"]
    legacy: bool = False  #: SHA-1 signatures and triple DES, which others no longer accept, are let through
    receipt_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+/")] | None = None  #: where asynchronous receipts may
    #: go: addresses that begin so; without it only receipts in the answer are given


@dataclass(frozen=True)
class Keys:
    """Our key and a partner's certificates, read when they are first needed and then kept."""

    own: Own
    partner: Partner
    home: Path
    connections: Connections

    @cached_property
    def identity(self) -> Identity:
        """Raises ConfigError."""
        first, *others = (own_identity(self.connections(one), self.home) for one in (self.own.conn_id, *self.own.also))
        return replace(first, also=tuple(others))

    @cached_property
    def believed(self) -> tuple[Certificate, ...]:
        """Raises ConfigError."""
        return certificates(self.partner.certificates, self.home)
