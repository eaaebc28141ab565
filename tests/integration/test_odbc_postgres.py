"""The ODBC source on a real PostgreSQL through Debian's driver."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from connectors.connections import Connection
from schemas.errors import PermanentError, TransientError
from tests.odbc_erp import KEYED, SINCE

pytestmark = pytest.mark.integration


class Erp:
    """A PostgreSQL database, and a channel that reads it."""

    def __init__(self, url: str, channel: Any) -> None:
        self.db = psycopg.connect(url, autocommit=True)
        self.url = url
        self.channel = channel
        self.pull, self.open = channel.pull, channel.open


@pytest.fixture
def erp(postgres: Any, channel_to: Any, odbc_to: Any) -> Iterator[Erp]:
    url = postgres.database()
    erp = Erp(url, channel_to(odbc_to(url)))
    yield erp
    erp.db.close()


def test_every_type_comes_as_text_and_exact(erp: Erp) -> None:
    erp.db.execute(
        "CREATE TABLE t (padded char(8), price numeric(30,10), big bigint, at timestamp, zoned timestamptz, day date,"
        " clock time, flag boolean, share double precision, blob bytea, missing text, long text, id uuid, free numeric)"
    )
    erp.db.execute(
        "INSERT INTO t VALUES ('ab', 12345678901234567890.1200000000, 9223372036854775807,"
        " '2026-07-01 12:00:00.123456', '2026-07-01 12:00:00+00', '2026-02-28', '23:59:58', true, 0.1,"
        " '\\x00ff', NULL, %s, 'c0ffee00-0000-0000-0000-000000000001', 0.000000000000000000001)",
        ("ü€\U0001f600" * 10_000,),
    )
    header, (row,) = erp.pull("SELECT * FROM t", options={"timezone": "Europe/Berlin"})
    assert row == [
        "ab",
        "12345678901234567890.1200000000",
        "9223372036854775807",
        "2026-07-01T12:00:00.123456+02:00",
        "2026-07-01T14:00:00+02:00",
        "2026-02-28",
        "23:59:58",
        "true",
        "0.1",
        "00ff",
        None,
        "ü€\U0001f600" * 10_000,
        "c0ffee00-0000-0000-0000-000000000001",
        "0.000000000000000000001",
    ]
    assert header["types"][:5] == ["text", "decimal", "integer", "timestamp", "timestamp"]


def test_what_the_driver_would_get_wrong_comes_as_the_database_says_it(erp: Erp) -> None:
    """It makes 9999 of infinity, and other years of those before the first or after 9999."""
    erp.db.execute("CREATE TABLE t (id int, at timestamp, zoned timestamptz, day date, clock time)")
    for row in (
        ("infinity", "infinity", "infinity", "23:59:58.125"),
        ("-infinity", "-infinity", "-infinity", "24:00:00"),
        ("0044-03-15 12:00 BC", "0044-03-15 12:00+00 BC", "0044-03-15 BC", "00:00:00.5"),
        ("12026-01-01", "12026-01-01+00", "12026-01-01", None),
        ("0001-01-01", "9999-12-31 23:59:59.999999+00", "0001-01-01", "12:00"),
    ):
        erp.db.execute("INSERT INTO t SELECT count(*), %s, %s, %s, %s FROM t", row)
    _, rows = erp.pull("SELECT * FROM t ORDER BY id")
    assert rows == [
        ["0", "infinity", "infinity", "infinity", "23:59:58.125"],
        ["1", "-infinity", "-infinity", "-infinity", "24:00:00"],
        ["2", "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00+00 BC", "0044-03-15 BC", "00:00:00.5"],
        ["3", "12026-01-01 00:00:00", "12026-01-01 00:00:00+00", "12026-01-01", None],
        ["4", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "0001-01-01", "12:00:00"],
    ]


def test_rows_changed_at_infinity_come_once_and_hide_nothing(erp: Erp) -> None:
    erp.db.execute("CREATE TABLE t (id int, at timestamp)")
    erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01 10:00:00'), (2, 'infinity'), (3, '20260-01-01')")
    assert [row[0] for row in erp.pull(SINCE, overlap="5m", **KEYED)[1]] == ["1", "3", "2"]
    assert erp.pull(SINCE, overlap="5m", **KEYED)[1] == []
    erp.db.execute("INSERT INTO t VALUES (4, now() AT TIME ZONE 'UTC')")
    assert [row[0] for row in erp.pull(SINCE, overlap="5m", **KEYED)[1]] == ["4"]


TEXTS = [
    "plain", "", " ", "blank at the end  ", 'quote " comma, bracket ]', '", ', ' ",', "back\\slash",
    "tab\tnewline\nreturn\r",    "\x01\x1f\x7f", "ü€\U0001f600", "\u2028", "null", None, "[1, 2]", "</script>",
]  # fmt: skip


def test_any_text_is_the_same_written_by_the_database_or_by_us(erp: Erp) -> None:
    """Columns of one name are told apart by their places alone, so such rows are not written by the database."""
    erp.db.execute("CREATE TABLE t (id int, s text, v varchar(40), c char(40), n numeric, b boolean)")
    for number, text in enumerate(TEXTS):
        row = (number, text, text, text, f"{number}.10", number % 2 == 0)
        erp.db.execute("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s)", row)
    _, rows = erp.pull("SELECT * FROM t ORDER BY id")
    _, others = erp.pull("SELECT *, 1 AS id FROM t ORDER BY 1", name="others")
    assert rows == [row[:-1] for row in others]
    assert [row[1] for row in rows] == [text and text.rstrip(" ") for text in TEXTS]


def test_more_columns_than_a_function_takes(erp: Erp) -> None:
    columns = ", ".join(f"{n} AS c{n}" for n in range(250))
    assert erp.pull(f"SELECT {columns}")[1] == [[str(n) for n in range(250)]]


def test_a_pull_sees_one_moment_of_the_database(erp: Erp) -> None:
    erp.db.execute("CREATE TABLE t AS SELECT n AS id, timestamp '2026-01-01' AS at FROM generate_series(1, 20000) n")
    deleting = threading.Thread(target=erp.db.execute, args=("DELETE FROM t",))
    source = erp.open("SELECT id, at FROM t", options={"rows": 100})
    deleting.start()
    found = [int(arrival.metadata["rows"]) for arrival in source.arrivals(1)]
    deleting.join()
    assert found in ([], [20000])


def test_a_database_that_does_not_exist_is_permanent(erp: Erp) -> None:
    erp.channel.connection = replace(erp.channel.connection, schema="nowhere")
    with pytest.raises(PermanentError):
        erp.pull("SELECT 1")


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "mssql"])
def test_nobody_listening_is_transient(erp: Erp, kind: str) -> None:
    erp.channel.connection = Connection(conn_id="erp", type=kind, host="127.0.0.1", port=1, login="u", schema="db")
    with pytest.raises(TransientError):
        erp.pull("SELECT 1")


@pytest.mark.slow
def test_memory_stays_flat(erp: Erp) -> None:
    """300,000 rows of 200 bytes are 60 MB; the process grows by far less."""
    erp.db.execute(
        "CREATE TABLE t AS SELECT n AS id, repeat('x', 200) AS text,"
        " timestamp '2026-01-01' + n * interval '1 second' AS at FROM generate_series(1, 300000) n"
    )
    source = erp.open("SELECT * FROM t WHERE at > :watermark ORDER BY at", **KEYED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = rows = 0
    for arrival in source.arrivals(1000):
        size += sum(map(len, source.fetch(arrival)))
        rows += int(arrival.metadata["rows"])
        source.settle(arrival)
    assert rows == 300_000
    assert size > 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
