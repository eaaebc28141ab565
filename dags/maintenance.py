"""Maintenance: what is too old goes, the ledger is compacted, and archive and audit trail are proved whole.

Runs every night. A task fails when bytes are missing or changed, the trail does not hold, or lines wait for too
long; or when documents sent over AS2 were refused or not receipted in time, or a certificate ends within 30 days: that
is what Airflow's own alerts are for. The newest hash of the trail stands in the first result; noted down elsewhere
it proves that nobody has written the whole trail anew (`crossdock verify --head`).
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException
from dock_tasks import DEFAULTS, open_dock

with DAG(
    dag_id="maintenance",
    description="What is too old goes; archive and audit trail are proved whole; what waits too long is told",
    schedule=CronTriggerTimetable("30 2 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["crossdock", "maintenance"],
    doc_md=__doc__,
):

    @task
    def maintain() -> dict[str, int | str]:
        """What was given up, and the newest hash of the trail."""
        from crossdock.retention import Retention, maintain

        with open_dock() as dock:
            done = maintain(Retention.from_environment(os.environ), ledger=dock.ledger, archive=dock.archive)
        if done.alarms:
            raise AirflowFailException("; ".join(done.alarms))
        given_up = {"raw": done.raw, "findings": done.findings, "events": done.events, "leftovers": done.leftovers}
        return {**given_up, "head": done.head}

    @task
    def as2() -> None:
        """Documents sent over AS2 and certificates that need somebody."""
        from datetime import UTC, datetime

        from crossdock.stations import ending_certificates, late_documents, told

        now = datetime.now(UTC)
        with open_dock() as dock:
            home = dock.settings.home
            alarms = [told(late) for late in late_documents(home, now)]
            alarms += ending_certificates(dock.channels, dock.outlets, home=home, connections=dock.connections, at=now)
        if alarms:
            raise AirflowFailException("; ".join(alarms))

    maintain()
    as2()
