"""OData's values as text: V2's ``/Date(...)/`` and ``PT..H``, V4's ISO 8601; and text as literals of a ``$filter``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.web.columns import plain_text

_TICKS = re.compile(r"/Date\((?P<ticks>-?\d+)(?P<zone>[+-]\d{1,4})?\)/")
_TIME = re.compile(r"PT(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reader(timezone: str | None) -> Callable[[Any], str | None]:
    """How values become text; moments without a zone get ``timezone``, or stay as they are."""
    zone = ZoneInfo(timezone) if timezone else None

    def text(value: Any) -> str | None:
        if isinstance(value, str) and value[:1] in "/P":
            if match := _TICKS.fullmatch(value):
                return _moment(int(match["ticks"]), match["zone"], zone)
            if len(value) > 2 and (match := _TIME.fullmatch(value)):
                return ":".join(f"{int(match[part] or 0):02}" for part in ("hours", "minutes", "seconds"))
        return plain_text(value)

    return text


def _moment(ticks: int, offset: str | None, zone: ZoneInfo | None) -> str:
    """OData V2 JSON 4: milliseconds since 1970. With an offset (Edm.DateTimeOffset) it is an instant; without
    (Edm.DateTime) a clock on a wall, and at midnight a day."""
    try:
        moment = _EPOCH + timedelta(milliseconds=ticks)
    except OverflowError:
        return f"/Date({ticks})/"
    if offset is not None:
        return moment.isoformat().replace("+00:00", "Z")
    wall = moment.replace(tzinfo=None)
    if wall.time() == datetime.min.time():
        return wall.date().isoformat()
    return wall.replace(tzinfo=zone).isoformat()


def literal(value: str, kind: str, version: int) -> str:
    """``value`` as a literal of a ``$filter``: quoted where it is text, so that no value can be more than a value."""
    if kind in ("datetime", "datetimeoffset", "date"):
        moment = datetime.fromisoformat(value)
        if version == 4:
            return moment.date().isoformat() if kind == "date" else _zulu(moment)
        if kind == "datetimeoffset":
            return f"datetimeoffset'{_zulu(moment)}'"
        wall = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return f"datetime'{wall.isoformat()}'"
    if kind == "number":
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            raise ValueError(f"{value!r} is no number")
        return value
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def _zulu(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
