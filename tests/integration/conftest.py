"""A real MariaDB, a channel's view of a database behind its ODBC driver, and a real browser."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyodbc
import pytest
from playwright.sync_api import Browser, sync_playwright

from connectors.connections import Connection
from tests.odbc_erp import OdbcChannel


class Mariadb:
    """A MariaDB server of this test run, for whoever runs the tests, at a socket of its own."""

    def __init__(self) -> None:
        program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert program, "no mariadbd: `.ci/install-debian $(cat .ci/debian-packages-for-tests.txt)` installs it"
        self.folder = Path(tempfile.mkdtemp(prefix="crossdock-mariadb-"))
        self.socket = self.folder / "socket"
        self._counter = itertools.count(1)
        user = ["--user=root"] if os.geteuid() == 0 else []
        common = ["--no-defaults", f"--datadir={self.folder}/data", *user]
        subprocess.run(
            ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, *common, f"--socket={self.socket}", f"--pid-file={self.folder}/pid", "--skip-networking",
                 "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"],
                stderr=log,
            )  # fmt: skip
        while not self.socket.exists():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)
        self.administer("CREATE USER reader IDENTIFIED BY 'r;d}r'")

    def administer(self, *statements: str, database: str = "", **options: str) -> pyodbc.Connection:
        """Run them as root; the connection, which commits by itself, is for whoever wants to go on."""
        parts = {"DRIVER": "MariaDB Unicode", "Socket": self.socket, "UID": "root", "CHARSET": "utf8mb4", **options}
        connection = pyodbc.connect(
            ";".join(f"{key}={value}" for key, value in {**parts, "Database": database}.items() if value),
            autocommit=True,
        )
        for statement in statements:
            connection.execute(statement)
        return connection

    def database(self) -> str:
        """The name of a new database that ``reader`` may read."""
        name = f"erp_{next(self._counter)}"
        self.administer(f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"GRANT SELECT ON {name}.* TO reader").close()
        return name

    def connection(self, database: str) -> Connection:
        """How a channel gets to that database."""
        extra = {"Socket": str(self.socket)}
        return Connection(conn_id="erp", type="mariadb", login="reader", password="r;d}r", schema=database, extra=extra)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    server = Mariadb()
    yield server
    server.stop()


@pytest.fixture
def channel_to(tmp_path: Path) -> Iterator[Callable[[Connection], OdbcChannel]]:
    """Makes a channel that reads what a Connection leads to."""
    channels: list[OdbcChannel] = []

    def channel_to(connection: Connection) -> OdbcChannel:
        channels.append(OdbcChannel(connection, tmp_path))
        return channels[-1]

    yield channel_to
    for channel in channels:
        channel.close()


@pytest.fixture(scope="session")
def odbc_to() -> Callable[[str], Connection]:
    """The Connection of a database that the ``postgres`` fixture made, from its URL."""

    def odbc_to(url: str) -> Connection:
        parts = urlsplit(url)
        host = parts.hostname or parse_qs(parts.query)["host"][0]
        return Connection(
            conn_id="erp",
            type="postgres",
            host=host,
            port=parts.port,
            login=parts.username or "postgres",
            password=parts.password or "",
            schema=parts.path.strip("/"),
        )

    return odbc_to


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "no chromium: `.ci/install-debian $(cat .ci/debian-packages-for-tests.txt)` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
