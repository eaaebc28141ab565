"""How a page becomes HTML: the templates, what they all know, and how they say times and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from typing import Any
from urllib.parse import unquote, urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from crossdock.console.times import Times
from crossdock.feed.access import viewer_of
from crossdock.views.display import count, place, quoted, references, size


class Rendering:
    """Pages out of templates."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.templates = templates(Times(zone))

    def prepare(self) -> None:
        """Compile every template; each takes some milliseconds when it is first used."""
        for name in self.templates.list_templates(["html"]):
            self.templates.get_template(name)

    def page(self, request: Request, template: str, **told: Any) -> HTMLResponse:
        """The page that ``told`` makes of the template, with what a form has said, or what was wrong with it."""
        given = request.query_params
        whole = {
            "here": here(request),
            "viewer": viewer_of(request),
            "framed": getattr(request.state, "framed", False),
            "said": given.get("said", "")[:500],
            "failed": given.get("failed", "")[:1000],
            **told,
        }
        return HTMLResponse(self.templates.get_template(template).render(whole))


def here(request: Request) -> str:
    """The page's path, without the place at which the console is mounted."""
    return request.url.path.removeprefix(request.scope.get("root_path", ""))


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a list goes on: addresses, empty where there is nothing there."""

    newest: str
    older: str

    @classmethod
    def of(cls, request: Request, last: int | None) -> Leaf:
        """The list asked for, of which ``last`` is the id that a full page ended with; None: it was the last page."""
        asked: Mapping[str, str] = {
            name: value for name, value in request.query_params.items() if name not in ("before", "said", "failed")
        }
        path = here(request)
        older = "" if last is None else f"{path}?{urlencode({**asked, 'before': last})}"
        newest = f"{path}?{urlencode(asked)}" if "before" in request.query_params else ""
        return cls(newest, older)


def templates(times: Times) -> Environment:
    """The pages' templates: everything escaped, nothing silently missing."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader("crossdock.console"), PackageLoader("crossdock.feed")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"about": about, "count": count, "line": line, "place": place}
    made.filters |= {"minute": times.minute, "second": times.second}
    made.globals["zone"] = str(times.zone)
    made.filters |= {"quoted": quoted, "size": size, "span": span}
    return made


def about(subject: str | None) -> str:
    """What an event's subject speaks of, in short: ``order 4500000001``, ``ship notice CO10000001``."""
    kind, _, rest = (subject or "").partition("/")
    _, _, number = rest.partition("/")
    return f"{kind.replace('_', ' ')} {unquote(number.partition('/')[0])}".strip()


def line(fields: Mapping[str, str]) -> str:
    """What a line says, in short: ``order 4500000090 / 30: 554.875 KGM of AG-00103``."""
    item = fields.get("item") or fields.get("partner_item") or ""
    said = " ".join(part for part in (fields.get("quantity"), fields.get("unit"), f"of {item}" if item else "") if part)
    return ": ".join(part for part in (references({"references": fields}), said) if part)


def span(time: timedelta | None) -> str:
    """A stretch of time for people: ``42 s``, ``3.5 h``, ``12 days``."""
    if time is None:
        return ""
    seconds = time.total_seconds()
    for most, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"
