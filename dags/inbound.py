"""One DAG a channel: take in what waits at its source, then translate it in batches.

A channel is a file in ``connectors/channels``; nothing else need be written to get its DAG. What
is wrong with a channel file is told by ``broken_configuration.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_parsing_context, task
from airflow.sdk.exceptions import AirflowSkipException
from dock_tasks import DEFAULTS, EVENTS, configured_channels, open_dock, payloads

from schemas.errors import CrossdockError, PermanentError

if TYPE_CHECKING:
    from connectors.channel import Channel

#: Airflow takes at most 1024 mapped tasks; what is more waits in the ledger for the next run.
MOST_BATCHES = 1000

#: The batch that stands for arrivals which could not be taken in. They hold up no other; its task fails, so that
#: the run does not look well.
NOT_RECEIVED: list[int] = []

log = logging.getLogger(__name__)


def inbound(channel: Channel) -> DAG:
    """``receive`` puts what waits into archive and ledger, ``translate`` makes events of it."""
    name = channel.channel
    with DAG(
        dag_id=f"inbound_{name}",
        description=channel.description or f"Everything that comes in by channel {name}",
        schedule=channel.schedule,
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS | {"retries": channel.retries},
        tags=["crossdock", "inbound", str(channel.source["kind"])],
        doc_md=__doc__,
    ) as dag:

        @task(outlets=[payloads(name)])
        def receive() -> list[list[int]]:
            """The ids of all payloads that wait, in batches, also of those a killed run left behind."""
            trouble: CrossdockError | None = None
            with open_dock() as dock:
                try:
                    dock.receive(name)
                except CrossdockError as error:
                    trouble = error
                batches = dock.batches(dock.ledger.waiting(name), name)[:MOST_BATCHES]
            if trouble and not batches:
                raise trouble
            if not batches:
                raise AirflowSkipException(f"nothing waits at {name}")
            if trouble:
                log.error("%s", trouble)
                batches.append(NOT_RECEIVED)
            return batches

        @task(outlets=[EVENTS])
        def translate(batch: list[int]) -> None:
            """Documents, lines and events of the payloads, or the findings that say why not."""
            if batch == NOT_RECEIVED:
                raise PermanentError(f"{name}: not everything could be taken in", hint="the log of receive says why")
            with open_dock() as dock:
                dock.translate(batch)

        translate.expand(batch=receive())
    return dag


wanted = get_parsing_context().dag_id
for channel in configured_channels("events"):
    if wanted in (None, f"inbound_{channel.channel}"):
        inbound(channel)
