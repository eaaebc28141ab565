"""The ODBC source on a real SQLite: exact values, watermarks, late commits, errors."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyodbc
import pytest

from connectors.connections import Connection
from connectors.pulls import shape
from connectors.pulls.source import PullingSource
from connectors.pulls.watermark import Reach, Watermark, Window
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.driver import PLAIN, Session, as_ours, connect, connection_string
from connectors.sources.odbc.source import Database
from connectors.sources.odbc.statement import Query, parse
from schemas.configuration import faults
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError


class Memory(dict[str, str]):
    def set(self, key: str, value: str) -> None:
        self[key] = value


class Erp:
    """A SQLite file, and the channel's view of it; ``pull`` is one run of the channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "erp.db"
        self.db = sqlite3.connect(self.file, isolation_level=None)
        self.state = Memory()
        self.sources: list[PullingSource[Query]] = []

    def open(self, sql: str, state: Memory | None = None, **query: Any) -> PullingSource[Query]:
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": sql, **query}], "rows": 3})
        connection = Connection(conn_id="erp", type="sqlite", schema=str(self.file))
        state = self.state if state is None else state
        source = open_source(options, home=self.folder, state=state, connections=lambda _: connection)
        self.sources.append(source)
        return source

    def pull(self, sql: str, settle: bool = True, **query: Any) -> list[list[str | None]]:
        """The rows of the arrival, if there is one."""
        source = self.open(sql, **query)
        found = []
        for arrival in source.arrivals(10):
            header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
            assert int(arrival.metadata["rows"]) == len(rows)
            assert len(header["columns"]) == len(header["types"])
            found += rows
            if settle:
                source.settle(arrival)
        return found

    def close(self) -> None:
        for source in self.sources:
            source.close()
        self.db.close()


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[Erp]:
    erp = Erp(tmp_path)
    yield erp
    erp.close()


