"""A source, a format and a sink of our own, so that each step can be watched and made to fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.archive import Archive
from connectors.base import Arrival
from crossdock.ledger import Ledger
from schemas.errors import CrossdockError


class FakeSource:
    """Holds payloads by name until they are settled; ``log`` says what was asked of it, in order."""

    def __init__(self, **payloads: bytes) -> None:
        self.waiting = dict(payloads)
        self.log: list[str] = []
        self.broken: dict[str, CrossdockError] = {}
        self.unsettled: dict[str, CrossdockError] = {}

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        for name in list(self.waiting)[:limit]:
            yield Arrival(
                key=f"key-{name}", name=name, received_at=datetime(2026, 3, 1, tzinfo=UTC), metadata={"path": name}
            )

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        self.log.append(f"fetch {arrival.name}")
        content = self.waiting[arrival.name]
        yield content[:3]
        if arrival.name in self.broken:
            raise self.broken[arrival.name]
        yield content[3:]

    def settle(self, arrival: Arrival) -> None:
        self.log.append(f"settle {arrival.name}")
        if arrival.name in self.unsettled:
            raise self.unsettled[arrival.name]
        self.waiting.pop(arrival.name, None)

    def close(self) -> None: ...


class FakeSink:
    """Keeps the batches it was handed; raises what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[bytes]] = []
        self.error = error

    def deliver(self, events: Sequence[bytes]) -> None:
        if self.error is not None:
            raise self.error
        self.batches.append(list(events))

    def close(self) -> None: ...


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def make_source() -> type[FakeSource]:
    return FakeSource


@pytest.fixture
def make_sink() -> type[FakeSink]:
    return FakeSink
