"""The API does what its description says, whatever schemathesis makes of it; the stream does what AsyncAPI says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from referencing import Registry, Resource
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crossdock.dock import Dock
from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def app(known: Any, orders: Callable[..., str]) -> Iterator[Any]:
    known.drop("po.jsonl", orders(*(("1", str(line)) for line in range(1, 6))))
    with Dock.open(known.settings) as dock:
        dock.run()
        yield feed_app(service_of(dock), TOKEN)


def test_every_answer_is_as_described(app: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers=headers)
    operations = [result.ok() for result in schema.get_all_operations()]
    asked: set[tuple[str, int]] = set()
    for operation in operations:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call_and_validate(headers=headers, checks=CHECKS)
            asked.add((case.path, answer.status_code))

        ask()
    assert {path for path, status in asked if status in (200, 201)} >= {"/v1/events", "/v1/state/{what}"}
    assert len({path for path, _ in asked}) == len({operation.path for operation in operations})


SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_a_client_that_knows_only_the_asyncapi_document_understands_the_stream(app: Any) -> None:
    """It finds each message's channel by its type, and the schema by the channel's reference."""
    import asyncio

    import httpx

    document = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())
    validators = {}
    for channel in document["channels"].values():
        [reference] = channel["messages"].values()
        message = document["components"]["messages"][reference["$ref"].rpartition("/")[2]]
        schema = json.loads((SCHEMAS / message["payload"]["schema"]["$ref"]).read_text())
        registry = Registry().with_resource(schema["$id"], Resource.from_contents(schema))
        validators[channel["address"]] = jsonschema.Draft202012Validator(schema, registry=registry)

    async def read() -> list[dict[str, Any]]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://dock") as client:
            headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/x-ndjson"}
            lines = (await client.get("/v1/events", headers=headers)).text.splitlines()
            return [json.loads(line) for line in lines]

    events = asyncio.run(read())
    assert len(events) == 5
    for event in events:
        validators[event["type"]].validate(event)
        with pytest.raises(jsonschema.ValidationError):
            validators[event["type"]].validate({**event, "sequence": 0})
