"""What all our Airflow tasks share: their assets, how they retry, and the dock they work at.

Nothing here is a DAG, and ``.airflowignore`` keeps Airflow from looking for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetWatcher, RetryDecision, RetryPolicy

from connectors.channel import load_channels
from connectors.outlet import load_outlets
from crossdock.airflow.landing import WORD, Landing
from crossdock.own_process import prepare_polars
from crossdock.settings import Settings
from schemas.errors import ConfigError, PermanentError, TransientError

if TYPE_CHECKING:
    from connectors.channel import Channel
    from connectors.outlet import Outlet
    from crossdock.dock import Dock

#: New events stand in the feed: a DAG has made them, or word was left of a file that was handed over, of something
#: that was mended in the console, or of an outlet that may go on.
EVENTS = Asset(
    name="crossdock_events",
    uri="crossdock://events",
    group="crossdock",
    watchers=[AssetWatcher(name="crossdock_word", trigger=Landing(WORD, WORD))],
)

#: Another version of a master table is in force.
MASTER_DATA = Asset(name="crossdock_master_data", uri="crossdock://master-data", group="crossdock")


def payloads(channel: str) -> Asset:
    """Payloads of ``channel`` stand in archive and ledger."""
    return Asset(name=f"crossdock_payloads_{channel}", uri=f"crossdock://payloads/{channel}", group="crossdock")


def landed(channel: Channel) -> Asset:
    """Something has landed at ``channel``: told by a watch in the triggerer."""
    name = f"crossdock_landed_{channel.channel}"
    trigger = Landing(channel.channel, str(channel.source["kind"]))
    watchers = [AssetWatcher(name=name, trigger=trigger)]
    return Asset(name=name, uri=f"crossdock://landed/{channel.channel}", group="crossdock", watchers=watchers)


class ByErrorClass(RetryPolicy):
    """Try again what the world will mend by itself, and only that.

    A TransientError is retried after its ``retry_after`` seconds, or by the task's own backoff
    where it names none. A ConfigError or PermanentError fails at once. Anything else is a fault
    of ours or of a library: the task's ordinary retries apply.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002
        max_tries: int,  # noqa: ARG002
        context: Any = None,  # noqa: ARG002
    ) -> RetryDecision:
        match exception:
            case TransientError(retry_after=None):
                return RetryDecision.retry(reason=str(exception))
            case TransientError(retry_after=seconds):
                return RetryDecision.retry(delay=timedelta(seconds=seconds), reason=str(exception))
            case ConfigError() | PermanentError():
                return RetryDecision.fail(reason=str(exception))
            case _:
                return RetryDecision.default()


#: ``default_args`` of every DAG: from 10 seconds the pause doubles up to 10 minutes.
DEFAULTS: dict[str, Any] = {
    "owner": "crossdock",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ByErrorClass(),
    "execution_timeout": timedelta(hours=2),
}


def configured_channels(purpose: str) -> Iterator[Channel]:
    """The channels of that purpose which are switched on, but for those whose file is broken."""
    channels = load_channels(Settings.from_environment().channels)
    return (one for one in channels.values() if one.purpose == purpose and one.enabled)


def configured_outlets() -> Iterator[Outlet]:
    """The outlets for events that are switched on, but for those whose file is broken."""
    outlets = load_outlets(Settings.from_environment().outlets)
    return (one for one in outlets.values() if one.enabled and one.carries == "events")


def open_dock() -> Dock:
    """The dock this installation's environment describes, its connections those of Airflow."""
    prepare_polars()
    from crossdock.airflow.connection import connection
    from crossdock.dock import Dock

    return Dock.open(connections=connection)
