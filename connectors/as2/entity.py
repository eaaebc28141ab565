"""MIME entities as bytes (RFC 2045, 2046), kept exactly as they came: a signature is over bytes, not over meaning."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32
from itertools import pairwise

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_MOST_HEADERS = 64 << 10  #: bytes


class Malformed(ValueError):
    """Bytes that are no MIME entity, or lack a part; the text says which."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Headers and content. ``raw`` is both as they came, which is what a signature or a digest is taken over."""

    headers: Message
    body: bytes
    raw: bytes

    @property
    def type(self) -> str:
        """``application/edi-x12``: lower case, without parameters."""
        return self.headers.get_content_type()

    def parameter(self, name: str) -> str:
        """A parameter of the content type, empty where there is none."""
        value = self.headers.get_param(name, "")
        return value if isinstance(value, str) else ""

    @property
    def content(self) -> bytes:
        """The body with its transfer encoding undone. Raises Malformed."""
        match str(self.headers.get("Content-Transfer-Encoding", "binary")).strip().lower():
            case "base64":
                try:
                    return base64.b64decode(b"".join(self.body.split()), validate=True)
                except binascii.Error:
                    raise Malformed("a part says it is base64 and is not") from None
            case "quoted-printable":
                return quopri.decodestring(self.body)
            case _:
                return self.body

    @property
    def filename(self) -> str | None:
        return self.headers.get_filename() or None

    def parts(self) -> list[Entity]:
        """The parts of a multipart (RFC 2046, 5.1), each exactly as signed. Raises Malformed."""
        boundary = self.parameter("boundary").encode("latin-1", "replace")
        if not boundary:
            raise Malformed("a multipart names no boundary")
        line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
        marks = list(line.finditer(self.body))
        if len(marks) < 2 or not any(mark[1] for mark in marks):
            raise Malformed("a multipart does not come to its end")
        return [
            parse(_after_line_break(self.body[start.end() : end.start()]))
            for start, end in pairwise(marks)
            if not start[1]
        ]


def entity(headers: Iterable[tuple[str, str]], body: bytes) -> Entity:
    """An entity of our own: its ``raw`` in canonical form, lines of the header ending in CRLF."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return Entity(_headers(head), body, head.encode("ascii") + b"\r\n" + body)


def of_headers(headers: Iterable[tuple[str, str]], body: bytes) -> Entity:
    """The entity that an HTTP message is: what stands in its header about the content, and its body."""
    wanted = [(name, value) for name, value in headers if name.lower().startswith("content-")]
    return entity([(name, " ".join(value.split())) for name, value in wanted if value.isascii()], body)


def parse(raw: bytes) -> Entity:
    """Bytes as an entity. Raises Malformed."""
    if raw[:1] in (b"\r", b"\n"):
        return Entity(_headers(""), _after_line_break(raw), raw)
    found = _END_OF_HEADERS.search(raw, 0, _MOST_HEADERS)
    if found is None:
        raise Malformed("a part has no header that comes to its end")
    return Entity(_headers(raw[: found.start()].decode("latin-1")), raw[found.end() :], raw)


def multipart(kind: str, parameters: Sequence[tuple[str, str]], parts: Sequence[Entity], boundary: str) -> Entity:
    """``multipart/<kind>`` of these parts; ``boundary`` must stand in none of them."""
    named = "".join(f'; {name}="{value}"' for name, value in (*parameters, ("boundary", boundary)))
    mark = f"--{boundary}".encode("ascii")
    body = b"".join(mark + b"\r\n" + part.raw + b"\r\n" for part in parts) + mark + b"--\r\n"
    return entity([("Content-Type", f"multipart/{kind}{named}")], body)


def _headers(text: str) -> Message:
    return HeaderParser(policy=compat32).parsestr(text)


def _after_line_break(raw: bytes) -> bytes:
    return raw[2:] if raw.startswith(b"\r\n") else raw[1:] if raw.startswith(b"\n") else raw
