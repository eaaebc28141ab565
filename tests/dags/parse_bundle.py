"""Parse the bundle as the DAG processor does, and print what came of it as JSON.

Run in a process of its own, because Airflow reads its configuration when it is imported and
because only a fresh process can tell what parsing alone imports and touches.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import DAG, AssetOrTimeSchedule  # noqa: F401  the DAG files' own imports are not counted
from airflow.serialization.serialized_objects import DagSerialization

TOUCHING = ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen")


def task_facts(task: Any) -> dict[str, Any]:
    return {
        "owner": task.owner,
        "retries": task.retries,
        "policy": type(task.retry_policy).__name__,
        "backoff": task.retry_exponential_backoff,
        "longest_pause": task.max_retry_delay.total_seconds(),
        "timeout": task.execution_timeout.total_seconds(),
        "mapped": task.is_mapped,
        "outlets": [asset.name for asset in task.outlets],
    }


def dag_facts(dag: Any) -> dict[str, Any]:
    DagSerialization.to_dict(dag)
    return {
        "file": Path(dag.fileloc).name,
        "description": dag.description,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "schedule": repr(dag.schedule),
        "tasks": {task.task_id: task_facts(task) for task in dag.tasks},
    }


def main(folder: Path) -> None:
    touched: list[str] = []
    before = set(sys.modules)
    sys.addaudithook(lambda event, _: touched.append(event) if event in TOUCHING else None)
    begun = time.process_time()
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    seconds = time.process_time() - begun
    facts = {
        "seconds": seconds,
        "touched": touched,
        "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
        "errors": bag.import_errors,
        "dags": {dag_id: dag_facts(dag) for dag_id, dag in bag.dags.items()},
    }
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
