"""The ODBC drivers: connection strings, sessions that only read, and what their errors mean to us.

Nothing of pyodbc leaves this package: connections go to ``Database`` alone, errors come out as ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.connections import Connection
from schemas.configuration import unknown
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    import pyodbc


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of database is spoken to. ``keys`` are the driver's words for parts of a Connection."""

    driver: str  #: as Debian registers it
    package: str  #: Debian's
    keys: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)
    session: tuple[str, ...] = ()  #: statements after connecting: that it only reads, its zone, its patience
    zone: str = ""  #: sets the zone by its name, which a server may not know
    zoned: str = ""  #: columns that would come wrong then
    clock: str = ""  #: asks the server how many seconds it is since 1970; empty: our own clock will do
    quotes: str = '""'  #: what stands before and after a column's name
    page: int | None = None  #: rows asked for in one statement, for a driver that holds a whole result in memory
    #: A column holds values of any type, and what is reckoned has the type of its first row: columns are asked for
    #: apart, and values that do not fit beside the rows.
    loose: bool = False
    writes: bool = False  #: it writes rows as JSON (connectors.sources.odbc.written)
    moments_as_text: bool = False  #: the driver cuts the fraction of a second off a moment that is bound


_SERVER = {"host": "Server", "port": "Port", "schema": "Database", "login": "UID", "password": "PWD"}

DIALECTS: Mapping[str, Dialect] = {
    "sqlite": Dialect(
        driver="SQLite3",
        package="libsqliteodbc",
        keys={"schema": "Database"},
        # without BigInt a 64-bit integer comes back cut to 32 bits; without NoCreat a misspelt path makes a database
        options={"BigInt": "1", "NoCreat": "1", "Timeout": "5000"},
        session=("PRAGMA query_only = 1",),
        loose=True,
    ),
    "postgres": Dialect(
        driver="PostgreSQL Unicode",
        package="odbc-postgresql",
        keys=_SERVER | {"host": "Servername"},
        # Declare/Fetch keeps the result on the server, so that memory holds one batch
        options={"UseDeclareFetch": "1", "Fetch": "5000", "BoolsAsChar": "0"},
        session=(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            "SET TIME ZONE '{timezone}'",
            "SET statement_timeout = {milliseconds}",
        ),
        clock="SELECT extract(epoch FROM clock_timestamp())",
        writes=True,
    ),
    "mysql": Dialect(
        driver="MariaDB Unicode",
        package="odbc-mariadb",
        keys=_SERVER,
        # from 3.1.17 on the first two keep the result on the server; earlier drivers do not know them
        options={"FORWARDONLY": "1", "NO_CACHE": "1", "CHARSET": "utf8mb4"},
        session=(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            "SET SESSION time_zone = '+00:00'",
            # MariaDB reads the first comment and MySQL the second, and neither the other's
            "SET SESSION lock_wait_timeout = {seconds} /*M!100108 , SESSION max_statement_time = {seconds} */"
            " /*!50708 , SESSION max_execution_time = {milliseconds} */",
        ),
        # a name is known only once the server's tables of zones are filled; a DATETIME is the same in any zone
        zone="SET SESSION time_zone = '{timezone}'",
        zoned="SELECT concat(table_schema, '.', table_name, '.', column_name) FROM information_schema.columns"
        " WHERE data_type = 'timestamp' AND table_schema = DATABASE() LIMIT 3",
        clock="SELECT unix_timestamp(now(6))",
        quotes="``",
        page=20_000,
        moments_as_text=True,
    ),
    "mssql": Dialect(
        driver="FreeTDS",
        package="tdsodbc",
        keys=_SERVER,
        options={"TDS_Version": "7.4", "ClientCharset": "UTF-8", "ApplicationIntent": "ReadOnly"},
        session=("SET LOCK_TIMEOUT {milliseconds}",),
        clock="SELECT datediff_big(millisecond, '1970-01-01', sysutcdatetime()) / 1000.0",
        quotes="[]",
    ),
}
_ALIASES = {"mariadb": "mysql", "sqlserver": "mssql", "sqlite3": "sqlite"}


