"""The errors of the whole product, grouped by what to do next.

::

    CrossdockError
    +-- ConfigError      a file of configuration is wrong: mend it; trying again is useless
    +-- TransientError   the world is busy: try again, after ``retry_after`` seconds where known
    +-- PermanentError   it will not work this way: stop and tell a person
        +-- RefusedError a receiver says no to what it was given; it may well take the rest
        +-- DeniedError  who asks may not be told
        +-- GivenUpError what was asked for has been given up, as retention says

Bad *data* is never an exception; it is a ``findings.Finding``. All errors survive
pickling, because Airflow carries them between processes.
"""

from __future__ import annotations

from typing import Any


class CrossdockError(Exception):
    """Something went wrong; ``hint`` says what to do about it.

    ``str(error)`` is the whole story: what, where, and what happens next.
    """

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__))


class ConfigError(CrossdockError):
    """Configuration is wrong. ``problems`` lists every fault found, one sentence each."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = "", **details: Any) -> None:
        super().__init__(message, hint=hint, **details)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *(f"  {problem}" for problem in self.problems)))


class TransientError(CrossdockError):
    """Worth another try: a lock, a time-out, a full queue. ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str = "", **details: Any) -> None:
        super().__init__(message, hint=hint, **details)
        self.retry_after = retry_after


class PermanentError(CrossdockError):
    """No retry will help: refused credentials, a vanished table, a receiver that says no."""


class RefusedError(PermanentError):
    """A receiver read what it was handed and will not have it: others it may take, this again hardly."""


class DeniedError(PermanentError):
    """Who asks is known, and may not be told (any more)."""


class GivenUpError(PermanentError):
    """It was there once, and was given up when its time to be kept was over."""


def _rebuild(cls: type[CrossdockError], message: str, state: dict[str, Any]) -> CrossdockError:
    error = cls(message)
    error.__dict__.update(state)
    return error
