"""A pull that is killed again and again, from a database that goes on changing, ends where an undisturbed one does."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.killed_runs import PHASES, KilledRuns
from tests.odbc_erp import ORDERS

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 600
CHANNEL = f"""\
channel: inbox
source:
  kind: odbc
  conn_id: erp
  rows: 50
  payload_rows: 100
  queries:
{ORDERS}      overlap: 10s
      reconcile: {{sql: "SELECT order_no, line_no, supplier_id, changed_at FROM po", every: 0.001s}}
"""


class Erp:
    """Orders in PostgreSQL. Changes come in steps, some of which commit late, and have many rows at one moment.

    What ``ages`` writes is committed long after the overlap.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.db = psycopg.connect(url, autocommit=True)
        self.late = psycopg.connect(url)
        self.ages = psycopg.connect(url)
        self.db.execute(
            "CREATE TABLE po (order_no text, line_no int, supplier_id text, item_no text, plant text, quantity numeric,"
            " unit text, due_on date, status text, changed_at timestamp, PRIMARY KEY (order_no, line_no))"
        )
        self.db.execute(
            "INSERT INTO po SELECT (4500000 + n / 10)::text, n % 10 + 1, 'ACME', 'P-100', 'N1', n, 'EA',"
            " '2026-04-01', 'open', timestamp '2026-03-01' + n / 150 * interval '1 minute'"
            f" FROM generate_series(1, {ROWS}) n"
        )

    def step(self, number: int) -> None:
        """Lines change, one is deleted, one comes anew, and one is written now and committed at the next step."""
        chance = random.Random(number)
        at = f"2026-03-02 00:00:{number:02}"
        self.late.commit()
        for _ in range(20):
            which = (str(4500000 + chance.randrange(ROWS // 10)), chance.randrange(1, 10))
            self.db.execute(
                "UPDATE po SET quantity = quantity + 1, changed_at = %s WHERE (order_no, line_no) = (%s, %s)",
                (at, *which),
            )
        self.db.execute("DELETE FROM po WHERE (order_no, line_no) = (%s, 10)", (str(4500000 + number),))
        row = ("ACME", "P-200", "N1", number, "EA", "2026-05-01", "open", at)
        self.db.execute("INSERT INTO po VALUES ('47', %s, %s, %s, %s, %s, %s, %s, %s, %s)", (number, *row))
        self.late.execute("INSERT INTO po VALUES ('48', %s, %s, %s, %s, %s, %s, %s, %s, %s)", (number, *row))
        early = ("ACME", "P-200", "N1", number, "EA", "2026-05-01", "open", f"2026-03-01 00:01:{number:02}")
        self.ages.execute("INSERT INTO po VALUES ('49', %s, %s, %s, %s, %s, %s, %s, %s, %s)", (number, *early))

    def close(self) -> None:
        self.late.close()
        self.ages.close()
        self.db.close()


@pytest.fixture
def erp(postgres: Any) -> Iterator[Erp]:
    erp = Erp(postgres.database())
    yield erp
    erp.close()


@pytest.fixture
def home(known: Any, erp: Erp, odbc_to: Any) -> Iterator[KilledRuns]:
    to = odbc_to(erp.url)
    connection = {"conn_type": "postgres", "host": to.host, "login": to.login, "schema": to.schema}
    home = KilledRuns(known, CHANNEL, json.dumps(connection))
    yield home
    home.stop()


def test_a_pull_killed_at_random_ends_with_what_the_erp_holds(erp: Erp, home: KilledRuns) -> None:
    chance = random.Random(7)
    outcomes = []
    for number in range(1, 13):
        if number > 4:  # the first large pull is killed more than once
            erp.step(number)
        outcomes.append(home.run(PHASES[number % 3] if number % 4 else "receive", chance.random() * 0.25))
    erp.late.commit()
    erp.ages.commit()
    outcomes += [home.run(phase, chance.random() * 0.25) for phase in PHASES]
    for _ in range(3):
        assert home.run() == "done"
    assert outcomes.count("killed") > 5
    held = erp.db.execute("SELECT order_no, line_no, quantity FROM po").fetchall()
    expected = {f"order/ACME/{order}/{line}": str(quantity) for order, line, quantity in held}
    state = home.state()
    assert {subject: quantity for subject, (kind, quantity) in state.items() if kind != "cancelled"} == expected
    gone = {f"order/ACME/{4500000 + number}/10" for number in range(5, 13)}
    assert {subject for subject, (kind, _) in state.items() if kind == "cancelled"} == gone
