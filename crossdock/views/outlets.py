"""What people see of who gets the feed: outlets, what they did not take, and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.views.display import DIM, clock, phrases, plain_table, quoted

if TYPE_CHECKING:
    from connectors.outlet import Outlet


def outlets_view(sinks: Sequence[Mapping[str, Any]], configured: Mapping[str, Outlet]) -> RenderableType:
    """One line an outlet; below it why those that do not go on do not."""
    known = {sink["sink"]: sink for sink in sinks}
    names = sorted({*known, *(name for name, outlet in configured.items() if outlet.carries == "events")})
    if not names:
        return Text("no outlet for events is configured", style=DIM)
    table = plain_table()
    table.add_column("outlet", style="bold")
    table.add_column("state")
    for name in ("delivered", "behind", "waiting", "dead"):
        table.add_column(name, justify="right")
    table.add_column("last moved")
    reasons: list[RenderableType] = []
    for name in names:
        sink = known.get(name)
        word, grade, reason = state_of(sink, configured.get(name))
        state = Text(word, style={"good": "green", "bad": "bold red"}.get(grade, DIM))
        if sink is None:
            table.add_row(name, state)
            continue
        if sink["retry_at"] and grade == "bad" and sink["paused_at"] is None:
            state.append(f", again {clock(sink['retry_at'])}")
        counts = [_number(sink[what], style) for what, style in (("behind", "yellow"), ("waiting", "yellow"))]
        dead = _number(sink["dead"], "bold red")
        table.add_row(name, state, f"{sink['position']:,}", *counts, dead, clock(sink["moved_at"]))
        if reason:
            reasons.append(phrases(Text(name, style="bold"), Text(reason)))
    return Group(table, *reasons)


def _number(number: int, style: str) -> Text:
    return Text(f"{number:,}", style=style if number else "green")


def state_of(sink: Mapping[str, Any] | None, outlet: Outlet | None) -> tuple[str, str, str]:
    """How the outlet does, in a word; whether that is ``good`` or ``bad`` (or neither: empty); and why."""
    if outlet is None:
        return "no longer configured", "", ""
    if not outlet.enabled:
        return "switched off", "", ""
    if sink is None:
        return "nothing handed over yet", "", ""
    if sink["paused_at"] is not None:
        return "paused", "bad", sink["pause_reason"]
    if sink["failures"]:
        return "failing", "bad", f"{sink['failures']} in a row: {sink['failure']}"
    if sink["dead"]:
        return "dead letters", "bad", "redrive or discard them once somebody has looked (`crossdock outlets letters`)"
    return "well", "good", ""


def held_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Events that were not taken, one a line."""
    if not rows:
        return Text("every event was taken", style="green")
    table = plain_table()
    for name in ("outlet", "position", "stream", "key", "state", "tried", "again", "cause"):
        table.add_column(name, justify="right" if name in ("position", "tried") else "left", overflow="fold")
    for row in rows:
        state = Text(row["status"], style="bold red" if row["status"] == "dead" else "yellow")
        again = clock(row["retry_at"]) if row["retry_at"] else ""
        cause = quoted(row["cause"])
        table.add_row(
            row["sink"],
            f"{row['position']:,}",
            row["stream"],
            row["subject"],
            state,
            str(row["attempts"]),
            again,
            cause,
        )
    return table


def tokens_view(rows: Sequence[Mapping[str, Any]], now: datetime) -> RenderableType:
    """One line a token, newest first."""
    if not rows:
        return Text("no token was ever made; crossdock token new makes one", style=DIM)
    table = plain_table()
    for name in ("id", "name", "sees the feed as", "state", "last used"):
        table.add_column(name)
    for row in rows:
        audience = f"supplier {row['partner']}" if row["partner"] else row["audience"]
        used = clock(row["used_at"]) if row["used_at"] else "never"
        table.add_row(row["id"], row["name"], audience, _good(row, now), used)
    return table


def _good(row: Mapping[str, Any], now: datetime) -> Text:
    if row["revoked_at"] is not None:
        return Text(f"revoked {row['revoked_at']:%Y-%m-%d}", style=DIM)
    ends = f"{row['expires_at']:%Y-%m-%d}"
    return Text(f"good until {ends}", style="green") if row["expires_at"] > now else Text(f"ended {ends}", style="red")
