"""Publishing: each sink is handed the events of the feed that it has not got yet, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.base import Sink
from connectors.outlet import Outlet
from crossdock.ledger import Ledger, Policy, StoredEvent
from crossdock.visibility import View
from schemas.errors import CrossdockError, PermanentError, RefusedError, TransientError


def publish(sinks: Mapping[str, Sink], *, ledger: Ledger, batch: int = 1000) -> dict[str, int]:
    """Bring every sink up to the feed's end; how many events each was handed.

    A sink that fails does not stop the others; its cursor stays before the batch it did not take, and its
    error is raised after them (of several, one that is worth a retry).
    """
    delivered: dict[str, int] = {}
    failures: list[CrossdockError] = []
    for name, sink in sinks.items():
        try:
            delivered[name] = publish_to(name, sink, ledger=ledger, batch=batch)
        except CrossdockError as error:
            failures.append(error)
    if failures:
        raise next((error for error in failures if isinstance(error, TransientError)), failures[0])
    return delivered


def publish_outlet(outlet: Outlet, sink: Sink, *, ledger: Ledger, view: View | None = None) -> int:
    """Bring an outlet up to the feed's end, as its file says; how many events it took, or was not to see.

    What goes to a supplier is in the audit trail before it leaves.
    """
    policy = Policy(**outlet.retry.model_dump())
    begin = 0
    if outlet.begin != "beginning":
        begin = ledger.position_at(datetime.now(UTC) if outlet.begin == "now" else outlet.begin)
    if view is None or view.sees_everything:
        return publish_to(outlet.outlet, sink, ledger=ledger, batch=outlet.batch, policy=policy, begin=begin)
    viewed = _Viewed(sink, view, outlet.outlet, ledger)
    return ledger.deliver(outlet.outlet, viewed.hand_over, batch=outlet.batch, policy=policy, begin=begin)


def publish_to(
    name: str, sink: Sink, *, ledger: Ledger, batch: int = 1000, policy: Policy | None = None, begin: int = 0
) -> int:
    """Bring one sink up to the feed's end; how many events it took. See ``Ledger.deliver``.

    Every event is validated against its stream's schema before it leaves; one that breaks it is held
    back like one that the sink refuses.
    """
    rendering = _Rendering(sink)
    return ledger.deliver(name, rendering.hand_over, batch=batch, policy=policy, begin=begin, ahead=rendering.ahead)


def point_before(begin: str, ledger: Ledger) -> int:
    """The position before the point at which a backfill begins: ``beginning``, a position, or an instant with its zone.

    Raises ValueError for any other text.
    """
    if begin == "beginning":
        return 0
    if begin.isdecimal():
        return max(0, int(begin) - 1)
    try:
        instant = datetime.fromisoformat(begin)
    except ValueError:
        raise ValueError(f"{begin!r} is neither `beginning`, a position nor an instant") from None
    if instant.tzinfo is None:
        raise ValueError(f"{begin!r} names no zone; write {begin}Z for UTC")
    return ledger.position_at(instant)


class _Rendering:
    """Events on their way to ``sink``, those of the next batch rendered while the receiver deals with this one."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        #: Of the batch that is handed over and of the one that follows it: position -> rendered event.
        self._ready: deque[dict[int, bytes]] = deque(maxlen=2)

    def ahead(self, events: Sequence[StoredEvent]) -> None:
        """Render them; one that breaks its schema is left to ``hand_over``, which says so."""
        ready: dict[int, bytes] = {}
        for event in events:
            with suppress(PermanentError):
                ready[event.position] = event.cloud_event()
        self._ready.append(ready)

    def hand_over(self, events: Sequence[StoredEvent]) -> None:
        ready = [*self._ready]
        self._sink.deliver([self._rendered(event, ready) for event in events])

    @staticmethod
    def _rendered(event: StoredEvent, ready: Sequence[Mapping[int, bytes]]) -> bytes:
        for some in ready:
            if (rendered := some.get(event.position)) is not None:
                return rendered
        return _rendered(event)


def _rendered(event: StoredEvent) -> bytes:
    try:
        return event.cloud_event()
    except PermanentError as error:
        raise RefusedError(error.message, hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class _Viewed:
    """A sink that is handed only what its receiver may see."""

    sink: Sink
    view: View
    name: str
    ledger: Ledger

    def hand_over(self, events: Sequence[StoredEvent]) -> None:
        shown = [(at, seen) for at, event in enumerate(events) if (seen := self.view.event(event)) is not None]
        if not shown:
            return
        if self.view.viewer.is_supplier:
            first, last = shown[0][1].position, shown[-1][1].position
            about = {"outlet": self.name, "first": first, "last": last, "events": len(shown)}
            self.ledger.tokens.note_access(self.name, self.view.viewer.partner, about)
        try:
            self.sink.deliver([_rendered(event) for _, event in shown])
        except CrossdockError as error:
            if "taken" in error.details:  # of what was shown: of all, those up to the next one shown are done with
                error.details["taken"] = shown[error.details["taken"]][0]
            raise
