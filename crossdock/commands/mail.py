"""``crossdock mail``: mails that nothing proves or whose sender nobody knows, and what becomes of them."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from crossdock.commands.options import Json, Reason, echo_rows

app = typer.Typer(help="Mails of doubtful or unknown senders: release or reject them.", rich_markup_mode=None)
Number = Annotated[int, typer.Argument(metavar="MAIL", help="Its number, or that of a file in it, as listed.")]


@app.callback(invoke_without_command=True)
def mail(
    context: typer.Context,
    json: Json = False,
) -> None:
    """Mails that wait for a person's word, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock
    from crossdock.mending import mails
    from crossdock.views import display

    with Dock.open(create=False) as dock:
        if json:
            echo_rows(dock.ledger.vouching.waiting())
            return
        found = mails.waiting(dock.ledger)
    if not found:
        typer.echo("no mail waits for a word")
        return
    table = display.plain_table()
    for name in ("mail", "files", "from", "subject", "came", "why it waits"):
        table.add_column(name, overflow="fold", justify="right" if name == "mail" else "left")
    for one in found:
        files = ", ".join(name for _, name in one.files)
        table.add_row(str(one.number), files, one.sender, one.subject, display.clock(one.received_at), one.why)
    display.show(display.console(), table)


@app.command()
def release(
    mail: Number,
    reason: Reason,
    partner: Annotated[
        str, typer.Option("--as", metavar="PARTNER", help="Whose it is, where its sender is unknown.")
    ] = "",
) -> None:
    """Say that a mail is from who it says, or whose it is: it is read, and answered, like any other."""
    from crossdock.dock import Dock
    from crossdock.mending import mails
    from crossdock.views.display import count

    with Dock.open(create=False) as dock, _acting():
        one = mails.waiting_one(dock.ledger, mail)
        if not partner and mails.is_stranger(one, dock.library):
            raise typer.BadParameter(f"no partner file claims {one.sender}: say whose it is with --as PARTNER")
        done = mails.release(
            one, partner=partner, reason=reason, ledger=dock.ledger, library=dock.library, translate=dock.translate
        )
    typer.echo(
        f"{count(done['documents'], 'document')}, {count(done['events'], 'event')}, "
        f"{count(done['parked'], 'line waits', 'lines wait')}"
    )


@app.command()
def reject(mail: Number, reason: Reason) -> None:
    """Say that nothing of a mail will be used; its bytes are kept, and nobody is answered."""
    from crossdock.dock import Dock
    from crossdock.mending import mails
    from crossdock.views.display import count

    with Dock.open(create=False) as dock, _acting():
        number = mails.reject(mails.waiting_one(dock.ledger, mail), reason=reason, ledger=dock.ledger)
    typer.echo(f"{count(number, 'file')} rejected: {reason}")


def _acting() -> Any:
    from crossdock.acting import acting_as, user

    return acting_as(f"person {user(os.environ)}")
