"""What a look at a channel's queries shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.views.display import DIM, SEVERITY_STYLES, count, phrases, plain_table

if TYPE_CHECKING:
    from connectors.sources.odbc.look import Looked

_SHOWN = 3  #: values of a column that are shown


def looked_view(looked: Looked, missing: Collection[str]) -> RenderableType:
    """A query: its columns with types and first values, then what is wrong; ``missing`` is what the mapping wants."""
    head = phrases(
        Text(looked.query, style="bold"),
        count(len(looked.columns), "column"),
        count(len(looked.rows), "row") + " looked at",
        f"{looked.seconds:.2f} s",
    )
    table = plain_table()
    for heading in ("column", "type", "first values"):
        table.add_column(heading)
    for place, column in enumerate(looked.columns):
        values = [row[place] for row in looked.rows[:_SHOWN]]
        shown = Text(", ".join("NULL" if value is None else value or "''" for value in values), style=DIM)
        table.add_row(column.name, column.type, shown)
    keys = [Text(f"keys: {', '.join(looked.keys)}")] if looked.keys else []
    return Group(head, *([table] if looked.columns else []), *keys, *_problems(looked, missing), Text(""))


def _problems(looked: Looked, missing: Collection[str]) -> Iterator[Text]:
    for error in looked.errors:
        yield _problem("error", error)
    for warning in looked.warnings:
        yield _problem("warning", warning)
    if missing and not looked.errors:
        yield _problem("warning", f"the mapping of {looked.query} also reads {', '.join(missing)}")
    if not looked.rows and not looked.errors:
        yield _problem("info", "there is no row")


def _problem(severity: str, said: str) -> Text:
    return Text.assemble((f"{severity:<8}", SEVERITY_STYLES[severity]), said)


def looked_row(looked: Looked, missing: Collection[str]) -> Mapping[str, Any]:
    """The same for programs."""
    return {
        "query": looked.query,
        "columns": [{"name": column.name, "type": column.type} for column in looked.columns],
        "rows": looked.rows,
        "seconds": round(looked.seconds, 3),
        "keys": list(looked.keys),
        "errors": list(looked.errors),
        "warnings": list(looked.warnings),
        "missing": list(missing),
    }
