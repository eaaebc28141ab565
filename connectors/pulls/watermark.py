"""How far a query has been pulled, and which rows of the overlap were handed over already."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

#: What makes watermarks comparable that are not by themselves.
Rank = Callable[[Any], Any]

DIGEST = 8  #: bytes of a row's hash
#: Rows of an overlap that are remembered; of a larger one all come again, which costs time but loses nothing.
MOST_REMEMBERED = 200_000

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d{1,6})?\s?(Z|[+-]\d\d(?::?\d\d)?)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    """How far was handed over, and the hashes of the rows that lie within the overlap below it or above it."""

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

    def is_past(self, value: Any, rank: Rank | None = None) -> bool:
        """Whether this is a higher value. A column that changed its type cannot be compared, and begins anew."""
        return type(self.value) is type(value) and _past(self.value, value, rank)

    def __str__(self) -> str:
        return _written(self.value)


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be relied on at one pull: how late a row may appear, and the time on the server's clock.

    A clock that is ahead writes rows of the future. The watermark never follows them, or all that
    is written until then would be passed over; they are remembered instead.
    """

    overlap: timedelta
    now: datetime  #: aware
    zone: ZoneInfo | None = None  #: of moments written without one; None: UTC
    rank: Rank | None = None  #: what watermarks are compared by; None: they themselves

    def begin(self, value: Any) -> Any:
        """Where a pull has to begin that goes on from ``value``. Text that ranks as a number is lowered as one."""
        if self.rank is not None and isinstance(value, str) and _NUMBER.fullmatch(value):
            return str(before(Decimal(value), self.overlap))
        return before(value, self.overlap, self.zone)

    def told(self, value: Any) -> str:
        """``begin`` as a payload writes such a value."""
        begin = self.begin(value)
        aware = isinstance(begin, datetime) and self.zone is not None
        return _written(begin.replace(tzinfo=self.zone) if aware else begin)

    def held_back(self, value: Any) -> Any:
        """``value``, or the present where that is earlier."""
        present = alike(value, self.now, self.zone)
        return present if present is not None and self.past(value, present) else value

    def settled(self, value: Any) -> Any:
        """The present, in the way ``value`` is written, once nothing up to ``value`` can appear any more; else None."""
        present = alike(value, self.now, self.zone)
        return present if present is not None and self.past(self.begin(present), value) else None

    def past(self, one: Any, other: Any) -> bool:
        """Whether ``one`` is higher."""
        return _past(one, other, self.rank)

    def highest(self, values: Iterable[Any]) -> Any:
        return max(values, key=self.rank)

    def from_(self, values: Sequence[Any], start: Any) -> list[int]:
        """The places of those that are not below ``start``; a None never is."""
        if self.rank is not None:
            start, values = self.rank(start), [value if value is None else self.rank(value) for value in values]
        return [place for place, value in enumerate(values) if value is not None and value >= start]


def furthest(new: str, known: str | None, *, rank: Rank | None = None) -> str:
    """Of two watermarks as text the one that is further, with what either remembers: one never goes back."""
    if not known:
        return new
    mark, kept = Watermark.load(new), Watermark.load(known)
    if kept.is_past(mark.value, rank):
        return known
    return Watermark(mark.value, mark.seen | kept.seen).dump() if mark.value == kept.value else new


def written_as(known: Any, text: str, zone: ZoneInfo | None) -> Any:
    """A payload's text of a watermark, as ``known`` has it. Raises ValueError where it cannot be one."""
    match known:
        case datetime():
            moment = datetime.fromisoformat(text)
            return moment.astimezone(zone or UTC).replace(tzinfo=None) if moment.tzinfo else moment
        case date():
            return date.fromisoformat(text)
        case str():
            return text
        case _:
            return type(known)(text)


def _past(one: Any, other: Any, rank: Rank | None) -> bool:
    return bool(one > other if rank is None else rank(one) > rank(other))


