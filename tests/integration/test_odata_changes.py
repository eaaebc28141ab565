"""What becomes of orders that change, vanish or appear late in a system behind OData, up to the feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.channel_runs import new_events
from tests.web_servers import Asked, JsonApi, Told

pytestmark = pytest.mark.integration

CHANNEL = """\
channel: erp
source:
  kind: odata
  conn_id: erp
  queries:
    - name: purchase_orders
      entity: srv/Orders
      rows: items
      columns:
        order_no: order
        line_no: items/line
        supplier_id: supplier
        item_no: {const: P-100}
        plant: {const: N1}
        quantity: items/quantity
        unit: {const: EA}
        status: {const: open}
        changed_at: changed
      key: [order_no, line_no]
      page: 2
"""
BY_WATERMARK = """\
      watermark: {column: changed_at, property: changed}
      overlap: 5m
      reconcile: {every: 0.001s, columns: [supplier_id]}
"""


class Erp:
    """Orders, which the service gives by filter and page, or by delta links; and an installation that reads them."""

    def __init__(self, known: Any, api: JsonApi) -> None:
        self.known, self.api = known, api
        self.orders: dict[str, dict[str, Any]] = {}
        self.removed: list[str] = []
        api.routes["/srv/Orders"] = self._answer

    def channel(self, goes_on: str) -> None:
        (self.known.home / "channels" / "erp.yaml").write_text(CHANNEL + goes_on)

    def order(self, number: str, clock: str, *quantities: int) -> None:
        items = [{"line": line, "quantity": f"{quantity}"} for line, quantity in enumerate(quantities, 1)]
        changed = f"2026-03-30T{clock}:00Z"
        self.orders[number] = {"order": number, "supplier": "ACME", "changed": changed, "items": items}

    def _answer(self, asked: Asked) -> Told:
        if "track-changes" in asked.headers.get("Prefer", ""):
            gone = [{"@removed": {"reason": "deleted"}, "@id": f"Orders('{number}')"} for number in self.removed]
            self.removed = []
            return Told({"value": [*self.orders.values(), *gone], "@odata.deltaLink": "Orders?$deltatoken=1"})
        since = asked.query.get("$filter", "").rpartition(" ")[2]
        found = sorted((one for one in self.orders.values() if one["changed"] >= since), key=lambda one: one["changed"])
        skip = int(asked.query.get("$skip", "0"))
        return Told({"value": found[skip : skip + int(asked.query["$top"])]})

    def run(self) -> list[tuple[str, str, str]]:
        """One run of the channel: subject, kind and quantity of the events that were new."""
        new = new_events(self.known.settings, self.api.connection(), "erp")
        return [(one["subject"], one["data"]["kind"], one["data"]["quantity"]) for one in new]


@pytest.fixture
def erp(known: Any) -> Iterator[Erp]:
    api = JsonApi()
    yield Erp(known, api)
    api.stop()


def test_deleted_orders_and_lines_are_cancelled_and_late_ones_pulled_after_all(erp: Erp) -> None:
    erp.channel(BY_WATERMARK)
    for number in range(1, 6):
        erp.order(f"{number}", f"08:0{number}", number, 10 * number)
    assert len(erp.run()) == 10
    assert erp.run() == []
    del erp.orders["2"]
    del erp.orders["4"]["items"][1]
    erp.order("9", "07:00", 9)  # committed after hours
    assert sorted(erp.run()) == [
        ("order/ACME/2/1", "cancelled", "2"),
        ("order/ACME/2/2", "cancelled", "20"),
        ("order/ACME/4/2", "cancelled", "40"),
    ]
    assert erp.run() == [("order/ACME/9/1", "ordered", "9")]
    assert erp.run() == []


def test_what_a_delta_says_is_removed_is_cancelled(erp: Erp) -> None:
    erp.channel("      delta: true\n")
    erp.order("1", "08:00", 1, 2)
    erp.order("11", "08:00", 3)
    assert len(erp.run()) == 3
    del erp.orders["1"]
    erp.removed = ["1", "unknown"]
    assert erp.run() == [("order/ACME/1/1", "cancelled", "1"), ("order/ACME/1/2", "cancelled", "2")]
    assert erp.run() == []
