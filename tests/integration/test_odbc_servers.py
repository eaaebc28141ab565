"""What holds of pulls from every database server: late commits, locks, sessions that end, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from schemas.errors import PermanentError, TransientError
from tests.odbc_erp import KEYED, SINCE, OdbcChannel

pytestmark = pytest.mark.integration


class Postgres:
    """A database in PostgreSQL, administered."""

    sneak = "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING id'"
    slow = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
    moments = ("timestamp", "timestamptz")

    def __init__(self, url: str) -> None:
        self._url = url
        self.db: Any = psycopg.connect(url, autocommit=True)

    def another(self) -> Any:
        """A session whose work is seen once it commits."""
        return psycopg.connect(self._url)

    def lock(self) -> Any:
        """A session that holds table t."""
        session = self.another()
        session.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        return session

    def end_sessions(self) -> None:
        self.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


class Mariadb:
    """A database in MariaDB, administered."""

    sneak = "CREATE FUNCTION sneak() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END"
    slow = "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"
    moments = ("datetime(6)", "timestamp(6)")

    def __init__(self, server: Any, name: str) -> None:
        self._server, self._name = server, name
        self.db: Any = server.administer(database=name)

    def another(self) -> Any:
        session = self._server.administer(database=self._name)
        session.autocommit = False
        return session

    def lock(self) -> Any:
        session = self.another()
        session.execute("LOCK TABLES t WRITE")
        return session

    def end_sessions(self) -> None:
        for (id_,) in self.db.execute("SELECT id FROM information_schema.processlist WHERE user = 'reader'").fetchall():
            self.db.execute(f"KILL {id_}")


@pytest.fixture(params=["postgres", "mariadb"])
def served(request: pytest.FixtureRequest, channel_to: Any, odbc_to: Any) -> Iterator[tuple[Any, OdbcChannel]]:
    """A server's database, and the channel of one who may do anything in it."""
    server = request.getfixturevalue(request.param)
    if request.param == "postgres":
        url = server.database()
        erp: Any = Postgres(url)
        channel = channel_to(odbc_to(url))
    else:
        name = server.database()
        erp, channel = Mariadb(server, name), channel_to(server.connection(name))
        erp.db.execute("GRANT ALL ON *.* TO reader")
    yield erp, channel
    if request.param == "mariadb":
        erp.db.execute("REVOKE ALL ON *.* FROM reader")
    erp.db.close()


@pytest.mark.parametrize("moment", [0, 1])
def test_a_transaction_that_commits_late_is_not_lost(served: tuple[Any, OdbcChannel], moment: int) -> None:
    erp, channel = served
    query = {**KEYED, "overlap": "5m", "options": {"timezone": "UTC"}}
    erp.db.execute(f"CREATE TABLE t (id int, at {erp.moments[moment]} NULL)")
    erp.db.execute("INSERT INTO t VALUES (1, '2026-01-01 10:00:00')")
    slow = erp.another()
    slow.execute("INSERT INTO t VALUES (2, '2026-01-01 10:00:01.5')")
    erp.db.execute("INSERT INTO t VALUES (3, '2026-01-01 10:00:02')")
    assert [row[0] for row in channel.pull(SINCE, **query)[1]] == ["1", "3"]
    assert channel.pull(SINCE, **query)[1] == []
    slow.commit()
    slow.close()
    assert [row[0] for row in channel.pull(SINCE, **query)[1]] == ["2"]
    assert channel.pull(SINCE, **query)[1] == []


def test_nothing_can_be_written(served: tuple[Any, OdbcChannel]) -> None:
    """Though the user might: the session only reads."""
    erp, channel = served
    erp.db.execute("CREATE TABLE t (id int)")
    erp.db.execute(erp.sneak)
    with pytest.raises(PermanentError, match=r"(?i)read.only"):
        channel.pull("SELECT sneak()")
    assert list(map(tuple, erp.db.execute("SELECT count(*) FROM t").fetchall())) == [(0,)]


def test_a_locked_table_is_transient_once_the_time_is_up(served: tuple[Any, OdbcChannel]) -> None:
    erp, channel = served
    erp.db.execute("CREATE TABLE t (id int)")
    locking = erp.lock()
    with pytest.raises(TransientError):
        channel.pull("SELECT id FROM t", options={"timeout": "1s"})
    locking.close()


def test_a_statement_that_takes_too_long_is_transient(served: tuple[Any, OdbcChannel]) -> None:
    erp, channel = served
    with pytest.raises(TransientError):
        channel.pull(erp.slow, options={"timeout": "1s"})


def test_a_session_that_is_ended_is_transient_and_the_next_run_connects_anew(served: tuple[Any, OdbcChannel]) -> None:
    erp, channel = served
    erp.db.execute("CREATE TABLE t AS SELECT 1 AS id")
    source = channel.open("SELECT id FROM t")
    assert len(list(source.arrivals(1))) == 1
    erp.end_sessions()
    with pytest.raises(TransientError):
        list(source.arrivals(1))
    assert len(list(source.arrivals(1))) == 1