def before(value: Any, overlap: timedelta, zone: ZoneInfo | None = None) -> Any:
    """``value`` less ``overlap``. Text that is a moment keeps its own way of writing; other text stays as it is,
    since nothing can be taken from it; a counter is lowered by as many as ``overlap`` has seconds.

    A wall clock in ``zone`` that is put back shows an hour twice: within that hour it begins before the first.
    """
    if not overlap and zone is None:
        return value
    match value:
        case datetime():
            return _unambiguous(value - overlap, zone)
        case date():
            return value - timedelta(days=-(-overlap // timedelta(days=1)))
        case int() | float():
            return value - type(value)(overlap.total_seconds())
        case Decimal():
            return value - Decimal(overlap.total_seconds())
        case str():
            return _before_in_text(value, overlap, zone)
        case _:
            return value


def alike(value: Any, moment: datetime, zone: ZoneInfo | None) -> Any:
    """The instant ``moment`` of the same type and way of writing as ``value``; None where that tells no time."""
    there = moment.astimezone(zone or UTC).replace(tzinfo=None)
    match value:
        case datetime():
            return there
        case date():
            return there.date()
        case str() if (match := _TIME.fullmatch(value.strip())) is not None:
            _, between, _, fraction, offset = match.groups()
            if offset:
                written_in = datetime.fromisoformat(f"2000-01-01T00:00:00{_full(offset)}").tzinfo
                there = moment.astimezone(written_in).replace(tzinfo=None)
            return _text(there, between, len(fraction or ""), offset or "")
        case str():
            with suppress(ValueError):
                date.fromisoformat(value.strip())
                return there.date().isoformat()
    return None


def _unambiguous(value: datetime, zone: ZoneInfo | None) -> datetime:
    if zone is None:
        return value
    first, second = (value.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    return value - (first - second) if first > second else value


class Window:
    """The hashes of the rows within the overlap below the highest value so far, as rows go by.

    Memory holds ``most`` of them: of a larger overlap none is remembered.
    """

    def __init__(self, reach: Reach, most: int = MOST_REMEMBERED) -> None:
        self._reach = reach
        self._most = most
        self._rows: list[tuple[Any, bytes]] = []
        self._room = 1024
        self._forgotten: Any = None  # rows up to this value went by unremembered
        self.highest: Any = None

    def goes_on_with(self, values: Sequence[Any]) -> bool:
        """Whether these values are in order, and none is below those so far."""
        order = sorted(values, key=self._reach.rank)
        return order == values and not (
            values and self.highest is not None and self._reach.past(self.highest, order[0])
        )

    def falls_below(self, cut: Any, values: Sequence[Any]) -> bool:
        """Whether one of these values is lower than ``cut``."""
        return bool(values) and self._reach.past(cut, min(values, key=self._reach.rank))

    def add(self, values: Sequence[Any], digests: Callable[[Sequence[int]], Sequence[bytes]]) -> None:
        """Take note of rows by their watermark values, of which a None counts for nothing.

        ``digests`` makes the hashes of those at some places, and is asked for few of many.
        """
        known = [value for value in values if value is not None]
        if not known:
            return
        self.highest = self._reach.highest(known if self.highest is None else [self.highest, *known])
        start = self._start()
        near = self._reach.from_(values, start)
        self._rows += zip([values[place] for place in near], digests(near), strict=True)
        if len(self._rows) > self._room:
            self._rows = self._since(start)
            self._room = max(1024, 2 * len(self._rows))
        if len(self._rows) > self._most:
            self._forgotten = self._reach.highest(value for value, _ in self._rows)
            self._rows.clear()

    def mark(self, known: Watermark | None, *, last: bool = False) -> Watermark | None:
        """How far the query has been pulled by now; ``known`` is how far it was before. ``last``: to its end."""
        if self.highest is None:
            return known
        start = self._start()
        whole = self._forgotten is None or self._reach.past(start, self._forgotten)
        seen = frozenset(digest for _, digest in self._since(start)) if whole else frozenset()
        reached = self._reach.held_back(self.highest)
        if known is not None and known.is_past(reached, self._reach.rank):
            return Watermark(known.value, known.seen | seen)
        if last and not whole and (settled := self._reach.settled(self.highest)) is not None:
            return Watermark(settled)
        return Watermark(reached, seen)

    def _start(self) -> Any:
        return self._reach.begin(self._reach.held_back(self.highest))

    def _since(self, start: Any) -> list[tuple[Any, bytes]]:
        near = self._reach.from_([value for value, _ in self._rows], start)
        return [self._rows[place] for place in near]


def _before_in_text(text: str, overlap: timedelta, zone: ZoneInfo | None) -> str:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        with suppress(ValueError):
            return (date.fromisoformat(text.strip()) - timedelta(days=-(-overlap // timedelta(days=1)))).isoformat()
        return text
    day, between, clock, fraction, offset = match.groups()
    # an offset stays as written: taking a stretch of time away does not need to know it
    moment = datetime.fromisoformat(f"{day}T{clock}{(fraction or '').ljust(7, '0') if fraction else ''}") - overlap
    return _text(moment if offset else _unambiguous(moment, zone), between, len(fraction or ""), offset or "")


def _text(moment: datetime, between: str, digits: int, offset: str) -> str:
    fraction = f".{moment.microsecond:06d}"[:digits] if digits else ""
    return f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{fraction}{offset}"


def _full(offset: str) -> str:
    return "+00:00" if offset == "Z" else offset if len(offset) > 3 else f"{offset}:00"


def order_of(text: str) -> tuple[int, Decimal, str]:
    """What watermarks that came as text rank by: moments in time, numbers by size, other text letter by letter."""
    if _DAY.match(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return 2, Decimal(0), text
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return 0, Decimal((aware - _EPOCH) // timedelta(microseconds=1)), ""
    try:
        return 1, Decimal(text), ""
    except InvalidOperation:
        return 2, Decimal(0), text


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
