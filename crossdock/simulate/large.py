"""One large ship notice file, and the master data that knows its items: for measuring and for limits.

Nothing is left to chance here: line ``n`` is the same in every file that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import polars as pl

from crossdock.simulate.company import ANVILGATE, COMPANY, HUB_ISA, NORTH, sscc
from crossdock.simulate.x12 import Dialect, Envelope, Segment
from schemas.master import MASTER_TABLES

_MADE_AT = datetime(2026, 2, 2, 6, 0, tzinfo=UTC)
_DAY, _CLOCK = "20260202", "0600"
_IN_PACKAGE, _IN_ORDER = 5, 100
_BATCH = 1 << 20  # bytes written at once


def large_856(
    path: Path, lines: int, *, items: int = 1_000, lines_in_set: int = 10_000, dialect: Dialect | None = None
) -> int:
    """Write a valid 004010 856 of ``lines`` item lines to ``path``; returns its size in bytes.

    One interchange, one group, sets of at most ``lines_in_set`` lines; shipment, order, package and
    item levels; four segments a line (HL, LIN, SN1, REF), about 100 bytes with all levels counted
    in. Items are those of ``large_master(items)``. Memory does not grow with ``lines``.
    """
    dialect = dialect or Dialect()
    envelope = Envelope(sender=ANVILGATE.isa, receiver=HUB_ISA, made_at=_MADE_AT, control=lines)  # one size, one number
    sets = range(0, lines, lines_in_set)
    head, tail = envelope.header(dialect), envelope.trailer(1)
    group_head, group_tail = envelope.group_header("SH", 1), envelope.group_trailer(1, len(sets))
    body = (
        segment
        for number, first in enumerate(sets, start=1)
        for segment in _shipment(number, range(first, min(first + lines_in_set, lines)), items)
    )
    with path.open("wb") as stream:
        batch = bytearray()
        for segment in chain((head, group_head), body, (group_tail, tail)):
            batch += dialect.encode(segment)
            if len(batch) > _BATCH:
                stream.write(batch)
                batch.clear()
        stream.write(batch)
        return stream.tell()


def _shipment(number: int, lines: range, items: int) -> Iterator[Segment]:
    """One set: segments ST to SE. HL numbers run through the set."""
    control = f"{number:04d}" if number < 10_000 else str(number)
    yield ("ST", "856", control)
    yield ("BSN", "00", f"LRG{number:07d}", _DAY, _CLOCK, "0001")
    yield ("DTM", "011", _DAY, _CLOCK)
    yield ("DTM", "017", "20260205")
    yield ("HL", "1", "", "S", "1")
    yield ("TD5", "", "2", ANVILGATE.carrier[0], "M")
    yield ("REF", "BM", f"{number:08d}")
    yield ("N1", "SF", ANVILGATE.name, "92", ANVILGATE.number)
    yield ("N1", "ST", f"{COMPANY} {NORTH.name}", "92", NORTH.code)
    count, level, order, package = 9, 1, 0, 0
    for line in lines:
        place = line - lines.start
        if place % _IN_ORDER == 0:
            level += 1
            order = level
            yield ("HL", str(order), "1", "O", "1")
            yield ("PRF", f"46{line // _IN_ORDER:08d}", "", "", "20260120")
            count += 2
        if place % _IN_PACKAGE == 0:
            level += 1
            package = level
            yield ("HL", str(package), str(order), "P", "1")
            yield ("MAN", "GM", sscc(ANVILGATE.key, line // _IN_PACKAGE))
            count += 2
        level += 1
        item = line % items
        order_line = str(place % _IN_ORDER + 1)
        quantity = str(line % 97 + 1)
        yield ("HL", str(level), str(package), "I", "0")
        yield ("LIN", order_line, "BP", _number(item), "VN", _theirs(item))
        yield ("SN1", order_line, quantity, "EA", "", quantity, "EA")
        yield ("REF", "LT", f"L{line:07d}")
        count += 4
    if level < 1_000_000:  # CTT01 has six digits at most
        yield ("CTT", str(level))
        count += 1
    yield ("SE", str(count + 1), control)


def _number(item: int) -> str:
    return f"Q{item:06d}"


def _theirs(item: int) -> str:
    return f"AG-Q{item:06d}"


def large_master(items: int = 1_000) -> dict[str, pl.DataFrame]:
    """Master tables (``schemas.master``) under which every line of ``large_856`` with these items is known."""
    numbers = [_number(item) for item in range(items)]
    theirs = [_theirs(item) for item in range(items)]
    references: list[tuple[str, ...]] = [
        *((ANVILGATE.partner, "item", code, number, "", "") for code, number in zip(theirs, numbers, strict=True)),
        ("", "partner", ANVILGATE.number, ANVILGATE.partner, "", ""),
        ("", "site", NORTH.code, NORTH.site, "", ""),
    ]
    rows: dict[str, list[tuple[str, ...]]] = {
        "partners": [(ANVILGATE.partner, ANVILGATE.name, ANVILGATE.country, "", "", "", "")],
        "sites": [(NORTH.site, NORTH.name, NORTH.country, NORTH.gln, NORTH.timezone, "", "")],
        "items": [(number, f"Casting {number}", "EA", "active", "", "") for number in numbers],
        "units": [],
        "cross_references": references,
    }
    return {
        table: pl.DataFrame(rows.get(table, []), schema=dict.fromkeys(columns, pl.String), orient="row")
        for table, columns in MASTER_TABLES.items()
    }
