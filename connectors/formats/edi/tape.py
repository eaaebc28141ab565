"""Bytes as a sliding window of text.

Blocks are decoded as Latin-1, which maps every byte to one character: offsets in the text are
offsets in the payload, and nothing fails to decode. What a value really says in UTF-8 is settled
where the value is used (see ``spell``).
"""

from __future__ import annotations

from typing import BinaryIO

BLOCK = 1 << 18


class Tape:
    """The part of a stream that is being looked at.

    ``text`` is the window, ``at`` the reading position in it, ``base`` the byte offset of the
    window's first character. ``more`` forgets what lies before ``at``.
    """

    __slots__ = ("_block", "_stream", "at", "base", "ended", "text")

    def __init__(self, stream: BinaryIO, block: int = BLOCK) -> None:
        self._stream = stream
        self._block = block
        self.text = ""
        self.at = 0
        self.base = 0
        self.ended = False

    def more(self) -> bool:
        """Read another block behind the window; False at the end of the stream."""
        if self.ended:
            return False
        block = self._stream.read(self._block)
        if not block:
            self.ended = True
            return False
        self.base += self.at
        self.text = self.text[self.at :] + block.decode("latin-1")
        self.at = 0
        return True

    def following(self, characters: str, most: int) -> str:
        """The next characters as far as they are among ``characters``, at most ``most`` of them."""
        while len(self.text) - self.at < most and self.more():
            pass
        size = 0
        while size < most and self.text[self.at + size : self.at + size + 1] in tuple(characters):
            size += 1
        return self.text[self.at : self.at + size]

    @property
    def offset(self) -> int:
        """Byte offset of the reading position."""
        return self.base + self.at


def spell(text: str) -> tuple[str, bool]:
    """What Latin-1 text says as UTF-8, or as Windows-1252 where it is not UTF-8, and whether it was UTF-8."""
    if text.isascii():
        return text, True
    raw = text.encode("latin-1")
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), False
