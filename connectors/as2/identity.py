"""Who signs and who is believed: keys, certificates and their dates.

The certificate of a partner is agreed with the partner, not vouched for by anybody else: a signature is good
when one of the partner's own certificates made it, on a day that certificate allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.connections import Connection
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

SOON = timedelta(days=30)  #: how long before its end a certificate is warned of


@dataclass(frozen=True, slots=True)
class Identity:
    """An RSA key and its certificate: ours. The ``repr`` shows neither.

    ``also`` are our other keys, which messages may still, or already, be encrypted for.
    """

    key: RSAPrivateKey = field(repr=False)
    certificate: Certificate = field(repr=False)
    also: tuple[Identity, ...] = field(default=(), repr=False)


def own_identity(connection: Connection, home: Path) -> Identity:
    """Key and certificate of an Airflow connection, in ``extra``: ``private_key`` or ``key_file``, ``certificate`` or
    ``certificate_file`` (PEM; files relative to ``home``), and ``private_key_passphrase``. Raises ConfigError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    place = f"connection {connection.conn_id!r}"
    written = _pem(connection, "private_key", "key_file", home)
    passphrase = connection.extra.get("private_key_passphrase", "").encode() or None
    try:
        key = load_pem_private_key(written, passphrase)
    except (ValueError, TypeError):
        raise ConfigError(f"{place}: the private key cannot be read", hint="PEM, and the right passphrase") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{place}: the private key is no RSA key", hint="AS2 partners expect RSA, 2048 bit or more")
    certificate, *_ = certificates([_pem(connection, "certificate", "certificate_file", home).decode("latin-1")], home)
    if certificate.public_key() != key.public_key():
        raise ConfigError(f"{place}: the certificate belongs to another key")
    return Identity(key, certificate)


def _pem(connection: Connection, inline: str, file: str, home: Path) -> bytes:
    if written := connection.extra.get(inline):
        return written.encode()
    if not (name := connection.extra.get(file)):
        raise ConfigError(f"connection {connection.conn_id!r} has neither extra.{inline} nor extra.{file}")
    try:
        return (home / name).read_bytes()
    except OSError as error:
        raise ConfigError(f"extra.{file}: {home / name}: {error.strerror or error}") from None


def certificates(given: Iterable[str], home: Path) -> tuple[Certificate, ...]:
    """Certificates from PEM text or from files of it, relative to ``home``. Raises ConfigError."""
    from cryptography.x509 import load_pem_x509_certificates

    found: list[Certificate] = []
    for one in given:
        if "-----BEGIN" in one:
            place, written = "the certificate", one.encode()
        else:
            place = f"certificate {home / one}"
            try:
                written = (home / one).read_bytes()
            except OSError as error:
                raise ConfigError(f"{place}: {error.strerror or error}") from None
        try:
            found += load_pem_x509_certificates(written)
        except ValueError:
            raise ConfigError(f"{place} is no certificate in PEM form") from None
    return tuple(found)


def in_force(given: Sequence[Certificate], at: datetime) -> Certificate | None:
    """The certificate to encrypt for: of those in force the one that lasts longest."""
    valid = [one for one in given if one.not_valid_before_utc <= at <= one.not_valid_after_utc]
    return max(valid, key=lambda one: one.not_valid_after_utc, default=None)


def expiry_warning(whose: str, given: Sequence[Certificate], at: datetime) -> str | None:
    """A sentence when nothing of this will be in force in ``SOON``, else None."""
    last = max((one.not_valid_after_utc for one in given), default=datetime.min.replace(tzinfo=UTC))
    if last > at + SOON:
        return None
    left = (last - at).days
    when = f"ends on {last:%Y-%m-%d}, in {left} days" if last > at else f"ended on {last:%Y-%m-%d}"
    return f"the AS2 certificate of {whose} {when}: agree on the next one and add it beside this one"
