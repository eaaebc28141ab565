"""JSON APIs by configuration: every way of paging, and of going on from last time."""

from __future__ import annotations

import pytest

from schemas.errors import ConfigError, PermanentError
from tests.web_servers import Asked, JsonApi, Told

RECORDS = [{"sku": f"P-{n}", "site": {"code": "1000"}, "qty": n, "at": f"2026-03-30T08:0{n}:00Z"} for n in range(7)]
COLUMNS = {"item_no": "sku", "plant": "site/code", "quantity": "qty", "counted_at": "at"}


def channel(paging: dict[str, object], **differs: object) -> dict[str, object]:
    query = {
        "name": "stock",
        "path": "/stock",
        "records": "data/items",
        "columns": COLUMNS,
        "paging": paging,
        **differs,
    }
    return {"kind": "rest", "queries": [query]}


def told(records: list[dict[str, object]], **beside: object) -> Told:
    return Told({"data": {"items": records}, **beside})


def by_page(asked: Asked) -> Told:
    number, size = int(asked.query["page"]), int(asked.query["per_page"])
    return told(RECORDS[(number - 1) * size : number * size])


def by_offset(asked: Asked) -> Told:
    offset, size = int(asked.query["from"]), int(asked.query["limit"])
    return told(RECORDS[offset : offset + size])


def by_cursor(asked: Asked) -> Told:
    at = int(asked.query.get("cursor", "0"))
    return told(RECORDS[at : at + 3], meta={"next": at + 3 if at + 3 < len(RECORDS) else None})


def by_url(asked: Asked) -> Told:
    at = int(asked.query.get("at", "0"))
    following = f"/stock?at={at + 3}" if at + 3 < len(RECORDS) else None
    return told(RECORDS[at : at + 3], links={"next": following})


def by_link(asked: Asked) -> Told:
    at = int(asked.query.get("at", "0"))
    more = {"Link": f'</stock?at=0>; rel="first", </stock?at={at + 3}>; title="x"; rel="next"'}
    records = {"data": {"items": RECORDS[at : at + 3]}}
    return Told(records, headers=more if at + 3 < len(RECORDS) else {"Link": '</stock?at=0>; rel="first"'})


WAYS = {
    "page": (by_page, {"kind": "page", "parameter": "page", "size_parameter": "per_page", "size": 3}),
    "offset": (by_offset, {"kind": "offset", "parameter": "from", "size_parameter": "limit", "size": 3}),
    "cursor": (by_cursor, {"kind": "cursor", "from": "meta/next", "parameter": "cursor"}),
    "url": (by_url, {"kind": "url", "from": "links/next"}),
    "link": (by_link, {"kind": "link"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_pages_are_read_however_the_api_parts_them(api: JsonApi, pull, way: str) -> None:
    api.routes["/stock"], paging = WAYS[way]
    _, rows = pull(api.connection(), channel(paging))["stock"]
    assert rows == [[f"P-{n}", "1000", str(n), f"2026-03-30T08:0{n}:00Z"] for n in range(7)]
    assert len(api.asked) == 3


def test_it_goes_on_from_last_time(api: JsonApi, pull) -> None:
    api.routes["/stock"] = lambda asked: told(
        [one for one in RECORDS if str(one["at"]) >= asked.query.get("since", "")]
    )
    given = channel({}, watermark="counted_at", parameters={"since": "{since}", "site": "1000"}, overlap="2m")
    assert len(pull(api.connection(), given)["stock"][1]) == 7
    assert "since" not in api.asked[0].query
    assert pull(api.connection(), given) == {}
    assert api.asked[1].query == {"since": "2026-03-30T08:04:00Z", "site": "1000"}


def test_a_pull_that_fails_half_way_leaves_nothing_behind(api: JsonApi, pull, tmp_path) -> None:
    api.routes["/stock"], paging = WAYS["cursor"]
    api.troubles += [by_cursor(Asked("", {}, {})), Told("", 503)]
    with pytest.raises(Exception, match="503"):
        pull(api.connection(), channel(paging))
    assert len(pull(api.connection(), channel(paging))["stock"][1]) == 7
    assert not list((tmp_path / "spool").iterdir())


def test_an_answer_that_is_the_list_itself_and_rows_that_are_kept(api: JsonApi, pull) -> None:
    api.routes["/stock"] = lambda _: Told([{"sku": "A", "kind": "RAW"}, {"sku": "B", "kind": "FIN"}])
    given = channel({}, records="", columns={"item_no": "sku", "kind": "kind"}, keep={"kind": ["FIN"]})
    assert pull(api.connection(), given)["stock"][1] == [["B", "FIN"]]


def test_pages_in_a_circle_end(api: JsonApi, pull) -> None:
    api.routes["/stock"] = lambda _: told(RECORDS[:1], links={"next": "/stock?at=3"})
    with pytest.raises(PermanentError, match="has been read"):
        pull(api.connection(), channel(WAYS["url"][1]))


def test_records_elsewhere_are_a_mistake_that_is_named(api: JsonApi, pull) -> None:
    api.routes["/stock"] = by_link
    with pytest.raises(PermanentError, match="items/none"):
        pull(api.connection(), channel({}, records="items/none"))


@pytest.mark.parametrize(
    ("paging", "problem"),
    [
        ({"kind": "cursor", "parameter": "c"}, "paging by cursor needs it"),
        ({"kind": "pages"}, "page"),
        ({"size": 0}, "size"),
    ],
)
def test_paging_that_cannot_be_is_refused(api: JsonApi, pull, paging: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        pull(api.connection(), channel(paging))
