"""Logging in to mail servers: IMAP (RFC 9051) and SMTP (RFC 5321, 6409), by password or by OAuth 2 (SASL XOAUTH2).

The connection is written as Airflow writes one: host, port, login, password, and in ``extra``:

``tls``        ``implicit`` (the default: TLS from the first byte), ``starttls``, or ``none`` on this very machine
``ca_file``    the certificate authority to believe, PEM; without it the system's
``token_url``, ``client_id``, ``client_secret``, ``refresh_token`` or ``scope``   OAuth 2 (RFC 6749, 4.4 and 6)
``access_token``   a token that somebody else renews
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

from connectors.connections import Connection
from connectors.web.tokens import AccessTokens
from schemas.errors import ConfigError

Tls = Literal["implicit", "starttls", "none"]

_PORTS: dict[tuple[str, str], int] = {
    ("imap", "implicit"): 993, ("imap", "starttls"): 143, ("imap", "none"): 143,
    ("smtp", "implicit"): 465, ("smtp", "starttls"): 587, ("smtp", "none"): 25,
}  # fmt: skip
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class MailLogin:
    """All that is needed to log in. Its ``repr`` shows no secret."""

    conn_id: str
    host: str
    port: int
    user: str
    tls: Tls
    context: ssl.SSLContext = field(repr=False)
    password: str = field(default="", repr=False)
    token: Callable[[], str] | None = field(default=None, repr=False)  #: a fresh access token, for OAuth 2

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def mail_login(connection: Connection, protocol: Literal["imap", "smtp"]) -> MailLogin:
    """Raises ConfigError where the connection lacks something or would send a password in the clear."""
    place = f"connection {connection.conn_id!r}"
    if connection.type not in (protocol, f"{protocol}s"):
        raise ConfigError(f"{place} is of type {connection.type}", hint=f"make it {protocol}")
    if not connection.host:
        raise ConfigError(f"{place} has no host")
    tls = connection.extra.get("tls", "implicit")
    if tls not in ("implicit", "starttls", "none"):
        raise ConfigError(f"{place}: extra.tls is {tls!r}", hint="implicit, starttls or none")
    if tls == "none" and connection.host not in _LOCAL:
        raise ConfigError(f"{place}: without TLS everybody on the way reads along", hint="only for this very machine")
    return MailLogin(
        conn_id=connection.conn_id,
        host=connection.host,
        port=connection.port or _PORTS[protocol, tls],
        user=connection.login,
        tls=cast(Tls, tls),
        context=_context(connection),
        password=connection.password,
        token=_tokens(connection),
    )


def _context(connection: Connection) -> ssl.SSLContext:
    file = connection.extra.get("ca_file")
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"connection {connection.conn_id!r}: extra.ca_file: {file}: {error}") from None


def _tokens(connection: Connection) -> Callable[[], str] | None:
    extra = connection.extra
    if fixed := extra.get("access_token"):
        return lambda: fixed
    if "token_url" not in extra:
        return None
    if missing := [name for name in ("client_id",) if not extra.get(name)]:
        raise ConfigError(f"connection {connection.conn_id!r}: OAuth 2 needs extra.{missing[0]}")
    return AccessTokens(connection).token
