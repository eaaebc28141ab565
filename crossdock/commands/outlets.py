"""``crossdock outlets``: how each outlet does, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from crossdock.commands.options import Json, echo_rows

if TYPE_CHECKING:
    from crossdock.dock import Dock

app = typer.Typer(help="How each outlet does: pause, resume, redrive, backfill.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="OUTLET", help="The outlet's name.")]


@app.callback(invoke_without_command=True)
def outlets(
    context: typer.Context,
    json: Json = False,
) -> None:
    """How each outlet does: how far it has got, what it waits for, what it did not take."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.outlets import outlets_view

    with Dock.open(create=False) as dock:
        rows = dock.ledger.sinks()
        if json:
            echo_rows(rows)
        else:
            display.show(display.console(), outlets_view(rows, dock.outlets))


@app.command()
def letters(
    outlet: Annotated[str | None, typer.Argument(metavar="OUTLET", help="Only this outlet's.")] = None,
    status: Annotated[
        Literal["waiting", "dead"] | None, typer.Option("--status", help="Only those that wait, or dead letters.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """Events that an outlet did not take: why, how often it was tried, when again."""
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.outlets import held_view

    with Dock.open(create=False) as dock:
        rows = dock.ledger.held_events(outlet, status=status, limit=limit)
    if json:
        echo_rows(rows)
    else:
        display.show(display.console(), held_view(rows))


@app.command()
def pause(
    outlet: Name, reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for those who wonder.")] = ""
) -> None:
    """Hand nothing more over, once the batch under way is through."""
    with _known(outlet) as dock:
        if not dock.ledger.pause_sink(outlet, reason):
            raise typer.BadParameter(f"nothing was ever handed to {outlet}; `enabled: false` in its file stops it")
    typer.echo(f"{outlet} is paused; what comes in meanwhile waits for it")


@app.command()
def resume(outlet: Name) -> None:
    """Go on, at once: a wait after failures is over too."""
    with _known(outlet) as dock:
        dock.ledger.resume_sink(outlet)
        _publish(dock, outlet)


@app.command()
def redrive(
    outlet: Name,
    position: Annotated[
        list[int] | None, typer.Option("--position", "-p", help="Only the event at this position of the feed.")
    ] = None,
) -> None:
    """Offer dead letters again, now; whatever waits behind them follows."""
    with _known(outlet) as dock:
        if not dock.ledger.redrive(outlet, position):
            typer.echo(f"{outlet} has no dead letters" + (" there" if position else ""))
            raise typer.Exit(1)
        _publish(dock, outlet)


@app.command()
def discard(
    outlet: Name, positions: Annotated[list[int], typer.Argument(metavar="POSITION...", help="Of the feed.")]
) -> None:
    """Give up dead letters: the outlet never gets them, and what waits behind them goes on."""
    with _known(outlet) as dock:
        count = dock.ledger.discard(outlet, positions)
    typer.echo(f"{count} of {len(positions)} were dead letters and are given up")
    raise typer.Exit(0 if count == len(positions) else 1)


@app.command()
def backfill(
    outlet: Name,
    begin: Annotated[
        str,
        typer.Option("--from", help="`beginning`, a position of the feed, or an instant: 2026-03-01T00:00:00+01:00."),
    ],
) -> None:
    """Let it get the feed again, or for the first time, from any point. The ids are the same as ever."""
    from crossdock.publish import point_before

    with _known(outlet) as dock:
        try:
            after = point_before(begin, dock.ledger)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        dock.ledger.backfill_sink(outlet, after)
        _publish(dock, outlet)


def _publish(dock: Dock, outlet: str) -> None:
    count = dock.publish(outlet)[outlet]
    typer.echo(f"{outlet} was handed {count:,} event{'' if count == 1 else 's'}")


@contextmanager
def _known(outlet: str) -> Iterator[Dock]:
    """The dock, if it has such an outlet; raises ConfigError that names the nearest one."""
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock:
        dock.outlet(outlet)
        yield dock
