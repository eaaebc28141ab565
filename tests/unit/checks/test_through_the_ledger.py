"""Every kind of check against what really stands in a ledger, said earlier by another document."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl
import pytest

from crossdock.dock import Dock
from mappings.checks import RULES
from schemas.master import MASTER_TABLES

pytestmark = pytest.mark.usefixtures("under_frames")

if TYPE_CHECKING:
    from conftest import Installation

NOTICE = "Shipment,Order,Order line,Item,Site,Quantity,Unit,Ship date,Arrival,Notice date\n"
RESPONSE = "Order,Order line,Item,Site,Confirmed quantity,Unit,Due date,Price,Issued\n"
RECEIPT = "Receipt,Shipment,Order,Order line,Item,Site,Received,Unit,Receipt date\n"
FORECAST = "Release,Item,Site,Forecast,Unit,Week starting,To,Issued\n"
STOCK = "Item,Site,On hand,Unit,As of\n"


@pytest.fixture
def dock(known: Installation, orders: Callable[..., str]) -> Installation:
    """Every check is on; orders 1 / 10 and 2 / 10 of 12 P-100 to N1 are known, the second one cancelled."""
    checks = dict.fromkeys(RULES, "{severity: warning, over: 10, under: 10, days: 1}")
    checks["forecast.frozen"] = "{severity: warning, days: 36500}"
    file = known.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + "checks:\n" + "".join(f"  {name}: {how}\n" for name, how in checks.items()))
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    price = {"unit_price": "5.00", "currency": "EUR"}
    cancelled = {"order_no": "2", "status": "cancelled", "changed_at": "2026-03-01T11:00:00Z"}
    known.drop("po.jsonl", orders({"order_no": "1", **price}, {"order_no": "2", **price}))
    known.run("run")
    known.drop("po-2.jsonl", orders(cancelled))
    known.run("run")
    return known


def told(dock: Installation, name: str, content: str) -> list[tuple[str, str | None, str | None]]:
    """What the checks say of a document, with both sides' values."""
    dock.drop(name, content)
    ran = dock.run("run")
    assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in dock.run("findings", "--limit", "1000", "--json").stdout.splitlines()]
    mine = [row for row in rows if row["stage"] == "business" and row["name"] == name]
    return sorted((row["code"], row["value"], row["expected"]) for row in mine)


def test_partial_shipments_are_added_up(dock: Installation) -> None:
    line = "{},1,10,P-100,N1,{},EA,2026-03-02,2026-03-05,2026-03-{}\n"
    assert told(dock, "ship-1.csv", NOTICE + line.format("S1", 8, "01")) == [("ship_notice.under", "8", "12")]
    assert told(dock, "ship-2.csv", NOTICE + line.format("S2", 4, "02")) == []
    both = NOTICE + line.format("S3", 1, "03") + line.format("S3", 1, "03")
    assert told(dock, "ship-3.csv", both) == [("ship_notice.over", "14", "12")]
    assert json.loads(dock.run("replay", "--partner", "ACME", "--preview", "--json").stdout or "[]") == []


def test_a_ship_notice_against_its_order(dock: Installation) -> None:
    late = "S9,2,10,P-200,N1,12,CT,2099-01-01,2098-12-01,2026-03-01\n"
    assert {code for code, _, _ in told(dock, "ship.csv", NOTICE + late.replace(",CT,", ",EA,"))} == {
        "ship_notice.order_closed", "ship_notice.item", "ship_notice.future", "ship_notice.arrival",
    }  # fmt: skip
    again = "S9,2,10,P-200,N1,12,EA,2026-03-02,2026-03-05,2026-03-02\n"
    codes = [code for code, _, _ in told(dock, "ship-again.csv", NOTICE + again)]
    assert "ship_notice.repeated" in codes
    assert [code for code, _, _ in told(dock, "ship-77.csv", NOTICE + again.replace("S9,2", "S10,77"))] == [
        "ship_notice.order_unknown"
    ]


