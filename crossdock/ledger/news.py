"""Waiting for the feed to grow, told by the database and not by asking again and again.

PostgreSQL notifies whoever listens when a transaction that wrote events is committed (``LISTEN``, ``NOTIFY``). Beside
an SQLite file an empty one is touched then, which the kernel tells (inotify).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.database import NEWS, Database
from crossdock.ledger.errors import vendor_errors
from crossdock.ledger.tables import feed

_CHANNEL = "crossdock_feed"

#: Waits until something may have been written, or for so many seconds.
Told = Callable[[float], None]
#: ``wait(position, seconds)`` says whether the feed reaches beyond the position; see ``listening``.
Wait = Callable[[int, float], bool]


def tell(connection: Connection) -> None:
    """Let who waits know, once the transaction of ``connection`` is committed: events were written, or an outlet may
    go on."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")
    else:
        connection.info[NEWS] = True


@contextmanager
def listening(database: Database) -> Iterator[Wait]:
    """``wait(position, seconds)`` says whether the feed has reached beyond ``position``, as soon as anything is told or
    that time is over. What is told between two waits is not missed.
    """
    with _told_by_postgres(database) if database.news is None else _told_by_kernel(database.news) as told:

        def wait(position: int, seconds: float) -> bool:
            if _newest(database) > position:
                return True
            told(seconds)
            return _newest(database) > position

        yield wait


def _newest(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(feed.c.position)) or 0


@contextmanager
def _told_by_postgres(database: Database) -> Iterator[Told]:
    with vendor_errors(), database.session() as connection:
        connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
        driver: Any = connection.connection.driver_connection

        def told(seconds: float) -> None:
            for _ in driver.notifies(timeout=seconds, stop_after=1):
                pass

        try:
            yield told
        finally:
            connection.exec_driver_sql(f"UNLISTEN {_CHANNEL}")


@contextmanager
def _told_by_kernel(touched: Path) -> Iterator[Told]:
    from asyncinotify import Inotify, Mask

    with Inotify() as inotify:
        inotify.add_watch(touched.parent, Mask.ATTRIB | Mask.CREATE)

        def told(seconds: float) -> None:
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                inotify.sync_timeout = left
                event = inotify.sync_get()
                if event is not None and str(event.name) == touched.name:
                    return

        yield told
