"""The lines that are known of an order, and events made of them: for documents that say less than a line needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from crossdock.ledger import Ledger
from crossdock.translation import Document
from mappings.frames import unframed
from mappings.outright import order_key
from schemas.events import Stream

STREAM = Stream.DEMAND.value
ORDER, ANSWER = "order", "order_response"  #: how subjects begin
LINE = r"^[^/]*/[^/]*/[^/]*/([^/#]*)"  #: the order's line in ``order/ACME/4500017/10/1#2``
_KEPT = 8_192  #: events of this payload that are looked at beside those of the feed
#: What an order line and the answer to it have in common.
_COMMON = (
    *("partner", "item", "site", "quantity", "unit", "base_quantity", "base_unit", "partner_item", "partner_site"),
    *("description", "due_at", "starts_at", "ends_at", "ship_from", "ship_by", "price", "currency"),
)
_ALSO = ("order", "order_line", "schedule")  #: of its references

Said = dict[str, Any]  #: the data of an event


class Lately:
    """Events of orders that this payload has made: the ledger may not have them yet."""

    def __init__(self) -> None:
        self._tables: deque[pl.DataFrame] = deque()
        self._rows = 0

    def add(self, events: pl.DataFrame) -> None:
        if events.is_empty() or not events["subject"][0].startswith(f"{ORDER}/"):
            return
        self._tables.append(events)
        self._rows += events.height
        while self._rows > _KEPT and len(self._tables) > 1:
            self._rows -= self._tables.popleft().height

    def under(self, prefix: str) -> Iterator[tuple[str, str, Said]]:
        for table in self._tables:
            some = unframed(table.filter(pl.col("subject").str.starts_with(f"{prefix}/")))
            for subject, kind, data in some.select_seq("subject", "kind", "data").iter_rows():
                yield subject, kind, msgspec.json.decode(data)


@dataclass(frozen=True, slots=True)
class OrderLines:
    """What the feed, and this payload before, say of the lines of orders."""

    ledger: Ledger
    lately: Lately

    def standing(self, partner: str, order: str) -> dict[str, Said]:
        """What was said last of each line of the order that is not cancelled, by subject."""
        return {subject: data for subject, (kind, data) in self._last(partner, order).items() if kind != "cancelled"}

    def knows(self, partner: str, order: str) -> bool:
        """Whether anything was ever said of the order."""
        return bool(self._last(partner, order))

    def given(self, document: Document, begins: str, partner: str, order: str) -> dict[str, Said]:
        """What the document has said before, where it is read again: by the subject of the order's line."""
        said = self.ledger.readings.given(document.id, STREAM, f"{begins}/{order_key(partner, order)}")
        return {f"{ORDER}/{one.subject.partition('/')[2]}": one.data for one in said}

    def _last(self, partner: str, order: str) -> dict[str, tuple[str, Said]]:
        prefix = f"{ORDER}/{order_key(partner, order)}"
        last = {one.subject: (one.kind, one.data) for one in self.ledger.readings.stands(STREAM, [prefix])}
        return last | {subject: (kind, data) for subject, kind, data in self.lately.under(prefix)}


def cancelled(before: Mapping[str, Any], number: str | None) -> Said:
    """That an order line of which ``before`` was said last is cancelled, by document ``number``."""
    data = {name: value for name, value in before.items() if name not in ("lineage", "changes")}
    references = before.get("references", {}) | ({"document": number} if number else {})
    return data | {"kind": "cancelled", "references": references}


def answered(before: Mapping[str, Any], status: str, number: str | None) -> Said:
    """The answer ``status`` to an order line of which ``before`` was said last, given by document ``number``."""
    told = before.get("references", {})
    references = ({"document": number} if number else {}) | {name: told[name] for name in _ALSO if name in told}
    data = {name: before[name] for name in _COMMON if name in before}
    return data | {"status": status, "kind": "confirmed", "references": references}
