"""What goes wrong with a database, and what of pyodbc's errors becomes which of ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyodbc
import pytest

from connectors.connections import Connection
from connectors.pulls.source import PullingSource
from connectors.sources.odbc import Options, open_source
from connectors.sources.odbc.driver import PLAIN, Session, as_ours, connect, connection_string
from connectors.sources.odbc.source import Database
from connectors.sources.odbc.statement import Query, parse
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError
from tests.memory_state import MemoryState
from tests.odbc_erp import Erp


class TestErrors:
    def test_a_watermark_column_that_is_not_there(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER, changed_at TEXT)")
        with pytest.raises(ConfigError, match="did you mean 'changed_at'"):
            erp.rows("SELECT * FROM t WHERE changed_at > :watermark", watermark="changed_on", key=["id"])

    def test_a_query_that_is_wrong_is_permanent_and_named(self, erp: Erp) -> None:
        with pytest.raises(PermanentError, match=r"query q: .*no such table"):
            erp.rows("SELECT * FROM nowhere")

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
        source = open_source(options, home=tmp_path, state=MemoryState(), connections=lambda _: connection)
        with pytest.raises(PermanentError):
            list(source.arrivals(1))
        assert not (tmp_path / "none.db").exists()

    def test_nothing_can_be_written(self, erp: Erp) -> None:
        erp.db.execute("CREATE TABLE t (id INTEGER)")
        sneaky = "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"
        with pytest.raises(CrossdockError):
            erp.rows(sneaky)
        assert erp.db.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_driver_that_is_not_installed_says_what_to_install(self, tmp_path: Path) -> None:
        connection = Connection(conn_id="erp", type="db2", extra={"driver": "IBM DB2"})
        options = Options.model_validate({"conn_id": "erp", "queries": [{"name": "q", "sql": "SELECT 1"}]})
        source = open_source(options, home=tmp_path, state=MemoryState(), connections=lambda _: connection)
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
    source = PullingSource(database, [pull], state=MemoryState(), spool=tmp_path)
    for _ in range(2):
        with pytest.raises(TransientError, match="Communication link failure"):
            list(source.arrivals(1))
    assert log == ["opened", "closed", "opened", "closed"]
