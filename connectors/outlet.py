"""Outlets: one file each in ``connectors/outlets``, saying where events, or outbound documents, go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from schemas.configuration import Problem, Shelf, Strict, load_folder
from schemas.durations import Duration


class Retry(Strict):
    """How patient an outlet is with its receiver.

    After failures in a row it is left alone for ``first``, twice, four times as long ..., at most ``longest``; a
    run itself waits ``patience``. An event refused ``attempts`` times is a dead letter; after ``brake`` refused
    events with none taken between them the outlet is paused.
    """

    first: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=1)
    longest: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=10)
    patience: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=5)
    attempts: Annotated[int, Field(ge=1, le=100)] = 5
    brake: Annotated[int, Field(ge=1)] = 20


class Sees(Strict):
    """As who an outlet's receiver sees the feed (``schemas/visibility.yaml``)."""

    audience: Literal["planner", "buyer", "quality", "integration", "supplier"]
    partner: str = ""

    @model_validator(mode="after")
    def _is_somebody(self) -> Sees:
        if (self.audience == "supplier") != bool(self.partner):
            raise ValueError("a supplier is one of a partner, and nobody else is: {audience: supplier, partner: ACME}")
        return self


class Outlet(Strict):
    """One way out. An outlet for events has its own cursor in the ledger, by its name; one for
    documents (answers to partners) is handed what is addressed to it, each as a file."""

    outlet: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    description: str = ""
    carries: Literal["events", "documents"] = "events"
    sink: dict[str, Any]  #: ``kind`` and that kind's options (see ``connectors.registry``)
    batch: Annotated[int, Field(ge=1, le=100_000)] = 1000  #: events handed over at once
    #: where a new outlet begins: with the feed's first event, with what comes from now on, or at an instant
    begin: Literal["beginning", "now"] | AwareDatetime = "beginning"
    retry: Retry = Retry()
    sees: Sees | None = None  #: None: everything
    enabled: bool = True


def load_outlets(folder: Path) -> Shelf[Outlet]:
    """All outlets of a folder by name; broken files are in ``.broken`` and stop no other."""
    return load_folder(folder, Outlet, _further, named="outlet")


def _further(given: Mapping[str, Any]) -> Iterable[Problem]:
    from connectors import registry

    sink = given.get("sink")
    return registry.problems_in_sink(sink) if isinstance(sink, dict) else ()
