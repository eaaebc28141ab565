"""The process behind ``crossdock serve``."""

from __future__ import annotations

import ctypes
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress

import uvicorn
from anyio import to_thread
from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from crossdock.feed.app import feed_app
from crossdock.feed.service import Service
from crossdock.feed.tls import Tls
from schemas.errors import PermanentError

_PATIENCE = 5.0  #: seconds
THREADS = 4  #: that answer requests at once


def serve(
    service: Service,
    token: str,
    console: APIRouter,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    tls: Tls | None = None,
    meanwhile: Callable[[ASGIApp, threading.Event], None] = lambda _app, _end: None,
) -> None:
    """Answer requests until the process is told to stop; ``ready`` is called with the address once it is taken.

    ``port`` 0 takes a free one.
    ``meanwhile`` is done with the application in a thread beside the answers, until the event is set that it is given:
    what a visitor should not wait for.
    Raises PermanentError when the address cannot be had, ConfigError for a certificate that cannot be used.
    """
    context = tls.context() if tls is not None else None
    with _listening(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        ready(f"{'http' if context is None else 'https'}://{name}:{listening.getsockname()[1]}")
        app = feed_app(service, token, console)
        config = uvicorn.Config(
            _few_at_once(app),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ssl_context_factory=None if context is None else lambda *_: context,
            timeout_graceful_shutdown=3,  # who follows live does not go by himself
        )
        give_memory_back()
        end = threading.Event()
        beside = threading.Thread(target=meanwhile, args=(app, end), name="beside the answers", daemon=True)
        beside.start()
        uvicorn.Server(config).run(sockets=[listening])
        end.set()
        beside.join(_PATIENCE)


def give_memory_back() -> None:
    """Let glibc keep one pool of memory for all threads, and give back what is free at its end (mallopt(3)).

    With a pool for each thread, what one page has needed stays with the thread that made it. SQLite's caches share a
    limit for the same reason: beyond it a connection takes its own oldest pages instead of more memory.
    """
    with closing(sqlite3.connect(":memory:")) as any_connection:  # the limit is the process's
        any_connection.execute(f"PRAGMA soft_heap_limit = {_SQLITE}")
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, 1 << 17), (_MMAP_THRESHOLD, 1 << 17)):
            mallopt(option, value)


_SQLITE = 20 << 20  #: bytes for all connections; one alone has a cache of 12 MB at most
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of <malloc.h>


def _few_at_once(app: ASGIApp) -> ASGIApp:
    """``app``, of which ``THREADS`` threads at most do the work: more are no faster, and each has memory of its own."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await app(scope, receive, send)

    return limited


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PermanentError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            hint="name another with --port and --host",
        ) from None
