"""What is told of an event's data in a hurry is what msgspec tells of it at leisure."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import DATA_OF, EventData
from schemas.keeping import keeper

SOUND = {
    **{"partner": "ACME", "item": "P-1", "site": "N1", "references": {"order": "1"}, "price": "1.5", "currency": "EUR"},
    **{"quantity": "12", "unit": "EA", "base_quantity": "-0.5", "base_unit": "C62", "due_at": "2026-03-01T00:00:00Z"},
    "lineage": {"payload": "a" * 64, "document": "d", "location": "row 1", "mapping": "m", "mapping_version": "1"},
}
#: Good as one word, bad as another, each in every place.
WORDS = ["12", "-0.5", "12,5", "EA", "EUR", "ea", "2026-03-01T00:00:00Z", "2026-03-01", "a" * 64, "", "1\n", 12, None]
KINDS = {"demand": "ordered", "shipment": "notified", "inventory": "received"}


def refuses(read: Any, data: bytes) -> bool:
    try:
        read(data)
    except msgspec.ValidationError:
        return True
    return False


@pytest.mark.parametrize("model", DATA_OF.values(), ids=lambda model: model.__name__)
@settings(max_examples=60, deadline=None, database=None)
@given(data=st.data())
def test_it_is_as_strict_as_the_model_whatever_it_has_met(model: type[EventData], data: st.DataObject) -> None:
    keep, strict = keeper(model), msgspec.json.Decoder(model).decode
    kind = next(kind for stream, kind in KINDS.items() if DATA_OF[stream] is model)  # type: ignore[index]
    for _ in range(3):
        given = {"kind": kind} | json.loads(json.dumps(SOUND))
        for path in data.draw(st.lists(st.sampled_from([*model.__struct_fields__, "payload"]), max_size=3)):
            within = given["lineage"] if path == "payload" and isinstance(given["lineage"], dict) else given
            within[path] = data.draw(st.sampled_from(WORDS))
        written = json.dumps(given).encode()
        assert refuses(keep, written) == refuses(strict, written)


@pytest.mark.parametrize("model", DATA_OF.values(), ids=lambda model: model.__name__)
def test_a_word_that_is_good_elsewhere_is_not_good_here(model: type[EventData]) -> None:
    keep = keeper(model)
    kind = next(kind for stream, kind in KINDS.items() if DATA_OF[stream] is model)  # type: ignore[index]
    sound = {"kind": kind, **SOUND}
    keep(json.dumps(sound).encode())
    for bad in ({"quantity": "EA"}, {"unit": "-0.5"}, {"lineage": {**SOUND["lineage"], "payload": "12"}}):  # type: ignore[dict-item]
        for _ in range(2):
            with pytest.raises(msgspec.ValidationError):
                keep(json.dumps(sound | bad).encode())
