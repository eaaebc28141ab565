"""A document while it is being translated: kept outside the database until its verdict is known.

So a writing transaction is short however long translation takes, and a rejected document leaves
nothing to undo. A document larger than memory should hold waits in a temporary file.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import msgspec
import polars as pl

from crossdock.translation import Document, DocumentClosed, DocumentLines
from schemas.errors import PermanentError
from schemas.findings import Finding

#: Rows (events, parked lines and findings together) a document keeps in memory.
ROWS_IN_MEMORY = 32_768


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a document's outcome, in order."""

    events: pl.DataFrame
    parked: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> int:
        return self.events.height + self.parked.height + len(self.findings)


class Spool:
    """Parts in order: in memory while they are few, beyond that in a temporary file."""

    def __init__(self, rows_in_memory: int = ROWS_IN_MEMORY) -> None:
        self._limit = rows_in_memory
        self._held: list[Part] = []
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, int, int]] = []  # bytes of events, parked, findings
        self.rows = 0

    def add(self, part: Part) -> None:
        """Raises PermanentError when the temporary folder is full."""
        if not part.rows:
            return
        self._held.append(part)
        self.rows += part.rows
        if self._file is not None or self.rows > self._limit:
            self._spill()

    def __iter__(self) -> Iterator[Part]:
        if self._file is not None:
            self._file.seek(0)
            for sizes in self._places:
                events, parked, findings = (self._file.read(size) for size in sizes)
                yield Part(pl.read_ipc(events), pl.read_ipc(parked), _FINDINGS.decode(findings))
        yield from self._held

    def close(self) -> None:
        self._held.clear()
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="crossdock-")  # noqa: SIM115 - closed by close()
            while self._held:
                part = self._held.pop(0)
                blobs = (_ipc(part.events), _ipc(part.parked), msgspec.msgpack.encode(part.findings))
                self._places.append(tuple(self._file.write(blob) for blob in blobs))  # type: ignore[arg-type]
        except OSError as error:
            raise PermanentError(
                f"a large document could not be set aside in {tempfile.gettempdir()}: {error.strerror or error}",
                hint="free space there, or let TMPDIR name a larger disk",
            ) from error


_FINDINGS = msgspec.msgpack.Decoder(tuple[Finding, ...])


def _ipc(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="uncompressed")
    return buffer.getvalue()


class Draft:
    """One document's outcome so far; complete once ``closed`` is set."""

    def __init__(self, document: Document, read_at: datetime) -> None:
        self.document = document
        self.read_at = read_at
        self.closed: DocumentClosed | None = None
        self._spool = Spool()

    @property
    def rows(self) -> int:
        return self._spool.rows

    @property
    def status(self) -> str:
        return "" if self.closed is None else self.closed.status

    def add(self, lines: DocumentLines) -> None:
        self._spool.add(Part(lines.events, lines.parked, lines.findings))

    def close(self, closed: DocumentClosed) -> None:
        self.closed = closed
        if closed.findings:
            self._spool.add(Part(pl.DataFrame(), pl.DataFrame(), closed.findings))

    def events(self) -> Iterator[pl.DataFrame]:
        """The events to publish: none when the document is rejected."""
        if self.status != "rejected":
            yield from (part.events for part in self._spool if part.events.height)

    def parked(self) -> Iterator[pl.DataFrame]:
        yield from (part.parked for part in self._spool if part.parked.height)

    def findings(self) -> Iterator[tuple[Finding, ...]]:
        yield from (part.findings for part in self._spool if part.findings)

    def discard(self) -> None:
        """Let go of memory and temporary file."""
        self._spool.close()
