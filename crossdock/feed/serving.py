"""The process behind ``crossdock serve``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn
from fastapi import APIRouter

from crossdock.feed.app import feed_app
from crossdock.feed.service import Service
from crossdock.feed.tls import Tls
from schemas.errors import PermanentError


def serve(
    service: Service,
    token: str,
    console: APIRouter,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    tls: Tls | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until the process is told to stop; ``ready`` is called with the address once it is taken.

    ``port`` 0 takes a free one.
    ``meanwhile`` is done in a thread at the start: what the first visitor should not wait for.
    Raises PermanentError when the address cannot be had, ConfigError for a certificate that cannot be used.
    """
    context = tls.context() if tls is not None else None
    with _listening(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        ready(f"{'http' if context is None else 'https'}://{name}:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            feed_app(service, token, console),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ssl_context_factory=None if context is None else lambda *_: context,
            timeout_graceful_shutdown=3,  # who follows live does not go by himself
        )
        threading.Thread(target=meanwhile, name="warming up", daemon=True).start()
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
