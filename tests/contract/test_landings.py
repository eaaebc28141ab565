"""What lands is told: of folders by the kernel, of mailboxes and servers by who waits there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.channel import Channel
from connectors.connections import Connection
from connectors.landings import is_watched, landings
from schemas.errors import ConfigError
from tests.mail_servers import Dovecot


def no_connection(conn_id: str) -> Connection:
    raise ConfigError(f"there is no connection {conn_id!r}")


class Ear:
    """What was told so far, heard in the test's own event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.told: list[str] = []
        self._loop = loop

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> list[str]:
        """What was told in ``seconds``, or, sooner, once ``until`` holds."""
        before, end = len(self.told), time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._loop.run_until_complete(asyncio.sleep(0.01))
        return self.told[before:]

    def hears(self, channel: str, within: float = 10) -> bool:
        """Whether ``channel`` is told before the time is over."""
        before = len(self.told)
        return channel in self.listen(within, lambda: channel in self.told[before:])


@contextmanager
def listening(kind: str, channels: dict[str, Channel], home: Path, **differs: Any) -> Iterator[Ear]:
    loop = asyncio.new_event_loop()
    ear = Ear(loop)

    async def listen() -> None:
        usual = {"configured": lambda: dict(channels), "connections": no_connection, "grace": 60, "look": 60}
        async for channel in landings(kind, home=home, **{**usual, **differs}):
            ear.told.append(channel)

    task = loop.create_task(listen())
    try:
        ear.listen(0.05)
        yield ear
        assert not task.done()
    finally:
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def channel(name: str, **source: Any) -> Channel:
    return Channel(channel=name, source={"kind": "folder", "path": name, **source})


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "edi").mkdir()
    return tmp_path / "edi"


def test_a_file_that_is_renamed_into_its_place_is_told_of_its_channel_alone(inbox: Path) -> None:
    (inbox.parent / "other").mkdir()
    with listening("folder", {name: channel(name) for name in ("edi", "other")}, inbox.parent) as ear:
        (inbox / ".coming").write_text("x")
        (inbox / ".coming").rename(inbox / "a.edi")
        assert ear.hears("edi")
        assert ear.listen(0.7) == []


