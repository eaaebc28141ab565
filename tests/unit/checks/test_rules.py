"""Each rule on a row that offends and on one that does not; and on the way into the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from mappings.calendars import Calendar
from mappings.checks import RULES, Limits, agreed, judge
from mappings.checks.rule import KNOWN, SAID
from mappings.spec import Partner
from schemas.documents import LENGTH, LOCATION, OFFSET
from schemas.findings import Finding, Severity

if TYPE_CHECKING:
    from conftest import Installation

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEEKDAYS = Calendar("weekdays", lambda day: day.weekday() < 5)
EARLIER, LATER = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"


def found(name: str, said: dict[str, str], known: dict[str, str] | None, **limits: object) -> list[Finding]:
    row = {column: said.get(column) for column in SAID}
    row |= {KNOWN + column: (known or {}).get(column) for column in SAID}
    schema = dict.fromkeys(row, pl.String) | {"line": pl.Int64, OFFSET: pl.Int64, LENGTH: pl.Int64, LOCATION: pl.String}
    place = {"line": 7, LOCATION: "segment 9", OFFSET: 100, LENGTH: 20}
    table = pl.DataFrame([row | place], schema=schema).with_columns(is_known=pl.lit(known is not None))
    return list(judge(table, [(RULES[name], Severity.WARNING, Limits(now=NOW, calendar=WEEKDAYS, **limits))]))  # type: ignore[arg-type]


def amounts(ours: str, theirs: str) -> tuple[dict[str, str], dict[str, str]]:
    said = {"base_quantity": ours, "base_unit": "C62", "shipped": ours, "shipped_in_all": ours}
    return (said, {"base_quantity": theirs, "base_unit": "C62"})


OFFENCES = [
    ("ship_notice.order_unknown", {"order": "1", "order_line": "10"}, None),
    ("ship_notice.order_closed", {"order": "1"}, {"kind": "cancelled"}),
    ("ship_notice.item", {"item": "P-1"}, {"item": "P-2"}),
    ("ship_notice.site", {"site": "N1"}, {"site": "N2"}),
    ("ship_notice.unit", {"unit": "KGM"}, {"unit": "C62"}),
    ("ship_notice.over", *amounts("11", "10")),
    ("ship_notice.under", *amounts("9.99", "10")),
    (
        "ship_notice.repeated",
        {"kind": "notified", "document": "doc-2", "shipment": "S"},
        {"kind": "notified", "document": "doc-1"},
    ),
    ("ship_notice.future", {"shipped_at": LATER}, None),
    ("ship_notice.arrival", {"shipped_at": LATER, "arrives_at": EARLIER}, None),
    ("ship_notice.closed_day", {"arrives_at": EARLIER}, None),
    ("order_response.closed_day", {"due_at": EARLIER}, None),
    ("receipt.shipment_unknown", {"shipment": "S"}, None),
    ("receipt.item", {"item": "P-1"}, {"item": "P-2"}),
    ("receipt.quantity", *amounts("9", "10")),
    ("receipt.unit", {"unit": "KGM"}, {"unit": "C62"}),
    ("order_response.order_closed", {"order": "1"}, {"kind": "cancelled"}),
    ("order_response.item", {"item": "P-1"}, {"item": "P-2"}),
    ("order_response.unit", {"unit": "KGM"}, {"unit": "C62"}),
    ("order_response.order_unknown", {"order": "1", "order_line": "10"}, None),
    ("order_response.quantity", *amounts("12", "10")),
    ("order_response.date", {"due_at": LATER}, {"due_at": EARLIER}),
    ("order_response.price", {"price": "1.01"}, {"price": "1.00"}),
    ("forecast.cumulative", {"cumulative": "90"}, {"cumulative": "100"}),
    (
        "forecast.frozen",
        {"base_quantity": "5", "starts_at": "2026-03-02T00:00:00Z"},
        {"base_quantity": "6", "starts_at": "2026-03-02T00:00:00Z"},
    ),
    (
        "forecast.horizon",
        {"starts_at": LATER, "horizon_starts_at": EARLIER, "horizon_ends_at": LATER},
        None,
    ),
    ("forecast.past", {"ends_at": EARLIER, "time": "2026-03-01T09:00:00+01:00"}, None),
    ("stock.negative", {"quantity": "-0.5", "unit": "KGM"}, None),
    ("stock.older", {"time": "2026-02-28T23:59:59-05:00"}, {"time": LATER}),
]


def test_every_rule_has_a_row_here_and_says_what_it_is_for() -> None:
    assert {name for name, _, _ in OFFENCES} == set(RULES)
    assert all(len(one.doc.split()) > 4 for one in RULES.values())


@pytest.mark.parametrize(("name", "said", "known"), OFFENCES, ids=[one[0] for one in OFFENCES])
def test_an_offence_is_found_and_shows_both_sides(
    name: str, said: dict[str, str], known: dict[str, str] | None
) -> None:
    (finding,) = found(name, said, known)

    assert (finding.code, finding.line, finding.location, finding.offset) == (name, 7, "segment 9", 100)
    if value := RULES[name].value:
        assert finding.value == said[value]
    if (expected := RULES[name].expected).startswith(KNOWN):
        assert finding.expected == (known or {})[expected.removeprefix(KNOWN)]


@pytest.mark.parametrize(
    "name", [name for name, _, known in OFFENCES if known is not None], ids=[one[0] for one in OFFENCES if one[2]]
)
def test_what_agrees_is_no_offence(name: str) -> None:
    said = next(one for one in OFFENCES if one[0] == name)[1] | {"kind": "ordered"}
    assert found(name, said, dict(said)) == []
    assert found(name, said, None) == []


def test_tolerances_are_exact() -> None:
    assert found("ship_notice.over", *amounts("10.5", "10"), over=Decimal(5)) == []
    assert found("ship_notice.over", *amounts("10.500000000001", "10"), over=Decimal(5)) != []
    assert found("ship_notice.future", {"shipped_at": "2026-03-03T11:59:00Z"}, None, days=1) == []
    assert found("order_response.date", {"due_at": EARLIER}, {"due_at": LATER}) == []  # before is right


@pytest.mark.parametrize(
    "rule", ["ship_notice.over", "ship_notice.under", "receipt.quantity", "order_response.quantity"]
)
def test_quantities_of_different_units_are_not_compared(rule: str) -> None:
    for ours, theirs in (("9", "10"), ("11", "10")):
        said, known = amounts(ours, theirs)
        assert found(rule, said, known | {"base_unit": "KGM"}) == []


def test_a_tier_brings_checks_which_the_partners_file_overrides() -> None:
    strategic = Partner(
        partner="ACME", tier="strategic", checks={"stock.negative": "error", "ship_notice.future": "off"}
    )  # type: ignore[arg-type]
    names = {rule.name: severity for rule, severity, _ in agreed(strategic, NOW)}
    assert names == {"ship_notice.arrival": "warning", "stock.negative": "error"}
    assert agreed(Partner(partner="ACME"), NOW) == agreed(None, NOW) == []


# -- on the way into the ledger -------------------------------------------------------------------------

CHECKS = """
checks:
  ship_notice.order_unknown: error
  ship_notice.over: {severity: warning, over: 10}
  ship_notice.item: error