def connection_string(connection: Connection) -> str:
    """The DSN-less connection string. ``driver`` in ``extra`` names another driver, ``dsn`` a data source;
    everything else in ``extra`` is handed to the driver as it is. Raises ConfigError for an unknown kind."""
    extra = {key: value for key, value in connection.extra.items() if key.lower() not in ("driver", "dsn", "dialect")}
    named = {key.lower(): value for key, value in connection.extra.items()}
    if "dsn" in named:
        parts = {"DSN": named["dsn"], "UID": connection.login, "PWD": connection.password}
    else:
        dialect = dialect_of(connection)
        driver = named.get("driver") or (dialect.driver if dialect else "")
        if not driver:
            raise ConfigError(
                f"connection {connection.conn_id!r}: {unknown('type', connection.type, (*DIALECTS, *_ALIASES))}",
                hint="or name an installed ODBC driver as driver in the connection's extra",
            )
        keys = dialect.keys if dialect else _SERVER
        values = {
            "host": connection.host,
            "port": str(connection.port or ""),
            "schema": connection.schema or (connection.host if dialect is DIALECTS["sqlite"] else ""),
            "login": connection.login,
            "password": connection.password,
        }
        parts = {"DRIVER": driver} | {word: values[part] for part, word in keys.items()}
        parts |= dialect.options if dialect and driver == dialect.driver else {}
    return ";".join(f"{key}={_quoted(value)}" for key, value in (parts | extra).items() if value) + ";"


def dialect_of(connection: Connection) -> Dialect | None:
    """The dialect by the connection's type, or by ``dialect`` in its extra; None for a driver we know nothing of."""
    name = connection.extra.get("dialect", connection.type).lower()
    return DIALECTS.get(_ALIASES.get(name, name))


class Session:
    """A connection that can only read. Errors are the driver's own: use it within ``translated``."""

    def __init__(self, connection: pyodbc.Connection, dialect: Dialect) -> None:
        self._connection = connection
        self.dialect = dialect

    def run(self, text: str, values: Sequence[Any] = ()) -> pyodbc.Cursor:
        """A cursor over the statement's result; ``values`` are bound, in the order of its ``?``."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(text, *map(self._bindable, values))
        except BaseException:
            cursor.close()
            raise
        return cursor

    def now(self) -> datetime:
        """The server's clock, in UTC; ours where it cannot be asked."""
        if not self.dialect.clock:
            return datetime.now(UTC)
        cursor = self.run(self.dialect.clock)
        try:
            (seconds,) = cursor.fetchone()
        finally:
            cursor.close()
        return datetime.fromtimestamp(float(seconds), UTC)

    def end(self) -> None:
        """Nothing more is read in this transaction."""
        with suppress(Exception):  # a connection that broke is found out at its next use
            self._connection.rollback()

    def close(self) -> None:
        with suppress(Exception):  # a connection that broke cannot be closed any better
            self._connection.close()

    def _bindable(self, value: Any) -> Any:
        return str(value) if self.dialect.moments_as_text and isinstance(value, datetime) else value


#: For a driver we know nothing of.
PLAIN = Dialect(driver="", package="", keys=_SERVER)


def connect(connection: Connection, *, login_timeout: float, timeout: float, timezone: str | None) -> Session:
    """A session that can only read. Raises ConfigError, TransientError, PermanentError."""
    pyodbc = _pyodbc()
    written = connection_string(connection)
    dialect = dialect_of(connection) or PLAIN
    with translated(f"connection {connection.conn_id}", connection.password):
        opened = pyodbc.connect(written, autocommit=True, readonly=True, timeout=max(1, round(login_timeout)))
        try:
            given = {"milliseconds": round(timeout * 1000), "seconds": max(1, round(timeout))}
            words = given | {"timezone": timezone or "UTC"}
            for statement in dialect.session:
                opened.execute(statement.format_map(words)).close()
            if dialect.zone and timezone not in (None, "UTC"):
                _enter_zone(opened, dialect, timezone or "")
            with suppress(pyodbc.Error):  # not every driver knows this attribute
                opened.timeout = given["seconds"]
            opened.autocommit = False
        except BaseException:
            opened.close()
            raise
    return Session(opened, dialect)


