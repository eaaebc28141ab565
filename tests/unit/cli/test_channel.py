"""``crossdock channel check``: what a channel's queries give, and what may go wrong with them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

CHANNEL = """\
channel: erp
source:
  kind: odbc
  conn_id: erp
  queries:
    - name: purchase_orders
      sql: SELECT order_no, line_no, quantity, unit_price, changed_at FROM po WHERE changed_at >= :watermark
      watermark: changed_at
      key: [order_no]
      reconcile: {sql: SELECT order_no FROM po}
    - name: gone
      sql: SELECT a FROM nowhere
    - name: misspelt
      sql: SELECT order_no, changed_at FROM po WHERE changed_at >= :watermark
      watermark: changed_on
"""


@pytest.fixture
def erp(installation: Installation) -> Installation:
    (installation.home / "channels" / "erp.yaml").write_text(CHANNEL)
    installation.environment["AIRFLOW_CONN_ERP"] = json.dumps(
        {"conn_type": "sqlite", "schema": str(installation.home / "erp.db")}
    )
    with closing(sqlite3.connect(installation.home / "erp.db", isolation_level=None)) as db:
        db.execute(
            "CREATE TABLE po (order_no TEXT, line_no INTEGER, quantity REAL, unit_price TEXT, changed_at TIMESTAMP)"
        )
        rows = [("45", 10, 1.5, "2.50", "2026-03-02 10:00:00"), ("45", 20, 2, None, "2026-03-01 10:00:00")]
        db.executemany("INSERT INTO po VALUES (?, ?, ?, ?, ?)", rows)
    return installation


def test_columns_types_values_and_problems_are_shown(erp: Installation) -> None:
    done = erp.run("channel", "check", "erp")
    assert done.exit_code == 1
    folded = " ".join(done.output.split())
    for words in (
        "purchase_orders · 5 columns · 2 rows looked at",
        "quantity float 1.5, 2",
        "unit_price text 2.50, NULL",
        "rows are not in the order of changed_at: ORDER BY changed_at, order_no",
        "there is no overlap",
        "the key (order_no) is not unique: 45 stands there twice",
        "quantity is a binary fraction (float)",
        "reconcile does not give changed_at, so rows committed after the overlap are never noticed",
        "the mapping of purchase_orders also reads supplier_id",
        "no such table: nowhere",
        "unknown column 'changed_on'; did you mean 'changed_at'?",
    ):
        assert words in folded


def test_nothing_is_taken_in(erp: Installation) -> None:
    erp.run("channel", "check", "erp")
    assert not (erp.home / "spool").exists()
    assert not list(erp.home.glob("ledger*"))


def test_it_speaks_to_programs_too(erp: Installation) -> None:
    done = erp.run("channel", "check", "erp", "--json", "--rows", "1")
    orders, gone, misspelt = map(json.loads, done.output.splitlines())
    assert orders["columns"][0] == {"name": "order_no", "type": "text"}
    assert orders["rows"] == [["45", "10", "1.5", "2.50", "2026-03-02T10:00:00"]]
    assert gone["errors"]
    assert misspelt["errors"]


def test_only_databases_can_be_looked_at(erp: Installation) -> None:
    done = erp.run("channel", "check", "inbox")
    assert done.exit_code == 2
    assert "channel inbox is of kind folder" in done.output
