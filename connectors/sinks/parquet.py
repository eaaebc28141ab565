"""Events as Parquet files, in folders by stream and by the day they were recorded (UTC).

``stream=demand/day=2026-03-01/20260301T080000.000000Z-<id of the first event>.parquet``, as DuckDB, Spark and
polars read with hive partitioning. A file appears whole or not at all; a batch that is delivered again takes the
place of its first delivery. Quantities stay decimal text, so that no digit is lost.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import polars as pl

from connectors.base import Sink
from connectors.connections import Connections
from connectors.sinks.columns import COLUMNS, rows, stream_of
from connectors.sinks.folder import translated, write_durably
from schemas.configuration import Strict


class Options(Strict):
    """``sink: {kind: parquet, path: lake}``."""

    path: Path = Path("lake")  #: relative to the installation's home


def open_sink(options: Options, *, home: Path, connections: Connections) -> ParquetSink:  # noqa: ARG001
    return ParquetSink(home / options.path)


class ParquetSink(Sink):
    """See the module."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, events: Sequence[bytes]) -> None:
        """Write one file for each stream and day of the batch. Raises TransientError, PermanentError."""
        with translated(self._path):
            for folder, name, content in _files(events):
                place = self._path / folder
                place.mkdir(parents=True, exist_ok=True)
                write_durably(place / name, content)

    def close(self) -> None: ...


_TYPE, _ID, _RECORDED = (COLUMNS.index(name) for name in ("type", "id", "recordedtime"))
_SCHEMA = {name: pl.Int64 if name == "sequence" else pl.String for name in COLUMNS}


def _files(events: Sequence[bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Folder, name and content of each file of a batch; whatever else is in it, a day's file has the same name."""
    found = sorted(rows(events), key=lambda row: (row[_TYPE], row[_RECORDED][:10]))
    for (type, day), some in groupby(found, key=lambda row: (row[_TYPE], row[_RECORDED][:10])):
        part = list(some)
        buffer = io.BytesIO()
        pl.DataFrame(part, schema=_SCHEMA, orient="row").write_parquet(buffer, compression="zstd")
        stamp = part[0][_RECORDED].replace("-", "").replace(":", "")
        yield f"stream={stream_of(type)}/day={day}", f"{stamp}-{part[0][_ID]}.parquet", buffer.getvalue()
