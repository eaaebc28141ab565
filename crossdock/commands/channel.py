"""``crossdock channel``: what a channel would read, before anything is read for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.commands.options import Json, echo_rows
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from connectors.channel import Channel
    from connectors.sources.odbc.look import Looked
    from crossdock.dock import Dock

app = typer.Typer(help="What a channel would read: connect and look.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def channel() -> None:
    """What a channel would read: connect and look."""


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=1000, help="Rows of each query to look at.")] = 5,
    json: Json = False,
) -> None:
    """Connect to a channel's database, run each query for a few rows and show columns, types and problems.

    Nothing is taken in and no watermark moves. Exit code 1 if a query cannot be used.
    """
    from connectors.sources.odbc import Options
    from connectors.sources.odbc.look import look
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.channels import looked_row, looked_view

    failed = False
    with Dock.open(create=False) as dock:
        chosen = dock.channel(name)
        if (kind := chosen.source.get("kind")) != "odbc":
            raise ConfigError(f"channel {name} is of kind {kind}", hint="channels of kind odbc can be looked at")
        options = Options.model_validate({key: value for key, value in chosen.source.items() if key != "kind"})
        for looked in look(options, dock.connections, rows=rows):
            missing = _missing(dock, chosen, looked)
            failed = failed or bool(looked.errors)
            if json:
                echo_rows([looked_row(looked, missing)])
            else:
                display.show(display.console(), looked_view(looked, missing))
    raise typer.Exit(int(failed))


def _missing(dock: Dock, channel: Channel, looked: Looked) -> list[str]:
    """Columns that the mapping or the master table would read and the query does not give."""
    from schemas.master import MASTER_TABLES

    given = {column.name.casefold() for column in looked.columns}
    if channel.purpose == "master_data":
        wanted = MASTER_TABLES.get(looked.query, ())
    else:
        mapping = dock.library.standard.get(f"rows.{looked.query}")
        wanted = mapping.plan.paths if mapping is not None else ()
    return [path for path in wanted if path.casefold() not in given]