class TestValues:
    def test_every_type_comes_as_text_and_exact(self, erp: Erp) -> None:
        erp.db.execute(
            "CREATE TABLE t (padded CHAR(8), price DECIMAL(18,4), big BIGINT, small INTEGER, at TIMESTAMP, day DATE,"
            " clock TIME, flag BOOLEAN, share REAL, blob BLOB, missing TEXT, empty TEXT, zeroes VARCHAR(9), exact TEXT)"
        )
        erp.db.execute(
            "INSERT INTO t VALUES ('ab      ', '12.5000', 9223372036854775807, -9223372036854775808,"
            " '2026-03-29 02:30:00.123',"
            " '2026-02-28', '23:59:58', 1, 0.1, x'00ff', NULL, '', '00123', '12345678901234567890.123456789')"
        )
        (row,) = erp.pull("SELECT * FROM t")
        assert row == [
            "ab",
            "12.5",  # SQLite itself keeps a DECIMAL as a binary number and forgets its trailing zeroes
            "9223372036854775807",
            "-9223372036854775808",
            "2026-03-29T02:30:00.123000",
            "2026-02-28",
            "23:59:58",
            "true",
            "0.1",
            "00ff",
            None,
            "",
            "00123",
            "12345678901234567890.123456789",
        ]

    @pytest.mark.parametrize("number", [2**53 + 1, 2**31, -(2**31) - 1, 2**63 - 1])
    def test_large_integers_are_not_cut(self, erp: Erp, number: int) -> None:
        erp.db.execute("CREATE TABLE t (n INTEGER)")
        erp.db.execute("INSERT INTO t VALUES (?)", (number,))
        assert erp.pull("SELECT n FROM t") == [[str(number)]]

    @pytest.mark.parametrize(
        ("number", "written"), [(1e22, "1" + "0" * 22), (1e-7, "0.0000001"), (3.0, "3"), (0.3, "0.3")]
    )
    def test_floats_have_no_exponent(self, erp: Erp, number: float, written: str) -> None:
        erp.db.execute("CREATE TABLE t (n REAL)")
        erp.db.execute("INSERT INTO t VALUES (?)", (number,))
        assert erp.pull("SELECT n FROM t") == [[written]]

    def test_text_of_any_script_and_length(self, erp: Erp) -> None:
        texts = ["ü€\U0001f600", 'quote " backslash \\ newline \n tab \t', "x" * 200_000, "日本語", "line\r\nend"]
        erp.db.execute("CREATE TABLE t (s TEXT)")
        erp.db.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts])
        assert erp.pull("SELECT s FROM t") == [[text] for text in texts]

    def test_moments_get_the_zone_of_the_erp(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (at TIMESTAMP)")
        erp.db.execute("INSERT INTO t VALUES ('2026-07-01 12:00:00'), ('2026-01-01 12:00:00'), (NULL)")
        options = Options.model_validate(
            {"conn_id": "erp", "timezone": "Europe/Berlin", "queries": [{"name": "q", "sql": "SELECT at FROM t"}]}
        )
        connection = Connection(conn_id="erp", type="sqlite", schema=str(erp.file))
        source = open_source(options, home=erp.folder, state=erp.state, connections=lambda _: connection)
        (arrival,) = source.arrivals(1)
        _, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
        source.close()
        assert rows == [["2026-07-01T12:00:00+02:00"], ["2026-01-01T12:00:00+01:00"], [None]]


SINCE = "SELECT id, at FROM t WHERE at >= :watermark ORDER BY at, id"
KEYED: dict[str, Any] = {"watermark": "at", "key": ["id"]}


class TestWatermark:
    @pytest.fixture(params=["TEXT", "TIMESTAMP"], autouse=True)
    def table(self, erp: Erp, request: pytest.FixtureRequest) -> None:
        erp.db.execute(f"CREATE TABLE t (id INTEGER, at {request.param})")

    def put(self, erp: Erp, *rows: tuple[int, str]) -> None:
        erp.db.executemany("INSERT INTO t VALUES (?, ?)", [(id_, f"2026-01-01 {clock}") for id_, clock in rows])

    def ids(self, erp: Erp, overlap: str = "5m", **options: Any) -> list[int]:
        return [int(row[0] or 0) for row in erp.pull(SINCE, overlap=overlap, **KEYED, **options)]

    def test_only_what_is_new_comes(self, erp: Erp) -> None:
        self.put(erp, (1, "10:00:00"), (2, "10:01:00"))
        assert self.ids(erp) == [1, 2]
        assert self.ids(erp) == []
        self.put(erp, (3, "10:02:00"))
        assert self.ids(erp) == [3]
        assert self.ids(erp) == []

    def test_rows_of_one_moment_are_all_had(self, erp: Erp) -> None:
        self.put(erp, *((n, "10:00:00") for n in range(1, 8)))
        assert self.ids(erp) == list(range(1, 8))
        self.put(erp, (8, "10:00:00"))
        assert self.ids(erp) == [8]

    def test_a_late_commit_within_the_overlap_is_had_once(self, erp: Erp) -> None:
        self.put(erp, (1, "10:00:00"), (2, "10:04:00"))
        assert self.ids(erp) == [1, 2]
        self.put(erp, (3, "09:59:30"), (4, "10:03:00"))
        assert self.ids(erp) == [3, 4]
        assert self.ids(erp) == []

    def test_a_row_changed_within_the_overlap_comes_again(self, erp: Erp) -> None:
        self.put(erp, (1, "10:00:00"))
        assert self.ids(erp) == [1]
        erp.db.execute("UPDATE t SET at = '2026-01-01 10:00:01'")
        assert self.ids(erp) == [1]

    def test_unsettled_it_comes_again(self, erp: Erp) -> None:
        self.put(erp, (1, "10:00:00"))
        assert self.ids(erp, settle=False) == [1]
        self.put(erp, (2, "10:01:00"))
        assert self.ids(erp) == [1, 2]

    def test_a_watermark_never_goes_back(self, erp: Erp) -> None:
        self.put(erp, (1, "10:00:00"))
        source = erp.open(SINCE, overlap="5m", **KEYED)
        (early,) = source.arrivals(1)
        self.put(erp, (2, "11:00:00"))
        assert self.ids(erp) == [1, 2]
        source.settle(early)
        assert self.ids(erp) == []

    def test_a_null_watermark_is_passed_over(self, erp: Erp) -> None:
        erp.db.execute("INSERT INTO t VALUES (1, NULL)")
        self.put(erp, (2, "10:00:00"))
        assert [row[0] for row in erp.pull("SELECT id, at FROM t WHERE at IS NULL OR at >= :watermark", **KEYED)] == [
            "1",
            "2",
        ]

    def test_the_window_is_pruned_and_still_whole(self, erp: Erp) -> None:
        rows = [(n, f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}") for n in range(4000)]
        self.put(erp, *rows)
        assert self.ids(erp, overlap="10s") == list(range(4000))
        self.put(erp, (5000, "01:06:35"))
        assert self.ids(erp, overlap="10s") == [5000]


class TestLargePulls:
    """A pull of many rows comes in several payloads, and goes on where it was broken off."""

    @pytest.fixture(autouse=True)
    def table(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TEXT)")
        rows = [(n, f"2026-01-01 10:{n // 4:02}:00") for n in range(20)]
        erp.db.executemany("INSERT INTO t VALUES (?, ?)", rows)

    def source(self, erp: Erp, sql: str = SINCE, size: int = 6, **query: Any) -> PullingSource[Query]:
        given = {"name": "q", "sql": sql, **KEYED, "overlap": "3m", **query}
        options = Options.model_validate({"conn_id": "erp", "queries": [given], "rows": 3, "payload_rows": size})
        connection = Connection(conn_id="erp", type="sqlite", schema=str(erp.file))
        source = open_source(options, home=erp.folder, state=erp.state, connections=lambda _: connection)
        erp.sources.append(source)
        return source

    def ids(self, source: PullingSource[Query], arrival: Any) -> list[int]:
        return [int(json.loads(line)[0]) for line in b"".join(source.fetch(arrival)).splitlines()[1:]]

    def settle_all(self, source: PullingSource[Query]) -> None:
        for arrival in source.arrivals(100):
            source.settle(arrival)

    def test_each_payload_goes_on_where_the_one_before_ended(self, erp: Erp) -> None:
        source, found = self.source(erp), []
        for arrival in source.arrivals(100):
            found.append(self.ids(source, arrival))
            source.settle(arrival)
        assert [len(ids) for ids in found] == [6, 6, 6, 2]
        assert list(chain(*found)) == list(range(20))

    @pytest.mark.parametrize("settled", [0, 1, 2, 3])
    def test_broken_off_it_goes_on_after_what_was_settled(self, erp: Erp, settled: int) -> None:
        source, had = self.source(erp), []
        arrivals = source.arrivals(100)
        for _ in range(settled):
            arrival = next(arrivals)
            had += self.ids(source, arrival)
            source.settle(arrival)
        next(arrivals)
        source.close()
        again = self.source(erp)
        for arrival in again.arrivals(100):
            had += self.ids(again, arrival)
            again.settle(arrival)
        assert had == list(range(20))

    def test_what_is_not_settled_holds_up_the_rest(self, erp: Erp) -> None:
        assert len(list(self.source(erp).arrivals(100))) == 1

    def test_without_order_it_is_one_payload(self, erp: Erp) -> None:
        source = self.source(erp, "SELECT id, at FROM t WHERE at >= :watermark ORDER BY at DESC")
        assert [len(self.ids(source, arrival)) for arrival in source.arrivals(100)] == [20]

    def test_order_that_ends_midway_is_refused_and_nothing_is_lost(self, erp: Erp) -> None:
        source = self.source(erp, "SELECT id, at FROM t WHERE at >= :watermark ORDER BY id < 3, at")
        with pytest.raises(ConfigError, match="ORDER BY at, id"):
            self.settle_all(source)
        good, had = self.source(erp), []
        for arrival in good.arrivals(100):
            had += self.ids(good, arrival)
            good.settle(arrival)
        assert had == list(range(20))

    def test_a_limit_ends_it_between_two_payloads(self, erp: Erp) -> None:
        source, had = self.source(erp), []
        for limit in (1, 2, 100):
            for arrival in source.arrivals(limit):
                had += self.ids(source, arrival)
                source.settle(arrival)
        assert had == list(range(20))


class TestClocks:
    """The watermark is a time that somebody's clock has told."""

    def pull(self, erp: Erp, now: datetime, zone: str | None = None) -> list[int]:
        pull = Query(
            name="q",
            statement=parse(SINCE),
            watermark="at",
            key=("id",),
            overlap=timedelta(minutes=5),
            initial=datetime(2020, 1, 1),  # noqa: DTZ001
        )
        connection = Connection(conn_id="erp", type="sqlite", schema=str(erp.file))

        def opened() -> Session:
            session = connect(connection, login_timeout=5, timeout=5, timezone=zone)
            session.now = lambda: now.astimezone(UTC)  # type: ignore[method-assign]
            return session

        database = Database(opened, zone=ZoneInfo(zone) if zone else None)
        source = PullingSource(database, [pull], state=erp.state, spool=erp.folder, now=lambda: now)
        found = []
        for arrival in source.arrivals(10):
            found += [int(json.loads(line)[0]) for line in b"".join(source.fetch(arrival)).splitlines()[1:]]
            source.settle(arrival)
        source.close()
        return found

    def put(self, erp: Erp, id_: int, at: str) -> None:
        erp.db.execute("INSERT INTO t VALUES (?, ?)", (id_, at))

    def test_a_clock_that_is_ahead_hides_nothing(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TIMESTAMP)")
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.put(erp, 1, "2026-01-01 11:59:00")
        self.put(erp, 2, "2026-01-01 13:00:00")
        assert self.pull(erp, noon) == [1, 2]
        self.put(erp, 3, "2026-01-01 12:04:00")
        assert self.pull(erp, noon + timedelta(minutes=10)) == [3]
        self.put(erp, 4, "2026-01-01 13:01:00")
        assert self.pull(erp, noon + timedelta(minutes=70)) == [4]
        assert self.pull(erp, noon + timedelta(minutes=80)) == []

    def test_the_hour_that_a_clock_shows_twice(self, erp: Erp) -> None:
        """Berlin, 25 October 2026: 02:59 of summer is followed by 02:00 of winter."""
        erp.db.execute("CREATE TABLE t (id INTEGER, at TIMESTAMP)")
        one_in_utc = datetime(2026, 10, 25, 1, tzinfo=UTC)
        self.put(erp, 1, "2026-10-25 02:58:00")
        assert self.pull(erp, one_in_utc - timedelta(minutes=1), "Europe/Berlin") == [1]
        self.put(erp, 2, "2026-10-25 02:03:00")
        assert self.pull(erp, one_in_utc + timedelta(minutes=5), "Europe/Berlin") == [2]
        self.put(erp, 3, "2026-10-25 03:01:00")
        assert self.pull(erp, one_in_utc + timedelta(minutes=65), "Europe/Berlin") == [3]

    @pytest.mark.parametrize(
        ("written", "present"),
        [
            ("2027-01-01T10:00:00Z", "2026-01-01T12:00:00Z"),
            ("2027-01-01T10:00:00.00+02:00", "2026-01-01T14:00:00.00+02:00"),
            ("2027-01-01 10:00:00", "2026-01-01 12:00:00"),
            ("2027-01-01", "2026-01-01"),
            ("ZZ-17", "ZZ-17"),
        ],
    )
    def test_text_of_the_future_is_held_back_in_its_own_way_of_writing(self, written: str, present: str) -> None:
        reach = Reach(timedelta(0), datetime(2026, 1, 1, 12, tzinfo=UTC))
        assert reach.held_back(written) == present

    def test_more_rows_than_are_remembered_come_again_until_none_can_follow(self) -> None:
        moment = datetime(2026, 1, 1, 12)  # noqa: DTZ001
        for later, expected in (
            (timedelta(minutes=1), moment),
            (timedelta(minutes=9), moment + timedelta(minutes=9)),
        ):
            reach = Reach(timedelta(minutes=5), moment.replace(tzinfo=UTC) + later)
            window = Window(reach, most=10)
            for start in range(0, 30, 3):
                window.add([moment] * 3, lambda places, start=start: [bytes([start + place]) for place in places])
            assert window.mark(None) == Watermark(moment)
            assert window.mark(None, last=True) == Watermark(expected)


class TestDrift:
    """What happens when a query's columns are no longer those of last time."""

    def pull(self, erp: Erp, drift: str, sql: str = "SELECT * FROM t ORDER BY id") -> tuple[Any, list[Any]]:
        source = erp.open(sql, drift=drift)
        for arrival in source.arrivals(1):
            header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
            source.settle(arrival)
            return header, rows
        return None, []

    @pytest.fixture(autouse=True)
    def table(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, quantity INTEGER, note TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, 10, 'a')")

    def test_evolve_takes_the_new_columns_and_says_so_once(self, erp: Erp) -> None:
        assert self.pull(erp, "evolve")[0].get("drift") is None
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        header, rows = self.pull(erp, "evolve")
        assert header["drift"] == [{"column": "due", "change": "added", "now": "text"}]
        assert rows == [["1", "10", "a", None]]
        erp.db.execute("INSERT INTO t VALUES (2, 20, 'b', '2026-01-01')")
        assert "drift" not in self.pull(erp, "evolve")[0]

    def test_freeze_keeps_the_old_columns_and_says_so_once(self, erp: Erp) -> None:
        self.pull(erp, "freeze")
        erp.db.execute("ALTER TABLE t DROP COLUMN note")
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        header, rows = self.pull(erp, "freeze")
        assert [(one["column"], one["change"]) for one in header["drift"]] == [("note", "renamed")]
        assert header["columns"] == ["id", "quantity", "note"]
        assert rows == [["1", "10", None]]
        erp.db.execute("INSERT INTO t VALUES (2, 20, '2026-01-01')")
        header, rows = self.pull(erp, "freeze")
        assert "drift" not in header
        assert len(rows) == 2

    def test_stop_takes_nothing_until_it_is_accepted(self, erp: Erp) -> None:
        self.pull(erp, "stop")
        erp.db.execute("ALTER TABLE t RENAME COLUMN quantity TO qty")
        erp.db.execute("INSERT INTO t VALUES (2, 20, 'b')")
        for _ in range(2):
            with pytest.raises(PermanentError, match="query q has changed: column quantity is now called qty"):
                self.pull(erp, "stop")
        assert len(self.pull(erp, "evolve")[1]) == 2
        erp.db.execute("INSERT INTO t VALUES (3, 30, 'c')")
        assert len(self.pull(erp, "stop")[1]) == 3

    def test_what_drifted_is_told_even_when_no_row_is_new(self, erp: Erp) -> None:
        sql = "SELECT * FROM t WHERE id > :watermark"
        erp.pull(sql, watermark="id", initial=0)
        erp.db.execute("ALTER TABLE t ADD COLUMN due TEXT")
        source = erp.open(sql, watermark="id", initial=0)
        (arrival,) = source.arrivals(1)
        assert arrival.metadata["rows"] == "0"
        assert b'"added"' in b"".join(source.fetch(arrival))

    @pytest.mark.parametrize(
        ("was", "now", "expected"),
        [
            ("id:integer q:integer", "id:integer q:text", ["retyped q"]),
            ("id:integer q:integer", "q:integer id:integer", []),
            ("id:integer q:integer", "id:integer Q:integer", []),
            ("id:integer quantity:decimal a:text", "id:integer a:text quantity_2:decimal", ["renamed quantity"]),
            ("id:integer q:integer", "id:integer due:timestamp", ["dropped q", "added due"]),
            ("id:integer", "id:integer a:text b:text", ["added a", "added b"]),
        ],
    )
    def test_changes(self, was: str, now: str, expected: list[str]) -> None:
        before, after = ([shape.Column(*one.split(":")) for one in text.split()] for text in (was, now))
        assert [f"{one.change} {one.column}" for one in shape.changes(before, after)] == expected


class TestKeys:
    """The keys of all rows there are, by which crossdock.reconciled finds what is gone."""

    def test_they_come_after_the_rows_when_they_are_due(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01 10:00:00'), (2, '2026-01-01 11:00:00')")
        again = {"sql": "SELECT id FROM t ORDER BY id", "every": "1h"}
        source = erp.open(SINCE, **KEYED, reconcile=again)
        names = []
        for arrival in source.arrivals(10):
            names.append(arrival.name)
            header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
            source.settle(arrival)
        assert names == ["q", "q keys"]
        assert header["keys"] == {"most": 0.1}
        assert rows == [["1"], ["2"]]
        assert list(erp.open(SINCE, **KEYED, reconcile=again).arrivals(10)) == []
        again["every"] = "0.001s"
        assert [arrival.name for arrival in erp.open(SINCE, **KEYED, reconcile=again).arrivals(10)] == ["q keys"]

    def test_they_wait_until_the_rows_are_settled(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01 10:00:00')")
        source = erp.open(SINCE, **KEYED, reconcile={"sql": "SELECT id FROM t"})
        assert [arrival.name for arrival in source.arrivals(10)] == ["q"]


class TestParameters:
    def test_they_are_bound(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, company TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, 'x'' OR 1=1'), (2, 'b')")
        given = {
            "conn_id": "erp",
            "parameters": {"company": "x' OR 1=1"},
            "queries": [{"name": "q", "sql": "SELECT id FROM t WHERE company = :company"}],
        }
        connection = Connection(conn_id="erp", type="sqlite", schema=str(erp.file))
        options = Options.model_validate(given)
        source = open_source(options, home=erp.folder, state=erp.state, connections=lambda _: connection)
        erp.sources.append(source)
        (arrival,) = source.arrivals(1)
        assert b"".join(source.fetch(arrival)).splitlines()[1:] == [b'["1"]']

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"queries": [{"name": "q", "sql": "SELECT :compny"}]}, "unknown marker ':compny'"),
            ({"queries": []}, "queries: is missing"),
        ],
    )
    def test_what_is_missing_or_misspelt_is_said(self, given: dict[str, Any], words: str) -> None:
        assert words in str(faults(Options, {"conn_id": "erp", **given}))


