"""The published contract says what the models say."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from crossdock.contract.generating import CONFIG, asyncapi, config_schema, event_schema, files, main, stale, write
from crossdock.settings import Settings
from schemas.events import DATA_OF, Stream


def test_what_is_checked_in_is_up_to_date() -> None:
    assert stale() == []
    assert main(["--check"]) == 0


def test_a_file_that_differs_is_stale(tmp_path: Path) -> None:
    assert stale(tmp_path) == list(files())
    write(tmp_path)
    assert stale(tmp_path) == []
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0\n", "utf-8")
    assert stale(tmp_path) == ["asyncapi.yaml"]


@pytest.mark.parametrize("stream", Stream)
def test_event_schemas_are_json_schema(stream: Stream) -> None:
    schema = event_schema(stream)
    jsonschema.Draft202012Validator.check_schema(schema)
    data = schema["$defs"][DATA_OF[stream].__name__]
    assert {"partner", "item", "site", "quantity", "unit", "kind", "lineage", "references"} <= set(data["required"])
    assert schema["properties"]["type"] == {"const": stream.type}


def test_asyncapi_refers_to_what_is_there() -> None:
    document = asyncapi()
    text = yaml.safe_dump(document)
    for stream in Stream:
        assert f"./events/{stream.value}.schema.json" in text
        assert document["operations"][f"publish_{stream.value}"]["channel"]["$ref"] == f"#/channels/{stream.value}"
        assert f"events/{stream.value}.schema.json" in files()


@pytest.mark.parametrize(
    ("name", "folder"), [("partner", "partners"), ("mapping", "mappings"), ("channel", "channels")]
)
def test_the_shipped_configuration_satisfies_the_editors_schemas(name: str, folder: str) -> None:
    validator = jsonschema.Draft202012Validator(config_schema(CONFIG[name]))
    paths = sorted(getattr(Settings.from_environment({}), folder).glob("*.yaml"))
    assert paths
    for path in paths:
        validator.validate(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize("name", CONFIG)
def test_the_editors_schemas_refuse_unknown_keys(name: str) -> None:
    validator = jsonschema.Draft202012Validator(config_schema(CONFIG[name]))
    assert any("teir" in error.message for error in validator.iter_errors({"teir": "strategic"}))
