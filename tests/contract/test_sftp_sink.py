"""The SFTP sink against OpenSSH's server: what the contract does not say for it."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sinks.sftp import Options, SftpSink
from connectors.ssh.login import Login, login_of
from connectors.ssh.session import Session
from schemas.errors import PermanentError, TransientError

pytestmark = pytest.mark.integration


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    (tmp_path / "outbox").mkdir()
    return tmp_path / "outbox"


class Watched(Session):
    """A session that tells when a file is written and about to get its name."""

    def __init__(self, login: Login, before_renaming: Callable[[], object]) -> None:
        super().__init__(login)
        self._before_renaming = before_renaming

    def replace(self, old: str, new: str) -> None:
        self._before_renaming()
        super().replace(old, new)


@pytest.fixture
def open_sink(outbox: Path, sshd: Any, tmp_path: Path) -> Iterator[Callable[..., SftpSink]]:
    """A sink into the outbox; ``server`` is another one than usual, keywords are options that differ."""
    opened: list[SftpSink] = []

    def open_(
        *, server: Any = None, port: int | None = None, before_renaming: Callable[[], object] = bool, **differs: Any
    ) -> SftpSink:
        options = Options.model_validate({"conn_id": "partner", "path": str(outbox), **differs})
        server = server or sshd
        login = login_of(options, home=tmp_path, connections=lambda _: server.connection(port=port or server.port))
        opened.append(SftpSink(Watched(login, before_renaming), options.path))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()


def event(n: int) -> bytes:
    return json.dumps({"id": f"e{n:04}", "specversion": "1.0"}).encode()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_sort_in_feed_order_across_processes(outbox: Path, open_sink: Callable[..., SftpSink]) -> None:
    for first in (0, 10, 20):
        open_sink().deliver([event(n) for n in range(first, first + 10)])
    assert names(outbox) == [f"{n:012d}-e{(n - 1) * 10:04}.jsonl" for n in (1, 2, 3)]


def test_a_full_disk_leaves_nothing_behind_and_is_worth_another_try(
    outbox: Path, open_sink: Callable[..., SftpSink]
) -> None:
    # the only disk that is full everywhere
    (outbox / ".997.edi.tmp").symlink_to("/dev/full")
    sink = open_sink()
    with pytest.raises(TransientError, match="full disk"):
        sink.put("997.edi", b"x" * 100)
    assert names(outbox) == []
    sink.put("997.edi", b"x" * 100)
    assert (outbox / "997.edi").read_bytes() == b"x" * 100


def test_where_we_may_not_write_a_person_is_told(
    outbox: Path, start_sshd: Callable[..., Any], open_sink: Callable[..., SftpSink]
) -> None:
    sink = open_sink(server=start_sshd(command="internal-sftp -R"))
    for attempt in (lambda: sink.put("997.edi", b"x"), lambda: sink.deliver([event(1)])):
        with pytest.raises(PermanentError, match="ask whoever runs the server"):
            attempt()
    assert names(outbox) == []


def test_a_file_that_cannot_be_renamed_is_not_left_half_sent(
    outbox: Path, start_sshd: Callable[..., Any], open_sink: Callable[..., SftpSink]
) -> None:
    sink = open_sink(server=start_sshd(command="internal-sftp -P posix-rename,rename"))
    with pytest.raises(PermanentError, match="ask whoever runs the server"):
        sink.put("997.edi", b"x")
    assert names(outbox) == []


@pytest.mark.parametrize("unable", ["posix-rename", "fsync", "posix-rename,fsync,limits,hardlink"])
def test_a_server_of_few_words_will_do(
    unable: str, outbox: Path, start_sshd: Callable[..., Any], open_sink: Callable[..., SftpSink]
) -> None:
    sink = open_sink(server=start_sshd(command=f"internal-sftp -P {unable}"))
    sink.put("997.edi", b"first")
    sink.put("997.edi", b"second")
    sink.deliver([event(1)])
    sink.deliver([event(1), event(2)])
    assert names(outbox) == ["000000000001-e0001.jsonl", "997.edi"]
    assert (outbox / "997.edi").read_bytes() == b"second"
    assert len((outbox / "000000000001-e0001.jsonl").read_bytes().splitlines()) == 2


def test_a_connection_that_breaks_off_while_writing_delivers_nothing_and_the_next_try_all(
    outbox: Path, sshd: Any, open_sink: Callable[..., SftpSink]
) -> None:
    content = random.Random(1).randbytes(30_000_000)
    sink = open_sink()
    sink.put("before.edi", b"")

    def kill_midway() -> None:
        unfinished = outbox / ".big.edi.tmp"
        while not unfinished.exists() or unfinished.stat().st_size < 1 << 20:
            time.sleep(0.001)
        sshd.kill_sessions()

    killer = threading.Thread(target=kill_midway)
    killer.start()
    with pytest.raises(TransientError):
        sink.put("big.edi", content)
    killer.join()
    assert "big.edi" not in names(outbox)
    sink.put("big.edi", content)
    assert (outbox / "big.edi").read_bytes() == content
    assert names(outbox) == ["before.edi", "big.edi"]


def test_a_file_that_arrived_without_our_being_told_is_worth_another_try(
    outbox: Path, wire: Any, open_sink: Callable[..., SftpSink]
) -> None:
    with pytest.raises(TransientError):
        open_sink(port=wire.port, before_renaming=wire.lose_next_answer).put("997.edi", b"x")
    assert names(outbox) == ["997.edi"]
    open_sink().put("997.edi", b"x")
    assert names(outbox) == ["997.edi"]


def test_a_connection_that_died_while_idle_is_made_anew(
    outbox: Path, sshd: Any, open_sink: Callable[..., SftpSink]
) -> None:
    sink = open_sink()
    sink.deliver([event(1)])
    assert sshd.kill_sessions()
    sink.deliver([event(2)])
    assert sshd.kill_sessions()
    sink.put("997.edi", b"x")
    assert len(names(outbox)) == 3


def test_a_folder_that_is_not_there_is_made(outbox: Path, open_sink: Callable[..., SftpSink]) -> None:
    open_sink(path=f"{outbox}/to/acme").put("997.edi", b"x")
    assert (outbox / "to" / "acme" / "997.edi").exists()


def test_a_relative_path_starts_where_the_login_does(
    outbox: Path, start_sshd: Callable[..., Any], open_sink: Callable[..., SftpSink]
) -> None:
    sink = open_sink(server=start_sshd(command=f"internal-sftp -d {outbox}"), path="inbox")
    sink.put("997.edi", b"x")
    assert os.listdir(outbox / "inbox") == ["997.edi"]  # noqa: PTH208
