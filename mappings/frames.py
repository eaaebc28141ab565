"""What the events of a document say alike, once: a frame with gaps, and for each event what fills them.

Most of an event's JSON text is the same for all lines of its document: names, units, lineage. A table of many events
has that in its column ``frame``, and in ``data`` only what is each one's own, one value a gap. Where there is no such
column, or it says nothing, ``data`` is the whole text, as ``schemas.events`` has it.

JSON escapes control characters, so that those used here stand in no text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from mappings.speech import Piece, joined, put_together

FRAME = "frame"
GAP = "\x1f"  #: where a value belongs in a frame; and what each value begins with in ``data``
MANY = 16  #: events that are worth a frame


def spoken(pieces: Iterable[Piece], events: int) -> dict[str, pl.Expr]:
    """The columns that say these pieces one behind the other, as in ``mappings.speech.joined``, for so many events."""
    parts = put_together(pieces)
    own = [part.fill_null("") for part in parts if isinstance(part, pl.Expr)]
    if events < MANY or not own:
        return {"data": joined(parts)}
    frame = "".join(GAP if isinstance(part, pl.Expr) else part for part in parts)
    return {"data": pl.concat_str(pl.lit(""), *own, separator=GAP), FRAME: pl.lit(frame)}


def filling(frame: str) -> Callable[[str], str]:
    """What makes whole texts of ``data`` under this frame."""
    pattern = frame.replace("%", "%%").replace(GAP, "%s")
    return lambda data: pattern % tuple(data.split(GAP)[1:])


def unframed(events: pl.DataFrame) -> pl.DataFrame:
    """The events with their whole texts, and without the column ``frame``."""
    if FRAME not in events.columns:
        return events
    texts: list[str] = []
    for frame, size in events.select_seq(pl.col(FRAME).rle()).unnest(FRAME).select_seq("value", "len").iter_rows():
        own = events["data"].slice(len(texts), size)
        texts.extend(own if frame is None else map(filling(frame), own))
    return events.drop(FRAME).with_columns_seq(pl.Series("data", texts, pl.String))


def stacked(events: Sequence[pl.DataFrame], *, rechunk: bool = False) -> pl.DataFrame:
    """The tables one above the other, of which some may have frames and others not."""
    alike = len({FRAME in table.columns for table in events}) == 1
    return pl.concat(events, how="vertical" if alike else "diagonal", rechunk=rechunk)
