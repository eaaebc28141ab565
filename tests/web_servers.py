"""Servers that answer in JSON: one that does what a test says, and mock-sap as a live S/4HANA."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.connections import Connection


@dataclass(frozen=True)
class Asked:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str = ""


@dataclass(frozen=True)
class Told:
    """One answer; ``body`` is text as it is, anything else is written as JSON."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


class JsonApi:
    """Answers by the functions in ``routes``, by path; ``troubles`` come first, one a request. Keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.troubles: list[Told] = []
        self.routes: dict[str, Callable[[Asked], Told]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                asked = Asked(parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
                api.asked.append(asked)
                route = api.routes.get(parts.path)
                is_token = parts.path == "/token"
                trouble = api.troubles.pop(0) if api.troubles and not is_token else None
                told = trouble or (route(asked) if route else Told({"error": {"message": "no such thing"}}, 404))
                if told.hang_up:
                    self.close_connection = True
                    return
                content = told.body if isinstance(told.body, str) else json.dumps(told.body)
                self.send_response(told.status)
                for name, value in {"Content-Length": str(len(content.encode())), **told.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content.encode())

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def connection(self, **differs: Any) -> Connection:
        given = {"host": "127.0.0.1", "port": self.server.server_port, **differs}
        return Connection(conn_id="api", type="http", **given)

    def stop(self) -> None:
        """Idempotent."""
        if self._thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self._thread.join()


class MockSap:
    """mock-sap in a process of its own, which asks for a token of its own making."""

    CLIENT, SECRET = "CROSSDOCK", "s3cret"

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "mocksap", "--port", str(self.port), "-q", "--slow-ms", "300"]
        command += ["--oauth", f"{self.CLIENT}:{self.SECRET}", "--token-ttl", "3600", "--clock", "2026-03-30T08:00"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.control("/_mock/health")
                return
            except OSError:
                assert self._process.poll() is None, "mock-sap does not start"
                time.sleep(0.05)
        raise AssertionError("mock-sap does not answer")

    def connection(self, **differs: Any) -> Connection:
        extra = {"token_url": f"{self.url}/sap/bc/sec/oauth2/token"}
        given = {"host": "127.0.0.1", "port": self.port, "login": self.CLIENT, "password": self.SECRET, "extra": extra}
        return Connection(conn_id="s4", type="http", **{**given, **differs})

    def control(self, path: str, content: object = None, method: str | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        asked = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def fault(self, **rule: Any) -> None:
        """The next request that matches fails so."""
        self.control("/_mock/faults", {"count": 1, **rule})

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
