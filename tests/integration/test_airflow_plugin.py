"""The feed within Airflow's API application: Airflow's login and roles decide who sees what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

TREE = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("airflow_plugin_runs.py")


def test_airflows_login_and_roles_decide_who_sees_what(known: Any, orders: Callable[..., str], tmp_path: Path) -> None:
    known.drop("po.jsonl", orders({"order_no": "1", "line_no": "10", "unit_price": "777003.5", "currency": "EUR"}))
    assert known.run("run").exit_code == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CROSSDOCK"))}
    environment |= {
        **known.environment,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(TREE / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 40,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": str(TREE),
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment, capture_output=True, check=True, timeout=200)
    done = subprocess.run(
        [sys.executable, str(RUNNER)], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout[done.stdout.index('{"admin"') :])
    statuses, [event], policy, link = told["admin"]
    assert statuses == [200, 200]
    assert event["data"]["price"] == "777003.5"
    assert "default-src 'none'" in policy
    assert link.startswith("</crossdock/v1/events?after=1")
    statuses, [event], _, _ = told["viewer"]
    assert statuses == [200, 200]
    assert "price" not in event["data"], "a viewer is let in as a planner"
    statuses, problem, _, _ = told["None"]
    assert statuses == [401, 401]
    assert problem["title"] == "Unauthorized"
