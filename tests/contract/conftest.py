"""A real HTTP receiver and a real SSH server on this machine, and a state that lives in memory."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest

from connectors.as2.station import Station
from connectors.connections import Connection
from tests.memory_state import MemoryState


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the receiver says to one request: wait, then a status; or no answer at all."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0
    hang_up: bool = False


class Receiver:
    """Answers requests from ``answers``, one each, then with 204; keeps every request in ``requests``.

    Where there is a ``station``, that answers.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.template = Answer()
        self.station: Station | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.answers.pop(0) if receiver.answers else Answer()
                receiver.requests.append(Request(self.path, dict(self.headers), body))
                if receiver.station is not None:
                    reply = receiver.station.receive(self.headers.items(), body, datetime.now(UTC))
                    answer = Answer(reply.status, dict(reply.headers), reply.body)
                time.sleep(answer.wait)
                if answer.hang_up:
                    self.close_connection = True
                    return
                try:
                    self.send_response(answer.status)
                    for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


class Sshd:
    """OpenSSH's server on a port of this machine, for the user who runs the tests and nobody else."""

    def __init__(self, folder: Path, *, command: str = "internal-sftp") -> None:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert program, "no sshd: `.ci/install-debian $(cat .ci/debian-packages-for-tests.txt)` installs it"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.folder = folder
        self.host_key, self.key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        self.host_key.write_private_key(folder / "host_key")
        (folder / "host_key").chmod(0o600)
        self.key.write_private_key(folder / "key")
        self.key.write_public_key(folder / "authorized")
        self.port = free_port()
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"PasswordAuthentication yes\nKbdInteractiveAuthentication no\nMaxStartups 100\nLogLevel VERBOSE\n"
            f"Subsystem sftp internal-sftp\nForceCommand {command}\n"
        )
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
        self._await()

    def connection(self, **differs: Any) -> Connection:
        """How to log in, by key; ``extra`` may replace what proves us and the server."""
        extra = {
            "host_key": self.host_key.export_public_key().decode().strip(),
            "private_key": self.key.export_private_key().decode(),
        }
        given = {"host": "127.0.0.1", "port": self.port, "login": getpass.getuser(), "extra": extra}
        return Connection(conn_id="partner", type="sftp", **{**given, **differs})

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve connections just now."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_sessions(self) -> int:
        """Break every connection off, as a crash of the other side does; how many processes there were."""
        sessions = self.sessions()
        for session in sessions:
            with suppress(psutil.NoSuchProcess):
                session.kill()
        for session in sessions:
            with suppress(psutil.NoSuchProcess):
                while session.status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.005)
        return len(sessions)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Idempotent."""
        if self.process.poll() is None:
            self.kill_sessions()
            self.process.terminate()
            self.process.wait(10)

    def _await(self) -> None:
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as greeting:
                    assert greeting.recv(4) == b"SSH-"
                    return
            except OSError:
                assert self.process.poll() is None, self.log
                time.sleep(0.05)
        pytest.fail(f"sshd does not answer: {self.log}")


class Wire:
    """The way to a server on this machine, where bytes are counted and nothing need get through."""

    def __init__(self, port: int) -> None:
        self.to_client = 0
        self._server = port
        self._ends: list[socket.socket] = []
        self._open = threading.Event()
        self._open.set()
        self._losing = False
        self._last: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def freeze(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._open.clear()

    def lose_next_answer(self) -> None:
        """What the server is asked next it will do, but the connection breaks off before its answer arrives."""
        self._losing = True

    def break_off_after(self, count: int) -> None:
        """Let ``count`` more bytes reach the client, and then break the connection off, once."""
        self._last = self.to_client + count

    def close(self) -> None:
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends.append(end)
            for source, target, counted in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._forward, args=(source, target, counted))
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                if counted and self._losing:
                    self._losing = False
                    break
                if counted and self._last is not None and self.to_client + len(data) > self._last:
                    target.sendall(data[: self._last - self.to_client])
                    self._last = None
                    break
                target.sendall(data)
                self.to_client += len(data) * counted
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def start_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Starts servers that differ from the usual one."""
    with ExitStack() as running:

        def start(**differs: Any) -> Sshd:
            sshd = Sshd(tmp_path_factory.mktemp("sshd"), **differs)
            running.callback(sshd.stop)
            return sshd

        yield start


@pytest.fixture
def wire_to() -> Iterator[Callable[[int], Wire]]:
    """The way to a port of this machine."""
    wires = []

    def lay(port: int) -> Wire:
        wires.append(Wire(port))
        return wires[-1]

    yield lay
    for wire in wires:
        wire.close()


@pytest.fixture
def wire(sshd: Sshd) -> Iterator[Wire]:
    wire = Wire(sshd.port)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    return start_sshd()
