"""Workbooks for tests: made in memory, and read with one of two mappings."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import openpyxl
import polars as pl

from connectors.base import ReadItem
from connectors.formats.workbook import Workbook
from schemas.documents import DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity

STOCK: Mapping[str, Any] = {
    "fields": {
        "item": ("Part no.", "Material"),
        "quantity": ("Qty", "On hand"),
        "unit": ("Unit",),
        "site": ("Plant",),
        "counted_at": ("As of",),
    },
    "required": ("item", "quantity"),
}
FORECAST: Mapping[str, Any] = {
    "fields": {
        "item": ("Part no.",),
        "quantity": ("@value", "Qty"),
        "starts_at": ("@starts", "Week"),
        "ends_at": ("@ends",),
        "bucket": ("@bucket",),
        "order": ("Order no.",),
    },
    "required": ("item", "quantity", "starts_at"),
}

#: A plain table of dates and numbers, for any kind of file.
TABLE = [["Part no.", "Qty", "As of"], ["0017", 12.5, date(2026, 3, 2)], ["A-2", 3, date(2026, 3, 3)]]


class Plans:
    def __init__(self, *options: Mapping[str, Any]) -> None:
        self.plans = [Workbook().compile(f"workbook.d{n}", "", (), given) for n, given in enumerate(options)]

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        raise AssertionError("a workbook does not name its document")

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return self.plans


def read(payload: bytes, name: str, *options: Mapping[str, Any]) -> list[ReadItem]:
    return list(Workbook().read(io.BytesIO(payload), name=name, plans=Plans(*(options or (STOCK,))), metadata={}))


def lines(items: Sequence[ReadItem], *paths: str) -> list[tuple[Any, ...]]:
    table = pl.concat([item.table for item in items if isinstance(item, LineChunk)], how="diagonal")
    return table.select(*paths).rows()


def told(items: Sequence[ReadItem], least: Severity = Severity.WARNING) -> list[tuple[str, str]]:
    found = [item for item in items if isinstance(item, Finding) and item.severity.rank >= least.rank]
    return [(finding.code, finding.location) for finding in found]


def made(fill: Callable[[Any], None]) -> bytes:
    book = openpyxl.Workbook()
    fill(book.active)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def rows(*table: Sequence[object]) -> bytes:
    def fill(sheet: Any) -> None:
        for row in table:
            sheet.append(row)

    return made(fill)
