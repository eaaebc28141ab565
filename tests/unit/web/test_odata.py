"""The OData client against a server that does what the test says: both versions, paging, deltas, values."""

from __future__ import annotations

import pytest

from connectors.sources.odata.removed import is_removed, removed_row
from connectors.sources.odata.values import literal, reader
from connectors.web.columns import Column
from schemas.errors import ConfigError, PermanentError
from tests.web_servers import Asked, JsonApi, Told

ORDERS = {"kind": "odata", "version": 2}
QUERY = {
    "name": "purchase_orders",
    "entity": "/srv/Orders",
    "expand": ["to_Item/to_Line"],
    "rows": "to_Item/to_Line",
    "columns": {
        "order_no": {"path": "Order", "trim_zeros": True},
        "line_no": "to_Item/Item",
        "schedule_no": "to_Item/to_Line/Line",
        "quantity": ["to_Item/to_Line/Quantity", "to_Item/Quantity"],
        "price": {"path": "to_Item/Price", "when": {"to_Item/Per": "1"}},
        "status": {"path": "to_Item/Deleted", "values": {"L": "cancelled"}, "default": "open"},
        "changed_at": "Changed",
    },
    "watermark": {"column": "changed_at", "property": "Changed", "type": "datetimeoffset"},
    "key": ["order_no", "line_no", "schedule_no"],
    "order": ["Order"],
    "overlap": "10m",
    "page": 2,
}
NOON = 1_774_872_000_000  # 2026-03-30T12:00:00Z


def order(number: int, *, changed: int = NOON, lines: int = 2) -> dict[str, object]:
    item = {
        "Item": "00010",
        "Quantity": "99.000",
        "Price": "84.50",
        "Per": "1.000",
        "Deleted": "L" if number == 3 else "",
        "to_Line": {"results": [{"Line": str(n + 1), "Quantity": f"{n}.100"} for n in range(lines)]},
    }
    changed_at = f"/Date({changed}+0000)/"
    return {"Order": f"{number:010}", "Changed": changed_at, "to_Item": {"results": [item]}}


def client_paged(orders: list[dict[str, object]]):
    """A service that parts nothing by itself and knows $top and $skip."""

    def answer(asked: Asked) -> Told:
        skip, top = int(asked.query.get("$skip", 0)), int(asked.query["$top"])
        return Told({"d": {"results": orders[skip : skip + top]}})

    return answer


def test_nested_lists_become_rows_page_by_page(api: JsonApi, pull) -> None:
    api.routes["/srv/Orders"] = client_paged([order(1), order(2, lines=0), order(3, changed=NOON + 60_000, lines=1)])
    header, rows = pull(api.connection(), {**ORDERS, "queries": [QUERY], "parameters": {"sap-client": "100"}})[
        "purchase_orders"
    ]
    assert rows == [
        ["1", "00010", "1", "0.100", "84.50", "open", "2026-03-30T12:00:00Z"],
        ["1", "00010", "2", "1.100", "84.50", "open", "2026-03-30T12:00:00Z"],
        ["2", "00010", None, "99.000", "84.50", "open", "2026-03-30T12:00:00Z"],
        ["3", "00010", "1", "0.100", "84.50", "cancelled", "2026-03-30T12:01:00Z"],
    ]
    assert (header["query"], header["watermark"]["to"]) == ("purchase_orders", "2026-03-30T12:01:00Z")
    # the second goes on from the watermark; as nothing is past it, the third counts
    assert [asked.query.get("$skip") for asked in api.asked] == [None, None, "2"]
    first = api.asked[0].query
    assert first["$expand"] == "to_Item/to_Line"
    assert (first["$orderby"], first["sap-client"], first.get("$filter")) == ("Changed,Order", "100", None)
    assert all("x-csrf-token" not in {name.lower() for name in asked.headers} for asked in api.asked)


def test_the_next_pull_begins_an_overlap_earlier_and_leaves_out_what_was_handed_over(api: JsonApi, pull) -> None:
    orders = [order(1, lines=1), order(2, changed=NOON + 60_000, lines=1)]
    api.routes["/srv/Orders"] = client_paged(orders)
    channel = {**ORDERS, "queries": [{**QUERY, "page": 50}]}
    assert len(pull(api.connection(), channel)["purchase_orders"][1]) == 2
    assert pull(api.connection(), channel) == {}
    assert api.asked[-1].query["$filter"] == "Changed ge datetimeoffset'2026-03-30T11:51:00Z'"
    orders.insert(1, order(7, changed=NOON + 30_000, lines=1))  # committed late
    late = pull(api.connection(), channel)["purchase_orders"][1]
    assert [row[0] for row in late] == ["7"]
    assert pull(api.connection(), channel) == {}


