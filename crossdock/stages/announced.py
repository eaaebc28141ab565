"""What is announced for an order line in all: partial shipments, added up over ship notices.

Other shipments are those that stand in the feed (``ledger.spans``), no later than the notice at hand, so that a notice
that is read again is not held against those that came after it; and those of the same run, which are not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from crossdock.ledger.spans import Wanted

if TYPE_CHECKING:
    from crossdock.ledger import Ledger

#: Rules that look at the sums.
RULES = ("ship_notice.over", "ship_notice.under")
#: Seconds that the ledger may take to catch up with its own feed.
PATIENCE = 60.0

_Line = tuple[str, str]  #: order and its line


@dataclass(frozen=True, slots=True)
class _Notice:
    shipment: str
    time: str
    quantity: Decimal
    unit: str


@dataclass(slots=True)
class Announced:
    """A run's memory of what was announced, as far as it was asked for."""

    ledger: Ledger
    _stands: dict[tuple[str, str], dict[_Line, list[_Notice]]] = field(default_factory=dict)
    _here: dict[_Line, dict[str, _Notice]] = field(default_factory=dict)  # by subject

    def beside(self, said: pl.DataFrame) -> pl.DataFrame:
        """``said`` with ``shipped``, the sum up to and with each row, and ``shipped_in_all``, that of all rows."""
        rows = said.select_seq(_READ).rows(named=True)
        up_to_here = [self._with(row) for row in rows]
        in_all = [self._sum(row) for row in rows]
        return said.with_columns_seq(
            shipped=pl.Series(up_to_here, dtype=pl.String), shipped_in_all=pl.Series(in_all, dtype=pl.String)
        )

    def _with(self, row: Mapping[str, Any]) -> str | None:
        line, notice = _line_of(row), _notice(row, row["shipment"] or "")
        if line is not None and notice is not None and row["kind"] != "cancelled":
            self._here.setdefault(line, {})[row["subject"]] = notice
        return self._sum(row)

    def _sum(self, row: Mapping[str, Any]) -> str | None:
        """None where the row names no order line, or something is told in another unit."""
        line, own = _line_of(row), row["shipment"] or ""
        if line is None:
            return None
        here = list(self._here.get(line, {}).values())
        met = {one.shipment for one in here} | {own}
        before = [
            one for one in self._of(row).get(line, ()) if one.shipment not in met and one.time <= (row["time"] or "")
        ]
        if any(one.unit != row["base_unit"] for one in (*here, *before)):
            return None
        return format(sum((one.quantity for one in (*here, *before)), Decimal(0)), "f")

    def _of(self, row: Mapping[str, Any]) -> dict[_Line, list[_Notice]]:
        """What stands of the item, by order line."""
        key = row["partner"], row["item"]
        if key not in self._stands:
            if not self._stands:
                self.ledger.spans.follow(seconds=PATIENCE)
            found: dict[_Line, list[_Notice]] = {}
            for one in self.ledger.spans.digests(Wanted(streams=["shipment"], partner=key[0], item=key[1])):
                told = msgspec.json.decode(one.data)
                line = _line_of(references := told.get("references") or {})
                notice = _notice(told | {"time": one.time}, references.get("shipment", ""))
                if line is not None and notice is not None and one.kind != "cancelled":
                    found.setdefault(line, []).append(notice)
            self._stands[key] = found
        return self._stands[key]


_READ = ("subject", "kind", "partner", "item", "order", "order_line", "shipment", "base_quantity", "base_unit", "time")


def _line_of(told: Mapping[str, Any]) -> _Line | None:
    order, line = told.get("order"), told.get("order_line")
    return (order, line) if order and line else None


def _notice(told: Mapping[str, Any], shipment: str) -> _Notice | None:
    try:
        quantity = Decimal(told["base_quantity"])
    except (InvalidOperation, TypeError):
        return None
    return _Notice(shipment, told["time"] or "", quantity, told["base_unit"])
