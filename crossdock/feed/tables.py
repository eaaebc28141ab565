"""Rows as whoever asks wants them: JSON, JSON Lines, CSV or Parquet, by the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import StoredEvent

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EVENT_STREAM = "text/event-stream"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  #: with what a cell begins that a spreadsheet takes for a formula


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type among ``offered`` (the default first) that an Accept header likes best; the default if none."""
    weights = dict(_ranges(accept))

    def weight(media: str) -> float:
        kind = media.partition("/")[0]
        return next((weights[name] for name in (media, f"{kind}/*") if name in weights), 0.0)

    default = offered[0]
    best = max(offered, key=lambda media: (weight(media), media == default))
    named = max(weights.get(media, 0.0) for media in offered)
    return best if weight(best) > 0 and (named > 0 or weight(default) == 0) else default


def _ranges(accept: str) -> Iterable[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            yield media, float(quality)
        except ValueError:
            yield media, 0.0


#: Columns of a table of events: of the envelope, then of the data, then the references.
ENVELOPE = ("position", "id", "stream", "kind", "subject", "sequence", "time", "recorded_at", "document")
SAID = (
    *("partner", "item", "site", "quantity", "unit", "base_quantity", "base_unit", "partner_item", "description"),
    *("status", "note", "due_at", "ship_from", "ship_by", "starts_at", "ends_at", "commitment", "basis", "cumulative"),
    *(
        "received_cumulative",
        "shipped_cumulative",
        "fabrication_authorized",
        "material_authorized",
        "price",
        "currency",
    ),
    *("shipped_at", "arrives_at", "carrier", "ordered_quantity", "counted_at", "received_at", "location"),
    *("stock_status", "condition"),
)
REFERENCES = (
    *("document", "order", "order_line", "schedule", "release", "shipment", "line", "transport", "package", "lot"),
    *("serial", "receipt"),
)
_WHOLE = ("position", "sequence")
COLUMNS = (*ENVELOPE, *SAID, *(f"reference_{name}" for name in REFERENCES))


def event_rows(events: Iterable[StoredEvent]) -> Iterator[dict[str, Any]]:
    """One flat row an event, every value as text but position and sequence; None where it has none."""
    for event in events:
        data = msgspec.json.decode(event.data)
        row: dict[str, Any] = {name: getattr(event, name) for name in ENVELOPE}
        row |= {name: data.get(name) for name in SAID}
        references = data["references"]
        yield row | {f"reference_{name}": references.get(name) for name in REFERENCES}


def event_table(events: Iterable[StoredEvent]) -> pl.DataFrame:
    """COLUMNS; numbers stay decimal text, so that no digit is lost."""
    schema = {name: pl.Int64 if name in _WHOLE else pl.String for name in COLUMNS}
    return pl.DataFrame(list(event_rows(events)), schema=schema)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pl.DataFrame:
    """Plain rows as a table of these columns; what is no number or truth is text."""
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    return pl.DataFrame(cells, schema=list(columns), orient="row", infer_schema_length=None)


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int) else str(value)


def rendered(rows: pl.DataFrame, media: str) -> bytes:
    """The table as Parquet, or as CSV: UTF-8, CRLF, an apostrophe before what a spreadsheet takes for a formula."""
    if media == PARQUET:
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        return buffer.getvalue()
    return harmless(rows).write_csv(line_terminator="\r\n").encode()


def harmless(rows: pl.DataFrame) -> pl.DataFrame:
    """The table with an apostrophe before each text that a spreadsheet would run; numbers below zero stay."""
    text = pl.col(pl.String)
    begins = text.str.slice(0, 1).is_in(list(_FORMULA))
    number = text.str.contains(r"^[-+]?[0-9]+(\.[0-9]+)?$")
    return rows.with_columns(pl.when(begins & ~number).then(pl.lit("'") + text).otherwise(text).name.keep())
