"""Two stages at once: one thread makes things while another is busy with those made before."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import Generic, TypeVar

T = TypeVar("T")

LOAD = 1024  #: weight that is handed over at once
QUICK = 0.0002  #: seconds for which a thread has the interpreter to itself, while others wait
LOADS = 3  #: that there are at most: one in use, one being made, and those that wait


def _nothing(_: object = None) -> None:
    """What is done where nothing is to be done."""


def ahead(
    items: Iterator[T],
    *,
    weigh: Callable[[T], int] = lambda _: 1,
    prepare: Callable[[T], object] = _nothing,
    meanwhile: Callable[[], object] = _nothing,
) -> Generator[T, None, None]:
    """``items``, in their order, made in a thread of their own.

    ``prepare`` is what their taker would begin with, and need not do a second time: it is done in that thread while
    the taker is busy with others, so that both have about as much to do. ``meanwhile`` is done by the taker while the
    first ones are made.

    What making them raises is raised where its item would have come. Closing this (or leaving it
    with an exception) ends the thread: it is gone when that returns, and ``items`` is closed.
    """
    maker = _Maker(items, weigh, prepare)
    thread = threading.Thread(target=maker.make, name="working ahead", daemon=True)
    last = False
    with _TURNS.quick():
        maker.wanted.set()
        thread.start()
        try:
            meanwhile()
            while not last:
                load = maker.loads.get()
                maker.wanted.clear()
                last = load.last
                yield from load.items
                if load.error is not None:
                    raise load.error
                load.items.clear()
                maker.room.release()
                maker.wanted.set()
        finally:
            maker.enough.set()
            maker.room.release()
            while not last:
                last = maker.loads.get().last
                maker.room.release()
            thread.join()


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


@dataclass(slots=True)
class _Maker(Generic[T]):
    """What the other thread does, and how the two speak with each other."""

    items: Iterator[T]
    weigh: Callable[[T], int]
    prepare: Callable[[T], object]
    loads: Queue[_Load[T]] = field(default_factory=Queue)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(LOADS))
    enough: threading.Event = field(default_factory=threading.Event)  #: nobody wants any more
    wanted: threading.Event = field(default_factory=threading.Event)  #: the taker waits

    def make(self) -> None:
        """All loads, the last of which says how it ended."""
        self.room.acquire()
        made: list[T] = []
        weight = 0
        error: BaseException | None = None
        try:
            for item in self.items:
                made.append(item)
                weight += self.weigh(item)
                if weight >= LOAD:
                    if not self.wanted.is_set():
                        for one in made:
                            self.prepare(one)
                    self.loads.put(_Load(made))
                    made, weight = [], 0
                    self.room.acquire()
                if self.enough.is_set():
                    break
            if isinstance(self.items, Generator):
                self.items.close()
        except BaseException as raised:
            error = raised
        self.loads.put(_Load(made, last=True, error=error))
