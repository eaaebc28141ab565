"""Master data: partners, items, sites, units and cross-references, table by table, if they pass their expectations.

A table that fails keeps the version in force that was there before, and the task that tried to load it fails.
"""

from __future__ import annotations

from airflow.sdk import DAG, MultipleCronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException
from dock_tasks import DEFAULTS, MASTER_DATA, configured_channels, open_dock

channels = list(configured_channels("master_data"))
schedules = sorted({channel.schedule for channel in channels if channel.schedule})

with DAG(
    dag_id="master_data",
    description="Master tables out of the ERP, checked before they come into force",
    schedule=MultipleCronTriggerTimetable(*schedules, timezone="UTC") if schedules else None,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "master_data"],
    doc_md=__doc__,
):
    for channel in channels:

        @task(task_id=f"load_{channel.channel}", retries=channel.retries, outlets=[MASTER_DATA])
        def load(name: str) -> None:
            with open_dock() as dock:
                loads = dock.load_master_data(name)
            refused = [f"{one.table}: {reason}" for one in loads for reason in one.reasons]
            if refused:
                raise AirflowFailException("; ".join(("the version in force stays", *refused)))

        load(channel.channel)
