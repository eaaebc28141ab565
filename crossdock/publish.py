"""Publishing: each sink is handed the events of the feed that it has not got yet, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Sink
from crossdock.ledger import Ledger, StoredEvent
from schemas.errors import CrossdockError, TransientError


def publish(sinks: Mapping[str, Sink], *, ledger: Ledger, batch: int = 1000) -> dict[str, int]:
    """Bring every sink up to the feed's end; how many events each was handed.

    Every event is validated against its stream's schema before it leaves. A sink that fails does not
    stop the others; its cursor stays before the batch it did not take, and its error is raised
    after them (of several, one that is worth a retry).
    """
    delivered: dict[str, int] = {}
    failures: list[CrossdockError] = []
    for name, sink in sinks.items():
        try:
            delivered[name] = _publish_to(name, sink, ledger, batch)
        except CrossdockError as error:
            failures.append(error)
    if failures:
        raise next((error for error in failures if isinstance(error, TransientError)), failures[0])
    return delivered


def _publish_to(name: str, sink: Sink, ledger: Ledger, batch: int) -> int:
    def hand_over(events: Sequence[StoredEvent]) -> None:
        sink.deliver([event.cloud_event() for event in events])

    return ledger.deliver(name, hand_over, batch=batch)
