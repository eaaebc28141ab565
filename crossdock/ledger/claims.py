"""Who reads an interchange of a certain number: only one at a time, so that two of the same number see each other.

A claim is a lock that ends with its process, however that ends: of PostgreSQL's own kind, or on a file beside
SQLite's. It says nothing of what was read; that is what the ledger's rows are for.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from typing import IO

from sqlalchemy.engine import Connection

from crossdock.ledger.database import Database
from schemas.errors import TransientError

_BUCKETS = 128  #: names share so many locks, which bounds what one payload of many interchanges holds
_PAUSE = 0.02


class Claims:
    """The claims of one payload; all are let go at the end of ``with``."""

    def __init__(self, database: Database, *, patience: float = 30.0) -> None:
        self._database = database
        self._patience = patience
        self._taken: set[int] = set()
        self._files: list[IO[bytes]] = []
        self._connection: Connection | None = None

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, name: str) -> None:
        """Wait until nobody else holds it. Raises TransientError when that takes too long."""
        bucket = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) % _BUCKETS
        if bucket in self._taken:
            return
        deadline = time.monotonic() + self._patience
        while not self._try(bucket):
            if time.monotonic() > deadline:
                raise TransientError(
                    "another payload with the same control number is being read", retry_after=5, name=name
                )
            time.sleep(_PAUSE)
        self._taken.add(bucket)

    def release(self) -> None:
        """Let go of all of them. Idempotent."""
        for file in self._files:
            file.close()
        if self._connection is not None:
            self._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._connection.close()
        self._files, self._connection, self._taken = [], None, set()

    def _try(self, bucket: int) -> bool:
        file = self._database.file
        if file is not None:
            folder = file.with_name(f"{file.name}-claims")
            folder.mkdir(exist_ok=True)
            lock = (folder / f"{bucket:03d}").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._files.append(lock)
            return True
        if self._connection is None:
            self._connection = self._database.session()
        key = int.from_bytes(hashlib.blake2b(b"claim %d" % bucket, digest_size=8).digest(), signed=True)
        return bool(self._connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({key})").scalar_one())
