"""What the database says, in our words: nothing of SQLAlchemy or a driver leaves this package.

::

    locked, busy, away, starting up, deadlock          -> TransientError
    disk full, corrupt, refused, misused, of other age -> PermanentError
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import exc

from schemas.errors import CrossdockError, PermanentError, TransientError

if TYPE_CHECKING:
    import psycopg

#: Primary SQLite result codes (https://sqlite.org/rescode.html) that pass by themselves, with what they mean.
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY: "it is locked by another process",
    sqlite3.SQLITE_LOCKED: "it is locked by another connection",
    sqlite3.SQLITE_PROTOCOL: "it is locked by another process",
    sqlite3.SQLITE_SCHEMA: "its schema changed meanwhile",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
    sqlite3.SQLITE_NOMEM: "memory ran out",
}
_SQLITE_HINTS = {
    sqlite3.SQLITE_FULL: "free space on its disk, then run again: nothing was half-written",
    sqlite3.SQLITE_CORRUPT: "stop, keep a copy, and restore the last backup",
    sqlite3.SQLITE_NOTADB: "the ledger URL names a file that is no SQLite database",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and belongs to this user",
    sqlite3.SQLITE_READONLY: "let this user write to the file and its folder",
    sqlite3.SQLITE_PERM: "let this user write to the file and its folder",
    sqlite3.SQLITE_AUTH: "let this user write to the file and its folder",
    sqlite3.SQLITE_IOERR: "check the disk and its free space",
}
#: SQLSTATE classes and codes (PostgreSQL manual, appendix A) that pass by themselves.
_STATES_PASSING = {
    "08": "the connection was lost",
    "40": "it collided with another transaction",
    "53": "the server is short of resources",
    "57": "the server broke off",
    "55P03": "a lock could not be had in time",
    "25P03": "the transaction idled too long",
    "25P04": "the transaction took too long",
}
_STATES_PERMANENT = {
    "53100": "free space on the server's disk, then run again: nothing was half-written",
    "57P04": "the database was dropped",
    "28": "check user and password in the ledger URL",
    "3D": "create the database that the ledger URL names",
    "42": "check the rights of the database user, and that migrations have run",
    "XX": "the server reports damage; stop and restore the last backup",
    "58": "the server cannot use its disk; look into its log",
}


@contextmanager
def vendor_errors() -> Iterator[None]:
    """Turn what SQLAlchemy and the drivers raise inside into TransientError or PermanentError."""
    try:
        yield
    except _errors_of_vendors() as error:
        raise explained(error) from error


def _errors_of_vendors() -> tuple[type[Exception], ...]:
    return exc.SQLAlchemyError, sqlite3.Error, sqlite3.Warning, *_errors_of_psycopg("Error", "Warning")


def _errors_of_psycopg(*names: str) -> tuple[type[Exception], ...]:
    """Its exceptions of these names; none where nobody has loaded it, who then raises none: a ledger in SQLite has no
    need of its seven megabytes."""
    loaded = sys.modules.get("psycopg")
    return tuple(getattr(loaded, name) for name in names) if loaded else ()


def explained(error: Exception) -> CrossdockError:
    """The error of ours that ``error`` means."""
    cause: BaseException = error
    if isinstance(error, exc.StatementError) and error.orig is not None:
        cause = error.orig
    if isinstance(error, exc.TimeoutError):
        return _passing("all its connections are in use", error)
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(cause)
    if isinstance(cause, _errors_of_psycopg("Error")):
        return _from_postgres(cause)  # type: ignore[arg-type]
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return _passing("the connection was lost", error)
    return _permanent(cause, "this is a fault of the program or of its installation; report it")


def _from_sqlite(error: sqlite3.Error) -> CrossdockError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _SQLITE_PASSING:
        return _passing(_SQLITE_PASSING[code], error)
    return _permanent(error, _SQLITE_HINTS.get(code, "this is a fault of the program; report it"))


def _from_postgres(error: psycopg.Error) -> CrossdockError:
    state = error.sqlstate or ""
    for table, make in ((_STATES_PERMANENT, _permanent), (_STATES_PASSING, None)):
        word = table.get(state) or table.get(state[:2])
        if word and make:
            return make(error, word)
        if word:
            return _passing(word, error)
    if not state and isinstance(error, _errors_of_psycopg("OperationalError")):
        return _from_connecting(error)
    return _permanent(error, "this is a fault of the program; report it")


def _from_connecting(error: psycopg.Error) -> CrossdockError:
    """libpq gives no SQLSTATE before a connection stands; only the server's own words tell refusal from absence."""
    words = str(error)
    refusals = ("authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied", "no password")
    if any(word in words for word in refusals):
        return _permanent(error, "check user, password and database in the ledger URL")
    return _passing("the server is away", error)


def _passing(what: str, error: BaseException) -> TransientError:
    return TransientError(f"the ledger's database is not available: {what} ({_one_line(error)})", retry_after=5)


def _permanent(error: BaseException, hint: str) -> PermanentError:
    return PermanentError(f"the ledger's database refused: {_one_line(error)}", hint=hint)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