def test_a_file_is_told_once_who_writes_it_has_closed_it(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi")}, inbox.parent) as ear:
        with (inbox / "a.edi").open("wb", buffering=0) as file:
            file.write(b"ISA")
            assert ear.listen(0.3) == []
            file.write(b"IEA")
        assert ear.hears("edi")


def test_names_that_are_not_taken_are_not_told(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi", pattern="*.edi")}, inbox.parent) as ear:
        for name in ("a.txt", "a.edi.part", ".a.edi"):
            (inbox / name).write_text("x")
        (inbox / "folder.edi").mkdir()
        assert ear.listen(0.3) == []
        (inbox / "a.edi").write_text("x")
        assert ear.hears("edi")


def test_with_a_marker_it_is_the_marker_that_tells(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi", marker=".done", pattern="*.edi")}, inbox.parent) as ear:
        (inbox / "a.edi").write_text("x")
        (inbox / "b.txt.done").touch()
        assert ear.listen(0.3) == []
        (inbox / "a.edi.done").touch()
        assert ear.hears("edi")


def test_many_files_at_once_are_told_together_and_the_last_is_not_forgotten(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi")}, inbox.parent) as ear:
        for number in range(300):
            (inbox / f"{number}.edi").write_text("x")
        assert 1 <= len(ear.listen(1.2)) <= 3
        (inbox / "last.edi").write_text("x")
        assert ear.hears("edi")


def test_what_lay_there_before_anybody_listened_is_told_once(inbox: Path) -> None:
    (inbox / "a.edi").write_text("x")
    with listening("folder", {"edi": channel("edi")}, inbox.parent, grace=0.1, look=0.1) as ear:
        assert ear.hears("edi")
        assert ear.listen(0.8) == []


def test_what_the_kernel_told_is_not_told_again_by_the_next_look(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi")}, inbox.parent, grace=0.7, look=0.7) as ear:
        (inbox / "a.edi").write_text("x")
        assert ear.hears("edi", within=0.5)
        assert ear.listen(1.8) == []


def test_what_has_to_rest_for_longer_than_a_run_waits_is_told_again_by_the_next_look(inbox: Path) -> None:
    with listening("folder", {"edi": channel("edi", quiet="6s")}, inbox.parent, grace=0.7, look=0.7) as ear:
        (inbox / "a.edi").write_text("x")
        assert ear.hears("edi", within=0.5)
        assert ear.hears("edi", within=2)
        assert ear.listen(1.0) == []


def test_what_nobody_took_is_told_once_more_after_a_while(inbox: Path) -> None:
    (inbox / "taken.edi").write_text("x")
    with listening("folder", {"edi": channel("edi")}, inbox.parent, grace=0.1, look=0.1, again=1.0) as ear:
        assert ear.hears("edi")
        (inbox / "taken.edi").unlink()
        (inbox / "left.edi").write_text("x")
        assert ear.hears("edi")
        assert ear.hears("edi", within=5)
        assert ear.listen(1.5) == []


def test_what_has_to_rest_for_long_is_told_once_more_when_it_has(inbox: Path) -> None:
    (inbox / "a.edi").write_text("x")
    with listening("folder", {"edi": channel("edi", quiet="2s")}, inbox.parent, grace=0.3, look=0.1, again=0.3) as ear:
        assert ear.hears("edi")
        assert ear.listen(1.2) == []
        assert ear.hears("edi", within=5)


def test_folders_and_channels_that_come_later_are_watched_too(tmp_path: Path) -> None:
    channels = {"edi": channel("edi")}
    with listening("folder", channels, tmp_path, grace=0.1, look=0.1) as ear:
        (tmp_path / "edi").mkdir()
        ear.listen(0.3)
        (tmp_path / "edi" / "a.edi").write_text("x")
        assert ear.hears("edi")
        (tmp_path / "late").mkdir()
        channels["late"] = channel("late")
        ear.listen(0.3)
        (tmp_path / "late" / "a.edi").write_text("x")
        assert ear.hears("late")
        del channels["edi"]
        ear.listen(0.8)
        (tmp_path / "edi" / "b.edi").write_text("x")
        assert ear.listen(0.5) == []


def test_a_fault_of_the_whole_is_logged_and_over_once_it_is_mended(
    inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ConfigError("channels: there is no such folder")]

    def configured() -> dict[str, Channel]:
        for fault in faults:
            raise fault
        return {"edi": channel("edi")}

    with listening("folder", {}, inbox.parent, configured=configured, grace=0.1, look=0.1) as ear:
        ear.listen(0.3)
        faults.clear()
        ear.listen(0.3)
        (inbox / "a.edi").write_text("x")
        assert ear.hears("edi")
    assert "channels of kind folder is not told until this is mended: channels: there is no such folder" in caplog.text


def test_a_fault_that_nobody_foresaw_does_not_end_it(inbox: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = iter([ZeroDivisionError("not foreseen")])

    def configured() -> dict[str, Channel]:
        for fault in asked:
            raise fault
        return {"edi": channel("edi")}

    with listening("folder", {}, inbox.parent, configured=configured, grace=0.1, look=0.1) as ear:
        (inbox / "a.edi").write_text("x")
        assert ear.hears("edi")
    assert "is not told for" in caplog.text


def test_mail_is_told_once_it_is_delivered(tmp_path: Path) -> None:
    for name in ("new", "tmp"):
        (tmp_path / "mail" / name).mkdir(parents=True)
    mail = Channel(channel="mail", source={"kind": "maildir", "path": "mail"})
    with listening("maildir", {"mail": mail}, tmp_path) as ear:
        (tmp_path / "mail" / "tmp" / "1").write_text("From: a\n\nb\n")
        assert ear.listen(0.2) == []
        (tmp_path / "mail" / "tmp" / "1").rename(tmp_path / "mail" / "new" / "1")
        assert ear.hears("mail")


@pytest.mark.parametrize(
    ("differs", "watched"),
    [
        ({}, True),
        ({"watch": False}, False),
        ({"enabled": False}, False),
        ({"schedule": None}, False),
        ({"source": {"kind": "rest"}}, False),
    ],
)
def test_what_is_watched(differs: dict[str, Any], watched: bool) -> None:
    assert is_watched(channel("edi").model_copy(update=differs)) is watched


# -- who is waited for --------------------------------------------------------------------------------


@pytest.mark.integration
def test_mail_on_a_server_is_told_and_a_mailbox_that_lets_nobody_in_does_not_matter(
    dovecot: Dovecot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = dovecot.client()
    client.create_folder("landings")
    client.logout()
    channels = {
        name: Channel(channel=name, source={"kind": "imap", "conn_id": name, "folder": "landings"})
        for name in ("mail", "locked")
    }

    def connections(conn_id: str) -> Connection:
        return dovecot.connection() if conn_id == "mail" else no_connection(conn_id)

    with listening("imap", channels, tmp_path, connections=connections, again=1.5) as ear:
        ear.listen(1)
        dovecot.append(b"Message-ID: <1@a.example>\r\n\r\nx\r\n", folder="landings")
        assert ear.hears("mail")
        ear.listen(0.6)
        dovecot.append(b"Message-ID: <2@a.example>\r\n\r\nx\r\n", folder="landings")
        assert ear.hears("mail")
        assert "locked" not in ear.told
        assert ear.hears("mail")  # once more, for nobody has taken them
        ear.listen(3)
        assert len(ear.told) <= 4
    assert "locked: what lands is not told until this is mended: there is no connection 'locked'" in caplog.text


@pytest.mark.integration
def test_a_file_on_an_sftp_server_is_told(sshd: Any, inbox: Path) -> None:
    server = Channel(channel="van", source={"kind": "sftp", "conn_id": "van", "path": str(inbox)})
    (inbox / "before.edi").write_text(json.dumps({}))
    with listening("sftp", {"van": server}, inbox.parent, connections=lambda _: sshd.connection()) as ear:
        assert ear.hears("van")
        (inbox / "a.edi").write_text("x")
        assert ear.hears("van", within=20)


@pytest.mark.integration
def test_what_nobody_took_from_a_server_is_told_once_more(sshd: Any, inbox: Path) -> None:
    server = Channel(channel="van", source={"kind": "sftp", "conn_id": "van", "path": str(inbox)})
    (inbox / "a.edi").write_text("x")
    usual = {"connections": lambda _: sshd.connection(), "again": 1.0}
    with listening("sftp", {"van": server}, inbox.parent, **usual) as ear:
        assert ear.hears("van", within=30)
        assert ear.hears("van", within=30)
        assert ear.listen(3) == []
