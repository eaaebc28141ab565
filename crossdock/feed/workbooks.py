"""The feed as a workbook that planners can work with: one sheet a stream, numbers as numbers, dates as dates.

Text is written as text whatever it begins with, so that nothing a partner wrote is ever run as a formula. A number
keeps 15 digits, as Excel does; one with more stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from crossdock.feed.tables import COLUMNS, event_rows
from crossdock.ledger import StoredEvent
from schemas.events import Stream

MOST = 1_000_000  #: events of one sheet; Excel's sheets end at 1,048,576 rows
_NUMBERS = frozenset(
    {
        *("quantity", "base_quantity", "ordered_quantity", "price", "cumulative", "received_cumulative"),
        *("shipped_cumulative", "fabrication_authorized", "material_authorized"),
    }
)
_TIMES = frozenset(
    {
        *("time", "recorded_at", "due_at", "ship_from", "ship_by", "starts_at", "ends_at", "shipped_at", "arrives_at"),
        *("counted_at", "received_at"),
    }
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in XML 1.0


def workbook(events: Iterable[StoredEvent]) -> bytes:
    """An .xlsx of ``events`` (as their viewer sees them), a sheet for each stream; columns that are empty are left out.

    At most MOST events.
    """
    by_stream: dict[str, list[dict[str, Any]]] = {stream.value: [] for stream in Stream}
    for row in islice(event_rows(events), MOST):
        by_stream[row["stream"]].append(row)
    book = Workbook(write_only=True)
    for stream, rows in by_stream.items():
        _sheet(book, stream, rows)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _sheet(book: Workbook, stream: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = [name for name in COLUMNS if name != "stream" and any(row[name] is not None for row in rows)]
    columns = columns or ["position", "id"]
    sheet = book.create_sheet(stream)
    sheet.freeze_panes = "A2"
    header = []
    for name in columns:
        cell = WriteOnlyCell(sheet, name.replace("_", " "))
        cell.font = Font(bold=True)
        header.append(cell)
    sheet.append(header)
    for row in rows:
        sheet.append([_cell(sheet, name, row[name]) for name in columns])


def _cell(sheet: Any, name: str, value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    if name in _NUMBERS and len(value.replace(".", "").lstrip("-0")) <= 15:
        return Decimal(value)
    if name in _TIMES:
        cell = WriteOnlyCell(sheet, datetime.fromisoformat(value).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm"
        return cell
    cell = WriteOnlyCell(sheet, _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", value)[:32_767])
    cell.data_type = "s"  # what begins with = is text too
    return cell
