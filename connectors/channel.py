"""Channels: one file each in ``connectors/channels``, saying where bytes come from and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from connectors.mailbox.authentication import Method
from schemas.configuration import Problem, Shelf, Strict, load_folder, read_entry

__all__ = ["Channel", "Strict", "load_channels", "read_channel"]


#: Lowest and highest number of minute, hour, day, month and weekday in a cron expression.
_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_ITEM = re.compile(r"\*(?:/[1-9]\d*)?|(\d+)(?:-(\d+)(?:/[1-9]\d*)?)?")
_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")


def _schedule(given: str) -> str:
    fields = given.split()
    sound = len(fields) == len(_CRON) and all(
        _fits(item, *bounds) for field, bounds in zip(fields, _CRON, strict=True) for item in field.split(",")
    )
    if not sound and given not in _PRESETS:
        raise ValueError(f"not a schedule; write five cron fields in numbers, as in */5 * * * *, or {_PRESETS[0]}")
    return given


def _fits(item: str, lowest: int, highest: int) -> bool:
    if (match := _CRON_ITEM.fullmatch(item)) is None:
        return False
    numbers = [int(number) for number in match.groups() if number is not None]
    return numbers == sorted(numbers) and all(lowest <= number <= highest for number in numbers)


class MailAuthentication(Strict):
    """By whose word a mail is believed to be from its sender (see ``connectors.mailbox.authentication``)."""

    server: Annotated[str, Field(min_length=3)]  #: the name our own mail server puts first in Authentication-Results
    require: Annotated[list[Method], Field(min_length=1)] = ["dmarc"]  #: one of these must have passed


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
    schedule: Annotated[str, AfterValidator(_schedule)] | None = "*/5 * * * *"  #: cron; None: only when asked
    watch: bool = True  #: also at once when something lands, where its source can tell (``connectors.landings``)
    authentication: MailAuthentication | None = None  #: for mail; None: every mail is believed to be from its sender
    batch: Annotated[int, Field(ge=1, le=10_000)] = 100  #: payloads a translate task takes
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    enabled: bool = True


def read_channel(path: Path) -> Channel:
    """The channel a file describes, its source options checked too. Raises ConfigError with all its problems."""
    return read_entry(path, Channel, _further)[1]


def load_channels(folder: Path) -> Shelf[Channel]:
    """All channels of a folder by name; broken files are in ``.broken`` and stop no other."""
    return load_folder(folder, Channel, _further, named="channel")


def _further(given: Mapping[str, Any]) -> Iterator[Problem]:
    from connectors import registry

    if isinstance(source := given.get("source"), dict):
        yield from registry.problems_in_source(source)
    if (format_ := given.get("format")) is not None:
        yield from registry.problems_in_format(format_)
