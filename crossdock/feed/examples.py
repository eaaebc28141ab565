"""Examples for the API's description, all of one small story."""

from __future__ import annotations

from typing import Any

EVENT: dict[str, Any] = {
    "id": "4159000491272615fa02a2ee029163ca",
    "source": "/crossdock/channels/erp",
    "type": "crossdock.demand.v1",
    "subject": "order/ANVILGATE/4500000011/20/1",
    "time": "2026-01-12T23:15:22Z",
    "recordedtime": "2026-01-13T01:37:50.503454Z",
    "partitionkey": "order/ANVILGATE/4500000011/20/1",
    "sequence": 2,
    "correlationid": "doc-f66ada8d7ac79504ef7a",
    "data": {
        "kind": "changed",
        "partner": "ANVILGATE",
        "item": "P10014",
        "site": "RAVENSMOOR",
        "quantity": "476.625",
        "unit": "KGM",
        "base_quantity": "476.625",
        "base_unit": "KGM",
        "due_at": "2026-02-24T00:00:00-05:00",
        "references": {"order": "4500000011", "order_line": "20", "schedule": "1"},
        "lineage": {
            "payload": "dee135cd7db371ede52edb44ca983ce597b6c972010c778c73e498dee404a892",
            "document": "doc-f66ada8d7ac79504ef7a",
            "location": "row 29",
            "mapping": "standard/rows_purchase_orders",
            "mapping_version": "cf539b347a56",
        },
    },
    "specversion": "1.0",
    "datacontenttype": "application/json",
    "dataschema": "urn:crossdock:events:demand:v1",
}
FINDING: dict[str, Any] = {
    "code": "item.unknown",
    "severity": "error",
    "stage": "reference",
    "message": "no item P-10041 at ANVILGATE is known",
    "location": "segment 41, LIN03",
    "value": "P-10041",
    "expected": "a number of an item in master data",
}
SUPPLY: dict[str, Any] = {
    "item": "P10014",
    "site": "RAVENSMOOR",
    "today": "2026-02-20",
    "unit": "KGM",
    "on_hand": "400",
    "counted_at": "2026-02-19T17:00:00Z",
    "in_transit": "0",
    "demand": "476.625",
    "short_on": "2026-02-24",
    "days": [{"day": "2026-02-24", "demand": "476.625", "firm": "476.625", "arriving": "0", "balance": "-76.625"}],
    "weeks": [{"day": "2026-02-23", "demand": "476.625", "firm": "476.625", "arriving": "0", "balance": "-76.625"}],
    "movements": [
        {
            **{"position": 4711, "day": "2026-02-24", "what": "order", "partner": "ANVILGATE"},
            **{"quantity": "476.625", "reference": "4500000011"},
        }
    ],
    "stock": [
        {
            **{"item": "P10014", "site": "RAVENSMOOR", "unit": "KGM", "ours": True, "quantity": "400"},
            **{"counted_at": "2026-02-19T17:00:00Z"},
        }
    ],
    "other_units": 0,
}
FORECAST: dict[str, Any] = {
    **{"partner": "BRIGHTSEAL", "item": "P10014", "site": "RAVENSMOOR", "starts": "2026-03-01", "period": "month"},
    **{"quantity": "1200", "unit": "EA", "events": 4},
}
DOCUMENT: dict[str, Any] = {
    "document": "doc-f66ada8d7ac79504ef7a",
    "type": "x12.856",
    "partner": "ANVILGATE",
    "control_number": "0001",
    "status": "accepted_with_errors",
    "name": "asn-0001.edi",
    "lines": 12,
    "parked": 1,
    "errors": 1,
}
