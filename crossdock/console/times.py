"""Times on the pages: in the installation's zone, which is named beside each; at rest on one, it is told in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from markupsafe import Markup

from crossdock.views.display import clock, moment

_TIME = Markup('<time datetime="{}" title="{}">{}</time>')
_IN_ZONE = Markup("{} <small>{}</small>")


@dataclass(frozen=True, slots=True)
class Times:
    """Instants as a page shows them."""

    zone: tzinfo = UTC

    def minute(self, instant: datetime | str | None) -> Markup:
        """``2026-03-01 09:00 CET``; of an event's own time that is midnight where it was said the day alone."""
        if isinstance(instant, str):
            said, instant = moment(instant), datetime.fromisoformat(instant)
            if " " not in said:
                return _TIME.format(instant.isoformat(), clock(instant), said)
        return self._shown(instant, "%Y-%m-%d %H:%M")

    def second(self, instant: datetime) -> Markup:
        """Likewise, to the second."""
        return self._shown(instant, "%Y-%m-%d %H:%M:%S")

    def _shown(self, instant: datetime | None, form: str) -> Markup:
        if instant is None:
            return Markup()
        local = instant.astimezone(self.zone)
        return _TIME.format(instant.isoformat(), clock(instant), _IN_ZONE.format(f"{local:{form}}", local.tzname()))
