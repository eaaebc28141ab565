"""The ODBC source on a real MariaDB through Debian's driver."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.errors import ConfigError, PermanentError
from tests.odbc_erp import SINCE

pytestmark = pytest.mark.integration


class Erp:
    """A MariaDB database, and a channel that reads it as a user who may only read."""

    def __init__(self, server: Any, channel_to: Any) -> None:
        self.server = server
        self.name = server.database()
        self.db = self.another()
        self.channel = channel_to(server.connection(self.name))
        self.pull, self.open = self.channel.pull, self.channel.open

    def another(self) -> Any:
        return self.server.administer(database=self.name)


@pytest.fixture
def erp(mariadb: Any, channel_to: Any) -> Iterator[Erp]:
    erp = Erp(mariadb, channel_to)
    yield erp
    erp.db.close()


def test_every_type_comes_as_text_and_exact(erp: Erp) -> None:
    erp.db.execute(
        "CREATE TABLE t (padded char(8), price decimal(38,10), big bigint, huge bigint unsigned, at datetime(6),"
        " day date, clock time, flag boolean, bits bit(1), share double, single float, blob_ varbinary(8),"
        " missing text, long_ longtext, western varchar(20) CHARACTER SET latin1, kind enum('a','b'), nothing datetime)"
    )
    erp.db.execute("SET SESSION sql_mode = ''")
    erp.db.execute(
        "INSERT INTO t VALUES ('ab', 12345678901234567890.12, 9223372036854775807, 18446744073709551615,"
        " '2026-07-01 12:00:00.123456', '2026-02-28', '23:59:58', true, b'1', 0.1, 0.1, x'00ff', NULL,"
        " repeat('ü€😀', 10000), 'Müller',"
        " 'b', '0000-00-00 00:00:00')"
    )
    header, (row,) = erp.pull("SELECT * FROM t", options={"timezone": "Europe/Berlin"})
    assert row == [
        "ab",
        "12345678901234567890.1200000000",
        "9223372036854775807",
        "18446744073709551615",
        "2026-07-01T12:00:00.123456+02:00",
        "2026-02-28",
        "23:59:58",
        "1",  # a boolean is a small integer here
        "true",
        "0.1",
        "0.1",
        "00ff",
        None,
        "ü€\U0001f600" * 10_000,
        "Müller",
        "b",
        None,  # what MariaDB calls the zeroth day of no month
    ]
    assert header["types"][:5] == ["text", "decimal", "integer", "integer", "timestamp"]


def test_instants_come_in_the_zone_of_the_channel_or_not_at_all(erp: Erp) -> None:
    """The server's own zone is another, and it knows no zone by name."""
    erp.db.execute("SET GLOBAL time_zone = '-05:00'")
    try:
        erp.db.execute("CREATE TABLE t (day datetime)")
        erp.db.execute("INSERT INTO t VALUES ('2026-07-01 12:00:00')")
        berlin = {"timezone": "Europe/Berlin"}
        assert erp.pull("SELECT * FROM t", options=berlin)[1] == [["2026-07-01T12:00:00+02:00"]]
        erp.db.execute("SET SESSION time_zone = '+00:00'")
        erp.db.execute("ALTER TABLE t ADD COLUMN at timestamp NULL")
        erp.db.execute("UPDATE t SET at = '2026-07-01 10:00:00'")
        with pytest.raises(PermanentError, match=r"does not know the zone Europe/Berlin, in which .*\.t\.at would"):
            erp.pull("SELECT at FROM t", options=berlin)
        utc = {"timezone": "UTC"}
        assert erp.pull("SELECT at FROM t", options=utc)[1] == [["2026-07-01T10:00:00+00:00"]]
        erp.channel.state.clear()
        erp.db.execute("INSERT INTO mysql.time_zone VALUES (7777, 'N')")
        erp.db.execute("INSERT INTO mysql.time_zone_name VALUES ('Indian/Maldives', 7777)")
        erp.db.execute("INSERT INTO mysql.time_zone_transition_type VALUES (7777, 0, 18000, 0, '+05')")
        erp.db.execute("INSERT INTO mysql.time_zone_transition VALUES (7777, 0, 0)")
        maldives = {"timezone": "Indian/Maldives"}
        assert erp.pull("SELECT at FROM t", options=maldives)[1] == [["2026-07-01T15:00:00+05:00"]]
    finally:
        erp.db.execute("SET GLOBAL time_zone = SYSTEM")


def test_a_row_that_no_calendar_knows_stops_no_other(erp: Erp) -> None:
    erp.db.execute("SET SESSION sql_mode = ''")
    erp.db.execute("CREATE TABLE t (id int, day date)")
    erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01'), (2, '2026-00-00'), (3, '2026-01-03'), (4, '2026-01-04')")
    _, rows = erp.pull("SELECT id, day FROM t ORDER BY id", options={"rows": 2})
    (unreadable,) = [row for row in rows if isinstance(row, dict)]
    assert "month must be in 1..12; the row before it begins 1, 2026-01-01" in unreadable["unreadable"]
    assert [row[0] for row in rows if isinstance(row, list)] == ["1", "3", "4"]


def test_the_fraction_of_a_second_counts(erp: Erp) -> None:
    """The driver cuts it off a moment that is bound as such."""
    erp.db.execute("CREATE TABLE t (id int, at datetime(6))")
    erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01 10:00:00.25'), (2, '2026-01-01 10:00:00.75')")
    after = SINCE.replace(">=", ">")
    assert len(erp.pull(after, watermark="at", key=["id"])[1]) == 2
    assert erp.pull(after, watermark="at", key=["id"])[1] == []


def test_memory_stays_flat_page_by_page(erp: Erp) -> None:
    """Debian's driver holds a whole result in memory; a third of the rows stand at one moment, some are alike."""
    erp.db.execute(
        "CREATE TABLE t AS SELECT greatest(seq, 15000) AS id, repeat('x', 400) AS text,"
        " timestamp '2026-01-01 00:00:00' + interval greatest(cast(seq AS signed) - 50000, 0) second AS at"
        " FROM seq_1_to_150000"
    )
    source = erp.open("SELECT id, text, at FROM t WHERE at >= :watermark", watermark="at", key=["id"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = 0
    for arrival in source.arrivals(1000):
        rows += int(arrival.metadata["rows"])
        source.settle(arrival)
    assert rows == 150_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def test_pages_that_cannot_be_told_apart_are_refused(erp: Erp) -> None:
    erp.db.execute("CREATE TABLE t AS SELECT 1 AS id FROM seq_1_to_30000")
    with pytest.raises(ConfigError, match="are the same in id"):
        erp.pull("SELECT id FROM t", key=["id"])


def test_who_may_not_read_is_told_so(erp: Erp) -> None:
    erp.db.execute("CREATE TABLE t (id int)")
    erp.db.execute(f"REVOKE SELECT ON {erp.name}.* FROM reader")
    with pytest.raises(PermanentError, match="denied"):
        erp.pull("SELECT id FROM t")
