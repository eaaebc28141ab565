"""What a channel says of pulls, whatever system they are of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from connectors import profiles
from schemas.configuration import Strict
from schemas.durations import Duration


class ReconcileOptions(Strict):
    """How rows that are gone, or that no pull has seen, are found: by the keys of all rows there are."""

    every: Duration = Field(timedelta(days=1), gt=timedelta(0))
    most: Annotated[float, Field(gt=0, le=1)] = 0.1  #: share of what is known that may be gone at once


class PullQuery(Strict):
    """One query; its name is the document type (``rows.<name>``)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    key: list[str] = []  #: the columns that tell one row from another
    overlap: Duration = Field(timedelta(0), ge=timedelta(0))  #: how late a row may appear; for a counter, a number


class PullOptions(Strict):
    """Of a source whose queries may come with a profile."""

    conn_id: str
    queries: Sequence[PullQuery]
    payload_rows: Annotated[int, Field(ge=1)] = 100_000  #: rows of an incremental pull that are one payload

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, given: object) -> object:
        takes = "profile" in cls.model_fields and isinstance(given, dict) and given.get("profile") is not None
        return profiles.merged(given) if takes else given  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _queries_fit(self) -> PullOptions:
        if not self.queries:
            or_name = ", or name a profile" if hasattr(self, "profile") else ""
            raise ValueError(f"queries: is missing; write some{or_name}")
        names = [query.name for query in self.queries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"queries: more than one is called {', '.join(twice)}")
        return self
