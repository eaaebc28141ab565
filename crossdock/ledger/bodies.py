"""What events say: the JSON texts of their data, some hundred together, compressed, in order of position.

They are most of an event's bytes and much alike, and nobody asks the database to look inside them. Together
they take a thirtieth of the room, and of the time to write it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import polars as pl
import zstandard
from sqlalchemy.engine import Connection

from crossdock.ledger import bulk
from crossdock.ledger.tables import event_bodies
from schemas.errors import PermanentError

#: Texts in one row: enough to be alike, few enough that reading a single one takes a third of a millisecond.
TOGETHER = 256
#: What an event says that was given up.
GIVEN_UP = ""
_BETWEEN = "\n"  # stands in no JSON text of ours: within strings it is escaped


def write(connection: Connection, first: int, texts: pl.Series) -> None:
    """Keep ``texts``, those of the events at ``first`` and the positions after it."""
    compress = zstandard.ZstdCompressor(level=1).multi_compress_to_buffer  # many in one call: see ``bulk`` for why
    packed: list[bytes] = []
    for at in range(0, len(texts), _AT_ONCE):
        pieces: Any = list(_pieces(texts.slice(at, _AT_ONCE)))
        some = compress(pieces)
        packed += (some[number].tobytes() for number in range(len(some)))
    rows = [{"first_position": first + number * TOGETHER, "bodies": bundle} for number, bundle in enumerate(packed)]
    bulk.insert(connection, event_bodies, rows)


_AT_ONCE = 8 * TOGETHER  # copies of more texts would leave the processor's cache


def _pieces(texts: pl.Series) -> Iterator[memoryview]:
    """The texts of one row after the other. All in one look at the column: see ``bulk`` for why."""
    column = pl.col(texts.name)
    found = texts.to_frame().select_seq(
        column.str.join(_BETWEEN).alias("joined"),
        (column.str.len_bytes() + len(_BETWEEN)).cum_sum().gather_every(TOGETHER, TOGETHER - 1).implode().alias("ends"),
    )
    joined, begin = memoryview(bulk.in_bytes(found["joined"])), 0
    for end in found["ends"].item():
        yield joined[begin : end - len(_BETWEEN)]
        begin = end
    if begin < len(joined):
        yield joined[begin:]


def read(connection: Connection, positions: Iterable[int]) -> dict[int, str]:
    """Position -> JSON text (``GIVEN_UP``: as retention said), for each of ``positions``.

    Raises PermanentError when the ledger has lost one.
    """
    wanted = sorted(positions)
    found: dict[int, str] = {}
    for first, texts in _bundles(connection, wanted):
        begin = bisect_left(wanted, first)
        for position in wanted[begin : bisect_left(wanted, first + len(texts), begin)]:
            found[position] = texts[position - first].decode()
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
    for first, texts in list(_bundles(connection, wanted)):
        begin = bisect_left(wanted, first)
        for position in wanted[begin : bisect_left(wanted, first + len(texts), begin)]:
            texts[position - first] = GIVEN_UP.encode()
        packed = compress(_BETWEEN.encode().join(texts))
        connection.execute(event_bodies.update().where(event_bodies.c.first_position == first).values(bodies=packed))


def _bundles(connection: Connection, wanted: Sequence[int]) -> Iterator[tuple[int, list[bytes]]]:
    """First position and texts of each bundle that holds any of the ascending positions ``wanted``."""
    if not wanted:
        return
    decompress = zstandard.ZstdDecompressor().decompress
    asked = msgspec.json.encode(list(_runs(wanted))).decode()
    for first, packed in connection.exec_driver_sql(_READ[connection.dialect.name], {"asked": asked}):
        yield first, decompress(packed).split(_BETWEEN.encode())


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
