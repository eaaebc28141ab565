"""The process behind ``crossdock serve``."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import uvicorn

from crossdock.feed.app import feed_app
from crossdock.ledger import Ledger
from schemas.errors import PermanentError

if TYPE_CHECKING:
    from connectors.as2.station import Station


def serve(
    ledger: Ledger,
    token: str,
    stations: Mapping[str, Station],
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Answer requests until the process is told to stop; ``ready`` is called with the address once it is taken.

    ``port`` 0 takes a free one. Raises PermanentError when the address cannot be had.
    """
    with _listening(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            feed_app(ledger, token, stations),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PermanentError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            hint="name another with --port and --host",
        ) from None
