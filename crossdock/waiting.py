"""What waits until an end is known: in memory as far as it is little, the rest in an unnamed file."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from crossdock.translated import DocumentLines, Translated


@dataclass(slots=True)
class Waiting:
    """Items in their order, of which at most about ``most`` rows are in memory."""

    most: int
    _items: list[Translated] = field(default_factory=list)
    _rows: int = 0
    _file: IO[bytes] | None = None

    def add(self, item: Translated) -> None:
        self._items.append(item)
        self._rows += item.events.height + item.parked.height if isinstance(item, DocumentLines) else 1
        if self._rows > self.most:
            self._file = self._file or tempfile.TemporaryFile(prefix="crossdock-")  # noqa: SIM115
            pickle.dump(self._items, self._file, pickle.HIGHEST_PROTOCOL)
            self._items, self._rows = [], 0

    def released(self) -> Iterator[Translated]:
        """All of them; afterwards nothing waits."""
        if self._file is not None:
            end = self._file.tell()
            self._file.seek(0)
            while self._file.tell() < end:
                yield from pickle.load(self._file)  # noqa: S301 - what this very process has written
        yield from self._items
        self.close()

    def close(self) -> None:
        """Give up what waits."""
        if self._file is not None:
            self._file.close()
        self._items, self._rows, self._file = [], 0, None
