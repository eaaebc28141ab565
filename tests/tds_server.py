"""As much of SQL Server as a driver needs to be told something: it lets in or not, and answers as it is told.

The wire is MS-TDS 7.4: packets (2.2.3), PRELOGIN (2.2.6.5), and the tokens LOGINACK, ERROR and DONE (2.2.7).
"""

from __future__ import annotations

import socketserver
import struct
import threading
from dataclasses import dataclass

from connectors.connections import Connection

_PRELOGIN, _LOGIN, _BATCH, _REPLY = 0x12, 0x10, 0x01, 0x04


@dataclass(frozen=True)
class Fault:
    """An error as the server reports it."""

    number: int
    message: str
    severity: int = 16

    @property
    def token(self) -> bytes:
        said, place = self.message, "ERP"
        body = struct.pack("<iBB", self.number, 1, self.severity)
        body += struct.pack("<H", len(said)) + said.encode("utf-16-le")
        body += bytes([len(place)]) + place.encode("utf-16-le") + b"\x00" + struct.pack("<i", 1)
        return b"\xaa" + struct.pack("<H", len(body)) + body


_DONE, _FAILED = (b"\xfd" + struct.pack("<HHQ", status, 0, 0) for status in (0, 2))


class TdsServer:
    """``login``: the fault with which it refuses everybody; ``faults``: with which it answers statements that have
    the text in them; all others just succeed. ``asked`` are the statements."""

    def __init__(self, *, login: Fault | None = None, faults: dict[str, Fault] | None = None) -> None:
        self.asked: list[str] = []
        outer, refused, given = self, login, faults or {}

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while (packet := self._packet()) is not None:
                    kind, body = packet
                    if kind == _PRELOGIN:
                        self._reply(_prelogin())
                    elif kind == _LOGIN:
                        self._reply(_acknowledged() if refused is None else refused.token + _FAILED)
                    elif kind == _BATCH:
                        text = body[struct.unpack("<I", body[:4])[0] :].decode("utf-16-le")
                        outer.asked.append(text)
                        fault = next((fault for part, fault in given.items() if part in text), None)
                        self._reply(fault.token + _FAILED if fault else _DONE)
                    else:
                        self._reply(_DONE)

            def _packet(self) -> tuple[int, bytes] | None:
                whole = b""
                while True:
                    head = self._bytes(8)
                    if len(head) < 8:
                        return None
                    kind, status, length = struct.unpack(">BBH", head[:4])
                    whole += self._bytes(length - 8)
                    if status & 1:
                        return kind, whole

            def _bytes(self, count: int) -> bytes:
                got = b""
                while len(got) < count and (more := self.request.recv(count - len(got))):
                    got += more
                return got

            def _reply(self, body: bytes) -> None:
                self.request.sendall(struct.pack(">BBHHBB", _REPLY, 1, len(body) + 8, 0, 1, 0) + body)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def connection(self) -> Connection:
        port = int(self._server.server_address[1])
        return Connection(
            conn_id="erp", type="mssql", host="127.0.0.1", port=port, login="crossdock", password="s3cret", schema="erp"
        )

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _prelogin() -> bytes:
    """Version 15, and that there is no encryption."""
    options = [(0, bytes([15, 0, 0, 0, 0, 0])), (1, b"\x02")]
    place = 5 * len(options) + 1
    table, data = b"", b""
    for name, value in options:
        table += struct.pack(">BHH", name, place + len(data), len(value))
        data += value
    return table + b"\xff" + data


def _acknowledged() -> bytes:
    name = "Microsoft SQL Server"
    body = b"\x01" + bytes([0x74, 0, 0, 4]) + bytes([len(name)]) + name.encode("utf-16-le") + bytes([15, 0, 0, 0])
    return b"\xad" + struct.pack("<H", len(body)) + body + _DONE