def _enter_zone(opened: pyodbc.Connection, dialect: Dialect, timezone: str) -> None:
    """Raises PermanentError where the server does not know the zone and keeps instants, which would come in another."""
    try:
        opened.execute(dialect.zone.format(timezone=timezone)).close()
    except _pyodbc().Error:
        columns = [row[0] for row in opened.execute(dialect.zoned).fetchall()]
        if columns:
            raise PermanentError(
                f"the server does not know the zone {timezone}, in which {', '.join(columns)} would have to come",
                hint="let its administrator fill its tables of zones (mariadb-tzinfo-to-sql), or say `timezone: UTC`",
            ) from None


@contextmanager
def translated(what: str, secret: str = "") -> Iterator[None]:
    """Turn pyodbc's errors into ours; ``secret`` is blotted out of what the driver says."""
    pyodbc = _pyodbc()
    try:
        yield
    except (pyodbc.Error, pyodbc.Warning) as error:
        raise as_ours(error, what, secret) from None


#: Faults of ours or the administrator's, whatever SQLSTATE a driver gives them.
_REFUSED = re.compile(
    r"(?i)authentication failed|access denied|login failed|no pg_hba|permission denied|does not exist|unknown database"
    r"|not a database|unable to open|connect failed|can't open lib|data source name not found|no such (table|column)"
)
#: Troubles that pass, which many drivers report under the general state HY000.
_PASSING = re.compile(
    r"(?i)\b(locked|busy|deadlock|gone away|lost connection|timed? ?out|timeout|too many connections"
    r"|connection (was )?(refused|reset|closed)|could not connect|communication link"
    r"|starting up|shutting down|in recovery)\b"
)
#: SQLSTATE classes and states of troubles that pass: connection (08), rollback by deadlock or
#: serialisation (40), no resources (53), operator's shutdown (57P), lock not to be had (55P03), time-outs (HYT).
_PASSING_STATES = ("08", "40", "53", "57P", "55P03", "HYT")
#: The same by the server's own number, which its driver puts in brackets under states that say less. MariaDB and
#: MySQL: nobody answers, the connection broke (2xxx, 5014), too many, shutting down, killed, locks, time is up.
#: SQL Server, as FreeTDS says it: nobody answers (20009), broken (20003, 20004, 20006), deadlock, lock time-out.
_PASSING_NUMBERS = re.compile(
    r"\((2002|2003|2006|2013|2055|5014|1040|1053|1205|1213|1317|1927|1969|3024|2000[3469]|1222)\)"
)
_DRIVER_MISSING = re.compile(r"(?i)can't open lib|data source name not found")


def as_ours(error: Exception, what: str, secret: str = "") -> TransientError | PermanentError:
    """The error of ours that an error of pyodbc means, by its message where that is plain, else by its SQLSTATE."""
    state = str(error.args[0]) if error.args else ""
    said = " ".join(str(error.args[1] if len(error.args) > 1 else error).split())
    if secret:
        said = said.replace(secret, "***")
    story = f"{what}: {said or type(error).__name__}"
    if _DRIVER_MISSING.search(said):
        packages = ", ".join(dialect.package for dialect in DIALECTS.values())
        return PermanentError(story, hint=f"install the ODBC driver; Debian has {packages}", sqlstate=state)
    if _PASSING_NUMBERS.search(said):
        return TransientError(story, hint="it is tried again from the same watermark", sqlstate=state)
    if _REFUSED.search(said):
        return PermanentError(story, hint="mend the connection or the query", sqlstate=state)
    if _PASSING.search(said) or state.startswith(_PASSING_STATES):
        return TransientError(story, hint="it is tried again from the same watermark", sqlstate=state)
    if isinstance(error, _pyodbc().OperationalError) and state in ("", "HY000"):
        return TransientError(story, sqlstate=state)
    return PermanentError(story, hint="mend the query or the database", sqlstate=state)


def _pyodbc() -> Any:
    """The module, which cannot even be imported where unixODBC is missing. Raises PermanentError."""
    try:
        import pyodbc
    except ImportError as error:
        raise PermanentError(f"ODBC cannot be used: {error}", hint="install unixODBC; Debian has unixodbc") from None
    return pyodbc


def _quoted(value: str) -> str:
    """``value`` as a connection string takes it: in braces where it could be misread."""
    return "{" + value.replace("}", "}}") + "}" if re.search(r"[;{}\[\](),?*=!@]|^\s|\s$", value) else value
