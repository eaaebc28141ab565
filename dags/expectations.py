"""Expectations: Great Expectations goes over the batches of events that the inbound DAGs have judged.

The inbound DAGs hold every batch against its suite before anything of it is published, without waiting for Great
Expectations. Every hour it looks for itself: at what was held, parked or remarked on, and at the newest batch of each
kind; its pages are the Data Docs. The task fails where it comes to another end than the gate did.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from dock_tasks import DEFAULTS, open_dock

with DAG(
    dag_id="expectations",
    description="Great Expectations over the newest batches of events; Data Docs",
    schedule=CronTriggerTimetable("20 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "expectations"],
    doc_md=__doc__,
):

    @task
    def record() -> dict[str, int]:
        """How many batches it looked at."""
        from crossdock.expectations import record

        with open_dock() as dock:
            done = record(
                archive=dock.archive, ledger=dock.ledger, context=dock.context(), data_docs=dock.settings.data_docs
            )
        if done.alarms:
            raise AirflowFailException("; ".join(done.alarms))
        if not done.batches:
            raise AirflowSkipException("no batch was judged since the last time")
        return {"batches": done.batches, "unsure": done.unsure}

    record()
