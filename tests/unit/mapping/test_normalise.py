"""Lines become events: stream, kind, key, ids, and JSON that satisfies the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import jsonschema
import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.contract.generating import event_schema
from mappings.frames import FRAME, MANY, unframed
from mappings.identities import keys
from mappings.library import CompiledMapping
from mappings.master_data import MasterData
from mappings.normalise import DOCUMENT, STREAM_OF, Origin, empty_events, normalise
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.events import DATA_OF, EVENT_COLUMNS
from schemas.findings import Finding, Severity
from schemas.lines import KINDS, FieldType, LineKind

from .conftest import PAYLOAD, Bench

LINE = {"partner": "ACME", "item": "P1", "site": "PLANT", "quantity": "5", "unit": "EA"}
TIME = "2026-03-30T08:45:00Z"

OF_KIND: dict[LineKind, dict[str, str]] = {
    LineKind.ORDER: LINE | {"document_time": TIME, "order": "4711", "line": "10"},
    LineKind.ORDER_RESPONSE: LINE | {"document_time": TIME, "order": "4711", "order_line": "10", "answer": "accepted"},
    LineKind.FORECAST: LINE | {"document_time": TIME, "commitment": "planned", "due_at": TIME},
    LineKind.CALL_OFF: LINE | {"document_time": TIME, "commitment": "firm", "due_at": TIME, "schedule": "DO-1"},
    LineKind.SHIP_NOTICE: LINE | {"document_time": TIME, "shipment": "S1", "order": "4711", "order_line": "10"},
    LineKind.RECEIPT: LINE | {"received_at": TIME, "receipt": "R1", "line": "1"},
    LineKind.STOCK: LINE | {"counted_at": TIME, "location": "A-01", "lot": "L1", "stock_status": "available"},
}

Events = tuple[pl.DataFrame, list[Finding]]


@pytest.fixture
def mapping_of(bench: Bench) -> Callable[..., CompiledMapping]:
    def mapping_of(kind: LineKind, **more: object) -> CompiledMapping:
        body = {"document": "told.notice", "kind": kind.value, "fields": {"item": {"path": "ours"}}, **more}
        return bench.mapping(json.dumps(body))

    return mapping_of


def canonical(kind: LineKind, *lines: Mapping[str, Any]) -> pl.DataFrame:
    schema: dict[str, Any] = dict.fromkeys(KINDS[kind], pl.String)
    schema |= {DOCUMENT: pl.String, ORDINAL: pl.Int64, LOCATION: pl.String, OFFSET: pl.Int64, LENGTH: pl.Int64}
    rows = [
        {DOCUMENT: "doc-1", ORDINAL: n, LOCATION: f"line {n}", OFFSET: n * 100, LENGTH: 90} | dict(line)
        for n, line in enumerate(lines, 1)
    ]
    return pl.DataFrame(rows, schema=schema)


def events_of(mapping: CompiledMapping, master: MasterData, *lines: Mapping[str, Any], **origin: Any) -> Events:
    given = Origin(**{"payload": PAYLOAD, **origin})
    draft, findings = normalise(canonical(mapping.kind, *lines), mapping, master, given)
    events = draft.written()
    assert draft.height == events.height
    return events, findings


def data_of(events: pl.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(text) for text in events["data"]]


def test_many_events_say_what_few_do(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    """Of many the table says once what they have in common."""
    mapping = mapping_of(LineKind.SHIP_NOTICE)
    lines = [
        OF_KIND[LineKind.SHIP_NOTICE] | {"line": str(n), "lot": f'100 % "{n}"' if n % 3 else None} for n in range(40)
    ]
    many, _ = events_of(mapping, master, *lines)
    assert many.columns == [*EVENT_COLUMNS, FRAME]
    draft, _ = normalise(canonical(mapping.kind, *lines), mapping, master, Origin(payload=PAYLOAD))
    few = pl.concat([replace(draft, lines=some).written() for some in draft.lines.iter_slices(MANY - 1)])
    assert unframed(many).equals(few)


@pytest.mark.parametrize("kind", LineKind)
def test_every_kind_makes_valid_events(
    kind: LineKind, mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    everything = {name: "1" for name in KINDS[kind] if name not in OF_KIND[kind]}
    everything = {name: TIME if KINDS[kind][name].type is FieldType.TIME else text for name, text in everything.items()}
    everything |= {"currency": "EUR"} if "currency" in everything else {}
    events, findings = events_of(mapping_of(kind), master, OF_KIND[kind], OF_KIND[kind] | everything)
    assert findings == []
    assert events.columns == list(EVENT_COLUMNS)
    assert events.schema == empty_events().schema
    stream = STREAM_OF[kind]
    assert events["stream"].to_list() == [stream.value] * 2
    schema = {**event_schema(stream), "$ref": f"#/$defs/{DATA_OF[stream].__name__}"}
    for name in ("properties", "required", "type"):
        del schema[name]
    for text in events["data"]:
        jsonschema.validate(json.loads(text), schema)
        decoded = msgspec.json.decode(text, type=DATA_OF[stream])
        # nothing is said that the model does not know, and nothing that it knows is lost
        assert msgspec.to_builtins(decoded) == json.loads(text)


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        (LineKind.ORDER, {}, "ordered"),
        (LineKind.ORDER, {"purpose": "original"}, "ordered"),
        (LineKind.ORDER, {"purpose": "duplicate"}, "ordered"),
        (LineKind.ORDER, {"purpose": "change"}, "changed"),
        (LineKind.ORDER, {"purpose": "replace"}, "changed"),
        (LineKind.ORDER, {"purpose": "cancel"}, "cancelled"),
        (LineKind.ORDER_RESPONSE, {}, "confirmed"),
        (LineKind.FORECAST, {}, "forecast"),
        (LineKind.FORECAST, {"commitment": "firm"}, "forecast"),
        (LineKind.CALL_OFF, {}, "called_off"),
        (LineKind.CALL_OFF, {"commitment": "planned"}, "called_off"),
        (LineKind.SHIP_NOTICE, {}, "notified"),
        (LineKind.SHIP_NOTICE, {"purpose": "replace"}, "notified"),
        (LineKind.SHIP_NOTICE, {"purpose": "cancel"}, "cancelled"),
        (LineKind.RECEIPT, {}, "received"),
        (LineKind.STOCK, {}, "on_hand"),
    ],
)
def test_kinds(
    kind: LineKind, said: dict[str, str], expected: str, mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    events, _ = events_of(mapping_of(kind), master, OF_KIND[kind] | said)
    assert events["kind"].to_list() == [expected]
    assert data_of(events)[0]["kind"] == expected


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        (LineKind.ORDER, {}, "order/ACME/4711/10"),
        (LineKind.ORDER, {"schedule": "2"}, "order/ACME/4711/10/2"),
        (LineKind.ORDER, {"line": None}, "order/ACME/4711/1"),
        (LineKind.ORDER, {"order": "47/11%"}, "order/ACME/47%2F11%25/10"),
        (LineKind.ORDER, {"line": "10/1#\0"}, "order/ACME/4711/10%2F1%23%00"),
        (LineKind.ORDER_RESPONSE, {}, "order_response/ACME/4711/10"),
        (LineKind.FORECAST, {}, f"forecast/ACME/PLANT/P1////{TIME}"),
        (LineKind.FORECAST, {"commitment": "firm"}, f"forecast/ACME/PLANT/P1////{TIME}"),
        (LineKind.CALL_OFF, {}, f"call_off/ACME/PLANT/P1//DO-1///{TIME}"),
        (LineKind.SHIP_NOTICE, {}, "ship_notice/ACME/S1/4711/10/P1"),
        (LineKind.SHIP_NOTICE, {"lot": "L1"}, "ship_notice/ACME/S1/4711/10/P1//L1"),
        (LineKind.RECEIPT, {}, "receipt/ACME/R1/1"),
        (LineKind.STOCK, {}, "stock/ACME/PLANT/A-01/P1/L1/available"),
        (LineKind.STOCK, {"stock_status": None, "lot": None}, "stock/ACME/PLANT/A-01/P1"),
    ],
)
def test_business_keys(
    kind: LineKind, said: dict[str, Any], expected: str, mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    mapping, line = mapping_of(kind), OF_KIND[kind] | said
    events, _ = events_of(mapping, master, line)
    assert events["subject"].to_list() == [expected]
    events, _ = events_of(mapping, master, line, line | {"order": "8", "line": "99", "receipt": "R2", "item": "P2"})
    assert events["subject"][0] == expected  # whatever stands beside it


def test_a_mapping_may_say_its_own_key(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    mapping = mapping_of(LineKind.SHIP_NOTICE, key=["shipment", "line"])
    events, _ = events_of(mapping, master, OF_KIND[LineKind.SHIP_NOTICE] | {"line": "7"}, OF_KIND[LineKind.SHIP_NOTICE])
    assert events["subject"].to_list() == ["ship_notice/S1/7", "ship_notice/S1/2"]


def test_equal_lines_of_a_document_stay_several(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    line = OF_KIND[LineKind.SHIP_NOTICE]
    events, _ = events_of(mapping_of(LineKind.SHIP_NOTICE), master, line, line | {"lot": "L1"}, line, line)
    first = "ship_notice/ACME/S1/4711/10/P1"
    assert events["subject"].to_list() == [first, f"{first}//L1", f"{first}#2", f"{first}#3"]
    assert events["id"].n_unique() == events["fingerprint"].n_unique() == 4


def test_a_line_with_a_version_stamp_is_itself_again(
    mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    line = OF_KIND[LineKind.ORDER] | {"version_stamp": "2026-03-30T10:00:00"}
    later = line | {"version_stamp": "2026-03-30T11:00:00"}
    events, _ = events_of(mapping_of(LineKind.ORDER), master, line, line, later)
    assert events["subject"].n_unique() == 1
    assert events["id"][0] == events["id"][1] != events["id"][2]
    assert events["fingerprint"].n_unique() == 1


def test_an_id_is_subject_content_and_document(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    mapping, line = mapping_of(LineKind.SHIP_NOTICE), OF_KIND[LineKind.SHIP_NOTICE]

    def event(**said: str) -> dict[str, Any]:
        return events_of(mapping, master, line | said)[0].row(0, named=True)

    first = event()
    assert (len(first["id"]), len(first["fingerprint"])) == (32, 16)
    assert event() == first
    for changed in (event(quantity="6"), event(lot="L2")):
        assert changed["id"] != first["id"]
        assert changed["fingerprint"] != first["fingerprint"]
    again = event(document_time="2026-03-31T08:45:00Z")
    assert again["id"] != first["id"]
    assert again["fingerprint"] == first["fingerprint"]


def test_where_it_came_from_is_no_part_of_the_id(
    mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    mapping, line = mapping_of(LineKind.SHIP_NOTICE), OF_KIND[LineKind.SHIP_NOTICE]
    one, _ = events_of(mapping, master, line)
    other, _ = events_of(
        mapping, master, line | {ORDINAL: 9, LOCATION: "elsewhere", DOCUMENT: "doc-2"}, payload="cd" * 32
    )
    assert one.select("id", "fingerprint").equals(other.select("id", "fingerprint"))
    assert data_of(other)[0]["lineage"] == {
        "payload": "cd" * 32,
        "document": "doc-2",
        "mapping": mapping.name,
        "mapping_version": mapping.version,
        "location": "elsewhere",
        "offset": 100,
        "length": 90,
    }


def test_a_place_that_is_not_known_is_left_out(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    line = OF_KIND[LineKind.STOCK] | {LOCATION: None, OFFSET: None, LENGTH: None}
    events, _ = events_of(mapping_of(LineKind.STOCK), master, line)
    lineage = data_of(events)[0]["lineage"]
    assert lineage["location"] == ""
    assert "offset" not in lineage
    assert "length" not in lineage


@given(text=st.text(min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_text_survives_the_json(text: str, stock_mapping: CompiledMapping) -> None:
    line = OF_KIND[LineKind.STOCK] | {"description": text, "lot": text, LOCATION: text}
    events, findings = events_of(stock_mapping, MasterData.empty(), line)
    assert findings == []
    (data,) = data_of(events)
    assert (data["description"], data["references"]["lot"], data["lineage"]["location"]) == (text, text, text)


@pytest.fixture
def stock_mapping(mapping_of: Callable[..., CompiledMapping]) -> CompiledMapping:
    return mapping_of(LineKind.STOCK)


@given(parts=st.lists(st.tuples(st.text("a/%#2", max_size=3), st.text("a/%#2", max_size=3)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_never_share_a_subject(parts: list[tuple[str, str]], stock_mapping: CompiledMapping) -> None:
    lines: list[dict[str, str | None]] = [
        {**OF_KIND[LineKind.STOCK], "location": a or None, "lot": b or None} for a, b in parts
    ]
    events, _ = events_of(stock_mapping, MasterData.empty(), *lines)
    assert events["subject"].n_unique() == keys(events).n_unique() == len(lines)


SAID = st.one_of(st.none(), st.sampled_from(["a", "", '"', "a\x1fb", "Größe", "/"]))
OF_DOCUMENT = ("partner", "site", "kind", "counted_at")  # in the order of the data model, then its references
OF_LINE = ("item", "quantity", "unit", "base_quantity", "base_unit", "description", "note", "location", "stock_status")


def test_ids_are_those_of_hashing_line_by_line(stock_mapping: CompiledMapping) -> None:
    """Whatever lines stand together: what is the same in all of them is hashed once, and must give the same."""

    @given(st.lists(st.fixed_dictionaries(dict.fromkeys(("description", "note", "lot", "document_number"), SAID))))
    def holds(said: list[dict[str, str | None]]) -> None:
        events, _ = events_of(stock_mapping, MasterData.empty(), *({**OF_KIND[LineKind.STOCK], **one} for one in said))
        for event, one in zip(unframed(events).iter_rows(named=True), said, strict=True):
            assert (event["id"], event["fingerprint"]) == _hashed(event, one)

    holds()


def _hashed(event: Mapping[str, Any], line: Mapping[str, str | None]) -> tuple[str, str]:
    data = json.loads(event["data"])
    references = data["references"]
    head = _members({name: data[name] for name in OF_DOCUMENT} | {"document": references.pop("document", None)})
    content = _members({name: data.get(name) for name in OF_LINE} | references) + event["subject"]
    own = sha256((sha256(head.encode()).hexdigest() + content).encode()).hexdigest()
    told = (line["document_number"], None, None, None)  # then purpose, time and version
    identity = "".join(json.dumps(text or "", ensure_ascii=False)[1:-1] + "\x1f" for text in told)
    return sha256(identity.encode()).hexdigest()[:8] + own[:24], own[:16]


def _members(said: Mapping[str, str | None]) -> str:
    texts = {name: text for name, text in said.items() if text is not None}
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))[1:-1]


def test_base_quantities_are_exact(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    line = OF_KIND[LineKind.STOCK]
    events, findings = events_of(
        mapping_of(LineKind.STOCK),
        master,
        line | {"unit": "XCT", "quantity": "0.25"},
        line | {"item": "P2", "unit": "MLT", "quantity": "123456789.123"},
    )
    assert findings == []
    assert [(data["base_quantity"], data["base_unit"]) for data in data_of(events)] == [
        ("3", "EA"),
        ("123456.789123", "LTR"),
    ]


def test_no_conversion_is_a_finding_and_no_event(
    mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    line = OF_KIND[LineKind.STOCK] | {"unit": "KGM"}
    events, (finding,) = events_of(mapping_of(LineKind.STOCK), master, OF_KIND[LineKind.STOCK], line)
    assert events["line"].to_list() == [1]
    assert (finding.code, finding.severity, finding.value, finding.line) == (
        "unit.inconvertible",
        Severity.ERROR,
        "KGM",
        2,
    )
    events, (finding,) = events_of(mapping_of(LineKind.STOCK), master, line, lenient=True)
    assert finding.severity is Severity.WARNING
    assert [(data["base_quantity"], data["base_unit"]) for data in data_of(events)] == [("5", "KGM")]


@pytest.mark.parametrize("name", ["partner", "item", "site", "quantity", "unit"])
def test_an_event_that_would_lack_something_is_not_made(
    name: str, mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    line = OF_KIND[LineKind.STOCK] | {name: None}
    events, findings = events_of(mapping_of(LineKind.STOCK), master, line, OF_KIND[LineKind.STOCK])
    assert events["line"].to_list() == [2]
    assert f"{name}.missing" in {finding.code for finding in findings}
    assert {finding.line for finding in findings} == {1}


@pytest.mark.parametrize(
    ("name", "value"), [("unit", "each"), ("price", "5,00"), ("currency", "euro"), ("due_at", "soon")]
)
def test_an_event_that_would_be_misshapen_is_not_made(
    name: str, value: str, mapping_of: Callable[..., CompiledMapping], master: MasterData
) -> None:
    line = OF_KIND[LineKind.ORDER] | {name: value, "item": "P9"}
    events, findings = events_of(mapping_of(LineKind.ORDER), master, line)
    assert events.is_empty()
    assert ("value.misshapen", value) in {(finding.code, finding.value) for finding in findings}


def test_when_it_happened(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    line = OF_KIND[LineKind.SHIP_NOTICE]
    mapping = mapping_of(LineKind.SHIP_NOTICE)
    undated = line | {"document_time": None}
    shipped = undated | {"shipped_at": "2026-03-29T00:00:00Z"}
    events, _ = events_of(mapping, master, line, shipped, undated, received="2026-04-01T06:00:00Z")
    assert events["time"].to_list() == [TIME, "2026-03-29T00:00:00Z", "2026-04-01T06:00:00Z"]
    events, (finding,) = events_of(mapping, master, undated)
    assert events.is_empty()
    assert finding.code == "time.missing"


def test_no_lines_make_no_events(mapping_of: Callable[..., CompiledMapping], master: MasterData) -> None:
    events, findings = events_of(mapping_of(LineKind.STOCK), master)
    assert events.equals(empty_events())
    assert findings == []
