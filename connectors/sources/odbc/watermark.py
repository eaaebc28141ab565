"""How far a query has been pulled, and which rows of the overlap were handed over already."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

DIGEST = 8  #: bytes of a row's hash
#: Rows of an overlap that are remembered; of a larger one all come again, which costs time but loses nothing.
MOST_REMEMBERED = 200_000

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d{1,6})?\s?(Z|[+-]\d\d(?::?\d\d)?)?")
_READERS: dict[str, Callable[[str], Any]] = {
    "timestamp": datetime.fromisoformat,
    "date": date.fromisoformat,
    "integer": int,
    "decimal": Decimal,
    "float": float,
    "text": str,
}


class _Kept(msgspec.Struct):
    kind: str
    value: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Watermark:
    """The highest value handed over, and the hashes of the rows that lie within the overlap below it."""

    value: Any
    seen: frozenset[bytes] = field(default=frozenset(), repr=False)

    def dump(self) -> str:
        """As text for ``State``; ``load`` reads it back."""
        kept = _Kept(_kind(self.value), _written(self.value), b64encode(b"".join(sorted(self.seen))).decode())
        return msgspec.json.encode(kept).decode()

    @classmethod
    def load(cls, text: str) -> Watermark:
        kept = msgspec.json.decode(text, type=_Kept)
        seen = b64decode(kept.seen)
        digests = frozenset(seen[at : at + DIGEST] for at in range(0, len(seen), DIGEST))
        return cls(_READERS[kept.kind](kept.value), digests)

    def is_past(self, value: Any) -> bool:
        """Whether this is a higher value. A column that changed its type cannot be compared, and begins anew."""
        return type(self.value) is type(value) and bool(self.value > value)

    def __str__(self) -> str:
        return _written(self.value)


def before(value: Any, overlap: timedelta) -> Any:
    """``value`` less ``overlap``. Text that is a moment keeps its own way of writing; other text stays as it is,
    since nothing can be taken from it; a counter is lowered by as many as ``overlap`` has seconds."""
    if not overlap:
        return value
    match value:
        case datetime():
            return value - overlap
        case date():
            return value - timedelta(days=-(-overlap // timedelta(days=1)))
        case int() | float():
            return value - type(value)(overlap.total_seconds())
        case Decimal():
            return value - Decimal(overlap.total_seconds())
        case str():
            return _before_in_text(value, overlap)
        case _:
            return value


class Window:
    """The hashes of the rows within the overlap below the highest value so far, as rows go by."""

    def __init__(self, overlap: timedelta) -> None:
        self._overlap = overlap
        self._rows: list[tuple[Any, bytes]] = []
        self._room = 1024
        self.highest: Any = None

    def add(self, values: Sequence[Any], digests: Sequence[bytes]) -> None:
        """Take note of rows by their watermark values, of which a None counts for nothing."""
        known = [value for value in values if value is not None]
        if not known:
            return
        highest = max(known)
        self.highest = highest if self.highest is None else max(self.highest, highest)
        start = before(self.highest, self._overlap)
        self._rows += [(v, d) for v, d in zip(values, digests, strict=True) if v is not None and v >= start]
        if len(self._rows) > self._room:
            self._rows = [row for row in self._rows if row[0] >= start]
            self._room = max(1024, 2 * len(self._rows))

    def remembered(self) -> frozenset[bytes]:
        """Empty where there are too many to be worth it."""
        start = before(self.highest, self._overlap) if self.highest is not None else None
        digests = frozenset(digest for value, digest in self._rows if value >= start)
        return digests if len(digests) <= MOST_REMEMBERED else frozenset()


def _before_in_text(text: str, overlap: timedelta) -> str:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        with suppress(ValueError):
            return (date.fromisoformat(text.strip()) - timedelta(days=-(-overlap // timedelta(days=1)))).isoformat()
        return text
    day, between, clock, fraction, zone = match.groups()
    # the zone stays as written: taking a stretch of time away does not need to know it
    moment = datetime.fromisoformat(f"{day}T{clock}{(fraction or '').ljust(7, '0') if fraction else ''}") - overlap
    digits = f".{moment.microsecond:06d}"[: len(fraction)] if fraction else ""
    return f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{digits}{zone or ''}"


def _kind(value: object) -> str:
    match value:
        case datetime():
            return "timestamp"
        case date():
            return "date"
        case int():
            return "integer"
        case Decimal():
            return "decimal"
        case float():
            return "float"
        case _:
            return "text"


def _written(value: object) -> str:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
