"""What a replay changes, for people: a table of differences, field by field, and a sum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.ledger.corrections import Change, Difference
from crossdock.mending.replay import Replayed
from crossdock.views.display import DIM, count, phrases, plain_table

STYLES = {Change.APPEARS: "green", Change.CHANGES: "yellow", Change.VANISHES: "red", Change.OVERTAKEN: DIM}
#: What is told of an event that is there on one side only.
TELLING = ("kind", "item", "site", "quantity", "unit", "due_at", "status")


def as_row(one: Difference) -> dict[str, Any]:
    """For programs: one JSON object a difference."""
    return {
        "change": str(one.change),
        "stream": one.stream,
        "subject": one.subject,
        "document": one.document,
        "line": one.line,
        "fields": {name: list(pair) for name, pair in one.fields.items()},
        "before": one.before,
        "after": one.after,
    }


def preview_view(differences: Iterable[Difference], total: Replayed, limit: int) -> RenderableType:
    """The first differences as a table, then the sum; all of them are gone through."""
    table = plain_table()
    for name in ("change", "subject", "what"):
        table.add_column(name, overflow="fold")
    shown = more = 0
    for one in differences:
        if shown >= limit:
            more += 1
            continue
        shown += 1
        table.add_row(Text(str(one.change), style=STYLES[one.change]), Text(one.subject), Text(told(one)))
    parts: list[RenderableType] = [table, Text()] if shown else []
    if more:
        parts.append(Text(f"and {count(more, 'more difference')}; --json tells all", style=DIM))
    return Group(*parts, sum_of(total, preview=True), *_unreadable(total))


def told(one: Difference) -> str:
    """``quantity 5 -> 6, due_at 2026-04-01 -> nothing``; of an event that is on one side only, what it says."""
    if one.change in (Change.CHANGES, Change.OVERTAKEN) and one.before is not None:
        return ", ".join(f"{name} {_said(old)} -> {_said(new)}" for name, (old, new) in sorted(one.fields.items()))
    data = (one.after if one.change is Change.APPEARS else one.before) or {}
    if one.change is Change.VANISHES and (one.after or {}).get("kind") != "cancelled":
        return f"as it was before: {_listed(one.after or {})}"
    return _listed(data)


def _listed(data: Any) -> str:
    return ", ".join(f"{name} {data[name]}" for name in TELLING if data.get(name))


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)


def sum_of(total: Replayed, *, preview: bool = False) -> Text:
    """One line: what was read, what changes, what stays."""
    changes = [
        Text(f"{total.changes[change]:,} {change}", style=STYLES[change]) for change in Change if total.changes[change]
    ]
    return phrases(
        f"{count(total.documents, 'document')} read again",
        *changes,
        f"{total.unchanged:,} stay",
        f"{count(total.released, 'line')} {'would be released' if preview else 'released'}" if total.released else "",
        Text(_waiting(total.parked, preview), style="yellow") if total.parked else "",
    )


def _waiting(lines: int, preview: bool) -> str:
    return f"{count(lines, 'line')} would wait" if preview else count(lines, "line waits", "lines wait")


def done_view(total: Replayed) -> RenderableType:
    return Group(sum_of(total), *_unreadable(total))


def _unreadable(total: Replayed) -> list[Text]:
    return [Text(f"{one.location}: {one.message}", style="red") for one in total.unreadable]
