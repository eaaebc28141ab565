"""A real Tryton: what its users do there is what the feed says, by the profile that is shipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.connections import Connection
from tests.channel_runs import sound_events

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

CHANNELS = {
    "erp": """\
channel: erp
partner: OURS
source:
  kind: odbc
  conn_id: tryton
  profile: tryton
  take: [purchase_orders, receipts, stock]
  queries:
    - name: purchase_orders
      reconcile: {every: 0.001s}
""",
    "erp-master": """\
channel: erp-master
purpose: master_data
source: {kind: odbc, conn_id: tryton, profile: tryton, take: [partners, sites, items, units, cross_references]}
""",
}
OURS = "partner: OURS\nname: Ravensmoor Pump Works\ntimezone: Europe/London\n"


class Tryton:
    """A Tryton database of this test run, and the company that tryton_company.py drives in it."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        settings = folder / "trytond.conf"
        settings.write_text("[database]\nuri = postgresql://postgres@/\n[queue]\nworker = True\n")
        (folder / "password").write_text("secret\n")
        self._environment = os.environ | {
            "PGHOST": connection.host,
            "TRYTOND_CONFIG": str(settings),
            "TRYTONPASSFILE": str(folder / "password"),
        }
        self._run(
            *(
                "trytond-admin",
                "-c",
                str(settings),
                "-d",
                connection.schema,
                "--all",
            ),
            *("-l", "en", "-u", "purchase", "--activate-dependencies"),
        )
        self._company = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("tryton_company.py")), connection.schema],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            env=self._environment,
            input="\n",  # it asks for an address of mail, which nobody has
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def do(self, step: str, *arguments: Any) -> dict[str, Any]:
        """What the step made; see tryton_company.py."""
        assert self._company.stdin is not None
        assert self._company.stdout is not None
        self._company.stdin.write(json.dumps([step, *arguments]) + "\n")
        self._company.stdin.flush()
        answer = self._company.stdout.readline()
        assert answer, f"{step} failed"
        return json.loads(answer)

    def stop(self) -> None:
        self._company.communicate(timeout=30)


@pytest.fixture
def tryton(postgres: Any, odbc_to: Callable[[str], Connection], tmp_path: Path) -> Iterator[Tryton]:
    tryton = Tryton(odbc_to(postgres.database(like="postgresql:///template0")), tmp_path)
    yield tryton
    tryton.stop()


@pytest.fixture
def run(installation: Any, tryton: Tryton) -> Callable[[], list[dict[str, Any]]]:
    """Runs Crossdock once; gives the events that were new."""
    for name, text in CHANNELS.items():
        (installation.home / "channels" / f"{name}.yaml").write_text(text)
    (installation.home / "partners" / "ours.yaml").write_text(OURS)

    def run() -> list[dict[str, Any]]:
        return sound_events(installation.settings, tryton.connection)

    return run


def told(events: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Kind and quantity by subject."""
    return {event["subject"]: (event["data"]["kind"], event["data"]["quantity"]) for event in events}


def test_what_is_done_in_tryton_is_what_the_feed_says(tryton: Tryton, run: Callable[[], list[dict[str, Any]]]) -> None:
    made = tryton.do("set_up")
    anvilgate, brightseal = made["suppliers"].values()
    first = tryton.do(
        "order",
        "Anvilgate Castings",
        [["P10003", "336", "577.95"], ["P10014", "476.62", "16.85"], ["P10019", "5", "3.5"]],
        "2026-12-24",
    )
    second = tryton.do("order", "Brightseal Seals", [["P10019", "152", "2.25"]], "2026-12-20")
    third = tryton.do("order", "Brightseal Seals", [["P10019", "10", "2.25"]], "2026-12-20")
    a, b, c = first["lines"]
    (d,), (e,) = second["lines"], third["lines"]
    of_first = f"order/{anvilgate}/{first['number']}"

    events = run()
    assert told(events) == {
        f"{of_first}/{a}": ("ordered", "336"),
        f"{of_first}/{b}": ("ordered", "476.62"),
        f"{of_first}/{c}": ("ordered", "5"),
        f"order/{brightseal}/{second['number']}/{d}": ("ordered", "152"),
        f"order/{brightseal}/{third['number']}/{e}": ("ordered", "10"),
    }
    (castings,) = [event["data"] for event in events if event["subject"] == f"{of_first}/{a}"]
    del castings["lineage"]
    assert castings == {
        "partner": anvilgate,
        "item": "P10003",
        "site": "WH",
        "quantity": "336",
        "unit": "C62",
        "base_quantity": "336",
        "base_unit": "C62",
        "partner_item": "AG-10003",
        "description": "Volute casing DN13",
        "status": "confirmed",
        "kind": "ordered",
        "due_at": "2026-12-24T00:00:00Z",
        "price": "577.95",
        "currency": "USD",
        "references": {"document": first["number"], "order": first["number"], "order_line": a, "line": a},
    }
    assert run() == []

    # a quantity is changed, a line is taken out, and an order is cancelled
    tryton.do("revise", first["id"], {a: "300", b: None})
    tryton.do("cancel", third["id"])
    events = run()
    assert told(events) == {
        f"{of_first}/{a}": ("changed", "300"),
        f"{of_first}/{b}": ("cancelled", "476.62"),
        f"order/{brightseal}/{third['number']}/{e}": ("cancelled", "10"),
    }
    (changed,) = [event for event in events if event["data"]["kind"] == "changed"]
    assert {"field": "quantity", "before": "336", "after": "300"} in changed["data"]["changes"]
    assert changed["sequence"] == 2

    # goods come in and are put away; the rest of an order will not come
    shipment = tryton.do("receive", second["id"], "BS-4711")
    tryton.do("call_off_line", first["id"], int(c))
    (move,) = shipment["moves"]
    events = run()
    new = told(events)
    assert new.pop(f"{of_first}/{c}") == ("cancelled", "5")
    receipt = f"receipt/{brightseal}/{shipment['number']}/{move}"
    assert {subject: said for subject, said in new.items() if not subject.startswith("order/")} == {
        receipt: ("received", "152"),
        "stock/OURS/WH/IN/P10019//available": ("on_hand", "0"),
        "stock/OURS/WH/STO/P10019//available": ("on_hand", "152"),
    }
    (received,) = [event["data"] for event in events if event["subject"] == receipt]
    assert received["received_at"].startswith(shipment["on"])
    assert received["references"] == {
        "document": shipment["number"],
        "order": second["number"],
        "order_line": d,
        "shipment": "BS-4711",
        "line": move,
        "receipt": shipment["number"],
    }
    assert run() == []
