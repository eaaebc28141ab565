"""Responding: the answers that partners are promised, made and handed over.

Runs when documents have been read, and every five minutes for an outlet that was away. What a
referee refuses fails the task and stays listed; the other answers leave all the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, task
from dock_tasks import DEFAULTS, EVENTS, open_dock

with DAG(
    dag_id="respond",
    description="Acknowledgments to partners, each once, within the time agreed",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=EVENTS),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "respond"],
    doc_md=__doc__,
):

    @task
    def respond() -> dict[str, int]:
        """How many answers of each kind left."""
        with open_dock() as dock:
            responded = dock.respond()
        responded.check()
        return dict(responded.sent)

    respond()