def test_a_confirmation_against_its_order(dock: Installation) -> None:
    fine = "1,10,P-100,N1,12,EA,2026-04-01,5.00,2026-03-02\n"
    assert told(dock, "good.csv", RESPONSE + fine) == []
    assert told(dock, "bad.csv", RESPONSE + "1,10,P-200,N1,9,EA,2026-05-01,6.00,2026-03-03\n") == [
        ("order_response.date", "2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("order_response.item", "P-200", "P-100"),
        ("order_response.price", "6.00", "5.00"),
        ("order_response.quantity", "9", "12"),
    ]
    assert told(dock, "unknown.csv", RESPONSE + fine.replace("1,10", "77,10", 1)) == [
        ("order_response.order_unknown", "77", None)
    ]
    closed = told(dock, "closed.csv", RESPONSE + fine.replace("1,10", "2,10", 1))
    assert closed == [("order_response.order_closed", "2", "cancelled")]


def test_a_calendar_of_the_master_data_holds_where_the_partners_file_names_none(dock: Installation) -> None:
    def load(table: str, **row: str) -> None:
        columns = {name: row.get(name, "") for name in (*MASTER_TABLES[table], "calendar")}
        with Dock.open(dock.settings) as open_dock:
            open_dock.ledger.load_master(table, pl.DataFrame([columns]), source="test", actor="test")

    def codes(day: str) -> list[str]:
        line = f"1,10,P-100,N1,12,EA,2026-03-{day},5.00,2026-03-{day}\n"
        return [code for code, _, _ in told(dock, f"{day}.csv", RESPONSE + line)]

    assert codes("01") == []  # a Sunday, and nobody says who works when
    load("sites", site="N1", name="North", calendar="DE")
    assert codes("08") == ["order_response.closed_day"]
    load("partners", partner="ACME", name="Acme Pumps", calendar="IL")  # Friday and Saturday are
    assert codes("15") == []
    assert codes("13") == ["order_response.closed_day"]


def test_a_receipt_against_its_ship_notice(dock: Installation) -> None:
    told(dock, "ship.csv", NOTICE + "S1,1,10,P-100,N1,12,EA,2026-03-02,2026-03-05,2026-03-01\n")
    assert told(dock, "good.csv", RECEIPT + "R1,S1,1,10,P-100,N1,12,EA,2026-03-06\n") == []
    assert told(dock, "short.csv", RECEIPT + "R2,S1,1,10,P-100,N1,9,EA,2026-03-06\n") == [
        ("receipt.quantity", "9", "12")
    ]
    other = told(dock, "other.csv", RECEIPT + "R4,S1,1,10,P-200,N1,12,EA,2026-03-06\n")
    assert other == [("receipt.item", "P-200", "P-100")]
    assert told(dock, "no-line.csv", RECEIPT + "R5,S1,,,P-100,N1,12,EA,2026-03-06\n") == []
    unknown = [("receipt.shipment_unknown", "S1", None)]
    assert told(dock, "unknown-item.csv", RECEIPT + "R6,S1,,,P-200,N1,12,EA,2026-03-06\n") == unknown
    assert told(dock, "unknown.csv", RECEIPT + "R3,S7,1,10,P-100,N1,12,EA,2026-03-06\n") == [
        ("receipt.shipment_unknown", "S7", None)
    ]


def test_a_forecast_against_the_last_release(dock: Installation) -> None:
    week = "{},P-100,N1,{},EA,2026-04-06,2026-04-12,2026-03-{}\n"
    assert told(dock, "first.csv", FORECAST + week.format("R1", 100, "01")) == []
    assert told(dock, "second.csv", FORECAST + week.format("R2", 120, "08")) == [("forecast.frozen", "120", "100")]
    (past,) = told(dock, "past.csv", FORECAST + "R3,P-200,N1,5,EA,2026-02-02,2026-02-08,2026-03-09\n")
    assert past[0] == "forecast.past"


def release(number: int, day: str, *weeks: int, starts: Sequence[str] = ("20260406", "20260413")) -> str:
    """A schedule for April, cumulative quantities of weeks that begin on these days."""
    body = [
        "ST*830*0001", f"BFR*00*R{number}**DL*C*20260401*20260430*{day}", "N1*ST*NORTH*92*N1",
        "LIN*1*BP*P-100", "UIT*EA",
        *(f"FST*{quantity}*C*W*{start}" for quantity, start in zip(weeks, starts, strict=True)),
        "SHP*02*50*050*20260101**20260224", "CTT*1",
    ]  # fmt: skip
    parties = "*00*          *00*          *ZZ*ACMEINC        *ZZ*US             "
    head = f"ISA{parties}*260330*0912*U*00401*{number:09}*0*P*>"
    group = f"GS*PS*ACMEINC*US*20260330*0912*{number}*X*004010"
    ends = [f"SE*{len(body) + 1}*0001", f"GE*1*{number}", f"IEA*1*{number:09}"]
    return "".join(f"{segment}~" for segment in (head, group, *body, *ends))


def test_a_cumulative_quantity_does_not_go_backwards_from_one_release_to_the_next(dock: Installation) -> None:
    def backwards(name: str, content: str) -> list[tuple[str, str | None, str | None]]:
        return [one for one in told(dock, name, content) if one[0] == "forecast.cumulative"]

    assert backwards("first.edi", release(1, "20260301", 100, 200)) == []
    assert backwards("more.edi", release(2, "20260308", 105, 200)) == []
    assert backwards("less.edi", release(3, "20260315", 105, 150)) == [("forecast.cumulative", "150", "200")]


def test_a_schedule_against_its_own_horizon(dock: Installation) -> None:
    def beyond(name: str, content: str) -> list[tuple[str, str | None, str | None]]:
        return [one for one in told(dock, name, content) if one[0] == "forecast.horizon"]

    assert beyond("within.edi", release(1, "20260301", 100, 200)) == []
    may = release(2, "20260308", 100, 200, starts=("20260413", "20260504"))
    assert [code for code, _, _ in beyond("may.edi", may)] == ["forecast.horizon"]
    march = release(3, "20260315", 100, 200, starts=("20260323", "20260413"))
    assert [code for code, _, _ in beyond("march.edi", march)] == ["forecast.horizon"]


def test_what_begins_beyond_the_horizon_waits_where_that_is_an_error(dock: Installation) -> None:
    file = dock.home / "partners" / "acme.yaml"
    file.write_text(
        file.read_text().replace("forecast.horizon: {severity: warning", "forecast.horizon: {severity: error")
    )
    may = release(1, "20260308", 100, 200, starts=("20260413", "20260504"))
    assert ("forecast.horizon", "2026-05-04T00:00:00Z", "2026-05-01T00:00:00Z") in told(dock, "may.edi", may)
    (waits,) = [json.loads(line) for line in dock.run("parked", "--json").stdout.splitlines()]
    assert (waits["cause"], waits["fields"]["starts_at"]) == ("forecast.horizon", "2026-05-04T00:00:00Z")
    events = [json.loads(line)["data"] for line in dock.run("events", "--jsonl").stdout.splitlines()]
    assert [one["starts_at"] for one in events if one["kind"] == "forecast"] == ["2026-04-13T00:00:00Z"]


def test_stock_against_the_last_count(dock: Installation) -> None:
    assert told(dock, "first.csv", STOCK + "P-100,N1,5,EA,2026-03-02\n") == []
    assert told(dock, "older.csv", STOCK + "P-100,N1,7,EA,2026-03-01\n") == [
        ("stock.older", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
    ]
    assert told(dock, "negative.csv", STOCK + "P-200,N1,-3,EA,2026-03-02\n") == [("stock.negative", "-3", None)]
