"""What sinks that hold files share: how a batch of events becomes a file, and which names a file may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from schemas.errors import PermanentError

_NAME = re.compile(r"(\d{12,})-(.+)\.jsonl")


class _Identified(msgspec.Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified)


def batch_file(events: Sequence[bytes], there: Iterable[str]) -> tuple[str, bytes]:
    """Name and content of the file for a batch: JSON Lines, one event a line.

    Names sort in feed order, ``000000000042-<id of the first event>.jsonl``; a batch that is
    already ``there``, because nobody could be told that it had arrived, gets the name it has.
    """
    lines = [_one_line(event) for event in events]
    first = re.sub(r"[^A-Za-z0-9._-]", "_", _identified.decode(lines[0]).id)
    return _name(first, there), b"\n".join((*lines, b""))


def plain_name(name: str) -> str:
    """``name``, if it is one: not empty, hidden, or leading to another folder. Raises PermanentError."""
    if not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name):
        raise PermanentError(f"{name!r} is no name for a file that is sent", hint="no folders, no leading dot")
    return name


def unfinished(name: str) -> str:
    """What a file is called while it is written; whoever looks for files passes such names over."""
    return f".{name}.tmp"


def _name(first: str, there: Iterable[str]) -> str:
    last = 0
    for name in there:
        if match := _NAME.fullmatch(name):
            if match[2] == first:
                return name
            last = max(last, int(match[1]))
    return f"{last + 1:012d}-{first}.jsonl"


def _one_line(event: bytes) -> bytes:
    return event if b"\n" not in event and b"\r" not in event else msgspec.json.format(event, indent=-1)
