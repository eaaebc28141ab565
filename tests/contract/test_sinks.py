"""What every sink keeps to. A new kind in the registry needs a receiver here, and is then tested like all others."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from email import message_from_bytes
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import polars as pl
import psycopg
import pytest
from psycopg import sql

from connectors import registry
from connectors.base import Outbox, Sink
from connectors.connections import Connection
from connectors.outlet import Outlet
from connectors.sinks.columns import COLUMNS, ENVELOPE
from connectors.sources import as2
from schemas.errors import CrossdockError, PermanentError, TransientError
from tests.certificates import identity, ours, pem
from tests.kafka_broker import Broker


class Receiving(Protocol):
    """A receiver on this machine that a sink of one kind delivers to."""

    options: Mapping[str, Any]
    connection: Connection | None  #: what its ``conn_id`` means

    def received(self) -> list[dict[str, Any]]:
        """Events in the order they came, each id once: a receiver knows an event that comes again."""

    def refusing(self) -> Any:
        """A context in which it takes nothing."""


class FolderReceiving:
    connection = None

    def __init__(self, home: Path, _: Callable[[str], Any]) -> None:
        self.path = home / "feed"
        self.options = {"kind": "folder", "path": "feed"}

    def received(self) -> list[dict[str, Any]]:
        files = sorted(self.path.iterdir()) if self.path.is_dir() else []
        assert all(file.suffix == ".jsonl" for file in files)
        return known_once(json.loads(line) for file in files for line in file.read_bytes().splitlines())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        away = self.path.with_name("away")
        there = self.path.exists()
        if there:
            self.path.rename(away)
        self.path.write_text("a file where the folder should be")
        yield
        self.path.unlink()
        if there:
            away.rename(self.path)


class SftpReceiving(FolderReceiving):
    """The same folder, seen through an SSH server."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        super().__init__(home, fixture)
        self.connection = fixture("sshd").connection()
        self.options = {"kind": "sftp", "conn_id": "partner", "path": str(self.path)}


class HttpReceiving:
    connection = None

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.receiver = fixture("receiver")
        self.options = {"kind": "http", "url": self.receiver.url, "timeout": "2s"}
        self.refused = 0

    def received(self) -> list[dict[str, Any]]:
        return known_once(event for request in self.receiver.requests[self.refused :] for event in request.events)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        before = len(self.receiver.requests)
        self.receiver.answers = [replace(self.receiver.template, status=503)]
        yield
        del self.receiver.requests[before:]


class As2Receiving:
    """A partner's station behind an HTTP server."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        us, them = identity("us"), identity("them")
        self.connection = ours(us)
        self.path = home / "theirs" / "in"
        station = {
            "path": "in",
            "own": {"name": "ANVILGATE", "conn_id": "as2"},
            "partners": [{"name": "RAVENSMOOR", "certificates": [pem(us)]}],
        }
        options = as2.Options.model_validate(station)
        self.receiver = fixture("receiver")
        self.receiver.station = as2.open_station(options, home=home / "theirs", connections=lambda _: ours(them))
        self.options = {
            "kind": "as2",
            "url": self.receiver.url,
            "own": {"name": "RAVENSMOOR", "conn_id": "as2"},
            "partner": {"name": "ANVILGATE", "certificates": [pem(them)]},
        }

    def received(self) -> list[dict[str, Any]]:
        files = (
            sorted(self.path.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns) if self.path.is_dir() else []
        )
        return known_once(json.loads(line) for file in files for line in file.read_bytes().splitlines())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        station, self.receiver.station = self.receiver.station, None
        self.receiver.answers = [replace(self.receiver.template, status=503)]
        yield
        self.receiver.station = station


class SmtpReceiving:
    """Somebody's mailbox, in which a letter with a known Message-ID is thrown away."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.host = fixture("mail_host")
        self.host.letters.clear()
        self.connection = self.host.connection()
        self.options = {
            "kind": "smtp",
            "conn_id": "mail_out",
            "sender": "Ravensmoor <supply@ravensmoor.example>",
            "to": "planner@ravensmoor.example",
        }

    def received(self) -> list[dict[str, Any]]:
        letters = {(letter := message_from_bytes(one.content))["Message-ID"]: letter for one in self.host.letters}
        files = [
            part.get_payload(decode=True)
            for letter in letters.values()
            for part in letter.walk()
            if part.get_filename()
        ]
        return known_once(json.loads(line) for file in files for line in file.splitlines())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.host.refuse = "451 the disk is full"
        yield
        self.host.refuse = ""


