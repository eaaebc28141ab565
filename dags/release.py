"""Release: lines that wait go on once what they waited for is there.

Runs when another version of a master table is in force, and every ten minutes for a mapping or a partner's file
that has changed. While nothing has changed it looks and does nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowSkipException
from dock_tasks import DEFAULTS, EVENTS, MASTER_DATA, open_dock

with DAG(
    dag_id="release",
    description="Waiting lines that need wait no longer, published as they were received",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=MASTER_DATA),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "release"],
    doc_md=__doc__,
):

    @task(outlets=[EVENTS])
    def release() -> dict[str, int]:
        """How many lines were released, and how many events published."""
        with open_dock() as dock:
            done = dock.release()
        if not done.did_something:
            raise AirflowSkipException("nothing that waits can go on yet")
        return {"lines": done.released, "events": done.published, "payloads": done.strangers}

    release()
