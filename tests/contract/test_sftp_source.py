"""The SFTP source against OpenSSH's server: what the contract does not say for it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.base import Arrival
from connectors.connections import Connection
from connectors.sources.sftp import Options, SftpSource
from connectors.ssh.login import Login, login_of
from connectors.ssh.session import Session
from schemas.errors import ConfigError, PermanentError, TransientError

pytestmark = pytest.mark.integration

NOON = 1_700_000_000


def put(folder: Path, name: str | bytes, content: bytes = b"x", age: int = 100) -> Path:
    path = folder / os.fsdecode(name)
    path.write_bytes(content)
    os.utime(path, (NOON - age, NOON - age))
    return path


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


class Watched(Session):
    """A session that tells of every change just before it asks for it."""

    def __init__(self, login: Login, before: Callable[[str], None]) -> None:
        super().__init__(login)
        self._before = before

    def rename(self, old: str, new: str) -> None:
        self._before(old)
        super().rename(old, new)

    def remove(self, path: str) -> None:
        self._before(path)
        super().remove(path)


@pytest.fixture
def open_source(inbox: Path, sshd: Any, tmp_path: Path) -> Iterator[Callable[..., SftpSource]]:
    """A source on the inbox; keywords are options that differ, ``connection`` is how to get there, ``pause``
    and ``before`` (each change) are what happens meanwhile."""
    opened: list[SftpSource] = []

    def open_(
        *,
        connection: Connection | None = None,
        pause: Callable[[float], None] = time.sleep,
        before: Callable[[str], None] = str,
        **differs: Any,
    ) -> SftpSource:
        options = Options.model_validate({"conn_id": "partner", "path": str(inbox), "quiet": "0s", **differs})
        login = login_of(options, home=tmp_path, connections=lambda _: connection or sshd.connection())
        opened.append(SftpSource(Watched(login, before), options, pause=pause))
        return opened[-1]

    yield open_
    for source in opened:
        source.close()


def only(source: SftpSource) -> Arrival:
    (arrival,) = source.arrivals(10)
    return arrival


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# -- broken connections -----------------------------------------------------------------------------


def test_a_fetch_goes_on_where_the_connection_broke_off(
    inbox: Path, sshd: Any, wire: Any, open_source: Callable[..., SftpSource]
) -> None:
    content = noise(12_000_000)
    put(inbox, "big.edi", content)
    source = open_source(connection=sshd.connection(port=wire.port))
    arrival = only(source)
    received, kills = b"", 0
    for piece in source.fetch(arrival):
        received += piece
        if len(received) in (3 << 20, 7 << 20):
            kills += sshd.kill_sessions() > 0
    assert kills == 2
    assert received == content
    assert wire.to_client < 1.4 * len(content)  # twice resumed, not read three times


def test_a_server_that_stays_away_is_tried_again_a_few_times(
    inbox: Path, start_sshd: Callable[..., Any], open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "big.edi", noise(3_000_000))
    server = start_sshd()
    pauses: list[float] = []
    source = open_source(connection=server.connection(), pause=pauses.append)
    pieces = source.fetch(only(source))
    next(pieces)
    server.stop()
    with pytest.raises(TransientError, match=f"127.0.0.1:{server.port}"):
        list(pieces)
    assert pauses


def test_a_file_replaced_while_the_connection_was_down_is_not_pieced_together(
    inbox: Path, sshd: Any, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "big.edi", noise(3_000_000))
    source = open_source()
    pieces = source.fetch(only(source))
    next(pieces)
    sshd.kill_sessions()
    put(inbox, "big.edi", noise(3_000_001))
    with pytest.raises(TransientError, match="changed while it was read"):
        list(pieces)


def test_a_connection_that_died_while_idle_is_made_anew(
    inbox: Path, sshd: Any, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a.edi", b"content")
    source = open_source()
    arrival = only(source)
    for step in (lambda: only(source), lambda: list(source.fetch(arrival)), lambda: source.settle(arrival)):
        assert sshd.kill_sessions()
        step()
    assert (inbox / "done" / "a.edi").read_bytes() == b"content"


def test_a_server_that_falls_silent_is_given_up_after_the_timeout(
    inbox: Path, sshd: Any, wire: Any, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a.edi")
    source = open_source(connection=sshd.connection(port=wire.port), timeout="300ms")
    arrival = only(source)
    wire.freeze()
    with pytest.raises(TransientError, match="no answer in time"):
        source.settle(arrival)


def test_signs_of_life_find_a_dead_connection_before_the_timeout_does(
    inbox: Path, sshd: Any, wire: Any, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a.edi")
    source = open_source(
        connection=sshd.connection(port=wire.port), timeout="1h", keep_alive="100ms", connect_timeout="500ms"
    )
    list(source.arrivals(1))
    wire.freeze()
    with pytest.raises(TransientError):
        list(source.arrivals(1))


def test_a_server_that_is_not_there_may_come_back(sshd: Any, open_source: Callable[..., SftpSource]) -> None:
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        list(open_source(connection=sshd.connection(port=1)).arrivals(1))


# -- who is who -------------------------------------------------------------------------------------


def stranger() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()


def test_another_host_key_is_refused_with_its_fingerprint(sshd: Any, open_source: Callable[..., SftpSource]) -> None:
    extra = {**sshd.connection().extra, "host_key": stranger()}
    with pytest.raises(PermanentError) as told:
        list(open_source(connection=sshd.connection(extra=extra)).arrivals(1))
    assert sshd.host_key.get_fingerprint() in str(told.value)
    assert "extra.host_key of connection 'partner'" in str(told.value)


def test_a_server_without_a_key_of_the_kind_we_know_is_refused(
    sshd: Any, open_source: Callable[..., SftpSource]
) -> None:
    other_kind = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    extra = {**sshd.connection().extra, "host_key": other_kind}
    with pytest.raises(PermanentError, match="not the one we know"):
        list(open_source(connection=sshd.connection(extra=extra)).arrivals(1))


def test_a_known_hosts_file_does_as_well(
    sshd: Any, inbox: Path, tmp_path: Path, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a.edi")
    known = tmp_path / "known_hosts"
    connection = sshd.connection(extra={"private_key": sshd.connection().extra["private_key"]})
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.connection().extra['host_key']}\n")
    assert only(open_source(connection=connection, known_hosts="known_hosts"))
    for wrong in (f"[127.0.0.1]:{sshd.port} {stranger()}", f"elsewhere {sshd.connection().extra['host_key']}", ""):
        known.write_text(wrong)
        with pytest.raises(PermanentError, match="not the one we know"):
            list(open_source(connection=connection, known_hosts="known_hosts").arrivals(1))


def test_a_wrong_password_is_for_a_person(sshd: Any, open_source: Callable[..., SftpSource]) -> None:
    extra = {"host_key": sshd.connection().extra["host_key"]}
    connection = sshd.connection(password="not-the-p4ssword", extra=extra)
    with pytest.raises(PermanentError, match="correct its password or key") as told:
        list(open_source(connection=connection).arrivals(1))
    assert "p4ssword" not in str(told.value)


def test_a_server_that_refused_us_is_not_asked_again_by_the_same_session(
    start_sshd: Callable[..., Any], open_source: Callable[..., SftpSource]
) -> None:
    server = start_sshd()
    extra = {"host_key": server.connection().extra["host_key"]}
    source = open_source(connection=server.connection(password="wrong", extra=extra))
    for _ in range(5):
        with pytest.raises(PermanentError, match="correct its password or key"):
            list(source.arrivals(1))
    assert server.log.count("Failed password") == 1


def test_a_key_that_the_server_does_not_know_is_for_a_person(sshd: Any, open_source: Callable[..., SftpSource]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    connection = sshd.connection(extra={**sshd.connection().extra, "private_key": other})
    with pytest.raises(PermanentError, match="correct its password or key"):
        list(open_source(connection=connection).arrivals(1))


def test_a_key_in_a_file_with_a_passphrase(
    sshd: Any, inbox: Path, tmp_path: Path, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a.edi")
    sshd.key.write_private_key(tmp_path / "id", passphrase="open sesame", rounds=4, ignore_few_rounds=True)
    extra = {"host_key": sshd.connection().extra["host_key"], "key_file": "id"}
    right = sshd.connection(extra={**extra, "private_key_passphrase": "open sesame"})
    assert only(open_source(connection=right)).name == "a.edi"
    with pytest.raises(ConfigError, match="private key cannot be read"):
        open_source(connection=sshd.connection(extra={**extra, "private_key_passphrase": "sesame"}))


def test_the_right_password_opens(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    """Against asyncssh's server: OpenSSH knows only passwords of this machine's own users."""
    put(inbox, "a.edi", b"content")
    with password_server("acme", "s3cret") as (port, host_key):
        given = {"conn_id": "partner", "type": "sftp", "host": "127.0.0.1", "port": port, "login": "acme"}
        source = open_source(connection=Connection(**given, password="s3cret", extra={"host_key": host_key}))
        assert b"".join(source.fetch(only(source))) == b"content"
        source.close()
        with pytest.raises(PermanentError, match="correct its password"):
            list(open_source(connection=Connection(**given, password="x", extra={"host_key": host_key})).arrivals(1))


class password_server:  # noqa: N801
    """asyncssh's SFTP server for one user with a password, on a thread."""

    def __init__(self, user: str, password: str) -> None:
        class Door(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, given: str) -> bool:
                return (username, given) == (user, password)

        self.door = Door
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> tuple[int, str]:
        self.thread.start()
        listening = asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.key], server_factory=self.door, sftp_factory=True
        )

        async def listen() -> asyncssh.SSHAcceptor:
            return await listening

        self.acceptor = asyncio.run_coroutine_threadsafe(listen(), self.loop).result(10)
        return self.acceptor.get_port(), self.key.export_public_key().decode()

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            self.acceptor.close()
            await self.acceptor.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def test_a_server_that_offers_no_files_is_for_a_person(
    start_sshd: Callable[..., Any], open_source: Callable[..., SftpSource]
) -> None:
    with pytest.raises((PermanentError, TransientError)) as told:
        list(open_source(connection=start_sshd(command="/bin/false").connection()).arrivals(1))
    assert "127.0.0.1" in str(told.value)


