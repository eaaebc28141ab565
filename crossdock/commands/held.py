"""``crossdock held``: interchanges that were held back for their control number, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from crossdock.commands.options import Json, Reason, echo_rows

app = typer.Typer(help="Interchanges held back for their control number: use or drop them.", rich_markup_mode=None)
Id = Annotated[int, typer.Argument(metavar="ID", help="As `crossdock held` lists it.")]


@app.callback(invoke_without_command=True)
def held(
    context: typer.Context,
    status: Annotated[
        Literal["held", "used", "dropped"] | None, typer.Option("--status", help="Only those; otherwise all.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """Interchanges that came under a number that was used before, or out of order; the newest first."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.answers import held_view

    with Dock.open(create=False) as dock:
        rows = dock.ledger.held_interchanges(status=status, limit=limit)
    if json:
        echo_rows(rows)
    else:
        display.show(display.console(), held_view(rows))


@app.command()
def use(id: Id, reason: Reason) -> None:
    """Read it as if it had just come: its lines become events, its sender gets an answer."""
    from crossdock.dock import Dock
    from crossdock.mending import interchanges

    with Dock.open() as dock:
        payload = interchanges.use(id, reason, ledger=dock.ledger, archive=dock.archive)
        (done,) = dock.translate([payload])
        typer.echo(f"{done.documents:,} documents, {done.events:,} events, {done.parked:,} lines wait")


@app.command()
def drop(id: Id, reason: Reason) -> None:
    """Say that nothing of it will be used; its bytes are kept."""
    from crossdock.dock import Dock

    with Dock.open() as dock:
        dock.ledger.drop_interchange(id, reason)
        typer.echo(f"interchange {id} dropped: {reason}")
