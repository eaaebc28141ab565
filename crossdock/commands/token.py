"""``crossdock token``: who may ask over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from crossdock.commands.options import Json, echo_rows

app = typer.Typer(help="Tokens of those who may ask over HTTP: new, list, revoke.", no_args_is_help=True)
Audience = Literal["planner", "buyer", "quality", "integration", "supplier"]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The client it is for, as it appears in lists and in the audit trail.")],
    audience: Annotated[Audience, typer.Option("--audience", "-a", help="As who it sees the feed.")],
    partner: Annotated[str, typer.Option("--partner", "-p", help="Of which partner, where that is a supplier.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long it is good for.")] = 365,
    per_minute: Annotated[int, typer.Option("--per-minute", min=1, help="How often it may ask.")] = 600,
) -> None:
    """Make a token. It is shown now and never again: the ledger keeps only its hash."""
    from crossdock.acting import actor
    from crossdock.dock import Dock
    from schemas.configuration import unknown

    if (audience == "supplier") != bool(partner):
        raise typer.BadParameter("--partner belongs to --audience supplier, and to no other")
    with Dock.open() as dock:
        if partner and partner not in dock.library.partners:
            raise typer.BadParameter(unknown("partner", partner, dock.library.partners))
        ends = datetime.now(UTC) + timedelta(days=days)
        made = dock.ledger.tokens.new(
            name=name, audience=audience, partner=partner, expires_at=ends, per_minute=per_minute, by=actor()
        )
    typer.echo(made)
    typer.echo(f"good until {ends:%Y-%m-%d}; send it as `Authorization: Bearer {made[:7]}...`", err=True)


@app.command("list")
def list_(
    json: Json = False,
) -> None:
    """Every token ever made: for whom, until when, when it was last used."""
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.outlets import tokens_view

    with Dock.open(create=False) as dock:
        rows = dock.ledger.tokens.all()
    if json:
        echo_rows(rows)
    else:
        display.show(display.console(), tokens_view(rows, datetime.now(UTC)))


@app.command()
def revoke(
    tokens: Annotated[list[str], typer.Argument(metavar="ID_OR_NAME...", help="As `crossdock token list` shows them.")],
) -> None:
    """Let tokens open nothing any more, from the next request on."""
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock:
        revoked = dock.ledger.tokens.revoke(tokens)
    typer.echo(f"revoked: {', '.join(revoked)}" if revoked else "no token that is still good is called so")
    raise typer.Exit(0 if revoked else 1)
