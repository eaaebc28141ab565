"""The contract as others check it, and what breaks a promise of the last release."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from crossdock.contract import generating
from crossdock.contract.compatibility import breaking
from crossdock.contract.generating import event_schema
from schemas.events import Stream

NOW = event_schema(Stream.DEMAND)


def changed(**places: Any) -> dict[str, Any]:
    """The schema of demand, changed at some places; a value of None takes the key away."""
    schema = copy.deepcopy(NOW)
    for path, value in places.items():
        *steps, last = path.split("__")
        at: Any = schema
        for step in steps:
            at = at[step]
        if value is None:
            at.pop(last)
        else:
            at[last] = value
    return schema


DATA = "$defs__DemandData__properties__"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (changed(**{f"{DATA}price": None}), "data.price: is gone"),
        (changed(**{f"{DATA}item__type": "integer"}), "data.item.: type was 'string' and is 'integer'"),
        (changed(**{"$defs__DemandKind__enum": ["ordered"]}), "is gone from what it may be"),
        (changed(**{"$defs__DemandData__required": []}), "data.partner: was always there and may be missing now"),
        (changed(properties__type={"const": "crossdock.demand.v2"}), "const was 'crossdock.demand.v1'"),
        (changed(**{"$defs__References__properties__order": None}), "data.references.order: is gone"),
    ],
)
def test_what_breaks_a_promise(now: dict[str, Any], told: str) -> None:
    assert any(told in one for one in breaking(NOW, now)), breaking(NOW, now)


@pytest.mark.parametrize(
    "now",
    [
        NOW,
        changed(**{f"{DATA}colour": {"type": "string"}}),
        changed(**{"$defs__DemandKind__enum": [*NOW["$defs"]["DemandKind"]["enum"], "promised"]}),
        changed(description="said better"),
    ],
)
def test_adding_breaks_nothing(now: dict[str, Any]) -> None:
    assert breaking(NOW, now) == []


def test_a_broken_promise_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(generating, "TREE", tmp_path)
    generating.release(tmp_path)
    assert generating.broken_promises(tmp_path) == []
    path = tmp_path / "released" / "demand.schema.json"
    promised = json.loads(path.read_text())
    promised["properties"]["colour"] = {"type": "string"}
    path.write_text(json.dumps(promised))
    assert generating.broken_promises(tmp_path) == ["demand: colour: is gone"]


def test_every_stream_has_a_release_to_be_measured_by() -> None:
    assert generating.broken_promises() == []
    released = {path.name for path in (generating.TREE / "released").iterdir()}
    assert released == {f"{stream.value}.schema.json" for stream in Stream}


def test_the_data_contract_keeps_the_standard() -> None:
    standard = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    written = yaml.safe_load((generating.TREE / "datacontract.yaml").read_text("utf-8"))
    jsonschema.validators.validator_for(standard)(standard).validate(written)
    assert {table["physicalName"] for table in written["schema"]} == {stream.type for stream in Stream}
    assert {level["property"] for level in written["slaProperties"]} == {"latency", "frequency", "delivery"}
