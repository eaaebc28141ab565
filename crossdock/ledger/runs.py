"""Airflow's runs, as the audit trail knows them: which one read a payload, and which payloads one has read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crossdock.ledger.tables import audit

MOST = 1000
_ACTOR = re.compile(r"dag (?P<dag>\S+) run (?P<run>.+)")


@dataclass(frozen=True, slots=True)
class AirflowRun:
    """A run of a DAG by Airflow's own names."""

    dag: str
    run: str

    @classmethod
    def of_actor(cls, actor: str) -> Self | None:
        """The run that an actor (``crossdock.acting``) is; None for a person or a command."""
        found = _ACTOR.fullmatch(actor)
        return cls(found["dag"], found["run"]) if found else None

    @property
    def actor(self) -> str:
        return f"dag {self.dag} run {self.run}"


def run_of(connection: Connection, payload: int) -> AirflowRun | None:
    """The newest run that took the payload in or read it."""
    query = (
        sa.select(audit.c.actor)
        .where(audit.c.subject == f"payload {payload}", audit.c.actor.like("dag %"))
        .order_by(audit.c.id.desc())
        .limit(1)
    )
    actor = connection.scalar(query)
    return AirflowRun.of_actor(actor) if actor is not None else None


def payloads_of(connection: Connection, run: AirflowRun) -> list[int]:
    """The ids of the payloads that a run took in or read, the newest ``MOST`` of them."""
    query = sa.select(audit.c.subject).where(audit.c.actor == run.actor, audit.c.subject.like("payload %")).distinct()
    subjects = (subject.removeprefix("payload ") for subject in connection.scalars(query))
    return sorted(int(id) for id in subjects if id.isdecimal())[-MOST:]
