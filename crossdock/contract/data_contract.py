"""The data contract of the feed (Open Data Contract Standard 3.0.2), generated from the models: what is in each stream,
and the service levels that come with it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.events import DATA_OF, Stream

#: What a consumer may rely on: seconds from the landing of a file to its events in the feed, 95 of 100 times, with the
#: shipped set-up on two cores of its own (``make bench NAME=fresh``); how often what nobody tells of is asked for; and
#: how events arrive. ``docs/event-contract.md`` says it in words.
SERVICE_LEVELS: tuple[Mapping[str, Any], ...] = (
    {"property": "latency", "value": 5, "unit": "s", "driver": "operational"},
    {"property": "frequency", "value": 600, "unit": "s", "driver": "operational"},  # the shipped schedules of ERPs
    {"property": "delivery", "value": "at least once, in order for each partitionkey", "driver": "operational"},
)
_LOGICAL = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "array": "array"}


def data_contract(schemas: Mapping[Stream, Mapping[str, Any]]) -> dict[str, Any]:
    """The contract over the streams' JSON Schemas."""
    return {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": "urn:crossdock:events:v1",
        "name": "Crossdock events",
        "version": "1.0.0",
        "status": "active",
        "domain": "supply chain",
        "description": {
            "purpose": "One feed of demand, shipment and inventory facts from every ERP, EDI partner and spreadsheet.",
            "usage": "Each event at least once with an id that never changes, in order for each partitionkey; per "
            "subject the highest sequence stands. Ignore attributes you do not know.",
            "limitations": "Quantities and prices are decimal strings; times carry a zone. What a consumer sees is "
            "what its audience may see.",
        },
        "schema": [_table(stream, schemas[stream]) for stream in Stream],
        "slaProperties": [dict(level) for level in SERVICE_LEVELS],
    }


def _table(stream: Stream, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": stream.value,
        "physicalName": stream.type,
        "physicalType": "topic",
        "logicalType": "object",
        "description": " ".join(inspect.cleandoc(DATA_OF[stream].__doc__ or "").replace("``", "").split()),
        "properties": list(_properties(schema, schema)),
    }


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, given in schema["properties"].items():
        told = _resolved(given, root)
        kind = told.get("type", "object" if "properties" in told else "string")
        found: dict[str, Any] = {"name": name, "logicalType": "object" if kind == "object" else _LOGICAL[kind]}
        if name in schema.get("required", ()):
            found["required"] = True
        if name == "id" and schema is root:
            found |= {"primaryKey": True, "primaryKeyPosition": 1, "unique": True}
        if description := given.get("description") or told.get("description"):
            found["description"] = description
        if "enum" in told:
            found["examples"] = list(told["enum"])
        if pattern := told.get("pattern"):
            found["logicalTypeOptions"] = {"pattern": pattern}
        if "properties" in told:
            found["properties"] = list(_properties(told, root))
        if kind == "array":
            items = _resolved(told["items"], root)
            found["items"] = {"logicalType": "object", "properties": list(_properties(items, root))}
        yield found


def _resolved(given: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in given:
        return given
    resolved: Mapping[str, Any] = root["$defs"][given["$ref"].rpartition("/")[2]]
    return resolved
