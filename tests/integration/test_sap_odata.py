"""S/4HANA over OData: mock-sap as a live server with its bad days, and the profile on answers as SAP documents them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors import registry
from connectors.channel import Channel
from connectors.connections import Connection
from connectors.registry import formats
from crossdock.master.tables import read_table
from crossdock.settings import Settings
from crossdock.translation import Context, compile_with, gathered, translate_stream
from mappings.library import Library
from mappings.master_data import MasterData
from schemas.configuration import Problem
from schemas.errors import PermanentError, TransientError
from tests.memory_state import MemoryState
from tests.web_servers import Asked, JsonApi, MockSap, Told

pytestmark = pytest.mark.integration

PO = "/sap/opu/odata/sap/API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder"
#: What mock-sap has of the profile's order query: no schedule lines, no time of the last change.
ORDERS = {
    "name": "purchase_orders",
    "version": 2,
    "entity": PO,
    "expand": ["to_PurchaseOrderItem"],
    "rows": "to_PurchaseOrderItem",
    "columns": {
        "order_no": {"path": "PurchaseOrder", "trim_zeros": True},
        "line_no": {"path": "to_PurchaseOrderItem/PurchaseOrderItem", "trim_zeros": True},
        "quantity": "to_PurchaseOrderItem/OrderQuantity",
        "changed_at": "CreationDate",
    },
    "watermark": {"column": "changed_at", "property": "CreationDate", "type": "datetime"},
    "key": ["order_no", "line_no"],
    "overlap": "1d",
    "page": 5,
}


Puller = Callable[..., dict[str, bytes]]


@pytest.fixture
def pull(tmp_path: Path) -> Puller:
    """Each call continues the one before; what arrived, by query, settled."""
    state = MemoryState()

    def pull(connection: Connection, options: Mapping[str, Any]) -> dict[str, bytes]:
        channel = Channel(channel="s4", source={"kind": "odata", "conn_id": "s4", **options})
        source = registry.open_source(channel, home=tmp_path, state=state, connections=lambda _: connection)
        pulled = {}
        try:
            for arrival in source.arrivals(10):
                pulled[arrival.name] = b"".join(source.fetch(arrival))
                source.settle(arrival)
        finally:
            source.close()
        state.pop("circuit", None)  # a test does not wait until it closes
        return pulled

    return pull


def rows(payload: bytes) -> list[list[str | None]]:
    return [json.loads(line) for line in payload.splitlines()[1:]]


@pytest.fixture(scope="module")
def sap() -> Iterator[MockSap]:
    server = MockSap()
    yield server
    server.stop()


@pytest.fixture
def s4(sap: MockSap) -> MockSap:
    """The same server in its first state, without faults."""
    sap.control("/_mock/faults", method="DELETE")
    return sap


def test_orders_come_whole_and_then_nothing_twice(s4: MockSap, pull: Puller) -> None:
    first = rows(pull(s4.connection(), {"queries": [ORDERS]})["purchase_orders"])
    assert len(first) == 25
    assert len({tuple(row[:2]) for row in first}) == 25
    assert all(str(row[2]).rpartition(".")[2] == "000" for row in first)  # a decimal as it was sent
    assert pull(s4.connection(), {"queries": [ORDERS]}) == {}


def test_the_profile_reads_suppliers_and_items_as_master_tables(s4: MockSap, pull: Puller) -> None:
    suppliers = {
        "name": "partners",
        "entity": "/sap/opu/odata/sap/API_BUSINESS_PARTNER_SRV/A_BusinessPartner",
        "page": 3,
    }
    pulled = pull(s4.connection(), {"profile": "s4hana", "take": ["partners", "items"], "queries": [suppliers]})
    tables = {name: read_table(io.BytesIO(payload), name) for name, payload in pulled.items()}
    assert {name: (table.table, table.findings) for name, table in tables.items()} == {
        "partners": ("partners", ()),
        "items": ("items", ()),
    }
    assert tables["partners"].rows is not None
    assert tables["partners"].rows["partner"].to_list() == [str(1000009 + n) for n in range(8)]


def test_a_delta_link_of_v4_goes_on_where_the_last_pull_ended(s4: MockSap, pull: Puller) -> None:
    service = "/sap/opu/odata4/sap/api_businesspartner/srvd_a2x/sap/api_businesspartner/0001/BusinessPartner"
    query = {"name": "bp", "entity": service, "columns": {"partner": "BusinessPartner"}, "delta": True, "page": None}
    assert len(rows(pull(s4.connection(), {"queries": [query]})["bp"])) == 24
    assert pull(s4.connection(), {"queries": [query]}) == {}


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ({"status": 500, "message": "Backend unreachable"}, TransientError, "Backend unreachable"),
        ({"status": 503, "message": "no dialog work process"}, TransientError, "no dialog work process"),
        ({"status": 423, "message": "Document is locked by user CB99"}, TransientError, "locked"),
        ({"status": 404, "message": "gone"}, PermanentError, "gone"),
        ({"status": 403, "message": "No authorization"}, PermanentError, "No authorization"),
    ],
)
def test_bad_days(s4: MockSap, pull: Puller, fault: dict[str, Any], error: type[Exception], said: str) -> None:
    s4.fault(match="A_PurchaseOrder", method="GET", **fault)
    with pytest.raises(error, match=said):
        pull(s4.connection(), {"queries": [ORDERS]})
    assert len(rows(pull(Connection(**vars_of(s4.connection())), {"queries": [ORDERS]})["purchase_orders"])) == 25


def vars_of(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in connection.__slots__}


def test_a_token_that_has_run_out_is_renewed_within_the_pull(s4: MockSap, pull: Puller) -> None:
    s4.fault(match="A_PurchaseOrder", method="GET", status=401, message="token expired")
    assert len(rows(pull(s4.connection(), {"queries": [ORDERS]})["purchase_orders"])) == 25


def test_a_slow_system_is_given_up_after_the_timeout(s4: MockSap, pull: Puller) -> None:
    slow = {**ORDERS, "entity": f"{PO}"}
    options = {"queries": [slow], "parameters": {"sap-mock-scenario": "slow"}, "timeout": "100ms"}
    with pytest.raises(TransientError, match=r"(?i)time"):
        pull(s4.connection(), options)
    assert pull(s4.connection(), {**options, "timeout": "5s"})


def test_a_wrong_secret_says_so(s4: MockSap, pull: Puller) -> None:
    with pytest.raises(PermanentError, match="gives no token"):
        pull(s4.connection(password="wrong"), {"queries": [ORDERS]})


def test_odp_over_rfc_is_refused_with_the_reason() -> None:
    (problem,) = registry.problems_in_source({"kind": "sap_odp", "conn_id": "s4"})
    assert isinstance(problem, Problem)
    assert "SAP does not permit" in problem.sentence
    assert "docs/sap.md" in problem.sentence


# -- the profile, on what a real S/4HANA answers ------------------------------------------------------------


def schedule(line: str, day: int, quantity: str) -> dict[str, str]:
    return {"ScheduleLine": line, "ScheduleLineDeliveryDate": f"/Date({day})/", "ScheduleLineOrderQuantity": quantity}


MARCH_27, APRIL_20, MAY_4 = 1_774_569_600_000, 1_776_643_200_000, 1_777_852_800_000
ITEM = {
    "PurchaseOrder": "4500017170",
    "PurchaseOrderItemText": "Volute casing",
    "Plant": "RAVENSMOOR",
    "PurchaseOrderQuantityUnit": "EA",
    "DocumentCurrency": "USD",
}
ORDER = {
    "PurchaseOrder": "4500017170",
    "Supplier": "ANVILGATE",
    "DocumentCurrency": "USD",
    "PurchaseOrderDate": f"/Date({MARCH_27})/",
    "LastChangeDateTime": f"/Date({MARCH_27 + 3_600_000}+0000)/",
    "PurchasingDocumentDeletionCode": "",
    "to_PurchaseOrderItem": {
        "results": [
            {
                **ITEM,
                "PurchaseOrderItem": "00010",
                "Material": "P10003",
                "SupplierMaterialNumber": "AG-00104",
                "OrderQuantity": "12.000",
                "NetPriceAmount": "84.50",
                "NetPriceQuantity": "1",
                "PurchasingDocumentDeletionCode": "",
                "to_ScheduleLine": {"results": [schedule("0001", APRIL_20, "8.000"), schedule("0002", MAY_4, "4.000")]},
            },
            {
                **ITEM,
                "PurchaseOrderItem": "00020",
                "Material": "P10015",
                "OrderQuantity": "300.000",
                "NetPriceAmount": "912.00",
                "NetPriceQuantity": "100",
                "PurchasingDocumentDeletionCode": "L",
                "to_ScheduleLine": {"results": [schedule("0001", APRIL_20, "300.000")]},
            },
        ]
    },
}
DOCUMENT = {
    "MaterialDocument": "5000000091",
    "MaterialDocumentYear": "2026",
    "CreationDate": f"/Date({MARCH_27})/",
    "PostingDate": f"/Date({MARCH_27})/",
    "ReferenceDocument": "80004711",
    "to_MaterialDocumentItem": {
        "results": [
            {
                "MaterialDocumentItem": "1",
                "GoodsMovementType": movement,
                "Material": "P10003",
                "Plant": "RAVENSMOOR",
                "Supplier": "ANVILGATE",
                "PurchaseOrder": "4500017170",
                "PurchaseOrderItem": "00010",
                "QuantityInEntryUnit": "8.000",
                "EntryUnit": "EA",
                "Batch": "C-88",
            }
            for movement in ("101", "261")
        ]
    },
}
STOCK = [
    {
        "Material": "P10003",
        "Plant": "RAVENSMOOR",
        "StorageLocation": "0001",
        "Batch": "",
        "InventoryStockType": kind,
        "MatlWrhsStkQtyInMatlBaseUnit": quantity,
        "MaterialBaseUnit": "EA",
    }
    for kind, quantity in (("01", "40.000"), ("07", "2.000"))
]
PARTNER = {
    "Supplier": "0000100023",
    "BusinessPartnerFullName": "Anvilgate Castings Inc.",
    "to_BusinessPartnerAddress": {"results": [{"Country": "US"}]},
}
PRODUCT = {
    "Product": "000000000000P10003",
    "BaseUnit": "EA",
    "IsMarkedForDeletion": False,
    "to_Description": {"results": [{"Language": "EN", "ProductDescription": "Volute casing"}]},
}
ANSWERS = {
    PO: [ORDER],
    "/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader": [DOCUMENT],
    "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod": STOCK,
    "/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner": [PARTNER],
    "/sap/opu/odata/sap/API_PRODUCT_SRV/A_Product": [PRODUCT],
}


@pytest.fixture
def s4hana() -> Iterator[JsonApi]:
    api = JsonApi()
    for path, entities in ANSWERS.items():

        def answer(asked: Asked, entities: list[dict[str, Any]] = entities) -> Told:
            assert asked.query["$format"] == "json"
            return Told({"d": {"results": entities}})

        api.routes[path] = answer
    yield api
    api.stop()


def test_the_profile_becomes_events_by_the_mappings_of_any_erp(s4hana: JsonApi, pull: Puller) -> None:
    pulled = pull(s4hana.connection(), {"profile": "s4hana", "take": ["purchase_orders", "receipts", "stock"]})
    events = [event for payload in pulled.values() for event in events_of(payload)]
    assert [(kind, subject) for kind, subject, _ in events] == [
        ("ordered", "order/ANVILGATE/4500017170/10/1"),
        ("ordered", "order/ANVILGATE/4500017170/10/2"),
        ("cancelled", "order/ANVILGATE/4500017170/20/1"),
        ("received", "receipt/ANVILGATE/5000000091/1"),
        ("on_hand", "stock/RAVENSMOOR/RAVENSMOOR/0001/P10003//available"),
        ("on_hand", "stock/RAVENSMOOR/RAVENSMOOR/0001/P10003//blocked"),
    ]
    first, second, third, receipt, *_ = [data for _, _, data in events]
    assert (first["quantity"], first["price"], first["due_at"]) == ("8.000", "84.50", "2026-04-20T00:00:00+01:00")
    assert second["due_at"] == "2026-05-04T00:00:00+01:00"
    assert "price" not in third  # it is that of a hundred
    assert (receipt["quantity"], receipt["references"]["lot"]) == ("8.000", "C-88")
    assert s4hana.asked[0].query["$expand"] == "to_PurchaseOrderItem,to_PurchaseOrderItem/to_ScheduleLine"


def test_the_profile_reads_master_data(s4hana: JsonApi, pull: Puller) -> None:
    pulled = pull(s4hana.connection(), {"profile": "s4hana", "take": ["partners", "items"]})
    assert rows(pulled["partners"]) == [["100023", "Anvilgate Castings Inc.", "US", "", "", "", ""]]
    assert rows(pulled["items"]) == [["P10003", "Volute casing", "EA", "active", "", ""]]


def events_of(payload: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    settings = Settings.from_environment({})
    library = Library.load(settings.mappings, settings.partners, compile=compile_with(formats()))
    folder = Path(__file__).parents[1] / "golden" / "master"
    master = MasterData.of({path.stem: pl.read_csv(path, infer_schema=False) for path in folder.glob("*.csv")})
    context = Context(library=library, master=master, formats=formats())
    told = gathered(
        translate_stream(
            io.BytesIO(payload),
            payload="0" * 64,
            name="rows",
            metadata={"channel_partner": "RAVENSMOOR", "received_at": "2026-03-30T08:00:00+00:00"},
            context=context,
        )
    )
    assert told.findings.filter(pl.col("severity") == "error").height == 0
    return [(row["kind"], row["subject"], json.loads(row["data"])) for row in told.events.iter_rows(named=True)]
