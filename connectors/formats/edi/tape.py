"""Bytes as a sliding window of text.

Blocks are decoded as Latin-1, which maps every byte to one character: offsets in the text are
offsets in the payload, and nothing fails to decode. What a value really says in UTF-8 is settled
where the value is used (see ``spell``).
"""

from __future__ import annotations

import re
from typing import BinaryIO

BLOCK = 1 << 18
_FILLER = "\ufdd0"
_STAND_INS = "\ufdd1\ufdd2\ufdd3\ufdd4\ufdd5\ufdd6"  #: noncharacters: no text may hold them (Unicode 23.7)


class Shield:
    """Hides released characters from whoever looks for delimiters (ISO 9735, release character).

    ``?+`` becomes a filler and a stand-in, which are no delimiters: places in the text stay what they are.
    """

    def __init__(self, release: str, service: str) -> None:
        self.release = release
        self._pair = re.compile(re.escape(release) + "(.)", re.DOTALL)
        self._hidden = dict(zip(service, _STAND_INS, strict=False))
        self._shown = {ord(stand_in): character for character, stand_in in self._hidden.items()}
        self._raw = self._shown | {ord(_FILLER): release}
        self._fillers = re.compile(_FILLER)

    def hide(self, text: str) -> str:
        """The text with every released character hidden; a release character at its very end stays."""
        if self.release not in text:
            return text
        return self._pair.sub(lambda pair: _FILLER + self._hidden.get(pair[1], pair[1]), text)

    def unhide(self, text: str) -> str:
        """What ``hide`` was given."""
        return text if text.isascii() else text.translate(self._raw)

    def show(self, text: str) -> str:
        """Hidden text as it is meant, without release characters."""
        return text if text.isascii() else self._fillers.sub("", text).translate(self._shown)

    def without_fillers(self, text: str) -> str:
        """Hidden text at the length it is meant to have, still without delimiters."""
        return self._fillers.sub("", text)


class Tape:
    """The part of a stream that is being looked at.

    ``text`` is the window, ``at`` the reading position in it, ``base`` the byte offset of the
    window's first character. ``more`` forgets what lies before ``at``.
    """

    __slots__ = ("_block", "_shield", "_stream", "_watched", "at", "base", "ended", "seen", "text")

    def __init__(self, stream: BinaryIO, block: int = BLOCK) -> None:
        self._stream = stream
        self._block = block
        self.text = ""
        self.at = 0
        self.base = 0
        self.ended = False
        self.seen: int | None = None  #: byte offset of the first character watched for
        self._shield: Shield | None = None
        self._watched: re.Pattern[str] | None = None

    def shield(self, shield: Shield | None) -> None:
        """From ``at`` on, hide what ``shield`` hides, and nothing else."""
        if shield is self._shield:
            return
        rest = self.text[self.at :]
        if self._shield is not None:
            rest = self._shield.unhide(rest)
        self._shield = shield
        self.base += self.at
        self.at = 0
        self.text = rest if shield is None else shield.hide(rest)

    def raw(self, size: int) -> str:
        """The next ``size`` characters as the stream has them."""
        text = self.text[self.at : self.at + size]
        return text if self._shield is None else self._shield.unhide(text)

    def watch(self, pattern: re.Pattern[str] | None) -> None:
        """From ``at`` on, note in ``seen`` where the first character of this kind stands."""
        self.seen = None
        self._watched = pattern
        self._look(self.at)

    def _look(self, at: int) -> None:
        if self._watched is not None and self.seen is None:
            found = self._watched.search(self.text, at)
            self.seen = self.base + found.start() if found else None

    def more(self) -> bool:
        """Read another block behind the window; False at the end of the stream."""
        if self.ended:
            return False
        block = self._stream.read(self._block)
        if not block:
            self.ended = True
            return False
        self.base += self.at
        rest, fresh = self.text[self.at :], block.decode("latin-1")
        self.at = 0
        if self._shield is None:
            self.text = rest + fresh
        else:
            split = rest.endswith(self._shield.release)
            rest, fresh = (rest[:-1], rest[-1] + fresh) if split else (rest, fresh)
            self.text = rest + self._shield.hide(fresh)
        self._look(len(rest))
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
