"""What events say: the JSON texts of their data, some hundred together, compressed, in order of position.

They are most of an event's bytes and much alike, and nobody asks the database to look inside them. Together
they take a thirtieth of the room, and of the time to write it. What all of them say alike stands there once, as a
frame in a line of its own before theirs (see ``mappings.frames``); where nothing does, each line is a whole text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl
import zstandard
from sqlalchemy.engine import Connection

from crossdock.ledger import bulk
from crossdock.ledger.tables import event_bodies
from mappings.frames import FRAME, GAP, filling, unframed
from mappings.remembered import is_constant
from schemas.errors import PermanentError

#: Texts in one row: enough to be alike, few enough that reading a single one takes a third of a millisecond.
TOGETHER = 256
#: What an event says that was given up.
GIVEN_UP = ""
_BETWEEN = "\n"  # stands in no JSON text of ours: within strings it is escaped
_FRAMED = "\x1e"  #: begins the line that holds the frame


def write(connection: Connection, first: int, events: pl.DataFrame) -> None:
    """Keep what ``events`` (``data``, and ``frame`` where they have one) say, at ``first`` and the positions after."""
    compress = zstandard.ZstdCompressor(level=1).multi_compress_to_buffer  # many in one call: see ``bulk`` for why
    packed: list[bytes] = []
    for some in _alike(events):
        pieces: Any = list(_pieces(some))
        done = compress(pieces)
        packed += (done[number].tobytes() for number in range(len(done)))
    rows = [{"first_position": first + number * TOGETHER, "bodies": bundle} for number, bundle in enumerate(packed)]
    bulk.insert(connection, event_bodies, rows)


_AT_ONCE = 8 * TOGETHER  # copies of more texts would leave the processor's cache


def _alike(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The events in pieces of whole rows, each under one frame or under none."""
    for some in events.iter_slices(_AT_ONCE):
        if FRAME not in events.columns or is_constant(some[FRAME]):
            yield some
        else:
            for few in some.iter_slices(TOGETHER):
                yield few if is_constant(few[FRAME]) else unframed(few)


def _pieces(events: pl.DataFrame) -> Iterator[memoryview | bytes]:
    """The texts of one row after the other. All in one look at the column: see ``bulk`` for why."""
    column = pl.col("data")
    found = events.select_seq(
        column.str.join(_BETWEEN).alias("joined"),
        (column.str.len_bytes() + len(_BETWEEN)).cum_sum().gather_every(TOGETHER, TOGETHER - 1).implode().alias("ends"),
    )
    frame = "".join((_FRAMED, str(events[FRAME].first()), _BETWEEN)).encode() if FRAME in events.columns else b""
    joined, begin = memoryview(bulk.in_bytes(found["joined"])), 0
    ends = found["ends"].item().to_list()
    for end in ends if events.height % TOGETHER == 0 else (*ends, len(joined) + len(_BETWEEN)):
        piece = joined[begin : end - len(_BETWEEN)]
        yield frame + piece if frame else piece
        begin = end


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The texts of some events from a position on, and the line with what they all say, if there is one."""

    first: int
    frame: bytes
    lines: list[bytes]

    @classmethod
    def unpacked(cls, first: int, texts: bytes) -> _Bundle:
        lines = texts.split(_BETWEEN.encode())
        framed = texts.startswith(_FRAMED.encode())
        return cls(first, lines.pop(0) if framed else b"", lines)

    @property
    def text(self) -> bytes:
        """As it is kept."""
        return _BETWEEN.encode().join([self.frame, *self.lines] if self.frame else self.lines)

    def among(self, wanted: Sequence[int]) -> Sequence[int]:
        """Those of the ascending positions that it holds."""
        begin = bisect_left(wanted, self.first)
        return wanted[begin : bisect_left(wanted, self.first + len(self.lines), begin)]

    def reader(self) -> Callable[[int], str]:
        """What tells the text at a position."""
        fill = filling(self.frame.decode()[len(_FRAMED) :])

        def text(position: int) -> str:
            line = self.lines[position - self.first].decode()
            return fill(line) if line.startswith(GAP) else line

        return text


def read(connection: Connection, positions: Iterable[int]) -> dict[int, str]:
    """Position -> JSON text (``GIVEN_UP``: as retention said), for each of ``positions``.

    Raises PermanentError when the ledger has lost one.
    """
    wanted = sorted(positions)
    found: dict[int, str] = {}
    for bundle in _bundles(connection, wanted):
        text = bundle.reader()
        found.update((position, text(position)) for position in bundle.among(wanted))
    if lost := [position for position in wanted if position not in found]:
        raise PermanentError(
            f"the ledger does not hold what the event at position {lost[0]} says, nor that of {len(lost) - 1} more",
            hint="restore the ledger from its backup",
        )
    return found


def give_up(connection: Connection, positions: Iterable[int]) -> None:
    """Forget what the events at these positions say: the bundles that hold it are written anew."""
    wanted = sorted(positions)
    compress = zstandard.ZstdCompressor(level=1).compress
    for bundle in list(_bundles(connection, wanted)):
        for position in bundle.among(wanted):
            bundle.lines[position - bundle.first] = GIVEN_UP.encode()
        packed = compress(bundle.text)
        row = event_bodies.c.first_position == bundle.first
        connection.execute(event_bodies.update().where(row).values(bodies=packed))


def _bundles(connection: Connection, wanted: Sequence[int]) -> Iterator[_Bundle]:
    """Each bundle that holds any of the ascending positions ``wanted``."""
    if not wanted:
        return
    decompress = zstandard.ZstdDecompressor().decompress
    asked = msgspec.json.encode(list(_runs(wanted))).decode()
    for first, packed in connection.exec_driver_sql(_READ[connection.dialect.name], {"asked": asked}):
        yield _Bundle.unpacked(first, decompress(packed))


def _runs(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending positions as pairs of first and last, with none left out between them."""
    first = last = positions[0]
    for position in positions:
        if position > last + 1:
            yield first, last
            first = position
        last = position
    yield first, last


_READ = {
    "sqlite": """
        SELECT first_position, bodies FROM event_bodies WHERE first_position IN (
            SELECT held.first_position FROM json_each(:asked) AS asked CROSS JOIN event_bodies AS held
            ON held.first_position <= asked.value ->> 1 AND held.first_position >= coalesce(
                (SELECT max(first_position) FROM event_bodies WHERE first_position <= asked.value ->> 0), 0))
        ORDER BY first_position""",
    "postgresql": """
        SELECT first_position, bodies FROM event_bodies WHERE first_position IN (
            SELECT held.first_position FROM (
                SELECT (pair ->> 0)::bigint AS first, (pair ->> 1)::bigint AS last
                FROM json_array_elements(%(asked)s::json) AS asked (pair)) AS run
            CROSS JOIN LATERAL (
                SELECT inner_.first_position FROM event_bodies AS inner_
                WHERE inner_.first_position <= run.last AND inner_.first_position >= coalesce(
                    (SELECT max(first_position) FROM event_bodies WHERE first_position <= run.first), 0)) AS held)
        ORDER BY first_position""",
}
