"""No error of SQLAlchemy or a driver leaves the ledger, and each kind says what to do."""

from __future__ import annotations

import inspect
import pickle
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors as states
from sqlalchemy import exc

from crossdock.ledger.errors import explained, vendor_errors
from schemas.errors import CrossdockError, PermanentError, TransientError


def subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        yield from subclasses(child)


def made(kind: type[BaseException]) -> BaseException:
    """An instance; where the constructor differs from class to class, without it."""
    if issubclass(kind, exc.StatementError):
        given = ("SELECT", {}, RuntimeError("something"))
        return kind(*given) if issubclass(kind, exc.DBAPIError) else kind("something", *given)
    error = kind.__new__(kind)
    error.args = ("something",)
    return error


VENDORS = [
    *subclasses(exc.SQLAlchemyError),
    *subclasses(sqlite3.Error),
    sqlite3.Warning,
    *subclasses(psycopg.Error),
    psycopg.Warning,
]


@pytest.mark.parametrize("kind", VENDORS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_error_class_of_the_vendors_is_mapped(kind: type[BaseException]) -> None:
    with pytest.raises((TransientError, PermanentError)), vendor_errors():
        raise made(kind)


#: Not raised at us: a mixin, bases for drivers we do not use, and psycopg's way to leave a block of its own.
NOT_ERRORS = {exc.DontWrapMixin, exc.EmulatedDBAPIException, psycopg.Rollback}


def test_the_vendors_have_no_error_class_beside_those() -> None:
    found = {
        kind
        for module in (exc, sqlite3, psycopg, states)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ != "builtins"
    }
    warnings = {kind for kind in found if issubclass(kind, Warning)}
    assert found - warnings - set(VENDORS) <= NOT_ERRORS


SQLITE = {
    "SQLITE_BUSY": TransientError,
    "SQLITE_BUSY_SNAPSHOT": TransientError,
    "SQLITE_LOCKED": TransientError,
    "SQLITE_PROTOCOL": TransientError,
    "SQLITE_SCHEMA": TransientError,
    "SQLITE_INTERRUPT": TransientError,
    "SQLITE_NOMEM": TransientError,
    "SQLITE_FULL": PermanentError,
    "SQLITE_CORRUPT": PermanentError,
    "SQLITE_NOTADB": PermanentError,
    "SQLITE_READONLY": PermanentError,
    "SQLITE_CANTOPEN": PermanentError,
    "SQLITE_IOERR_WRITE": PermanentError,
    "SQLITE_CONSTRAINT_UNIQUE": PermanentError,
    "SQLITE_ERROR": PermanentError,
}


@pytest.mark.parametrize(("name", "ours"), SQLITE.items())
def test_sqlite_result_codes(name: str, ours: type[CrossdockError]) -> None:
    error = sqlite3.OperationalError(name)
    error.sqlite_errorcode = getattr(sqlite3, name)
    wrapped = exc.OperationalError("INSERT", {}, error)
    for one in (error, wrapped):
        assert type(explained(one)) is ours


POSTGRES = {
    states.SerializationFailure: TransientError,
    states.DeadlockDetected: TransientError,
    states.LockNotAvailable: TransientError,
    states.AdminShutdown: TransientError,
    states.CannotConnectNow: TransientError,
    states.TooManyConnections: TransientError,
    states.ConnectionFailure: TransientError,
    states.OutOfMemory: TransientError,
    states.QueryCanceled: TransientError,
    states.DiskFull: PermanentError,
    states.DatabaseDropped: PermanentError,
    states.InvalidPassword: PermanentError,
    states.InvalidCatalogName: PermanentError,
    states.InsufficientPrivilege: PermanentError,
    states.UndefinedTable: PermanentError,
    states.DataCorrupted: PermanentError,
    states.IoError: PermanentError,
    states.UniqueViolation: PermanentError,
}


@pytest.mark.parametrize(("kind", "ours"), POSTGRES.items(), ids=lambda value: value.__name__)
def test_postgresql_states(kind: type[psycopg.Error], ours: type[CrossdockError]) -> None:
    error = kind("something")
    wrapped = exc.DBAPIError.instance("INSERT", {}, error, psycopg.Error)
    assert type(explained(error)) is ours
    assert type(explained(wrapped)) is ours


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ('FATAL:  password authentication failed for user "x"', PermanentError),
        ('FATAL:  database "x" does not exist', PermanentError),
        ("connection refused", TransientError),
        ("could not translate host name", TransientError),
        ("the connection is lost", TransientError),
    ],
)
def test_errors_before_a_connection_stands(words: str, ours: type[CrossdockError]) -> None:
    assert type(explained(psycopg.OperationalError(words))) is ours


def test_a_pool_with_no_connection_left_is_worth_a_retry() -> None:
    assert isinstance(explained(exc.TimeoutError("QueuePool limit")), TransientError)


def test_what_leaves_says_what_to_do_and_survives_pickling() -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    ours = pickle.loads(pickle.dumps(explained(error)))
    assert str(ours) == (
        "the ledger's database refused: database or disk is full "
        "(free space on its disk, then run again: nothing was half-written)"
    )


def test_errors_that_are_not_the_databases_go_through() -> None:
    with pytest.raises(KeyError), vendor_errors():
        raise KeyError("mine")