"""
SHIPPED = (
    "Shipment,Order,Order line,Item,Site,Quantity,Unit,Ship date\nS1,{order},10,P-100,N1,{quantity},EA,2026-03-02\n"
)


@pytest.fixture
def checking(known: Installation, orders: Callable[..., str]) -> Installation:
    """An order of 12 is known; what ACME ships is checked."""
    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + CHECKS)
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    known.drop("po.jsonl", orders(("1", "10")))
    assert known.run("run").exit_code == 0
    return known


def findings(checking: Installation) -> list[tuple[str, str, str]]:
    rows = [json.loads(line) for line in checking.run("findings", "--json").stdout.splitlines()]
    return [(row["code"], row["value"], row["expected"]) for row in rows if row["stage"] == "business"]


def test_a_shipment_beyond_its_order_is_told_with_both_quantities(checking: Installation) -> None:
    checking.drop("ship.csv", SHIPPED.format(order="1", quantity="14"))
    checking.run("run")
    assert findings(checking) == [("ship_notice.over", "14", "12")]
    assert len(checking.run("events", "--jsonl").stdout.splitlines()) == 2


def test_a_line_that_a_check_holds_back_goes_on_once_the_order_is_there(
    checking: Installation, orders: Callable[..., str]
) -> None:
    checking.drop("ship.csv", SHIPPED.format(order="77", quantity="12"))
    ran = checking.run("run")
    assert "1 parked" in ran.stdout, ran.output
    (line,) = map(json.loads, checking.run("parked", "--json").stdout.splitlines())
    assert (line["cause"], line["fields"]["order"]) == ("ship_notice.order_unknown", "77")

    checking.drop("po-2.jsonl", orders({"order_no": "77"}))
    assert "1 line that waited, 1 event" in checking.run("run").stdout
    assert checking.run("parked", "--json").stdout == ""


def test_an_unknown_check_is_a_fault_of_the_file(checking: Installation) -> None:
    file = checking.home / "partners" / "acme.yaml"
    file.write_text(file.read_text().replace("ship_notice.over", "ship_notice.ower"))
    told = checking.run("lint")
    assert told.exit_code == 1
    assert "ship_notice.over" in told.stdout