def test_what_was_not_settled_is_pulled_again(api: JsonApi, pull) -> None:
    api.routes["/srv/Orders"] = client_paged([order(1)])
    channel = {**ORDERS, "queries": [{**QUERY, "page": 50}]}
    first = pull(api.connection(), channel, settle=False)["purchase_orders"][1]
    assert pull(api.connection(), channel)["purchase_orders"][1] == first
    assert pull(api.connection(), channel) == {}


def test_a_large_pull_comes_in_payloads_and_nothing_twice(api: JsonApi, pull, arrived) -> None:
    everything = [order(n, changed=NOON + 1000 * (n // 4), lines=1) for n in range(20)]

    def answer(asked: Asked) -> Told:
        since = asked.query.get("$filter", "").partition("'")[2].rstrip("'")
        skip, top = int(asked.query.get("$skip", 0)), int(asked.query["$top"])
        text = reader(None)
        fitting = [one for one in everything if str(text(one["Changed"])) >= since]
        return Told({"d": {"results": fitting[skip : skip + top]}})

    api.routes["/srv/Orders"] = answer
    channel = {**ORDERS, "queries": [{**QUERY, "overlap": "0s"}], "payload_rows": 6}
    _, rows = pull(api.connection(), channel)["purchase_orders"]
    assert len(arrived) == 4
    assert [int(row[0]) for row in rows] == list(range(20))
    assert pull(api.connection(), channel) == {}


def test_nothing_is_passed_over_when_orders_change_between_two_pages(api: JsonApi, pull) -> None:
    orders = {n: order(n, changed=NOON + 1000 * n, lines=1) for n in range(1, 10)}

    def answer(asked: Asked) -> Told:
        since = asked.query.get("$filter", "").partition("'")[2].rstrip("'")
        skip, top = int(asked.query.get("$skip", 0)), int(asked.query["$top"])
        fitting = sorted((one for one in orders.values() if str(text(one["Changed"])) >= since), key=changed)
        first = min(orders, key=lambda n: changed(orders[n]))
        orders[first] = order(first, changed=NOON + 60_000 + len(api.asked), lines=1)  # moves to the end
        return Told({"d": {"results": fitting[skip : skip + top]}})

    text, changed = reader(None), lambda one: str(one["Changed"])
    api.routes["/srv/Orders"] = answer
    _, rows = pull(api.connection(), {**ORDERS, "queries": [{**QUERY, "page": 3}]})["purchase_orders"]
    assert {int(row[0]) for row in rows} == set(range(1, 10))


@pytest.mark.parametrize("relative", [True, False])
def test_links_of_the_server_are_followed(api: JsonApi, pull, relative: bool) -> None:
    link = "Orders?$skiptoken=2" if relative else f"{api.url}/srv/Orders?$skiptoken=2"

    def v4(asked: Asked) -> Told:
        if "$skiptoken" in asked.query:
            return Told('{"value": [{"Order": "2", "Price": 12345678901234567.890}]}')
        return Told({"value": [{"Order": "1", "Price": None}], "@odata.nextLink": link})

    api.routes["/srv/Orders"] = v4
    query = {"name": "prices", "entity": "srv/Orders", "columns": {"no": "Order", "price": "Price"}, "page": None}
    (_, rows) = pull(api.connection(), {"kind": "odata", "queries": [query]})["prices"]
    assert rows == [["1", None], ["2", "12345678901234567.890"]]
    assert "IEEE754Compatible=true" in api.asked[0].headers["Accept"]


def test_a_link_to_another_host_is_not_followed(api: JsonApi, pull) -> None:
    api.routes["/srv/Orders"] = lambda _: Told({"value": [], "@odata.nextLink": "https://elsewhere.example/steal"})
    query = {"name": "x", "entity": "srv/Orders", "columns": {"no": "Order"}}
    with pytest.raises(PermanentError, match="elsewhere"):
        pull(api.connection(), {"kind": "odata", "queries": [query]})


def test_a_delta_link_continues_and_says_what_is_gone(api: JsonApi, pull) -> None:
    def answer(asked: Asked) -> Told:
        if asked.query.get("$deltatoken") == "1":
            gone = {"Order": "1", "@removed": {"reason": "deleted"}}
            return Told({"value": [gone], "@odata.deltaLink": "Orders?$deltatoken=2"})
        if asked.query.get("$deltatoken") == "2":
            return Told({"value": [], "@odata.deltaLink": "Orders?$deltatoken=2"})
        return Told({"value": [{"Order": "1"}], "@odata.deltaLink": "Orders?$deltatoken=1"})

    api.routes["/srv/Orders"] = answer
    query = {
        "name": "o",
        "entity": "srv/Orders",
        "columns": {"no": "Order", "note": "Note"},
        "key": ["no"],
        "delta": True,
    }
    channel = {"kind": "odata", "queries": [query]}
    assert pull(api.connection(), channel)["o"][1] == [["1", None]]
    gone = pull(api.connection(), channel)
    header, rows = gone["o gone"]
    assert (list(gone), rows, header["keys"]) == (["o gone"], [["1", None]], {"most": 1.0, "gone": True})
    assert pull(api.connection(), channel) == {}
    assert api.asked[0].headers["Prefer"] == "odata.track-changes"


def test_what_a_delta_says_is_gone_is_not_forgotten_before_it_is_settled(api: JsonApi, pull) -> None:
    def answer(asked: Asked) -> Told:
        if "$deltatoken" in asked.query:
            gone = {"Order": "1", "@removed": {"reason": "deleted"}}
            return Told({"value": [{"Order": "2"}, gone], "@odata.deltaLink": "Orders?$deltatoken=2"})
        return Told({"value": [{"Order": "1"}], "@odata.deltaLink": "Orders?$deltatoken=1"})

    api.routes["/srv/Orders"] = answer
    query = {"name": "o", "entity": "srv/Orders", "columns": {"no": "Order"}, "key": ["no"], "delta": True}
    channel = {"kind": "odata", "queries": [query]}
    pull(api.connection(), channel)
    assert list(pull(api.connection(), channel, settle=["o"])) == ["o", "o gone"]
    assert list(pull(api.connection(), channel)) == ["o", "o gone"]
    assert api.asked[-1].query == {"$deltatoken": "1"}


REMOVED = [
    ({"Order": "7", "Item": "10", "@removed": {"reason": "deleted"}}, ["7", "10", None]),
    ({"@removed": {}, "@id": "Items(Order='7',Item=10)"}, ["7", "10", None]),
    ({"@odata.context": "$metadata#Items/$deletedEntity", "id": "h/Orders('O''7%2F1')"}, ["O'7/1", None, None]),
    ({"@odata.context": "#Items/$deletedEntity", "id": "Orders(0000000007)"}, ["7", None, None]),
    ({"@removed": {}, "@id": "Orders"}, [None, None, None]),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "row"), REMOVED)
def test_a_removed_entity_tells_what_it_was_called(entity: dict[str, object], row: list[str | None]) -> None:
    columns = {
        "order_no": Column.model_validate({"path": "Order", "trim_zeros": True}),
        "line_no": Column.model_validate("Item"),
        "status": Column.model_validate({"const": "open"}),
    }
    assert is_removed(entity)
    assert removed_row(entity, ["order_no", "line_no"], columns, reader(None)) == row


def test_keys_of_all_rows_are_asked_for_without_a_filter(api: JsonApi, pull) -> None:
    api.routes["/srv/Orders"] = client_paged([order(1, lines=1), order(2, lines=1)])
    reconcile = {"every": "1h", "columns": ["status"], "select": ["Order", "Changed"]}
    channel = {**ORDERS, "queries": [{**QUERY, "page": 50, "reconcile": reconcile}]}
    pulled = pull(api.connection(), channel)
    header, rows = pulled["purchase_orders keys"]
    assert header["columns"] == ["order_no", "line_no", "schedule_no", "status", "changed_at"]
    assert header["keys"] == {"most": 0.1}
    assert header["watermark"] == {"column": "changed_at", "from": "2026-03-30T11:50:00Z"}
    assert [row[0] for row in rows] == ["1", "2"]
    asked = api.asked[-1].query
    assert ("$filter" in asked, asked["$select"]) == (False, "Order,Changed")
    assert pull(api.connection(), channel) == {}


def test_a_property_that_is_not_there_is_told_once(api: JsonApi, pull) -> None:
    entities = [{"Order": "1", "Text": None}]
    api.routes["/srv/Orders"] = lambda _: Told({"value": entities})
    columns = {"no": "Order", "text": "Text", "plant": "Palnt", "either": ["Other", "Text"]}
    channel = {"kind": "odata", "queries": [{"name": "o", "entity": "srv/Orders", "columns": columns}]}
    header, rows = pull(api.connection(), channel)["o"]
    assert rows == [["1", None, None, None]]
    assert header["drift"] == [{"column": "plant", "change": "dropped", "was": "Palnt"}]
    entities.append({"Order": "2"})
    assert "drift" not in pull(api.connection(), channel)["o"][0]


def test_an_entity_tag_spares_what_has_not_changed(api: JsonApi, pull) -> None:
    def answer(asked: Asked) -> Told:
        if asked.headers.get("If-None-Match") == 'W/"7"':
            return Told(status=304)
        return Told({"value": [{"Order": "1"}]}, headers={"ETag": 'W/"7"'})

    api.routes["/srv/Orders"] = answer
    channel = {"kind": "odata", "queries": [{"name": "o", "entity": "srv/Orders", "columns": {"no": "Order"}}]}
    assert pull(api.connection(), channel)["o"][1] == [["1"]]
    assert pull(api.connection(), channel) == {}
    assert api.asked[-1].headers["If-None-Match"] == 'W/"7"'


def test_paths_to_expand_are_nested_in_v4(api: JsonApi, pull) -> None:
    api.routes["/srv/Orders"] = lambda _: Told({"value": []})
    pull(api.connection(), {**ORDERS, "version": 4, "queries": [QUERY]})
    assert api.asked[0].query["$expand"] == "to_Item($expand=to_Line)"


@pytest.mark.parametrize(
    ("value", "zone", "text"),
    [
        ("/Date(1774872000000+0000)/", None, "2026-03-30T12:00:00Z"),
        ("/Date(1774828800000)/", "Europe/Berlin", "2026-03-30"),
        ("/Date(1774872000000)/", "Europe/Berlin", "2026-03-30T12:00:00+02:00"),
        ("/Date(1774872000000)/", None, "2026-03-30T12:00:00"),
        ("/Date(-2208988800000)/", None, "1900-01-01"),
        ("/Date(99999999999999999)/", None, "/Date(99999999999999999)/"),
        ("PT08H15M00S", None, "08:15:00"),
        ("PUMP", None, "PUMP"),
        ("P", None, "P"),
        ("/path", None, "/path"),
        (True, None, "true"),
        (None, None, None),
        ({"a": "1"}, None, '{"a": "1"}'),
    ],
)
def test_values(value: object, zone: str | None, text: str | None) -> None:
    assert reader(zone)(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "version", "written"),
    [
        ("2026-03-30T12:00:00Z", "datetimeoffset", 2, "datetimeoffset'2026-03-30T12:00:00Z'"),
        ("2026-03-30T14:00:00+02:00", "datetimeoffset", 4, "2026-03-30T12:00:00Z"),
        ("2026-03-30", "datetime", 2, "datetime'2026-03-30T00:00:00'"),
        ("2026-03-30", "date", 4, "2026-03-30"),
        ("17", "number", 4, "17"),
        ("O'Neil' or 1 eq 1", "string", 2, "'O''Neil'' or 1 eq 1'"),
    ],
)
def test_literals(value: str, kind: str, version: int, written: str) -> None:
    assert literal(value, kind, version) == written


def test_a_watermark_that_is_no_value_of_its_type_is_refused(api: JsonApi, pull) -> None:
    with pytest.raises(ConfigError, match="is no datetimeoffset"):
        pull(api.connection(), {**ORDERS, "queries": [{**QUERY, "initial": "1 or 1 eq 1"}]})
    assert api.asked == []


@pytest.mark.parametrize(
    ("differs", "problem"),
    [
        ({"key": ["ordr_no"]}, "did you mean 'order_no'"),
        ({"delta": True}, "leave out watermark or delta"),
        ({"columns": {"a": {"values": {"x": "y"}}}}, "needs one of path"),
    ],
)
def test_mistakes_are_named(pull, api: JsonApi, differs: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        pull(api.connection(), {**ORDERS, "queries": [{**QUERY, **differs}]})
