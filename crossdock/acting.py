"""Who is acting: a person, a command, or a DAG run. Every state change is written down with it.

Whoever serves several people at once says so around what each one does::

    with acting_as("person anna"):
        ledger.requeue(ids)

Where nobody has said anything, the process says it: the DAG run that Airflow names in the environment, else the
command and the user who typed it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_ACTOR: ContextVar[str] = ContextVar("actor", default="")


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Whatever is done within is done by ``actor``: ``person anna``, ``command crossdock fix by anna``."""
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def actor() -> str:
    """Who is acting now; never empty."""
    return _ACTOR.get() or from_process(os.environ, sys.argv)


def from_process(environment: Mapping[str, str], arguments: Sequence[str]) -> str:
    """``dag inbound_edi run manual__2026``, or ``command crossdock run by anna``."""
    if dag := environment.get("AIRFLOW_CTX_DAG_ID"):
        return f"dag {dag} run {environment.get('AIRFLOW_CTX_DAG_RUN_ID', 'unknown')}"
    name = Path(arguments[0]).name if arguments and arguments[0] else "python"
    command = next((word for word in arguments[1:] if not word.startswith("-")), "")
    return f"command {name} {command}".rstrip() + f" by {user(environment)}"


def user(environment: Mapping[str, str]) -> str:
    """The person at the keyboard, as the system knows them."""
    names = (environment.get(name, "") for name in ("SUDO_USER", "LOGNAME", "USER"))
    return next(filter(None, names), "") or f"user {os.getuid()}"
