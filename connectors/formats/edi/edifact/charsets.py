"""The repertoires that the syntax identifier of UNB names (ISO 9735, UNOA to UNOY)."""

from __future__ import annotations

import re

from connectors.formats.edi.delimiters import Delimiters

#: S001 0001 -> Python's name of the charset
CHARSETS = {
    "UNOA": "ascii",
    "UNOB": "ascii",
    "UNOC": "iso8859-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOW": "utf-8",
    "UNOX": "utf-8",
    "UNOY": "utf-8",
}
_LEVEL_A = "A-Z0-9 .,\\-()/='+:?!\"%&*;<>"
_REPERTOIRES = {"UNOA": _LEVEL_A, "UNOB": _LEVEL_A + "a-z"}


def foreign_characters(syntax: str, delimiters: Delimiters) -> re.Pattern[str] | None:
    """What does not belong to the repertoire; None where bytes alone cannot tell."""
    repertoire = _REPERTOIRES.get(syntax)
    if repertoire is None:
        return None
    marks = "".join(re.escape(mark) for mark in (delimiters.element, delimiters.component, delimiters.segment))
    return re.compile(f"[^{repertoire}{marks}{re.escape(delimiters.release)}\r\n\ufdd0-\ufdef]")


def decode(raw: bytes, charset: str) -> tuple[str, bool]:
    """What the bytes say, and whether that is what ``charset`` makes of them.

    UTF-8 is tried first whatever is declared: other text is hardly ever valid UTF-8 by accident.
    """
    try:
        return raw.decode("utf-8"), charset == "utf-8"
    except UnicodeDecodeError:
        pass
    windows = charset in ("ascii", "utf-8") or (charset == "iso8859-1" and re.search(rb"[\x80-\x9f]", raw))
    if windows:
        return raw.decode("cp1252", errors="replace"), False
    return raw.decode(charset, errors="replace"), True
