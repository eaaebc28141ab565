"""docker-compose.yml, the Dockerfile and the local launcher say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossdock.local.services import AIRFLOW_SETTINGS, MIGRATE, SERVICES

ROOT = Path(__file__).resolve().parent.parent.parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def test_every_service_runs_the_command_the_demo_runs(compose):
    commands = {name: tuple(service["command"]) for name, service in compose["services"].items() if name != "postgres"}
    assert commands == {**SERVICES, "migrate": MIGRATE}


def test_airflow_is_set_as_in_the_demo(compose):
    for name in (*SERVICES, "migrate"):
        environment = compose["services"][name]["environment"]
        assert {key: environment.get(key) for key in AIRFLOW_SETTINGS} == AIRFLOW_SETTINGS, name


def test_every_image_is_pinned_to_a_patch_release(compose):
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition("FROM ")[2].split()[0]
    foreign = {service["image"] for service in compose["services"].values() if "build" not in service}
    for one in (image, *foreign):
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", one), one


def test_no_secret_has_a_default(compose):
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = re.findall(r"\$\{(\w+)([^}]*)\}", text)
    assert secrets
    for name, default in secrets:
        assert default == "" or default.startswith(":?"), name


def test_every_long_running_service_is_watched(compose):
    for name, service in compose["services"].items():
        assert "healthcheck" in service or service.get("restart") == "no", name


def test_the_image_holds_every_package_and_the_bundle():
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == {"schemas", "mappings", "connectors", "crossdock", "dags", "plugins"}


def test_the_image_does_not_run_as_root():
    instructions = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\w+)$", instructions, re.MULTILINE)[-1] != "root"
