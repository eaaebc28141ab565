"""Certificates that cannot be used are told before anybody is served."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from crossdock.feed.tls import Tls
from schemas.errors import ConfigError
from tests.certificates import identity, key_pem, pem, server_certificate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificate, key = server_certificate("127.0.0.1")
    locked = identity("locked")
    files = {
        "server.pem": certificate,
        "server.key": key,
        "both.pem": certificate + key,
        "other.key": key_pem(identity("other")).encode(),
        "locked.pem": pem(locked).encode(),
        "locked.key": locked.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "text.pem": b"no certificate",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("certificate", "key"), [("server.pem", "server.key"), ("both.pem", None)])
def test_a_pair_in_one_file_or_two(folder: Path, certificate: str, key: str | None) -> None:
    Tls(certificate=folder / certificate, key=folder / key if key else None).context()


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        ("server.pem", "other.key", "its key is the key of another certificate"),
        ("server.pem", "missing.key", "missing.key: No such file"),
        ("missing.pem", None, "missing.pem: No such file"),
        ("server.pem", None, "not there in PEM"),
        ("text.pem", None, "not there in PEM|cannot be used"),
        ("locked.pem", "locked.key", "locked with a password"),
    ],
)
def test_what_cannot_be_used_says_why(folder: Path, certificate: str, key: str | None, told: str) -> None:
    tls = Tls(certificate=folder / certificate, key=folder / key if key else None)
    with pytest.raises(ConfigError, match=told):
        tls.context()
