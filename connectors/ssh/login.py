"""Logging in: options of a channel or outlet and the connection behind them become what a session needs.

The connection is written as Airflow writes one for SFTP: host, port, login, password, and in ``extra``
``private_key`` (the key itself) or ``key_file``, ``private_key_passphrase``, ``host_key``. The server's
key is always checked, against ``host_key`` or a ``known_hosts`` file; Airflow's ``no_host_key_check``
is not heeded, and a key that nobody has written down is never learned from the wire.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from connectors.connections import Connection, Connections
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from asyncssh import SSHKey

    #: What asyncssh asks with host, address and port: keys, certificate authorities and revoked keys.
    KnownHosts: TypeAlias = Callable[[str, str, int | None], tuple[Any, ...]]

PORT = 22
_TYPES = frozenset({"sftp", "ssh"})


class ServerOptions(Strict):
    """What a channel and an outlet may both say of an SSH server."""

    conn_id: str  #: the connection with host, login, password or key, and the server's own key
    path: Annotated[str, Field(min_length=1)] = "."  #: folder on the server; relative: from where the login begins
    known_hosts: Path | None = None  #: file of server keys as OpenSSH writes it, relative to the installation's home
    connect_timeout: Duration = Field(timedelta(seconds=20), gt=timedelta(0))  #: for connecting and for logging in
    timeout: Duration = Field(timedelta(seconds=60), gt=timedelta(0))  #: for each answer, and for each MiB
    keep_alive: Duration = Field(timedelta(seconds=15), gt=timedelta(0))  #: silence after which the server is asked


@dataclass(frozen=True, slots=True)
class Login:
    """All that is needed to open sessions with one server. Its ``repr`` shows no secret."""

    conn_id: str
    host: str
    port: int
    user: str
    known_hosts: KnownHosts = field(repr=False)
    password: str | None = field(default=None, repr=False)
    key: SSHKey | None = field(default=None, repr=False)
    connect_timeout: float = 20.0  #: seconds
    timeout: float = 60.0  #: seconds
    keep_alive: float = 15.0  #: seconds

    @property
    def place(self) -> str:
        """The server as people call it: ``host`` or ``host:2222``."""
        return self.host if self.port == PORT else f"{self.host}:{self.port}"


def login_of(options: ServerOptions, *, home: Path, connections: Connections) -> Login:
    """Raises ConfigError where the connection lacks something or a key cannot be read."""
    connection = connections(options.conn_id)
    if connection.type not in _TYPES:
        raise ConfigError(f"connection {connection.conn_id!r} is of type {connection.type}", hint="make it sftp")
    for what, given in (("host", connection.host), ("login", connection.login)):
        if not given:
            raise ConfigError(f"connection {connection.conn_id!r} has no {what}", hint=_ADVICE)
    key = _key_of(connection, home)
    if key is None and not connection.password:
        raise ConfigError(f"connection {connection.conn_id!r} has neither password nor key", hint=_ADVICE)
    return Login(
        conn_id=connection.conn_id,
        host=connection.host,
        port=connection.port or PORT,
        user=connection.login,
        known_hosts=_known_hosts(connection, options.known_hosts and home / options.known_hosts),
        password=connection.password or None,
        key=key,
        connect_timeout=options.connect_timeout.total_seconds(),
        timeout=options.timeout.total_seconds(),
        keep_alive=options.keep_alive.total_seconds(),
    )


_ADVICE = "sftp://login:password@host:port?host_key=..., or extra.private_key or extra.key_file for the password"


def _key_of(connection: Connection, home: Path) -> SSHKey | None:
    import asyncssh

    extra: Mapping[str, str] = connection.extra
    written, file = extra.get("private_key"), extra.get("key_file")
    passphrase = extra.get("private_key_passphrase") or None
    if not written and not file:
        return None
    try:
        text = written.encode() if written else (home / str(file)).expanduser().read_bytes()
        return asyncssh.import_private_key(text, passphrase)
    except OSError as error:
        raise ConfigError(f"connection {connection.conn_id!r}: {file}: {error.strerror or error}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        # these name the fault and never the key
        raise ConfigError(
            f"connection {connection.conn_id!r}: its private key cannot be read: {error}",
            hint="an OpenSSH or PEM key, its passphrase in extra.private_key_passphrase",
        ) from None


def _known_hosts(connection: Connection, file: Path | None) -> KnownHosts:
    import asyncssh

    if written := connection.extra.get("host_key"):
        keys = [_host_key(connection, line) for line in re.split(r"[\r\n,]+", written) if line.strip()]
        return lambda host, address, port: (keys, [], [])  # noqa: ARG005
    if file is None:
        raise ConfigError(
            f"connection {connection.conn_id!r} does not say which key the server has, and the options name no"
            " known_hosts file",
            hint=f"take it with `ssh-keyscan {connection.host}`, have its fingerprint confirmed by the partner,"
            " and write it into extra.host_key",
        )
    try:
        hosts = asyncssh.read_known_hosts(str(file))
    except OSError as error:
        raise ConfigError(f"known_hosts: {file}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"known_hosts: {file}: {error}") from None
    return lambda host, address, port: asyncssh.match_known_hosts(hosts, host, address, port)


def _host_key(connection: Connection, written: str) -> SSHKey:
    """One public key as ``ssh-ed25519 AAAA...`` or, as Airflow also allows, its base64 alone."""
    import asyncssh

    words = written.split()
    try:
        if len(words) == 1:
            blob = base64.b64decode(words[0], validate=True)
            words.insert(0, blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii"))
        return asyncssh.import_public_key(" ".join(words[:2]))
    except (asyncssh.KeyImportError, binascii.Error, UnicodeDecodeError, IndexError):
        raise ConfigError(
            f"connection {connection.conn_id!r}: extra.host_key is no public key",
            hint="as `ssh-keyscan` prints it, without the host: ssh-ed25519 AAAA...",
        ) from None
