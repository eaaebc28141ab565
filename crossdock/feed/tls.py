"""TLS of ``crossdock serve``'s own: which certificate it shows, and how old a version of TLS it still speaks."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import ConfigError

#: The oldest version that is spoken. What came before 1.2 is forbidden (RFC 8996).
Oldest = Literal["1.2", "1.3"]
_VERSIONS: Mapping[Oldest, ssl.TLSVersion] = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM: the certificate with those that lead to its authority, and its key where that is not in there."""

    certificate: Path
    key: Path | None = None
    oldest: Oldest = "1.2"

    def context(self) -> ssl.SSLContext:
        """Raises ConfigError for files that are not there, no PEM, of another pair, or locked with a password."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self.oldest]
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except ssl.SSLError as error:
            raise ConfigError(
                f"{self.certificate}: {_said(error)}",
                hint="name a certificate in PEM, and with --tls-key its key where that is another file",
            ) from None
        except OSError as error:
            missing = next((file for file in (self.certificate, self.key) if file and not file.is_file()), None)
            raise ConfigError(f"{missing or self.certificate}: {error.strerror or error}") from None
        return context


def _no_password() -> str:
    """Nobody is asked for one where a service starts: OpenSSL would read it from the terminal."""
    raise ConfigError(
        "the key is locked with a password", hint="keep it in a file only this user can read, without one"
    )


def _said(error: ssl.SSLError) -> str:
    reason = str(error.reason or "")
    if reason == "KEY_VALUES_MISMATCH":
        return "its key is the key of another certificate"
    if not reason:
        return "certificate or key is not there in PEM"
    return f"certificate or key cannot be used ({reason.replace('_', ' ').lower()})"