# -- what is complete -------------------------------------------------------------------------------


def test_a_file_that_changed_between_two_looks_is_not_complete(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "steady.edi")
    put(inbox, "growing.edi", b"half")
    put(inbox, "leaving.edi")

    def meanwhile(seconds: float) -> None:
        assert seconds == 5
        put(inbox, "growing.edi", b"half and more")
        (inbox / "leaving.edi").unlink()
        put(inbox, "new.edi")

    source = open_source(quiet="5s", pause=meanwhile)
    assert [arrival.name for arrival in source.arrivals(10)] == ["steady.edi"]


def test_a_clock_that_is_wrong_on_the_server_does_not_matter(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    file = put(inbox, "future.edi")
    os.utime(file, (4_000_000_000, 4_000_000_000))
    assert only(open_source(quiet="50ms")).name == "future.edi"


def test_nobody_waits_where_nothing_is(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    put(inbox, "upload.filepart")
    source = open_source(quiet="5s", pause=lambda _: pytest.fail("waited"))
    assert list(source.arrivals(10)) == []


def test_with_a_marker_only_marked_files_are_complete_and_the_marker_goes_with_them(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    for name, age in (("a.edi", 100), ("b.edi", 50), ("b.edi.ok", 40), ("c.edi", 10), ("c.edi.ok", 30)):
        put(inbox, name, age=age)
    source = open_source(marker=".ok", quiet="1h")
    arrival = only(source)
    assert arrival.name == "b.edi"
    source.settle(arrival)
    assert sorted(path.name for path in inbox.iterdir()) == ["a.edi", "c.edi", "c.edi.ok", "done"]


def test_folders_links_and_unfinished_names_are_no_arrivals(
    inbox: Path, tmp_path: Path, open_source: Callable[..., SftpSource]
) -> None:
    (inbox / "folder.edi").mkdir()
    (inbox / "link.edi").symlink_to(put(tmp_path, "outside.edi"))
    for name in (".a.edi", "a.edi.tmp", "a.edi.filepart", "~a.edi"):
        put(inbox, name)
    assert list(open_source().arrivals(10)) == []


def test_names_in_another_character_set_are_taken_like_any_other(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "Größe ✓.edi".encode(), b"utf-8", age=2)
    put(inbox, "Größe.edi".encode("latin-1"), b"latin-1", age=1)
    source = open_source()
    for expected, arrival in zip((b"utf-8", b"latin-1"), list(source.arrivals(10)), strict=True):
        arrival.key.encode("utf-8")
        assert b"".join(source.fetch(arrival)) == expected
        source.settle(arrival)
        with pytest.raises(TransientError) as told:
            list(source.fetch(arrival))
        str(told.value).encode("utf-8")
    assert sorted(os.fsencode(path.name) for path in (inbox / "done").iterdir()) == [
        b"Gr\xc3\xb6\xc3\x9fe \xe2\x9c\x93.edi",
        b"Gr\xf6\xdfe.edi",
    ]


# -- letting go -------------------------------------------------------------------------------------


def test_the_same_name_twice_overwrites_nothing(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    source = open_source()
    for n in range(3):
        put(inbox, "stock.csv", b"%d" % n)
        source.settle(only(source))
    kept = sorted((inbox / "done").iterdir())
    assert {path.read_bytes() for path in kept} == {b"0", b"1", b"2"}
    assert all(path.suffix == ".csv" for path in kept)


def test_a_newer_file_of_the_same_name_is_not_settled_away(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    for settle in ("move", "delete"):
        put(inbox, "a", b"first")
        source = open_source(settle=settle)
        arrival = only(source)
        put(inbox, "a", b"second", age=50)
        source.settle(arrival)
        assert (inbox / "a").read_bytes() == b"second"
        assert only(source).key != arrival.key


def test_a_file_replaced_in_the_moment_of_settling_comes_back(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    def replaced(path: str) -> None:
        if path == str(inbox / "a"):
            put(inbox, "a", b"second", age=50)

    put(inbox, "a", b"first")
    source = open_source(before=replaced)
    source.settle(only(source))
    assert (inbox / "a").read_bytes() == b"second"
    assert list((inbox / "done").iterdir()) == []


@pytest.mark.parametrize("settle", ["move", "delete"])
def test_a_file_that_was_settled_without_our_being_told_is_settled(
    settle: str, inbox: Path, sshd: Any, wire: Any, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a", b"content")
    asked: list[str] = []

    def answer_is_lost(path: str) -> None:
        asked.append(path)
        wire.lose_next_answer()

    source = open_source(connection=sshd.connection(port=wire.port), settle=settle, before=answer_is_lost)
    source.settle(only(source))
    assert asked == [str(inbox / "a")]
    assert not (inbox / "a").exists()
    assert [path.name for path in inbox.rglob("a")] == (["a"] if settle == "move" else [])


def test_a_settled_file_can_be_deleted_instead(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    put(inbox, "a")
    source = open_source(settle="delete")
    arrival = only(source)
    source.settle(arrival)
    source.settle(arrival)
    assert list(inbox.iterdir()) == []


def test_the_folder_for_settled_files_may_lie_elsewhere(
    inbox: Path, tmp_path: Path, open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a")
    source = open_source(done=str(tmp_path / "archive" / "2026"))
    source.settle(only(source))
    assert (tmp_path / "archive" / "2026" / "a").exists()


def test_where_we_may_only_read_we_cannot_settle(
    inbox: Path, start_sshd: Callable[..., Any], open_source: Callable[..., SftpSource]
) -> None:
    put(inbox, "a", b"content")
    (inbox / "done").mkdir()
    for settle in ("move", "delete"):
        source = open_source(connection=start_sshd(command="internal-sftp -R").connection(), settle=settle)
        arrival = only(source)
        assert b"".join(source.fetch(arrival)) == b"content"
        with pytest.raises(PermanentError, match=re.compile("permission denied.*ask whoever runs", re.I)):
            source.settle(arrival)
    assert (inbox / "a").exists()


def test_a_marker_is_known_in_any_case(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    put(inbox, "A.EDI", age=100)
    put(inbox, "A.EDI.OK", b"", age=90)
    source = open_source(marker=".ok")
    source.settle(only(source))
    assert [path.name for path in inbox.iterdir()] == ["done"]


def test_a_file_that_is_gone_when_it_is_fetched_is_no_fault_of_the_configuration(
    inbox: Path, open_source: Callable[..., SftpSource]
) -> None:
    path = put(inbox, "a.edi")
    source = open_source()
    arrival = only(source)
    path.unlink()
    with pytest.raises(TransientError, match=r"a\.edi is gone"):
        list(source.fetch(arrival))
    source.settle(arrival)


def test_a_folder_that_is_not_there_is_named(inbox: Path, open_source: Callable[..., SftpSource]) -> None:
    with pytest.raises(PermanentError, match=r"nowhere.*mend the path"):
        list(open_source(path=f"{inbox}/nowhere").arrivals(1))
