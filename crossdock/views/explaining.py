"""The way of each value, for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.explaining import Explained
from crossdock.views.display import DIM, Heading, plain_table


def ways_view(explained: Explained) -> RenderableType:
    """One row a field: what was sent, where, what was done to it, what it says now."""
    table = plain_table()
    for name in ("field", "sent", "at", "way", "says"):
        table.add_column(name, overflow="fold")
    for way in explained.ways:
        cells = (way.field, "" if way.raw is None else way.raw, way.path, "; ".join(way.steps), way.value)
        table.add_row(*(Text(cell) for cell in cells))
    remarks = [Text(remark, style=DIM) for remark in explained.remarks]
    rules = (
        [Text(), Text("held against what stands:", style=DIM), *map(Text, explained.rules)] if explained.rules else []
    )
    return Group(Heading("the way of each value"), *([table] if explained.ways else []), *remarks, *rules)
