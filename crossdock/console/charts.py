"""Charts as SVG, drawn on the server by Vega-Lite (vl-convert): no script runs in the page.

Colours are names for the style sheet: ``console.css`` gives each of these its colour, light and dark. What a
chart shows stands in a table beside it too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from crossdock.feed.supply import Day

VERSION = "6.4"  #: of Vega-Lite
DEMAND, ARRIVING, BALANCE, SHORT, GOOD, BAD = "#a05a00", "#2f6f9f", "#1c2126", "#b02a2a", "#2e7d4f", "#b02a2b"
_AXIS = {"labelColor": "#58626b", "titleColor": "#58626b", "gridColor": "#dfe3e6", "domainColor": "#dfe3e6"}
_CONFIG = {
    "axis": {**_AXIS, "tickColor": "#dfe3e6", "labelFontSize": 12, "titleFontSize": 12, "labelFont": "sans-serif"},
    "view": {"stroke": None},
    "font": "sans-serif",
}
_WIDTH = 960


def supply_chart(weeks: Sequence[Day], title: str) -> Markup:
    """Demand and what arrives by week as bars, the projected balance as a line; each week leads to its movements."""
    bars: list[dict[str, Any]] = []
    for week in weeks:
        for kind, quantity in (("wanted", -week.demand), ("coming in", week.arriving)):
            if quantity:
                told = f"Week of {shown(week.day)}: {abs(quantity)} {kind}"
                bars.append(
                    {"week": _label(week), "kind": kind, "quantity": float(quantity), "to": _row(week), "told": told}
                )
    balances = [
        {
            "week": _label(week),
            "balance": float(week.balance),
            "short": week.balance < 0,
            "to": _row(week),
            "told": f"Week of {shown(week.day)}: {week.balance} left",
        }
        for week in weeks
        if week.balance is not None
    ]
    layers = [_bars(bars), _zero(), *([_line(balances)] if balances else [])]
    x = {
        "field": "week", "type": "ordinal", "scale": {"domain": [_label(week) for week in weeks]},
        "axis": {"title": None, "labelAngle": 0, "labelOverlap": True},
    }  # fmt: skip
    return drawn({"title": title, "encoding": {"x": x}, "layer": layers}, width=_WIDTH, height=280)


def _row(week: Day) -> str:
    """The week's movements on the page: inside a closed ``details``, which opens when an address leads into it."""
    return f"#week-{week.day.isoformat()}"


def _label(week: Day) -> str:
    return f"{week.day.day} {week.day:%b}"


def _bars(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    colours = {"domain": ["wanted", "coming in"], "range": [DEMAND, ARRIVING]}
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "width": {"band": 0.6}},
        "encoding": {
            "y": {"field": "quantity", "type": "quantitative", "title": None, "stack": "zero"},
            "color": {"field": "kind", "type": "nominal", "legend": None, "scale": colours},
            "href": {"field": "to"},
            "description": {"field": "told"},
        },
    }


def _line(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Steps from week to week, with a point in each; one at which it is short stands out."""
    y = {"field": "balance", "type": "quantitative"}
    colour = {"condition": {"test": "datum.short", "value": BAD}, "value": BALANCE}
    size = {"condition": {"test": "datum.short", "value": 90}, "value": 30}
    told = {"description": {"field": "told"}, "href": {"field": "to"}}
    return {
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2, "color": BALANCE},
                "encoding": {"y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1},
                "encoding": {"y": y, "color": colour, "size": size, **told},
            },
        ],
    }


def _zero() -> dict[str, Any]:
    return {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "color": SHORT, "strokeDash": [4, 3]},
        "encoding": {"x": None, "y": {"field": "zero", "type": "quantitative"}},
    }


def hours_chart(hours: Sequence[dict[str, Any]], title: str, *, since: datetime, until: datetime) -> Markup:
    """Payloads by hour from ``since`` to ``until``, in the zone of these, those that could not be read apart."""
    rows = []
    for hour in hours:
        at, local = hour["hour"], hour["hour"].astimezone(since.tzinfo)
        for kind, number in (("read", hour["payloads"] - hour["unreadable"]), ("not readable", hour["unreadable"])):
            if number:
                told = f"{local:%d %b %H:%M}: {number} {kind} by {hour['channel']}"
                to = f"/documents?hour={at:%Y-%m-%dT%H}Z&channel={quote(hour['channel'])}"
                middle = _wall(local + timedelta(minutes=30))
                rows.append({"hour": middle, "kind": kind, "payloads": number, "told": told, "to": to})
    colours = {"domain": ["read", "not readable"], "range": [GOOD, BAD]}
    spec = {
        "title": title,
        "data": {"values": rows},
        "mark": {"type": "bar", "width": _WIDTH / ((until - since) / timedelta(hours=1)) * 0.8},
        "encoding": {
            "x": {
                "field": "hour", "type": "temporal", "axis": {"title": None, "format": "%a %H:%M", "tickCount": 8},
                "scale": {"type": "utc", "domain": [_wall(since), _wall(until)], "nice": False},
            },
            "y": {
                "field": "payloads", "type": "quantitative", "title": None, "stack": "zero",
                "axis": {"tickMinStep": 1, "tickCount": 4},
            },
            "color": {"field": "kind", "type": "nominal", "legend": None, "scale": colours},
            "href": {"field": "to"},
            "description": {"field": "told"},
        },
    }  # fmt: skip
    return drawn(spec, width=_WIDTH, height=130)


def _wall(at: datetime) -> str:
    """What the clock on the wall says, as if it were UTC: Vega knows no other zone but its process's."""
    return at.replace(tzinfo=UTC).isoformat()


def drawn(spec: dict[str, Any], *, width: int, height: int) -> Markup:
    """The chart that a Vega-Lite specification describes; its ``title`` is the picture's description."""
    title = spec.pop("title", "")
    whole = {"width": width, "height": height, "background": None, "config": _CONFIG, **spec}
    return _picture(_svg(msgspec.json.encode(whole)), title)


def prepare() -> None:
    """Draw a chart of each kind: the first ones take half a second, in which what draws them starts."""
    hour, one = datetime(2026, 1, 5, tzinfo=UTC), Decimal(1)
    hours = [{"hour": hour, "channel": "", "payloads": 2, "unreadable": 1}]
    hours_chart(hours, "", since=hour, until=hour + timedelta(hours=48))
    supply_chart([Day(day=hour.date(), demand=one, firm=one, arriving=one, balance=one)], "")


@lru_cache(maxsize=64)
def _svg(spec: bytes) -> str:
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(spec.decode(), vl_version=VERSION, allowed_base_urls=[])
    return svg


def _picture(svg: str, title: str) -> Markup:
    """The SVG to stand in a page: as wide as there is room, told what it shows, its links those of the page."""
    svg = re.sub(r' width="\d+(?:\.\d+)?" height="\d+(?:\.\d+)?"', "", svg, count=1)
    svg = re.sub(r'xlink:href="[^"]*/vega-datasets/(?=[#/])', 'href="', svg)  # Vega puts a base before them
    svg = re.sub(r'<g class="mark-[^>]*(?:/>|></g>)', "", svg)  # of marks there are none of
    name = str(Markup.escape(title))
    return Markup(svg.replace("<svg ", f'<svg role="group" aria-label="{name}" ', 1))  # noqa: S704 - vl-convert escapes


def shown(day: date) -> str:
    """A day for people."""
    return f"{day:%a %d %b %Y}"
