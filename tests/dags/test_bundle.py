"""The bundle as Airflow's DAG processor sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.channel import load_channels
from connectors.outlet import load_outlets
from crossdock.settings import Settings

HEAVY = {"polars", "great_expectations", "openpyxl", "python_calamine", "lxml", "pyx12", "requests"}

SETTINGS = Settings.from_environment({})
CHANNELS = load_channels(SETTINGS.channels)
OUTLETS = load_outlets(SETTINGS.outlets)
INBOUND = {f"inbound_{name}": one for name, one in CHANNELS.items() if one.purpose == "events" and one.enabled}


def test_no_file_has_an_import_error(bundle):
    assert bundle["errors"] == {}


def test_there_is_a_dag_for_every_channel_and_one_for_each_common_duty(bundle):
    assert INBOUND
    assert bundle["dags"].keys() == {
        *INBOUND,
        "expectations",
        "maintenance",
        "master_data",
        "publish",
        "release",
        "respond",
    }


def test_master_data_has_a_task_for_every_channel_of_that_purpose(bundle):
    wanted = {f"load_{name}" for name, one in CHANNELS.items() if one.purpose == "master_data"}
    assert wanted
    assert bundle["dags"]["master_data"]["tasks"].keys() == wanted


def test_publish_has_a_task_for_every_outlet(bundle):
    assert bundle["dags"]["publish"]["tasks"].keys() == {
        f"publish_to_{name}" for name, one in OUTLETS.items() if one.enabled and one.carries == "events"
    }


def test_every_dag_says_what_it_is_and_never_overtakes_itself(bundle):
    for dag_id, dag in bundle["dags"].items():
        assert dag["description"], dag_id
        assert "crossdock" in dag["tags"], dag_id
        assert dag["max_active_runs"] == 1, dag_id
        assert dag["catchup"] is False, dag_id


def test_every_task_retries_by_error_class_with_growing_pauses(bundle):
    tasks = {f"{dag_id}.{name}": task for dag_id, dag in bundle["dags"].items() for name, task in dag["tasks"].items()}
    for name, task in tasks.items():
        assert task["owner"] == "crossdock", name
        assert task["policy"] == "ByErrorClass", name
        assert task["backoff"] == 2.0, name
        assert task["longest_pause"] == 600, name
        assert task["timeout"] > 0, name


def test_inbound_takes_schedule_and_retries_from_the_channel_file(bundle):
    for dag_id, channel in INBOUND.items():
        dag = bundle["dags"][dag_id]
        assert channel.schedule in dag["schedule"]
        assert {task["retries"] for task in dag["tasks"].values()} == {channel.retries}


def test_assets_lead_from_channel_to_feed(bundle):
    for dag_id, channel in INBOUND.items():
        tasks = bundle["dags"][dag_id]["tasks"]
        assert tasks["receive"]["outlets"] == [f"crossdock_payloads_{channel.channel}", "crossdock_events"]
        assert tasks["translate"]["outlets"] == ["crossdock_events"]
        assert tasks["translate"]["mapped"]
    assert "crossdock_events" in bundle["dags"]["publish"]["schedule"]
    for task in bundle["dags"]["master_data"]["tasks"].values():
        assert task["outlets"] == ["crossdock_master_data"]


def test_parsing_touches_no_network_database_or_process(bundle):
    assert bundle["touched"] == []


def test_parsing_imports_nothing_heavy(bundle):
    assert HEAVY.isdisjoint(bundle["imported"])


def test_parsing_takes_less_than_a_second_beyond_importing_airflow(bundle):
    assert bundle["seconds"] < 1


BROKEN = {
    "channels/mistyped.yaml": (
        "channel: mistyped\nsource: {kind: fodler, path: x}\n",
        "source.kind: unknown kind 'fodler'; did you mean 'folder'?",
    ),
    "channels/torn.yaml": ("channel: torn\n  source: [\n", "channels/torn.yaml:2: not YAML"),
    "channels/strange.yaml": (
        "channel: strange\nsource: {kind: folder, path: x}\nretires: 4\n",
        "unknown key 'retires'; did you mean 'retries'?",
    ),
    "channels/empty.yaml": ("", "should hold keys and values, but holds nothing"),
    "outlets/pigeon.yaml": ("outlet: pigeon\nsink: {kind: pigeon}\n", "sink.kind: unknown kind 'pigeon'"),
}


def test_broken_files_are_an_import_error_that_tells_all_and_stops_no_other_dag(parse, bundle, configuration: Path):
    for name, (content, _) in BROKEN.items():
        (configuration / name).write_text(content, encoding="utf-8")
    facts = parse(CROSSDOCK_CHANNELS=configuration / "channels", CROSSDOCK_OUTLETS=configuration / "outlets")
    assert facts["dags"] == bundle["dags"]
    [(where, error)] = facts["errors"].items()
    assert where == "broken_configuration.py"
    for name, (_, told) in BROKEN.items():
        [line] = [line for line in error.splitlines() if f"{name}:" in line]
        assert told in line
    assert str(configuration / "channels") in error
    for name in ("inbound_mistyped", "inbound_torn", "inbound_strange", "inbound_empty", "publish_to_pigeon"):
        assert name in error


def test_a_channel_switched_off_has_no_dag(parse, configuration: Path):
    dag_id, channel = next(iter(INBOUND.items()))
    for file in (configuration / "channels").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        if f"channel: {channel.channel}\n" in text:
            file.write_text(f"{text}\nenabled: false\n", encoding="utf-8")
    assert parse(CROSSDOCK_CHANNELS=configuration / "channels")["dags"].keys() == {
        *INBOUND,
        "expectations",
        "maintenance",
        "master_data",
        "publish",
        "release",
        "respond",
    } - {dag_id}


def test_a_task_parses_only_its_own_channel(parse):
    """A worker parses the file anew for every task; with hundreds of channels that must not cost hundreds of DAGs."""
    dag_id = next(iter(INBOUND))
    facts: dict[str, Any] = parse(_AIRFLOW_PARSING_CONTEXT_DAG_ID=dag_id, _AIRFLOW_PARSING_CONTEXT_TASK_ID="receive")
    assert {name for name, dag in facts["dags"].items() if dag["file"] == "inbound.py"} == {dag_id}
