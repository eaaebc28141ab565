"""Events into a table of a PostgreSQL database, which is made when it is not there.

``keep: events`` writes every event once (by its id); ``keep: latest`` one row for each key, its highest revision. A
batch is one transaction, so that whoever reads the table sees all of it or nothing, and again is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from connectors.base import Sink
from connectors.connections import Connections
from connectors.sinks.columns import COLUMNS, rows
from schemas.configuration import Strict
from schemas.durations import Duration
from schemas.errors import ConfigError, CrossdockError, PermanentError, RefusedError, TransientError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql


class Options(Strict):
    """``sink: {kind: postgres, conn_id: warehouse, table: crossdock.events}``."""

    conn_id: str
    table: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")] = "crossdock_events"
    keep: Literal["events", "latest"] = "events"
    timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)  #: of a statement


def open_sink(options: Options, *, home: Path, connections: Connections) -> Sink:  # noqa: ARG001
    connection = connections(options.conn_id)
    if not connection.host:
        raise ConfigError(f"connection {options.conn_id!r} has no host")
    settings = {
        "host": connection.host,
        "port": str(connection.port or 5432),
        "dbname": connection.schema,
        "user": connection.login,
        "password": connection.password,
        "connect_timeout": "10",
        "application_name": "crossdock",
        "options": f"-c statement_timeout={int(options.timeout.total_seconds() * 1000)}",
        **connection.extra,
    }
    return PostgresSink({name: value for name, value in settings.items() if value}, options.table, keep=options.keep)


class PostgresSink:
    """See the module. ``settings`` are libpq's."""

    def __init__(self, settings: dict[str, str], table: str, *, keep: str) -> None:
        self._settings = settings
        self._place = f"{settings['host']}/{settings.get('dbname', '')}, table {table}"
        self._table = table
        self._latest = keep == "latest"
        self._connection: psycopg.Connection | None = None

    def deliver(self, events: Sequence[bytes]) -> None:
        """Write the batch in one transaction. Raises TransientError, RefusedError or PermanentError."""
        if not events:
            return
        with _translated(self._place):
            connection = self._open()
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    for statement in _BEFORE:
                        cursor.execute(self._said(statement))
                    with cursor.copy(self._said(_COPY)) as copy:
                        for row in rows(events):
                            copy.write_row(row)
                    cursor.execute(self._said(_KEEP_LATEST if self._latest else _KEEP_EVENTS))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> psycopg.Connection:
        if self._connection is None:
            import psycopg
            from psycopg.conninfo import make_conninfo

            self._connection = psycopg.connect(make_conninfo(**self._settings), autocommit=True)
            self._connection.execute(self._said(_MAKE))
        return self._connection

    def _said(self, statement: str) -> sql.Composed:
        from psycopg import sql

        key = "type, subject" if self._latest else "id"
        named = {"key": key, "columns": ", ".join(COLUMNS), "changes": _SET}
        texts = {name: sql.SQL(text) for name, text in named.items()}
        return sql.SQL(statement).format(table=sql.Identifier(*self._table.split(".")), **texts)


_TYPES = {"sequence": "bigint", "time": "timestamptz", "recordedtime": "timestamptz", "data": "jsonb"}
_TYPES |= dict.fromkeys(("quantity", "base_quantity"), "numeric")
_MAKE = (
    "CREATE TABLE IF NOT EXISTS {table} ("
    + ", ".join(f"{name} {_TYPES.get(name, 'text')} NOT NULL" for name in COLUMNS)
    + ", PRIMARY KEY ({key}))"
)
_BEFORE = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS crossdock_batch (LIKE {table}) ON COMMIT DELETE ROWS",
    "TRUNCATE crossdock_batch",
)
_COPY = "COPY crossdock_batch ({columns}) FROM STDIN"
_KEEP_EVENTS = "INSERT INTO {table} ({columns}) SELECT {columns} FROM crossdock_batch ON CONFLICT DO NOTHING"
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("type", "subject"))
_KEEP_LATEST = (
    "INSERT INTO {table} AS kept ({columns}) SELECT DISTINCT ON ({key}) {columns} FROM crossdock_batch "
    "ORDER BY {key}, sequence DESC ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE excluded.sequence > kept.sequence"
)


@contextmanager
def _translated(place: str) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise as_ours(error, place) from None


def as_ours(error: psycopg.Error, place: str) -> CrossdockError:
    """The error of ours that one of psycopg's means, by its SQLSTATE class where it has one."""
    import psycopg

    story = f"{place}: {' '.join(str(error).split())[:300]}"
    state = error.sqlstate or ""
    if state.startswith("28") or state == "3D000" or "authentication failed" in story or "does not exist" in story:
        return PermanentError(story, hint="mend the outlet's connection")
    if state[:2] in ("08", "40", "53", "55", "57", "58"):
        return TransientError(story)
    if state[:2] in ("22", "23"):
        return RefusedError(story, hint="the table does not take it")
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return TransientError(story)
    return PermanentError(story, hint="let the outlet's user make and write the table")
