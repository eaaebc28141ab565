"""What the DAG tests share: the bundle, parsed in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DAGS = ROOT / "dags"

Parse = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    """Parses the bundle; keyword arguments are environment variables."""
    home = tmp_path_factory.mktemp("airflow")

    def parse(**environment: object) -> dict[str, Any]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CROSSDOCK_", "_AIRFLOW"))}
        settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("parse_bundle.py")), str(DAGS)],
            check=True,
            stdout=subprocess.PIPE,
            cwd=home,
            env=inherited | settings | {name: str(value) for name, value in environment.items()},
        )
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return facts

    return parse


@pytest.fixture(scope="session")
def bundle(parse: Parse) -> dict[str, Any]:
    """The bundle as shipped."""
    return parse()


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A copy of the shipped channels and outlets, to be spoilt."""
    for name in ("channels", "outlets"):
        shutil.copytree(ROOT / "connectors" / name, tmp_path / name)
    return tmp_path
