"""What every source keeps to. A new kind in the registry needs a place here, and is then tested like all others."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from connectors import registry
from connectors.as2.entity import entity
from connectors.as2.identity import Identity
from connectors.as2.message import wrap
from connectors.base import Arrival, Source
from connectors.channel import Channel
from connectors.connections import Connection
from connectors.sources import as2
from schemas.errors import ConfigError, PermanentError, TransientError
from tests.certificates import NOW, identity, ours, pem
from tests.web_servers import JsonApi, Told

LARGEST_PIECE = 4 << 20


class Place(Protocol):
    """Somewhere on this machine that a source of one kind reads."""

    options: Mapping[str, Any]
    connection: Connection | None  #: what its ``conn_id`` means

    def put(self, number: int, size: int) -> None:
        """Make arrival ``number`` lie there complete, of about ``size`` bytes; a higher number is younger."""

    def holds(self, payload: bytes, number: int) -> bool:
        """Whether ``payload`` is arrival ``number`` in full."""

    def half(self) -> Callable[[], None]:
        """Begin an arrival and leave it half-written; the result puts it away again."""

    def remove(self) -> None:
        """Take the whole place away."""


class FolderPlace:
    connection = None

    def __init__(self, home: Path, _: Callable[[str], Any]) -> None:
        self.path = home / "inbox"
        self.path.mkdir()
        self.put_there: dict[int, bytes] = {}
        self.options = {"kind": "folder", "path": "inbox", "pattern": "*.edi", "quiet": "30s"}

    def put(self, number: int, size: int) -> None:
        file = self.path / f"{9 - number}.edi"  # names sort the other way round than times
        self.put_there[number] = (b"%d\r\n\xff\x00" % number) * (size // 5)
        file.write_bytes(self.put_there[number])
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))

    def holds(self, payload: bytes, number: int) -> bool:
        return payload == self.put_there[number]

    def half(self) -> Callable[[], None]:
        growing, temporary = self.path / "growing.edi", self.path / "upload.edi.part"
        growing.write_bytes(b"ISA*")
        temporary.write_bytes(b"ISA*")
        os.utime(temporary, (1_700_000_000, 1_700_000_000))
        return lambda: (growing.unlink(), temporary.unlink())[0]

    def remove(self) -> None:
        for file in self.path.iterdir():
            file.unlink()
        self.path.rmdir()


class SftpPlace(FolderPlace):
    """The same folder, seen through an SSH server."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        super().__init__(home, fixture)
        self.connection = fixture("sshd").connection()
        self.options = {
            "kind": "sftp",
            "conn_id": "partner",
            "path": str(self.path),
            "pattern": "*.edi",
            "quiet": "200ms",
        }

    def half(self) -> Callable[[], None]:
        put_away, stop = super().half(), threading.Event()

        def grow() -> None:
            while not stop.wait(0.01):
                with (self.path / "growing.edi").open("ab") as file:
                    file.write(b"~")

        growing = threading.Thread(target=grow)
        growing.start()
        return lambda: (stop.set(), growing.join(), put_away())[0]


