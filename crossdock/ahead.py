"""Two stages at once: one thread makes things while another is busy with those made before."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Generic, TypeVar

T = TypeVar("T")

LOAD = 1024  #: weight that is handed over at once
QUICK = 0.0002  #: seconds for which a thread has the interpreter to itself, while others wait
LOADS = 4  #: that there are at most: one in use, one being made, and those that wait


def ahead(items: Iterator[T], *, weigh: Callable[[T], int] = lambda _: 1) -> Generator[T, None, None]:
    """``items``, in their order, made in a thread of their own.

    What making them raises is raised where its item would have come. Closing this (or leaving it
    with an exception) ends the thread: it is gone when that returns, and ``items`` is closed.
    """
    loads: Queue[_Load[T]] = Queue()
    room, enough = threading.Semaphore(LOADS), threading.Event()
    arguments = (items, weigh, loads, room, enough)
    maker = threading.Thread(target=_make, args=arguments, name="working ahead", daemon=True)
    last = False
    with _TURNS.quick():
        maker.start()
        try:
            while not last:
                load = loads.get()
                last = load.last
                yield from load.items
                if load.error is not None:
                    raise load.error
                load.items.clear()
                room.release()
        finally:
            enough.set()
            room.release()
            while not last:
                last = loads.get().last
                room.release()
            maker.join()


class _Turns:
    """How soon the interpreter changes hands, which is one setting of the whole process.

    A stage that comes back from the database or from work on a table waits for the other one to let go of the
    interpreter, by default five milliseconds, some hundred times for each ten thousand lines.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usual = 0.0
        self._wanted = 0

    @contextmanager
    def quick(self) -> Generator[None]:
        """Sooner, as long as anybody wants it."""
        with self._lock:
            if not self._wanted:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(QUICK, self._usual))
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    sys.setswitchinterval(self._usual)


_TURNS = _Turns()


class _Load(Generic[T]):
    """Some items; the last load also says how it ended."""

    def __init__(self, items: list[T], *, last: bool = False, error: BaseException | None = None) -> None:
        self.items = items
        self.last = last
        self.error = error


def _make(
    items: Iterator[T],
    weigh: Callable[[T], int],
    loads: Queue[_Load[T]],
    room: threading.Semaphore,
    enough: threading.Event,
) -> None:
    room.acquire()
    made: list[T] = []
    weight = 0
    error: BaseException | None = None
    try:
        for item in items:
            made.append(item)
            weight += weigh(item)
            if weight >= LOAD:
                loads.put(_Load(made))
                made, weight = [], 0
                room.acquire()
            if enough.is_set():
                break
        if isinstance(items, Generator):
            items.close()
    except BaseException as raised:
        error = raised
    loads.put(_Load(made, last=True, error=error))
