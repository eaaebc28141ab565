"""One DAG a channel: take in what waits at its source and translate it, in further tasks where it is much; then let
Great Expectations look at the batches that are due.

It runs as soon as something lands where that can be told (``connectors.landings``), and by the channel's schedule in
any case. A channel is a file in ``connectors/channels``; nothing else need be written to get its DAG. What is wrong
with a channel file is told by ``broken_configuration.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, TriggerRule, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped
from dock_tasks import DEFAULTS, EVENTS, configured_channels, landed, open_dock, payloads

from connectors.landings import is_watched
from schemas.errors import PermanentError

if TYPE_CHECKING:
    from connectors.channel import Channel

#: Airflow takes at most 1024 mapped tasks; what is more waits in the ledger for the next run.
MOST_BATCHES = 1000

#: The batch that stands for arrivals which could not be taken in. They hold up no other; its task fails, so that
#: the run does not look well.
NOT_RECEIVED: list[int] = []

log = logging.getLogger(__name__)


def when(channel: Channel) -> Any:
    """The channel's schedule, and every landing that can be told."""
    if not is_watched(channel):
        return channel.schedule
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(str(channel.schedule), timezone="UTC"), assets=landed(channel)
    )


def inbound(channel: Channel) -> DAG:
    """``receive`` puts what waits into archive and ledger and makes events of it; ``translate`` does if it is much."""
    name = channel.channel
    with DAG(
        dag_id=f"inbound_{name}",
        description=channel.description or f"Everything that comes in by channel {name}",
        schedule=when(channel),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS | {"retries": channel.retries},
        tags=["crossdock", "inbound", str(channel.source["kind"])],
        doc_md=__doc__,
    ) as dag:

        @task(outlets=[payloads(name), EVENTS])
        def receive() -> list[list[int]]:
            """What is left to translate, in batches of payload ids: none where all that waited made one."""
            from crossdock.expectations import is_due
            from crossdock.fresh import take_in

            with open_dock() as dock:
                done = take_in(dock, name)
                due = not done.nothing and is_due(dock.ledger, name)
            if done.nothing:
                if done.trouble:
                    raise done.trouble
                raise AirflowSkipException(f"nothing waits at {name}")
            left = list(done.batches[:MOST_BATCHES])
            if done.trouble:
                log.error("%s", done.trouble)
                left.append(NOT_RECEIVED)
            if not left and not due:
                raise DownstreamTasksSkipped(tasks=["translate", "expectations"])
            return left

        @task(outlets=[EVENTS])
        def translate(batch: list[int]) -> None:
            """Documents, lines and events of the payloads, or the findings that say why not."""
            if batch == NOT_RECEIVED:
                raise PermanentError(f"{name}: not everything could be taken in", hint="the log of receive says why")
            with open_dock() as dock:
                dock.translate(batch)

        @task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
        def expectations() -> dict[str, int]:
            """How many of the batches that came Great Expectations has looked at; it fails where it disagrees."""
            from crossdock.expectations import is_due, record

            with open_dock() as dock:
                if not is_due(dock.ledger, name):
                    raise AirflowSkipException("no batch is due to be looked at")
                done = record(
                    archive=dock.archive,
                    ledger=dock.ledger,
                    context=dock.context(),
                    data_docs=dock.settings.data_docs,
                    channel=name,
                )
            if done.alarms:
                raise AirflowFailException("; ".join(done.alarms))
            return {"batches": done.batches, "unsure": done.unsure}

        received = receive()
        [received, translate.expand(batch=received)] >> expectations()
    return dag


wanted = get_parsing_context().dag_id
for channel in configured_channels("events"):
    if wanted in (None, f"inbound_{channel.channel}"):
        inbound(channel)
