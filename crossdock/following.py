"""Publishing for as long as the process lives: each outlet gets events as soon as they stand in the feed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from schemas.errors import CrossdockError, TransientError

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from crossdock.ledger.news import Wait

LOOK = 30.0  #: seconds after which an outlet is looked at though nothing was told: events held back may be due
MUCH_LATER = 300.0  #: seconds until the next try where none helps before a person has looked
GRACE = 10.0  #: seconds that a round has to come to its end
FILES = 2.0  #: seconds between two looks at the files that say who gets what
_NEVER = 2**62  #: a position that no feed reaches

#: Told what became of a round: the outlet, how many events it was handed, or the error.
Tell = Callable[[str, int, CrossdockError | None], None]


def follow(
    dock: Dock, outlets: Sequence[str], tell: Tell, enough: threading.Event, is_over: Callable[[], bool]
) -> None:
    """Hand each of ``outlets`` what is new as it comes, in a thread each, until it is ``enough``, or ``is_over``.

    What stops one outlet stops no other; it is told once, and tried again when it says. A round that is under way at
    the end has GRACE seconds to come to its own; what is cut off comes again with the same ids.
    """
    rounds = {name: threading.Lock() for name in outlets}  # held while there is one
    for name, under_way in rounds.items():
        arguments = (dock, name, tell, under_way)
        threading.Thread(target=_follow, args=arguments, name=f"publishing to {name}", daemon=True).start()
    while not enough.wait(FILES) and not is_over():
        pass
    deadline = time.monotonic() + GRACE
    for under_way in rounds.values():
        under_way.acquire(timeout=max(0.0, deadline - time.monotonic()))


def _follow(dock: Dock, name: str, tell: Tell, under_way: threading.Lock) -> None:
    told = ""
    while True:
        try:
            with dock.ledger.listening() as wait:
                while True:
                    position = dock.ledger.spans.newest()
                    try:
                        with under_way:
                            count = dock.publish(name)[name]
                    except CrossdockError as error:
                        told = _tell_once(name, error, tell, told)
                        _leave_alone(dock, name, wait, _patience(error))
                        continue
                    told = ""
                    if count:
                        tell(name, count, None)
                    wait(position, LOOK)
        except CrossdockError as error:  # the ledger's own
            told = _tell_once(name, error, tell, told)
            time.sleep(_patience(error))


def _tell_once(name: str, error: CrossdockError, tell: Tell, told: str) -> str:
    if error.message != told:
        tell(name, 0, error)
    return error.message


def _leave_alone(dock: Dock, name: str, wait: Wait, seconds: float) -> None:
    """For so long, or until somebody has the outlet go on."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        wait(_NEVER, left)
        if not any(one["failures"] for one in dock.ledger.sinks() if one["sink"] == name):
            return


def _patience(error: CrossdockError) -> float:
    if isinstance(error, TransientError):
        return min(error.retry_after or LOOK, LOOK)
    return MUCH_LATER