class KafkaReceiving:
    """A topic of a real broker, read back by another client."""

    connection = None
    numbers = itertools.count(1)

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.broker = fixture("broker")
        self.topic = self.broker.topic(f"sinks-{next(self.numbers)}")
        self.options = {"kind": "kafka", "brokers": self.broker.address, "topic": self.topic, "mode": "structured"}
        self.options["timeout"] = "4s"

    def received(self) -> list[dict[str, Any]]:
        return known_once(json.loads(message.value()) for message in self.broker.messages(self.topic))

    def refusing(self) -> Any:
        return self.broker.shut()


class ParquetReceiving:
    connection = None

    def __init__(self, home: Path, _: Callable[[str], Any]) -> None:
        self.path = home / "lake"
        self.options = {"kind": "parquet", "path": "lake"}

    def received(self) -> list[dict[str, Any]]:
        rows = (row for file in sorted(self.path.rglob("*.parquet")) for row in pl.read_parquet(file).rows(named=True))
        return sorted(known_once(map(as_event, rows)), key=lambda event: event["id"])

    refusing = FolderReceiving.refusing


class PostgresReceiving:
    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.url = fixture("postgres").database()
        where = urlsplit(self.url)
        self.connection = Connection(
            conn_id="warehouse",
            type="postgres",
            host=where.hostname or parse_qs(where.query)["host"][0],
            port=where.port,
            login=where.username or "",
            password=where.password or "",
            schema=where.path[1:],
        )
        self.options = {"kind": "postgres", "conn_id": "warehouse", "table": "events", "timeout": "500ms"}

    def received(self) -> list[dict[str, Any]]:
        query = sql.SQL("SELECT {} FROM events ORDER BY id").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
        with psycopg.connect(self.url, row_factory=psycopg.rows.dict_row) as connection:
            if connection.execute("SELECT to_regclass('events') AS there").fetchone() == {"there": None}:
                return []
            rows = connection.execute(query).fetchall()
        for row in rows:
            row |= {name: row[name].astimezone(UTC).strftime(FORMAT) for name in ("time", "recordedtime")}
            row["data"] = json.dumps(row["data"])
        return [as_event(row) for row in rows]

    @contextmanager
    def refusing(self) -> Iterator[None]:
        with psycopg.connect(self.url) as other:
            other.execute("LOCK TABLE events")
            yield
            other.rollback()


FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def as_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """The event that a row of columns was made of."""
    envelope = {name: row[name] for name in ENVELOPE}
    return envelope | {"partitionkey": row["subject"], "specversion": "1.0", "data": json.loads(row["data"])}


