"""Channels: one file each in ``connectors/channels``, saying where bytes come from and how often."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """No unknown keys; immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Channel(Strict):
    """One way in. ``source`` is checked by the source kind's own model (see ``connectors.registry``).

    ``purpose`` is ``events`` for business documents, ``master_data`` for a channel whose payloads
    are master tables. ``partner`` fixes the partner where the bytes carry no sender of their own.
    """

    channel: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    description: str = ""
    purpose: Literal["events", "master_data"] = "events"
    source: dict[str, Any]  #: ``kind`` and that kind's options
    format: str | None = None  #: fixed format name; None: each payload is recognised
    partner: str | None = None
    schedule: str | None = "*/5 * * * *"  #: cron; None: only when asked
    batch: Annotated[int, Field(ge=1, le=10_000)] = 100  #: payloads a translate task takes
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    enabled: bool = True
