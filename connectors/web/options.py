"""What channels say of services that answer in JSON, whatever their dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import Field, model_validator

from connectors.base import State
from connectors.connections import Connections
from connectors.pulls.options import PullOptions, PullQuery, ReconcileOptions
from connectors.pulls.source import PullingSource, Reconcile
from connectors.web.columns import Columns
from connectors.web.pulling import Asked, Service
from connectors.web.session import WebSession
from schemas.configuration import unknown
from schemas.durations import Duration


class ReconcileService(ReconcileOptions):
    """By asking for everything, of which only these columns are taken."""

    columns: list[str] = []  #: beside key and watermark: what else an event's subject is made of
    select: list[str] = []  #: properties that are enough for them, where a service can be asked for some (OData)


class ServiceQuery(PullQuery):
    """Which columns its rows have, and where in an answer each stands."""

    columns: Columns
    keep: dict[str, list[str]] = {}  #: column -> what it has to say for the row to be taken
    initial: str = ""
    reconcile: ReconcileService | None = None

    @model_validator(mode="after")
    def _columns_fit(self) -> ServiceQuery:
        self.check_columns("key", self.key)
        self.check_columns("keep", self.keep)
        self.check_columns("reconcile.columns", self.reconcile.columns if self.reconcile else ())
        return self

    def check_columns(self, what: str, names: Sequence[str] | Mapping[str, object]) -> None:
        """Raises ValueError for a name that is no column."""
        for name in names:
            if name not in self.columns:
                raise ValueError(f"{what}: {unknown('column', name, self.columns)}")

    @property
    def reconciled(self) -> Reconcile | None:
        again = self.reconcile
        return Reconcile(every=again.every, most=again.most) if again else None

    def key_columns(self, watermark: str | None) -> list[str]:
        """The columns of the keys of all rows, in the order in which a row has them."""
        wanted = {*self.key, *self.keep, watermark, *(self.reconcile.columns if self.reconcile else ())}
        return [name for name in self.columns if name in wanted]


class ServiceOptions(PullOptions):
    """How a service is spoken to."""

    connect_timeout: Duration = Field(timedelta(seconds=10), gt=timedelta(0))
    timeout: Duration = Field(timedelta(minutes=2), gt=timedelta(0))  #: for each wait

    def session(self, connections: Connections, headers: Mapping[str, str] | None = None) -> WebSession:
        timeouts = self.connect_timeout.total_seconds(), self.timeout.total_seconds()
        return WebSession(connections(self.conn_id), timeouts=timeouts, headers=headers)

    def source(self, session: WebSession, pulls: Sequence[Asked], *, home: Path, state: State) -> PullingSource[Asked]:
        service = Service(state, close=session.close)
        return PullingSource(service, pulls, state=state, spool=home / "spool", payload_rows=self.payload_rows)