def known_once(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({event["id"]: event for event in events}.values())


RECEIVING: Mapping[str, Callable[[Path, Callable[[str], Any]], Receiving]] = {
    "as2": As2Receiving,
    "folder": FolderReceiving,
    "http": HttpReceiving,
    "kafka": KafkaReceiving,
    "parquet": ParquetReceiving,
    "postgres": PostgresReceiving,
    "sftp": SftpReceiving,
    "smtp": SmtpReceiving,
}


def events(first: int, last: int) -> list[bytes]:
    """Whole events, as they leave."""
    data = {"partner": "ACME", "item": "P-1", "site": "N1", "kind": "ordered", "unit": "EA", "base_unit": "C62"}
    data |= {"quantity": "1.50", "base_quantity": "1.50", "note": "ü\n✓"}
    at = {"time": "2026-03-01T08:00:00Z", "recordedtime": "2026-03-01T08:00:01Z"}
    return [
        json.dumps(
            {
                **{"id": f"e{n:04}", "source": "/crossdock/channels/edi", "type": "crossdock.demand.v1"},
                **{"subject": f"order/{n}", **at, "partitionkey": f"order/{n}", "sequence": 1, "correlationid": "d1"},
                **{"specversion": "1.0", "data": data},
            }
        ).encode()
        for n in range(first, last)
    ]


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.stop()


def test_every_kind_has_a_receiver() -> None:
    assert set(RECEIVING) == set(registry.SINKS)


@pytest.fixture(params=sorted(registry.SINKS))
def receiving(request: pytest.FixtureRequest, tmp_path: Path) -> Receiving:
    return RECEIVING[request.param](tmp_path, request.getfixturevalue)


@pytest.fixture
def open_sink(receiving: Receiving, tmp_path: Path) -> Iterator[Callable[[], Sink]]:
    opened = []
    outlet = Outlet(outlet="test", sink=dict(receiving.options))

    def connections(conn_id: str) -> Connection:
        assert receiving.connection is not None
        assert conn_id == receiving.connection.conn_id
        return receiving.connection

    def open_() -> Sink:
        opened.append(registry.open_sink(outlet, home=tmp_path, connections=connections))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()
        sink.close()


def test_a_batch_arrives_whole_and_in_order(receiving: Receiving, open_sink: Callable[[], Sink]) -> None:
    sink = open_sink()
    sink.deliver(events(0, 100))
    sink.deliver(events(100, 150))
    assert receiving.received() == [json.loads(event) for event in events(0, 150)]


def test_the_same_batch_again_is_harmless(receiving: Receiving, open_sink: Callable[[], Sink]) -> None:
    sink = open_sink()
    sink.deliver(events(0, 10))
    sink.deliver(events(10, 20))
    open_sink().deliver(events(10, 20))
    open_sink().deliver(events(20, 30))
    assert receiving.received() == [json.loads(event) for event in events(0, 30)]


def test_a_batch_that_grew_since_its_first_delivery_loses_nothing(
    receiving: Receiving, open_sink: Callable[[], Sink]
) -> None:
    open_sink().deliver(events(0, 10))
    open_sink().deliver(events(0, 25))
    assert receiving.received() == [json.loads(event) for event in events(0, 25)]


def test_refused_means_nothing_of_it_arrived(receiving: Receiving, open_sink: Callable[[], Sink]) -> None:
    sink = open_sink()
    sink.deliver(events(0, 10))
    with receiving.refusing(), pytest.raises((TransientError, PermanentError)) as told:
        sink.deliver(events(10, 20))
    assert isinstance(told.value, CrossdockError)
    assert receiving.received() == [json.loads(event) for event in events(0, 10)]
    sink.deliver(events(10, 20))
    assert receiving.received() == [json.loads(event) for event in events(0, 20)]


def test_no_events_are_no_delivery(receiving: Receiving, open_sink: Callable[[], Sink]) -> None:
    open_sink().deliver([])
    assert receiving.received() == []


@pytest.fixture
def outbox(receiving: Receiving, open_sink: Callable[[], Sink]) -> tuple[Outbox, Path]:
    """A sink that takes outbound documents, and where they come to lie."""
    sink = open_sink()
    assert isinstance(receiving, FolderReceiving)
    assert isinstance(sink, Outbox)
    return sink, receiving.path


of_files = pytest.mark.parametrize("receiving", ["folder", "sftp"], indirect=True)


def test_who_else_takes_documents_is_tested_here() -> None:
    sinks = [import_module(module) for module in registry.SINKS.values()]
    outboxes = {name for module in sinks for name, kind in vars(module).items() if hasattr(kind, "put")}
    assert outboxes - {"Outbox"} == {"As2Sink", "FolderSink", "SftpSink", "SmtpSink"}


@of_files
def test_a_document_arrives_as_it_is_and_beside_the_events(outbox: tuple[Outbox, Path], receiving: Receiving) -> None:
    sink, folder = outbox
    sink.put("997 Größe.edi", b"ISA*00\r\n\xff\x00")
    sink.put("empty", b"")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "997 Größe.edi": b"ISA*00\r\n\xff\x00",
        "empty": b"",
    }


@of_files
def test_a_document_sent_again_takes_its_own_place(outbox: tuple[Outbox, Path]) -> None:
    sink, folder = outbox
    sink.put("997.edi", b"a longer first content")
    sink.put("997.edi", b"second")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("997.edi", b"second")]


@of_files
def test_a_document_refused_has_not_arrived(outbox: tuple[Outbox, Path], receiving: Receiving) -> None:
    sink, folder = outbox
    sink.put("first.edi", b"x")
    with receiving.refusing(), pytest.raises((TransientError, PermanentError)):
        sink.put("997.edi", b"x")
    assert [path.name for path in folder.iterdir()] == ["first.edi"]


@of_files
@pytest.mark.parametrize("name", ["", ".", "..", "../997.edi", "/etc/997", "a\\b", "a\nb", ".hidden"])
def test_a_document_stays_in_its_folder(outbox: tuple[Outbox, Path], name: str) -> None:
    sink, folder = outbox
    with pytest.raises(PermanentError, match="no name"):
        sink.put(name, b"x")
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_misspelt_option_is_named_with_its_neighbour(receiving: Receiving) -> None:
    option = max((option for option in receiving.options if option != "kind"), key=len)
    given = dict(receiving.options)
    given[option + "s"] = given.pop(option)
    assert any(f"did you mean '{option}'" in problem.sentence for problem in registry.problems_in_sink(given))
