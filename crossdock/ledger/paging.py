"""The feed a page at a time, the page that follows read while the one before it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from sqlalchemy.engine import Connection

from crossdock.ledger import feed
from crossdock.ledger.database import Database
from crossdock.ledger.records import StoredEvent

Page = Sequence[StoredEvent]


class Paging:
    """Pages of ``size`` events. What stands in the feed never changes, so a page may be read at any time before it is
    wanted; one that was not full then is read once more. Leaving the block ends the thread that reads ahead, which
    also calls ``ahead`` with each page it read.
    """

    def __init__(self, database: Database, size: int, ahead: Callable[[Page], None] | None = None) -> None:
        self._database = database
        self._size = size
        self._ahead = ahead
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="reading ahead")  # starts with the first full page
        self._coming: tuple[int, Future[Page]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def after(self, connection: Connection, position: int) -> Page:
        """The page behind ``position``, as of ``connection``."""
        coming, self._coming = self._coming, None
        page = coming[1].result() if coming is not None and coming[0] == position else ()
        if len(page) < self._size:
            page = feed.page(connection, after=position, limit=self._size)
        if len(page) == self._size:
            last = page[-1].position
            self._coming = last, self._threads.submit(self._read, last)
        return page

    def _read(self, after: int) -> Page:
        with self._database.read() as connection:
            page = feed.page(connection, after=after, limit=self._size)
        if self._ahead is not None:
            self._ahead(page)
        return page
