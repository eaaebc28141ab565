"""Where in the bytes an element stands, which the parser does not say.

Elements come out of the parser in the order of their start tags, so that the next start tag of that
name, outside of comments and CDATA, is the element's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_AFTER_NAME = b" >\t\r\n"
_ODD = (b"<!", b"<?")  #: how that begins in which nothing is a tag
_QUOTED = rb"(?:[^<>\"']|\"[^\"]*\"|'[^']*')*"


@lru_cache(maxsize=256)
def _tag(name: str) -> re.Pattern[bytes]:
    """A tag of that name, or something in which nothing is a tag."""
    return re.compile(
        rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
        rb"|<(?P<close>/)?(?:[\w.\-]+:)?" + re.escape(name.encode()) + rb"(?=[\s/>])" + _QUOTED + rb">",
        re.DOTALL,
    )


class Places:
    """The bytes that were fed and not passed yet. ``known`` is False where they are not the payload's own."""

    def __init__(self, *, known: bool = True) -> None:
        self.known = known
        self._bytes = bytearray()
        self._base = 0  #: offset of the first of them
        self._at = 0  #: how far they are passed
        self._last = (0, 0)  #: where the element asked for last begins and ends among them
        self._odd = -1  #: offset of the last comment, CDATA section or instruction

    @property
    def held(self) -> int:
        return len(self._bytes) - self._at

    def fed(self, piece: bytes) -> None:
        if not self.known:
            return
        if self._at > 1 << 20:
            del self._bytes[: self._at]
            self._base += self._at
            self._at = 0
        fresh = max(len(self._bytes) - 1, 0)  # what begins one may have come before
        self._bytes += piece
        for mark in _ODD:
            if (found := self._bytes.rfind(mark, fresh)) >= 0:
                self._odd = max(self._odd, self._base + found)

    def start(self, name: str) -> int | None:
        """The offset of the next start tag of that name; what comes next is behind it."""
        if not self.known:
            return None
        for match in _tag(name).finditer(self._bytes, self._at):
            if match.end() - match.start() > 1 and match[0][1:2] not in (b"!", b"?") and not match["close"]:
                self._at = match.end()
                return self._base + match.start()
        return None

    def span(self, name: str) -> tuple[int | None, int | None]:
        """Offset and length of the next element of that name, which has been fed to its end."""
        if not self.known:
            return None, None
        if (plain := self._plain_span(name)) is not None:
            self._last = (plain[0] - self._base, plain[0] - self._base + plain[1])
            return plain
        begin, depth = None, 0
        for match in _tag(name).finditer(self._bytes, self._at):
            tag = match[0]
            if tag[1:2] in (b"!", b"?"):
                continue
            if begin is None:
                if match["close"]:
                    continue
                begin = match.start()
            if match["close"]:
                depth -= 1
            elif not tag.endswith(b"/>"):
                depth += 1
            if depth == 0:
                self._at = match.end()
                self._last = (begin, match.end())
                return self._base + begin, match.end() - begin
        return None, None

    def spans_within(self, name: str) -> Iterator[tuple[int | None, int | None]]:
        """Offset and length of each element of that name within the one that ``span`` was asked for last."""
        if not self.known:
            return
        passed, (self._at, end) = self._at, self._last
        places = []
        while self._at < end:
            offset, length = self.span(name)
            if offset is None or length is None or offset - self._base >= end:
                break
            places.append((offset, length))
        self._at = passed
        yield from places

    def _plain_span(self, name: str) -> tuple[int, int] | None:
        """The same where nothing is odd: no prefix, nothing of the same name within, no comment or CDATA on the way.

        An empty element that ends where it begins is none of these: behind it another one begins before any ends.
        """
        opening, closing, prefixed = _plain_tags(name)
        held, at = self._bytes, self._at
        begin = held.find(opening, at)
        inside = begin + len(opening)
        end = held.find(closing, inside)
        if begin < 0 or end < 0 or held[inside] not in _AFTER_NAME:
            return None
        if held.find(opening, inside, end) >= 0 or held.find(prefixed, at, begin) >= 0:
            return None
        if self._odd >= self._base + at and any(held.find(mark, at, end) >= 0 for mark in _ODD):
            return None
        close = held.find(b">", end)
        if held[end + len(closing) : close].strip():
            return None
        self._at = close + 1
        return self._base + begin, close + 1 - begin


@lru_cache(maxsize=256)
def _plain_tags(name: str) -> tuple[bytes, bytes, bytes]:
    """How a start tag and an end tag of that name begin without a prefix, and what either holds with one."""
    written = name.encode()
    return b"<" + written, b"</" + written, b":" + written
