"""The ODBC source on a real SQLite: exact values, statements, connection strings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.connections import Connection
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.driver import connection_string
from connectors.sources.odbc.statement import parse
from tests.odbc_erp import KEYED, SINCE, Erp


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
        (row,) = erp.rows("SELECT * FROM t")
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
        assert erp.rows("SELECT n FROM t") == [[str(number)]]

    @pytest.mark.parametrize(
        ("number", "written"), [(1e22, "1" + "0" * 22), (1e-7, "0.0000001"), (3.0, "3"), (0.3, "0.3")]
    )
    def test_floats_have_no_exponent(self, erp: Erp, number: float, written: str) -> None:
        erp.db.execute("CREATE TABLE t (n REAL)")
        erp.db.execute("INSERT INTO t VALUES (?)", (number,))
        assert erp.rows("SELECT n FROM t") == [[written]]

    def test_what_does_not_fit_its_column_comes_as_it_stands(self, erp: Erp) -> None:
        """SQLite keeps any value anywhere, of which its driver would make nothing, or another value."""
        erp.db.execute("CREATE TABLE t (n INTEGER, share REAL, day DATE, at TIMESTAMP, clock TIME, flag BOOLEAN)")
        rows = [
            (12, 0.5, "2026-02-28", "2026-02-28 10:00:00.123", "23:59:58", 1),
            (None, None, None, None, None, None),
            ("12 pcs", "n/a", "28.02.2026", "2026-02-28T10:00:00Z", "12:00:00.125", "yes"),
            (12.5, b"\x01", "2026-02-31", 1772272800, "24:00:00", 2),
            (7, 2, "2026-02-28 00:00:00", "2026-02-28", "10:00:00", 0),
        ]
        erp.db.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        assert erp.rows("SELECT * FROM t ORDER BY rowid") == [
            ["12", "0.5", "2026-02-28", "2026-02-28T10:00:00.123000", "23:59:58", "true"],
            [None, None, None, None, None, None],
            ["12 pcs", "n/a", "28.02.2026", "2026-02-28T10:00:00Z", "12:00:00.125", "yes"],
            ["12.5", "01", "2026-02-31", "1772272800", "24:00:00", "2"],
            ["7", "2", "2026-02-28", "2026-02-28T00:00:00", "10:00:00", "false"],
        ]

    def test_what_is_reckoned_and_is_of_another_type_than_its_first_row(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (n)")
        erp.db.executemany("INSERT INTO t VALUES (?)", [(1,), (2.5,), ("three",), (None,)])
        assert erp.rows("SELECT n, n AS again FROM t") == [["1", "1"], ["2.5", "2.5"], ["three", "three"], [None, None]]

    @pytest.mark.parametrize(
        ("sql", "row"),
        [
            ("SELECT round(t.price, 2), count(*), t.id FROM t", ["2.56", "1", "7 x"]),
            ("SELECT *, t.price * 2.0 FROM t", ["7 x", "2.555", "8 y", "5.11"]),
            ("SELECT id, id FROM t", ["7 x", "7 x"]),
            ("SELECT id AS [my id], price AS 'p.q' FROM t", ["7 x", "2.555"]),
            ("WITH w AS (SELECT id FROM t) SELECT w.id FROM w UNION SELECT '9 z' ORDER BY 1 DESC", ["9 z"]),
            ("SELECT (SELECT max(id) FROM t), CASE WHEN id = '7 x' THEN 'a?b' END FROM t", ["7 x", "a?b"]),
        ],
    )
    def test_however_columns_are_called(self, erp: Erp, sql: str, row: list[str]) -> None:
        """The driver calls some of them otherwise than the database."""
        erp.db.execute('CREATE TABLE t (id INTEGER, price REAL, "a.b" INTEGER)')
        erp.db.execute("INSERT INTO t VALUES ('7 x', 2.555, '8 y')")
        assert erp.rows(sql)[0] == row

    def test_more_columns_than_a_function_takes(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t ({})".format(", ".join(f'"c {{{n}}}" INTEGER' for n in range(250))))
        erp.db.execute("INSERT INTO t VALUES ({})".format(", ".join(f"'v{n}'" for n in range(250))))
        assert erp.rows("SELECT * FROM t") == [[f"v{n}" for n in range(250)]]

    def test_text_of_any_script_and_length(self, erp: Erp) -> None:
        texts = ["ü€\U0001f600", 'quote " backslash \\ newline \n tab \t', "x" * 200_000, "日本語", "line\r\nend"]
        erp.db.execute("CREATE TABLE t (s TEXT)")
        erp.db.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts])
        assert erp.rows("SELECT s FROM t") == [[text] for text in texts]

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
        assert len(erp.rows(SINCE, initial="", **KEYED)) == 1
        assert erp.rows(SINCE, initial="", **KEYED) == []
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
