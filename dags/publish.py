"""Publishing: hand every outlet the events it has not got yet.

Runs when new events stand in the feed, and every ten minutes for an outlet that was away. An
outlet has its own task, so that one that refuses holds up no other.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, task
from dock_tasks import DEFAULTS, EVENTS, configured_outlets, open_dock

with DAG(
    dag_id="publish",
    description="New events to every outlet, in order, each once",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=EVENTS),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "publish"],
    doc_md=__doc__,
):
    for outlet in configured_outlets():

        @task(task_id=f"publish_to_{outlet.outlet}")
        def publish(name: str) -> None:
            with open_dock() as dock:
                dock.publish(name)

        publish(outlet.outlet)
