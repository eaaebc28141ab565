"""The ODBC source on a real SQLite: watermarks, late commits, clocks, payloads, keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.connections import Connection
from connectors.pulls.source import PullingSource
from connectors.pulls.watermark import Reach, Watermark, Window
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.driver import Session, connect
from connectors.sources.odbc.source import Database
from connectors.sources.odbc.statement import Query, parse
from schemas.configuration import faults
from schemas.errors import ConfigError
from tests.odbc_erp import KEYED, SINCE, Erp


class TestWatermark:
    @pytest.fixture(params=["TEXT", "TIMESTAMP"], autouse=True)
    def table(self, erp: Erp, request: pytest.FixtureRequest) -> None:
        erp.db.execute(f"CREATE TABLE t (id INTEGER, at {request.param})")

    def put(self, erp: Erp, *rows: tuple[int, str]) -> None:
        erp.db.executemany("INSERT INTO t VALUES (?, ?)", [(id_, f"2026-01-01 {clock}") for id_, clock in rows])

    def ids(self, erp: Erp, overlap: str = "5m", **options: Any) -> list[int]:
        return [int(row[0] or 0) for row in erp.rows(SINCE, overlap=overlap, **KEYED, **options)]

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
        assert [row[0] for row in erp.rows("SELECT id, at FROM t WHERE at IS NULL OR at >= :watermark", **KEYED)] == [
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


class TestKeys:
    """The keys of all rows there are, by which crossdock.stages.reconciled finds what is gone."""

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
        assert len(erp.rows(SINCE, initial=0, overlap="2", **KEYED)) == 5
        erp.db.execute("INSERT INTO t VALUES (9, ?)", (2**60 + 3,))
        assert [row[0] for row in erp.rows(SINCE, initial=0, overlap="2", **KEYED)] == ["9"]

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
        assert len(erp.rows(SINCE, overlap="3m", **KEYED)) == 1
        erp.db.execute("INSERT INTO t VALUES (2, ?)", (low,))
        assert [row[0] for row in erp.rows(SINCE, overlap="3m", **KEYED)] == ["2"]

    def test_without_one_it_is_pulled_whole_when_anything_is_other(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        assert erp.rows("SELECT id FROM t ORDER BY id") == []
        erp.db.execute("INSERT INTO t VALUES (1), (2)")
        assert len(erp.rows("SELECT id FROM t ORDER BY id", settle=False)) == 2
        assert len(erp.rows("SELECT id FROM t ORDER BY id")) == 2
        assert erp.rows("SELECT id FROM t ORDER BY id") == []
        erp.db.execute("DELETE FROM t WHERE id = 1")
        assert erp.rows("SELECT id FROM t ORDER BY id") == [["2"]]

    def test_a_table_that_became_empty_is_an_arrival_without_rows(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        erp.db.execute("INSERT INTO t VALUES (1)")
        erp.rows("SELECT id FROM t")
        erp.db.execute("DELETE FROM t")
        source = erp.open("SELECT id FROM t")
        assert [arrival.metadata["rows"] for arrival in source.arrivals(1)] == ["0"]
