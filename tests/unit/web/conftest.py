"""Opening a source of rows over HTTP, and pulling all it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.channel import Channel
from connectors.connections import Connection
from tests.memory_state import MemoryState
from tests.web_servers import JsonApi

Pulled = dict[str, tuple[dict[str, Any], list[list[str | None]]]]


@pytest.fixture
def api() -> Iterator[JsonApi]:
    api = JsonApi()
    yield api
    api.stop()


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


@pytest.fixture
def arrived() -> list[str]:
    """The names of all that arrived."""
    return []


@pytest.fixture
def pull(tmp_path: Path, state: MemoryState, arrived: list[str]) -> Callable[..., Pulled]:
    """``pull(connection, options)``: the last header and all rows by their query, all settled unless told not to."""

    def pull(connection: Connection, options: Mapping[str, Any], *, settle: bool | Sequence[str] = True) -> Pulled:
        channel = Channel(channel="test", source={"conn_id": connection.conn_id, **options})
        source = registry.open_source(channel, home=tmp_path, state=state, connections=lambda _: connection)
        pulled: Pulled = {}
        try:
            for arrival in source.arrivals(100):
                header, *rows = map(json.loads, b"".join(source.fetch(arrival)).splitlines())
                arrived.append(arrival.name)
                pulled[arrival.name] = (header, pulled.get(arrival.name, ({}, []))[1] + rows)
                if settle is True or (settle and arrival.name in settle):
                    source.settle(arrival)
        finally:
            source.close()
        return pulled

    return pull
