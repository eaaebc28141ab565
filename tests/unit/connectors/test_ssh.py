"""Logging in to SSH servers, and what asyncssh's errors mean: all that needs no server."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors import registry
from connectors.connections import Connection, parse_connection
from connectors.ssh.errors import Dropped, Missing, Taken, as_ours, meanings
from connectors.ssh.login import Login, ServerOptions, login_of
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError

KEY = asyncssh.generate_private_key("ssh-ed25519")
PUBLIC = KEY.export_public_key().decode().strip()


def login(home: Path, connection: Connection, **options: Any) -> Login:
    given = ServerOptions.model_validate({"conn_id": "acme", **options})
    return login_of(given, home=home, connections=lambda _: connection)


def acme(**differs: Any) -> Connection:
    given = {"type": "sftp", "host": "sftp.acme.example", "login": "us", "password": "s3cret"}
    return Connection(conn_id="acme", **{**given, "extra": {"host_key": PUBLIC}, **differs})


# -- errors -----------------------------------------------------------------------------------------


def theirs() -> Iterator[type[BaseException]]:
    for kind in vars(asyncssh).values():
        if inspect.isclass(kind) and issubclass(kind, BaseException):
            yield kind


def descendants(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def test_every_error_class_of_asyncssh_has_a_meaning() -> None:
    assert set(theirs()) <= set(meanings())
    # those that it does not export are of these families too
    assert set(descendants(asyncssh.Error)) <= set(meanings())


def made(kind: type[BaseException]) -> BaseException:
    error = kind.__new__(kind)
    Exception.__init__(error, "it says why")
    if isinstance(error, asyncssh.ChannelOpenError):
        error.code = 4  # resource shortage
    return error


@pytest.mark.parametrize("kind", sorted(meanings(), key=lambda kind: kind.__name__))
def test_every_meaning_is_what_is_raised(kind: type[BaseException]) -> None:
    ours = as_ours(made(kind), "acme: /outbox")
    assert type(ours) is meanings()[kind]
    assert "acme: /outbox: it says why" in str(ours)
    assert type(pickle.loads(pickle.dumps(ours))) is type(ours)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncssh.ConnectionLost("gone"), Dropped),
        (asyncssh.SFTPConnectionLost("gone"), Dropped),
        (asyncssh.SFTPFailure("Failure"), TransientError),
        (asyncssh.SFTPNoSpaceOnFilesystem("full"), TransientError),
        (TimeoutError(), TransientError),
        (ConnectionRefusedError(111, "Connection refused"), TransientError),
        (asyncssh.SFTPNoSuchFile("No such file"), Missing),
        (asyncssh.SFTPFileAlreadyExists("there"), Taken),
        (asyncssh.SFTPPermissionDenied("Permission denied"), PermanentError),
        (asyncssh.PermissionDenied("Permission denied"), PermanentError),
        (asyncssh.HostKeyNotVerifiable("not trusted"), PermanentError),
        (asyncssh.ChannelOpenError(1, "prohibited"), PermanentError),
        (asyncssh.ChannelOpenError(4, "busy"), TransientError),
        (asyncssh.KeyImportError("not a key"), ConfigError),
    ],
)
def test_what_to_do_next(error: Exception, kind: type[CrossdockError]) -> None:
    assert type(as_ours(error, "acme")) is kind


def test_a_timeout_says_so_though_asyncio_does_not() -> None:
    assert str(as_ours(TimeoutError(), "acme: a.edi")) == "acme: a.edi: no answer in time"


# -- logging in -------------------------------------------------------------------------------------


def test_a_connection_as_airflow_writes_it(tmp_path: Path) -> None:
    written = f"sftp://us:p%40ss@sftp.acme.example:2222?host_key={PUBLIC.replace(' ', '%20').replace('+', '%2B')}"
    given = login(tmp_path, parse_connection("acme", written), timeout="5s")
    assert (given.place, given.user, given.password, given.timeout) == ("sftp.acme.example:2222", "us", "p@ss", 5)
    assert given.known_hosts("sftp.acme.example", "192.0.2.1", 2222) == ([asyncssh.import_public_key(PUBLIC)], [], [])


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    connection = acme(extra={"host_key": PUBLIC, "private_key": KEY.export_private_key().decode()})
    shown = repr(login(tmp_path, connection))
    assert "sftp.acme.example" in shown
    assert "s3cret" not in shown
    assert "PRIVATE" not in shown


@pytest.mark.parametrize(
    "written",
    [PUBLIC, PUBLIC + " root@acme", PUBLIC.split()[1], f"\n{PUBLIC}\n"],
    ids=["plain", "with a comment", "base64 alone", "between blank lines"],
)
def test_a_host_key_in_the_ways_people_write_it(tmp_path: Path, written: str) -> None:
    keys, _, _ = login(tmp_path, acme(extra={"host_key": written})).known_hosts("any", "", None)
    assert keys == [asyncssh.import_public_key(PUBLIC)]


def test_several_host_keys_for_the_time_of_a_change(tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    keys, _, _ = login(tmp_path, acme(extra={"host_key": f"{PUBLIC}\n{other}"})).known_hosts("any", "", None)
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("connection", "options", "told"),
    [
        (acme(extra={}), {}, "does not say which key the server has"),
        (acme(extra={"no_host_key_check": "true"}), {}, "ssh-keyscan sftp.acme.example"),
        (acme(extra={"host_key": "AAAA"}), {}, "host_key is no public key"),
        (acme(extra={"host_key": "ssh-ed25519 nonsense"}), {}, "host_key is no public key"),
        (acme(extra={"host_key": "ssh-ed25519"}), {}, "host_key is no public key"),
        (acme(extra={}), {"known_hosts": "nowhere"}, "known_hosts: .*nowhere: No such file"),
        (acme(password=""), {}, "neither password nor key"),
        (acme(host=""), {}, "has no host"),
        (acme(login=""), {}, "has no login"),
        (acme(type="http"), {}, "is of type http .*make it sftp"),
        (acme(extra={"host_key": PUBLIC, "private_key": "s3cret rubbish"}), {}, "private key cannot be read"),
        (acme(extra={"host_key": PUBLIC, "key_file": "id"}), {}, "id: No such file"),
    ],
)
def test_a_connection_that_will_not_do(
    tmp_path: Path, connection: Connection, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        login(tmp_path, connection, **options)
    assert "s3cret" not in str(error.value)


def test_a_known_hosts_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("@nonsense line of text\n")
    with pytest.raises(ConfigError, match="known_hosts: "):
        login(tmp_path, acme(extra={}), known_hosts="known_hosts")


# -- options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "source.conn_id: is missing"),
        ({"conn_id": "acme", "setle": "delete"}, "unknown key 'setle'; did you mean 'settle'?"),
        ({"conn_id": "acme", "settle": "forget"}, "source.settle: unknown word 'forget'; known: delete, move"),
        ({"conn_id": "acme", "settle": "delete", "done": "away"}, "done says where files are moved to"),
        ({"conn_id": "acme", "path": "out", "done": "./out/"}, "done and path are the same folder"),
        ({"conn_id": "acme", "marker": ""}, "source.marker"),
        ({"conn_id": "acme", "quiet": "-1s"}, "source.quiet"),
        ({"conn_id": "acme", "timeout": "0s"}, "source.timeout"),
        ({"conn_id": "acme", "password": "x"}, "unknown key 'password'"),
    ],
)
def test_options_of_a_source_are_linted(options: dict[str, Any], told: str) -> None:
    problems = registry.problems_in_source({"kind": "sftp", **options})
    assert any(told in str(problem) for problem in problems), problems


def test_options_of_a_sink_are_linted() -> None:
    assert registry.problems_in_sink({"kind": "sftp", "conn_id": "acme", "path": "inbox"}) == []
    (problem,) = registry.problems_in_sink({"kind": "sftp", "conn_id": "acme", "pattern": "*"})
    assert "unknown key 'pattern'" in problem.sentence