class TestOtherWatermarks:
    def test_a_counter(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at INTEGER)")
        erp.db.executemany("INSERT INTO t VALUES (?, ?)", [(n, 2**60 + n) for n in range(5)])
        assert len(erp.pull(SINCE, initial=0, overlap="2", **KEYED)) == 5
        erp.db.execute("INSERT INTO t VALUES (9, ?)", (2**60 + 3,))
        assert [row[0] for row in erp.pull(SINCE, initial=0, overlap="2", **KEYED)] == ["9"]

    @pytest.mark.parametrize(
        ("high", "low"),
        [
            ("2026-01-01T10:00:00Z", "2026-01-01T09:58:00Z"),
            ("2026-01-01T10:00:00.000+02:00", "2026-01-01T09:58:00.000+02:00"),
            ("2026-01-01 10:00:00.123456", "2026-01-01 09:58:00.123455"),
            ("2026-01-02", "2026-01-01"),
        ],
    )
    def test_text_keeps_its_own_way_of_writing(self, erp: Erp, high: str, low: str) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, ?)", (high,))
        assert len(erp.pull(SINCE, overlap="3m", **KEYED)) == 1
        erp.db.execute("INSERT INTO t VALUES (2, ?)", (low,))
        assert [row[0] for row in erp.pull(SINCE, overlap="3m", **KEYED)] == ["2"]

    def test_without_one_it_is_pulled_whole_when_anything_is_other(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        assert erp.pull("SELECT id FROM t ORDER BY id") == []
        erp.db.execute("INSERT INTO t VALUES (1), (2)")
        assert len(erp.pull("SELECT id FROM t ORDER BY id", settle=False)) == 2
        assert len(erp.pull("SELECT id FROM t ORDER BY id")) == 2
        assert erp.pull("SELECT id FROM t ORDER BY id") == []
        erp.db.execute("DELETE FROM t WHERE id = 1")
        assert erp.pull("SELECT id FROM t ORDER BY id") == [["2"]]

    def test_a_table_that_became_empty_is_an_arrival_without_rows(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        erp.db.execute("INSERT INTO t VALUES (1)")
        erp.pull("SELECT id FROM t")
        erp.db.execute("DELETE FROM t")
        source = erp.open("SELECT id FROM t")
        assert [arrival.metadata["rows"] for arrival in source.arrivals(1)] == ["0"]


class TestErrors:
    def test_a_watermark_column_that_is_not_there(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, changed_at TEXT)")
        with pytest.raises(ConfigError, match="did you mean 'changed_at'"):
            erp.pull("SELECT * FROM t WHERE changed_at > :watermark", watermark="changed_on", key=["id"])

    def test_a_query_that_is_wrong_is_permanent_and_named(self, erp: Erp) -> None:
        with pytest.raises(PermanentError, match=r"query q: .*no such table"):
            erp.pull("SELECT * FROM nowhere")

    def test_a_locked_database_is_transient(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        erp.db.execute("BEGIN EXCLUSIVE")
        connection = Connection(conn_id="erp", type="sqlite", schema=str(erp.file), extra={"Timeout": "50"})
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": "SELECT id FROM t"}]})
        source = open_source(options, home=erp.folder, state=erp.state, connections=lambda _: connection)
        with pytest.raises(TransientError, match="locked"):
            list(source.arrivals(1))
        erp.db.execute("ROLLBACK")
        erp.db.execute("INSERT INTO t VALUES (1)")
        assert len(list(source.arrivals(1))) == 1
        source.close()

    def test_a_misspelt_file_is_permanent_and_not_created(self, tmp_path: Path) -> None:
        connection = Connection(conn_id="erp", type="sqlite", schema=str(tmp_path / "none.db"))
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": "SELECT 1"}]})
        source = open_source(options, home=tmp_path, state=Memory(), connections=lambda _: connection)
        with pytest.raises(PermanentError):
            list(source.arrivals(1))
        assert not (tmp_path / "none.db").exists()

    def test_nothing_can_be_written(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        sneaky = "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"
        with pytest.raises(CrossdockError):
            erp.pull(sneaky)
        assert erp.db.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_driver_that_is_not_installed_says_what_to_install(self, tmp_path: Path) -> None:
        connection = Connection(conn_id="erp", type="db2", extra={"driver": "IBM DB2"})
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": "SELECT 1"}]})
        source = open_source(options, home=tmp_path, state=Memory(), connections=lambda _: connection)
        with pytest.raises(PermanentError, match="odbc-postgresql"):
            list(source.arrivals(1))

    def test_without_unixodbc_only_connecting_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyodbc", None)
        connection = Connection(conn_id="erp", type="sqlite", schema="erp.db")
        with pytest.raises(PermanentError, match="install unixODBC"):
            connect(connection, login_timeout=1, timeout=1, timezone=None)

    def test_an_unknown_kind_of_database(self) -> None:
        with pytest.raises(ConfigError, match="did you mean 'postgres'"):
            connection_string(Connection(conn_id="erp", type="postgers", host="erp"))


def vendor_errors() -> list[type[Exception]]:
    """Every error class that pyodbc has."""
    classes = [value for value in vars(pyodbc).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(classes) >= 10
    return classes


TRANSIENT = [
    ("08S01", "Communication link failure"),
    ("08001", "could not connect to server: Connection refused"),
    ("40001", "deadlock detected"),
    ("40P01", "deadlock"),
    ("HYT00", "Login timeout expired"),
    ("HYT01", "Connection timeout expired"),
    ("HY000", "database is locked (5)"),
    ("HY000", "MySQL server has gone away"),
    ("57P03", "the database system is starting up"),
    ("53300", "sorry, too many clients"),
    ("55P03", "could not obtain lock"),
]
PERMANENT = [
    ("28000", "Login failed for user 'x'"),
    ("08001", 'FATAL: password authentication failed for user "x"'),
    ("42S02", 'relation "t" does not exist'),
    ("42000", "syntax error"),
    ("42501", "permission denied for table t"),
    ("22003", "numeric value out of range"),
    ("IM002", "Data source name not found, and no default driver specified"),
    ("01000", "Can't open lib 'X' : file not found"),
]


class TestVendorErrors:
    @pytest.mark.parametrize("kind", vendor_errors(), ids=lambda kind: kind.__name__)
    @pytest.mark.parametrize("arguments", [(), ("HY000",), ("HY000", "[HY000] odd"), (17, b"odd", None)])
    def test_every_class_becomes_one_of_ours(self, kind: type[Exception], arguments: Sequence[object]) -> None:
        ours = as_ours(kind(*arguments), "query q")
        assert isinstance(ours, TransientError | PermanentError)
        assert str(ours).startswith("query q: ")

    @pytest.mark.parametrize("kind", vendor_errors(), ids=lambda kind: kind.__name__)
    @pytest.mark.parametrize(
        ("state", "message", "expected"),
        [(*known, TransientError) for known in TRANSIENT] + [(*known, PermanentError) for known in PERMANENT],
    )
    def test_the_state_and_the_message_decide(
        self, kind: type[Exception], state: str, message: str, expected: type[CrossdockError]
    ) -> None:
        assert type(as_ours(kind(state, f"[{state}] {message} (0) (SQLExecDirectW)"), "query q")) is expected

    def test_a_password_in_the_drivers_words_is_blotted_out(self) -> None:
        error = as_ours(pyodbc.Error("HY000", "bad string: PWD=s3cret;"), "connection erp", "s3cret")
        assert "s3cret" not in str(error)


class TestStatement:
    @pytest.mark.parametrize(
        ("sql", "text", "markers"),
        [
            ("SELECT 1 WHERE a > :watermark;", "SELECT 1 WHERE a > ?", ["watermark"]),
            ("SELECT a::text WHERE b > :watermark::date", "SELECT a::text WHERE b > ?::date", ["watermark"]),
            ("SELECT ':watermark', '''?' -- :watermark ?\n/* :watermark */", None, []),
            ('SELECT "a:watermark?", `b:watermark`, [c:watermark]', None, []),
            ("SELECT 1 WHERE a > :watermark OR b > :watermark", "SELECT 1 WHERE a > ? OR b > ?", ["watermark"] * 2),
        ],
    )
    def test_markers_are_found_and_nothing_else(self, sql: str, text: str | None, markers: list[str]) -> None:
        statement = parse(sql)
        assert statement.text == (sql if text is None else text)
        assert list(statement.markers) == markers
        assert statement.bare == 0

    def test_data_is_bound_and_never_written_into_the_text(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, at TEXT)")
        erp.db.execute("INSERT INTO t VALUES (1, ?)", ("'; DROP TABLE t; --",))
        assert len(erp.pull(SINCE, initial="", **KEYED)) == 1
        assert erp.pull(SINCE, initial="", **KEYED) == []
        assert erp.db.execute("SELECT count(*) FROM t").fetchone() == (1,)


class TestConnectionString:
    @pytest.mark.parametrize(
        ("connection", "expected"),
        [
            (
                {"type": "postgres", "host": "erp", "port": 5432, "login": "u", "password": "a;b}c", "schema": "db"},
                "DRIVER=PostgreSQL Unicode;Servername=erp;Port=5432;Database=db;UID=u;PWD={a;b}}c};",
            ),
            (
                {"type": "mssql", "host": "erp", "extra": {"driver": "ODBC Driver 18"}},
                "DRIVER=ODBC Driver 18;Server=erp;",
            ),
            ({"type": "odbc", "login": "u", "extra": {"dsn": "ERP"}}, "DSN=ERP;UID=u;"),
            ({"type": "sqlite", "host": "/var/erp.db"}, "DRIVER=SQLite3;Database=/var/erp.db;"),
        ],
    )
    def test_parts(self, connection: dict[str, Any], expected: str) -> None:
        assert connection_string(Connection(conn_id="erp", **connection)).startswith(expected)

    def test_extra_goes_to_the_driver_and_wins(self) -> None:
        written = connection_string(
            Connection(conn_id="e", type="postgres", host="h", extra={"SSLmode": "require", "Fetch": "9"})
        )
        assert "SSLmode=require;" in written
        assert "Fetch=9;" in written
        assert "Fetch=5000" not in written


class FakeCursor:
    """A cursor whose database breaks after some batches."""

    description = [("id", int, None, None, None, None, None)]

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def execute(self, *_: object) -> None: ...

    def fetchmany(self, size: int) -> list[tuple[int]]:
        self.batches -= 1
        if self.batches < 0:
            raise pyodbc.OperationalError("08S01", "[08S01] Communication link failure")
        return [(n,) for n in range(size)]

    def close(self) -> None: ...


class FakeConnection:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def cursor(self) -> FakeCursor:
        return FakeCursor(2)

    def rollback(self) -> None:
        raise pyodbc.OperationalError("08S01", "gone")

    def close(self) -> None:
        self.log.append("closed")
        raise pyodbc.OperationalError("08S01", "gone")


def test_a_connection_that_breaks_in_the_middle_is_transient_and_dropped(tmp_path: Path) -> None:
    log: list[str] = []
    opened = lambda: (log.append("opened"), Session(FakeConnection(log), PLAIN))[1]  # type: ignore[arg-type]  # noqa: E731
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    pull = Query(name="q", statement=parse("SELECT id FROM t"), overlap=timedelta(0))
    database = Database(opened, rows=10, now=lambda: moment)
    source = PullingSource(database, [pull], state=Memory(), spool=tmp_path)
    for _ in range(2):
        with pytest.raises(TransientError, match="Communication link failure"):
            list(source.arrivals(1))
    assert log == ["opened", "closed", "opened", "closed"]
