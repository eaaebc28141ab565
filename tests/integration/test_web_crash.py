"""Pulls over HTTP killed again and again, from a system that goes on changing, end where undisturbed ones do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.killed_runs import PHASES, KilledRuns
from tests.web_servers import Asked, JsonApi, Told

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

ORDERS = 240
START = datetime(2026, 3, 30, 8, tzinfo=UTC)
COLUMNS = """\
      columns:
        order_no: order
        line_no: {const: "1"}
        supplier_id: {const: ACME}
        item_no: {const: P-100}
        plant: {const: N1}
        quantity: quantity
        unit: {const: EA}
        status: {const: open}
        changed_at: changed
      key: [order_no]
      overlap: 10s
      reconcile: {every: 0.001s, columns: [line_no, supplier_id]}
"""
ODATA = f"""\
channel: inbox
source:
  kind: odata
  conn_id: erp
  payload_rows: 60
  queries:
    - name: purchase_orders
      entity: orders
      page: 25
      watermark: {{column: changed_at, property: changed}}
{COLUMNS}"""
REST = f"""\
channel: inbox
source:
  kind: rest
  conn_id: erp
  payload_rows: 60
  queries:
    - name: purchase_orders
      path: orders
      parameters: {{since: "{{since}}"}}
      records: value
      paging: {{kind: offset, parameter: $skip, size_parameter: $top, size: 25}}
      watermark: changed_at
{COLUMNS}"""


class Erp:
    """Orders behind a service. Many have one moment; some appear later, by less or more than the overlap."""

    def __init__(self, api: JsonApi) -> None:
        self.api = api
        self.orders: dict[str, tuple[str, int]] = {}
        self.late: dict[str, tuple[str, int]] = {}
        self.ages: dict[str, tuple[str, int]] = {}
        for number in range(ORDERS):
            self.orders[f"{number}"] = self._at(number // 60, number + 1)
        api.routes["/orders"] = self._answer

    def step(self, number: int) -> None:
        """Orders change, one is deleted, one comes anew, one appears at the next step, and one when all is over."""
        chance = random.Random(number)
        self.orders |= self.late
        for _ in range(20):
            which = f"{chance.randrange(100, ORDERS)}"
            self.orders[which] = self._at(100 + number, chance.randrange(1000, 9000))
        del self.orders[f"{number}"]
        self.orders[f"new{number}"] = self._at(100 + number, number)
        self.late = {f"late{number}": self._at(100 + number, number)}
        self.ages[f"ages{number}"] = self._at(10 + number, number)

    def end(self) -> None:
        self.orders |= self.late | self.ages

    @staticmethod
    def _at(second: int, quantity: int) -> tuple[str, int]:
        return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}", quantity

    def _answer(self, asked: Asked) -> Told:
        since = asked.query.get("since") or asked.query.get("$filter", "").rpartition(" ")[2]
        found = sorted((at, number, quantity) for number, (at, quantity) in dict(self.orders).items() if at >= since)
        skip, top = int(asked.query.get("$skip", "0")), int(asked.query["$top"])
        page = [{"order": number, "changed": at, "quantity": quantity} for at, number, quantity in found]
        return Told({"value": page[skip : skip + top]})


@pytest.fixture
def erp() -> Iterator[Erp]:
    api = JsonApi()
    yield Erp(api)
    api.stop()


@pytest.mark.parametrize("channel", [ODATA, REST], ids=["odata", "rest"])
def test_a_pull_killed_at_random_ends_with_what_the_system_holds(known: Any, erp: Erp, channel: str) -> None:
    connection = json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": erp.api.server.server_port})
    home = KilledRuns(known, channel, connection)
    chance = random.Random(11)
    outcomes = []
    for number in range(1, 13):
        if number > 4:  # the first large pull is killed more than once
            erp.step(number)
        outcomes.append(home.run(PHASES[number % 3] if number % 4 else "receive", chance.random() * 0.2))
    erp.end()
    outcomes += [home.run(phase, chance.random() * 0.2) for phase in PHASES]
    for _ in range(3):
        assert home.run() == "done"
    assert outcomes.count("killed") > 5
    state = home.state()
    expected = {f"order/ACME/{order}/1": str(quantity) for order, (_, quantity) in erp.orders.items()}
    assert {subject: quantity for subject, (kind, quantity) in state.items() if kind != "cancelled"} == expected
    gone = {f"order/ACME/{number}/1" for number in range(5, 13)}
    assert {subject for subject, (kind, _) in state.items() if kind == "cancelled"} == gone
    home.stop()
