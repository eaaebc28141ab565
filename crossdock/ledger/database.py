"""Connections and transactions: how SQLite and PostgreSQL are opened, migrated and locked.

SQLite: write-ahead log, ``synchronous=FULL``, foreign keys on, and every writing transaction
begins with ``BEGIN IMMEDIATE``, so that a writer waits at its start and never half-way. PostgreSQL:
READ COMMITTED; writers that must be alone lock a row.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from crossdock.ledger.bulk import NUMBERS
from crossdock.ledger.errors import vendor_errors
from crossdock.ledger.tables import REVISION
from schemas.errors import ConfigError, PermanentError

#: Seconds a connection waits for another one's lock before it gives up with TransientError.
PATIENCE = 30.0
#: Any number, the same in every process: the advisory lock under which PostgreSQL is migrated.
_MIGRATION_LOCK = 0x63726F7373646F63
_WRITES = "crossdock_writes"
#: In the ``info`` of a connection: what its transaction commits is news to who waits for some.
NEWS = "crossdock_news"
#: Bytes of a page of SQLite's file. With the usual 4096, writing events costs half as much again.
_PAGE = 16_384
_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """An engine with our rules of conduct. ``read`` and ``write`` are the only ways in."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = _checked(url)
        self._patience = patience
        with vendor_errors():
            self._engine = _postgres(self.url, patience) if self.is_postgres else _sqlite(self.url, patience)

    @property
    def is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return None if self.is_postgres else Path(self.url.database or "")

    @property
    def news(self) -> Path | None:
        """An empty file beside SQLite's that is touched when news were committed (see ``NEWS``)."""
        return None if self.file is None else self.file.with_name(f"{self.file.name}.news")

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent look: all statements see the same state. Nothing is written."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self.is_postgres else {}
        with vendor_errors(), self._engine.connect() as connection:
            yield connection.execution_options(**options)

    def session(self) -> Connection:
        """A connection of one's own that holds locks, not a transaction; the caller closes it."""
        with vendor_errors():
            return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        with vendor_errors(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection
            if connection.info.pop(NEWS, False) and self.news is not None:
                with suppress(OSError):
                    self.news.touch()

    def compact(self) -> None:
        """Give room back and refresh statistics. SQLite: the write-ahead log is emptied; nothing is rewritten."""
        with vendor_errors(), self._engine.connect() as connection:
            if self.is_postgres:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM (ANALYZE)")
            else:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA optimize")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- schema -----------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the schema up to date. Any number of processes may do so at once; one does the work."""
        if self._revision() == REVISION:
            return
        with self.write() as connection:
            if self.is_postgres:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            _upgrade(connection, self._refuse_newer)

    def require_current(self) -> None:
        """Raise PermanentError unless the schema is the one this program was made for."""
        revision = self._revision()
        if revision != REVISION:
            raise PermanentError(
                f"the ledger's schema is {revision or 'missing'}, not {REVISION}",
                hint="open it once with migrations allowed: crossdock migrate does",
            )

    def require_existing(self) -> None:
        """Raise ConfigError where no ledger was ever made; nothing is made by asking."""
        if (self.file is None or self.file.exists()) and self._revision() is not None:
            return
        raise ConfigError(
            f"{self.file or self.url.render_as_string()}: there is no ledger here",
            hint="CROSSDOCK_HOME and CROSSDOCK_LEDGER say where it is; crossdock run or crossdock migrate makes one",
        )

    def _revision(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if revision is None else str(revision)

    @staticmethod
    def _refuse_newer(revision: str) -> PermanentError:
        return PermanentError(
            f"the ledger's schema ({revision}) is newer than this program knows ({REVISION})",
            hint="upgrade crossdock, or restore the backup made before the upgrade",
        )


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"CROSSDOCK_LEDGER is no database URL: {error}", hint=_URLS) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    raise ConfigError(f"the ledger cannot live in {parsed.render_as_string()}", hint=_URLS)


_URLS = "sqlite:////path/to/ledger.db or postgresql://user:password@host/database"


# -- SQLite -----------------------------------------------------------------------------------------


def _sqlite(url: URL, patience: float) -> Engine:
    engine = sa.create_engine(url, connect_args={"timeout": patience}, pool_pre_ping=False)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        connection.execute(f"PRAGMA page_size = {_PAGE}")  # of a new file; an old one keeps its own
        _enter_wal(connection, patience)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -12288")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @sa.event.listens_for(engine, "rollback")
    def _forget(connection: Connection) -> None:
        connection.info.pop(NUMBERS, None)

    return engine


def _enter_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Two processes that open a new file at once collide here, and SQLite does not wait by itself."""
    deadline = time.monotonic() + patience
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise PermanentError(
                f"SQLite cannot keep a write-ahead log there (it offers {mode})",
                hint="put the ledger on a local disk, or use PostgreSQL",
            )
        return


# -- PostgreSQL -------------------------------------------------------------------------------------


def _postgres(url: URL, patience: float) -> Engine:
    """The server is told to notice a vanished client soon, because locks live as long as it believes in one."""
    settings = {
        "lock_timeout": f"{int(patience * 1000)}",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return sa.create_engine(
        url,
        connect_args={"options": options, "connect_timeout": 10, "application_name": "crossdock"},
        pool_pre_ping=True,
        pool_timeout=patience,
    )


# -- migrations -------------------------------------------------------------------------------------


def _upgrade(connection: Connection, newer: Any) -> None:
    """Run what is missing, within the transaction of ``connection``. Alembic is loaded only here: it is slow."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise newer(revision)
    if revision != REVISION:
        command.upgrade(config, REVISION)
