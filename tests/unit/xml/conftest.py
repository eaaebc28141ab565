"""Reading a payload with one plan, in pieces of any size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from connectors.base import ReadItem
from connectors.registry import formats
from schemas.documents import DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding


class Dripping(io.BytesIO):
    """A stream that hands out at most ``piece`` bytes at a time."""

    def __init__(self, payload: bytes, piece: int) -> None:
        super().__init__(payload)
        self.piece = piece

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.piece if size is None or size < 0 or size > self.piece else size)


@dataclass(frozen=True)
class OnePlan:
    """connectors.base.Plans with a single plan, or with none."""

    plan: LinePlan | None

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return self.plan

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return ()


@dataclass(frozen=True)
class Read:
    items: list[ReadItem] = field(default_factory=list)

    def _of(self, kind: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def starts(self) -> list[DocumentStart]:
        return self._of(DocumentStart)

    @property
    def ends(self) -> list[DocumentEnd]:
        return self._of(DocumentEnd)

    @property
    def findings(self) -> list[Finding]:
        return self._of(Finding)

    @property
    def codes(self) -> list[str]:
        return [finding.code for finding in self.findings]

    @property
    def table(self) -> pl.DataFrame:
        tables = [chunk.table for chunk in self._of(LineChunk)]
        return pl.concat(tables) if tables else pl.DataFrame()

    def rows(self, *paths: str) -> list[tuple[str | None, ...]]:
        return self.table.select(paths).rows() if self.table.width else []


Reader = Callable[..., Read]


@pytest.fixture
def read() -> Reader:
    """``read(payload, type, line, paths)``; without a line nothing is wanted of the documents."""

    def read(
        payload: bytes, type: str = "idoc.X", line: str = "", paths: Sequence[str] = (), piece: int = 1 << 20
    ) -> Read:
        format_ = formats()[type.partition(".")[0]]
        plan = format_.compile(type, line, paths, {}) if line else None
        stream: Iterator[ReadItem] = format_.read(
            Dripping(payload, piece), name="a.xml", plans=OnePlan(plan), metadata={}
        )
        return Read(list(stream))

    return read