class As2Place(FolderPlace):
    """What a partner posted to the station."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        super().__init__(home, fixture)
        us, them = identity("us"), identity("them")
        self.connection = ours(us)
        self.options = {
            "kind": "as2",
            "path": "inbox",
            "own": {"name": "RAVENSMOOR", "conn_id": "as2"},
            "partners": [{"name": "ANVILGATE", "certificates": [pem(them)]}],
        }
        options = as2.Options.model_validate({name: value for name, value in self.options.items() if name != "kind"})
        self.station = as2.open_station(options, home=home, connections=lambda _: ours(us))

    def put(self, number: int, size: int) -> None:
        self.put_there[number] = (b"%d\r\n\xff\x00" % number) * (size // 5)
        before = set(self.path.iterdir())
        self._post(number, self.put_there[number], identity("us"))
        (new,) = set(self.path.iterdir()) - before
        os.utime(new, (1_700_000_000 + number, 1_700_000_000 + number))

    def _post(self, number: int, document: bytes, recipient: Identity) -> None:
        content = entity([("Content-Type", "application/EDI-X12")], document)
        wrapped, _ = wrap(
            content, by=identity("them"), digest="sha-256", recipient=recipient.certificate, cipher="aes-256",
            compress=False,
        )  # fmt: skip
        headers = {"AS2-From": "ANVILGATE", "AS2-To": "RAVENSMOOR", "Message-ID": f"<{number}@anvilgate.example>"}
        self.station.receive([*wrapped.headers.items(), *headers.items()], wrapped.body, NOW)

    def half(self) -> Callable[[], None]:
        """One that cannot be opened, and one in the middle of being written."""
        self._post(9, b"ISA*", identity("stranger"))
        file = self.path / ".growing.edi.tmp"
        file.write_bytes(b"ISA*")
        return file.unlink

    def remove(self) -> None:
        """The folder is made when it is not there, so something must stand in its way."""
        super().remove()
        self.path.write_text("a file where the folder should be")


class MaildirPlace:
    connection = None

    def __init__(self, home: Path, _: Callable[[str], Any]) -> None:
        self.path = home / "mail"
        for part in ("new", "cur", "tmp"):
            (self.path / part).mkdir(parents=True)
        self.put_there: dict[int, bytes] = {}
        self.options = {"kind": "maildir", "path": "mail"}

    def put(self, number: int, size: int) -> None:
        file = self.path / "new" / f"{9 - number}.host.eml"
        message = EmailMessage()
        message["From"], message["Message-ID"] = "supplier@acme.example", f"<{number}@acme.example>"
        message.add_attachment(
            b"\xff\x00" * (size // 3), maintype="application", subtype="octet-stream", filename="a.bin"
        )
        self.put_there[number] = message.as_bytes()
        file.write_bytes(self.put_there[number])
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))

    def holds(self, payload: bytes, number: int) -> bool:
        return payload == self.put_there[number]

    def half(self) -> Callable[[], None]:
        file = self.path / "tmp" / "writing.eml"
        file.write_bytes(b"From: a@b")
        return file.unlink

    def remove(self) -> None:
        for part in ("new", "cur", "tmp"):
            for file in (self.path / part).iterdir():
                file.unlink()
            (self.path / part).rmdir()


class ImapPlace:
    """A folder of its own on an IMAP server."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.server = fixture("dovecot")
        self.connection = self.server.connection()
        self.folder = f"in-{home.name}"
        self.put_there: dict[int, bytes] = {}
        self.options = {"kind": "imap", "conn_id": "mail", "folder": self.folder, "done": f"done-{home.name}"}
        client = self.server.client()
        client.create_folder(self.folder)
        client.logout()

    def put(self, number: int, size: int) -> None:
        message = EmailMessage()
        message["From"], message["Message-ID"] = "supplier@acme.example", f"<{number}@acme.example>"
        message.add_attachment(
            b"\xff\x00" * (size // 3), maintype="application", subtype="octet-stream", filename="a.bin"
        )
        self.put_there[number] = message.as_bytes(policy=SMTP)
        self._renumbered()

    def _renumbered(self) -> None:
        """The server numbers messages as they come; a contract's message may come before an earlier one."""
        client = self.server.client()
        client.select_folder(self.folder)
        if there := client.search("ALL"):
            client.delete_messages(there)
            client.expunge()
        for _, message in sorted(self.put_there.items()):
            client.append(self.folder, message)
        client.logout()

    def holds(self, payload: bytes, number: int) -> bool:
        return payload == self.put_there[number]

    def half(self) -> Callable[[], None]:
        """Somebody is in the middle of an APPEND."""
        with socket.create_connection(("127.0.0.1", self.server.plain)) as talking:
            talking.sendall(b"a LOGIN supply {11+}\r\nopen sesame\r\n")
            talking.sendall(f"b APPEND {self.folder} {{9000+}}\r\n".encode() + b"From: a@b\r\n\r\nhalf of it")
            time.sleep(0.2)
            held = talking.detach()
        return lambda: os.close(held)

    def remove(self) -> None:
        client = self.server.client()
        client.delete_folder(self.folder)
        client.logout()


class OdbcPlace:
    """One table a query; arrival ``number`` is what the query of that number gives."""

    def __init__(self, home: Path, _: Callable[[str], Any]) -> None:
        self.file = home / "erp.db"
        self.connection = Connection(conn_id="erp", type="sqlite", schema=str(self.file))
        self.put_there: dict[int, list[tuple[int, str, str]]] = {}
        erp = sqlite3.connect(self.file)
        with erp:
            for number in range(1, 6):
                erp.execute(f"CREATE TABLE t{number} (id INTEGER, text TEXT, changed_at TEXT)")
        erp.close()
        query = {"watermark": "changed_at", "key": ["id"], "overlap": "1m"}
        self.options = {
            "kind": "odbc",
            "conn_id": "erp",
            "queries": [
                {"name": f"t{n}", "sql": f"SELECT * FROM t{n} WHERE changed_at >= :watermark", **query}
                for n in range(1, 6)
            ],
        }

    def put(self, number: int, size: int) -> None:
        text, moment = f'{number} ü \\ " \n' + "y" * 60, f"2026-01-01 00:{number:02}:00"
        self.put_there[number] = [(row, text, moment) for row in range(max(1, size // 100))]
        erp = sqlite3.connect(self.file)
        with erp:
            erp.executemany(f"INSERT INTO t{number} VALUES (?, ?, ?)", self.put_there[number])
        erp.close()

    def holds(self, payload: bytes, number: int) -> bool:
        header, *rows = map(json.loads, payload.splitlines())
        expected = [[str(id_), text, moment] for id_, text, moment in self.put_there[number]]
        return header["query"] == f"t{number}" and rows == expected

    def half(self) -> Callable[[], None]:
        erp = sqlite3.connect(self.file, isolation_level=None)
        erp.execute("BEGIN IMMEDIATE")
        erp.execute("INSERT INTO t5 VALUES (1, 'not committed', '2026-01-01 00:00:00')")
        return lambda: (erp.execute("ROLLBACK"), erp.close())[1]

    def remove(self) -> None:
        self.file.unlink()


class WebPlace:
    """One address a query; arrival ``number`` is what the query of that number gives."""

    def __init__(self, home: Path, fixture: Callable[[str], Any]) -> None:
        self.api = fixture("json_api")
        self.connection = self.api.connection()
        self.put_there: dict[int, list[dict[str, Any]]] = {}
        self.options = self.channel()
        for number in range(1, 6):
            self.api.routes[f"/t{number}"] = partial(self.answer, number)

    def channel(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def answer(self, number: int, asked: Any) -> Told:
        raise NotImplementedError

    def put(self, number: int, size: int) -> None:
        text, moment = f'{number} ü \\ " \n' + "y" * 60, f"2026-01-01T00:{number:02}:00Z"
        self.put_there[number] = [{"id": row, "text": text, "at": moment} for row in range(max(1, size // 100))]

    def holds(self, payload: bytes, number: int) -> bool:
        header, *rows = map(json.loads, payload.splitlines())
        expected = [[str(one["id"]), one["text"].strip(), one["at"]] for one in self.put_there[number]]
        return header["query"] == f"t{number}" and rows == expected

    def half(self) -> Callable[[], None]:
        """There is no half over HTTP: a system shows what it has committed, and nothing else."""
        return lambda: None

    def remove(self) -> None:
        self.api.stop()


class RestPlace(WebPlace):
    def channel(self) -> Mapping[str, Any]:
        query = {
            "columns": {"id": "id", "text": "text", "at": "at"},
            "parameters": {"since": "{since}"},
            "paging": {"kind": "offset", "parameter": "from", "size_parameter": "limit", "size": 500},
            "watermark": "at",
            "overlap": "1m",
        }
        queries = [{"name": f"t{n}", "path": f"/t{n}", **query} for n in range(1, 6)]
        return {"kind": "rest", "conn_id": "api", "queries": queries}

    def answer(self, number: int, asked: Any) -> Told:
        rows = [one for one in self.put_there.get(number, []) if one["at"] >= asked.query.get("since", "")]
        return Told(rows[int(asked.query["from"]) :][: int(asked.query["limit"])])


class OdataPlace(WebPlace):
    def channel(self) -> Mapping[str, Any]:
        query = {
            "columns": {"id": "id", "text": "text", "at": "at"},
            "watermark": {"column": "at", "property": "at"},
            "overlap": "1m",
            "page": 500,
        }
        queries = [{"name": f"t{n}", "entity": f"/t{n}", **query} for n in range(1, 6)]
        return {"kind": "odata", "conn_id": "api", "queries": queries}

    def answer(self, number: int, asked: Any) -> Told:
        since = asked.query.get("$filter", "").rpartition(" ")[2]
        rows = [one for one in self.put_there.get(number, []) if one["at"] >= since]
        return Told({"value": rows[int(asked.query.get("$skip", 0)) :][: int(asked.query["$top"])]})


PLACES: Mapping[str, Callable[[Path, Callable[[str], Any]], Place]] = {
    "as2": As2Place,
    "folder": FolderPlace,
    "imap": ImapPlace,
    "maildir": MaildirPlace,
    "odata": OdataPlace,
    "odbc": OdbcPlace,
    "rest": RestPlace,
    "sftp": SftpPlace,
}


@pytest.fixture
def json_api() -> Iterator[JsonApi]:
    api = JsonApi()
    yield api
    api.stop()


def test_every_kind_has_a_place() -> None:
    assert set(PLACES) == set(registry.SOURCES)


@pytest.fixture(params=sorted(registry.SOURCES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path, request.getfixturevalue)


@pytest.fixture
def open_source(place: Place, tmp_path: Path, state: Any) -> Iterator[Callable[[], Source]]:
    """Each call is a new process's view of the same place."""
    opened: list[Source] = []

    def connections(conn_id: str) -> Connection:
        assert place.connection is not None
        assert conn_id == place.connection.conn_id
        return place.connection

    channel = Channel(channel="test", source=dict(place.options))

    def open_() -> Source:
        opened.append(registry.open_source(channel, home=tmp_path, state=state, connections=connections))
        return opened[-1]

    yield open_
    for source in opened:
        source.close()


def taken(source: Source, arrival: Arrival) -> bytes:
    pieces = list(source.fetch(arrival))
    assert max(map(len, pieces)) <= LARGEST_PIECE
    return b"".join(pieces)


def test_nothing_there_is_no_arrival(open_source: Callable[[], Source]) -> None:
    assert list(open_source().arrivals(10)) == []


def test_fetch_gives_the_exact_bytes_as_often_as_asked(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 3_000_000)
    source = open_source()
    (arrival,) = source.arrivals(10)
    assert place.holds(taken(source, arrival), 1)
    assert place.holds(taken(source, arrival), 1)
    assert arrival.received_at.tzinfo is not None
    assert arrival.name
    assert all(isinstance(value, str) for value in arrival.metadata.values())


def test_oldest_first_and_no_more_than_asked(place: Place, open_source: Callable[[], Source]) -> None:
    for number in (3, 1, 2):
        place.put(number, 100)
    source = open_source()
    first_two = [taken(source, arrival) for arrival in source.arrivals(2)]
    assert len(first_two) == 2
    assert place.holds(first_two[0], 1)
    assert place.holds(first_two[1], 2)
    assert len({arrival.key for arrival in open_source().arrivals(10)}) == 3


def test_nothing_is_let_go_before_it_is_settled(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 1000)
    killed = open_source()
    (before,) = killed.arrivals(10)
    taken(killed, before)
    restarted = open_source()
    (after,) = restarted.arrivals(10)
    assert after.key == before.key
    assert place.holds(taken(restarted, after), 1)


def test_settling_lets_go_for_good_and_may_be_repeated(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 1000)
    place.put(2, 1000)
    source = open_source()
    one, two = source.arrivals(10)
    taken(source, one)
    source.settle(one)
    source.settle(one)
    open_source().settle(one)
    restarted = open_source()
    assert [arrival.key for arrival in restarted.arrivals(10)] == [two.key]


def test_another_process_can_settle(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 1000)
    source = open_source()
    (arrival,) = source.arrivals(10)
    taken(source, arrival)
    source.close()
    open_source().settle(arrival)
    assert list(open_source().arrivals(10)) == []


def test_what_is_half_written_is_left_alone(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 100)
    put_away = place.half()
    source = open_source()
    arrivals = list(source.arrivals(10))
    assert [place.holds(taken(source, arrival), 1) for arrival in arrivals] == [True]
    put_away()


def test_closing_twice_is_harmless(place: Place, open_source: Callable[[], Source]) -> None:
    place.put(1, 100)
    source = open_source()
    list(source.arrivals(10))
    source.close()
    source.close()


def test_a_place_that_is_gone_is_an_error_of_ours(place: Place, open_source: Callable[[], Source]) -> None:
    place.remove()
    with pytest.raises((TransientError, PermanentError)) as told:
        list(open_source().arrivals(10))
    assert str(told.value)


def test_a_misspelt_option_is_named_with_its_neighbour(place: Place) -> None:
    longest = max((option for option in place.options if option != "kind"), key=len)
    given = dict(place.options)
    given[longest + "s"] = given.pop(longest)
    problems = registry.problems_in_source(given)
    assert any(
        f"source.{longest}s" in problem and f"did you mean '{longest}'" in problem for problem in map(str, problems)
    )


def test_an_unknown_kind_is_refused_before_anything_opens(tmp_path: Path, state: Any) -> None:
    channel = Channel(channel="test", source={"kind": "foldr"})
    with pytest.raises(ConfigError, match="did you mean 'folder'"):
        registry.open_source(channel, home=tmp_path, state=state, connections=lambda _: pytest.fail("asked"))
