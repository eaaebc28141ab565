"""``crossdock mail``: mails that nothing proves or whose sender nobody knows, and what becomes of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from crossdock.dock import Dock

app = typer.Typer(help="Mails of doubtful or unknown senders: release or reject them.", rich_markup_mode=None)
Mail = Annotated[int, typer.Argument(metavar="MAIL", help="Its number, or that of a file in it, as listed.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; the audit trail keeps it.")]


@app.callback(invoke_without_command=True)
def mail(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="JSON Lines for programs instead of a view for people.")] = False,
) -> None:
    """Mails that wait for a person's word, the newest first."""
    if context.invoked_subcommand is not None:
        return
    import msgspec

    from crossdock.dock import Dock
    from crossdock.views import display

    with Dock.open(create=False) as dock:
        rows = dock.ledger.vouching.waiting()
    if json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
        return
    if not rows:
        typer.echo("no mail waits for a word")
        return
    table = display.plain_table()
    for name in ("mail", "file", "from", "subject", "came", "why it waits"):
        table.add_column(name, overflow="fold", justify="right" if name == "mail" else "left")
    for row in rows:
        came = display.clock(row["received_at"])
        table.add_row(str(row["mail"]), row["name"], row["from"], row["subject"], came, row["why"])
    display.show(display.console(), table)


@app.command()
def release(
    mail: Mail,
    reason: Reason,
    partner: Annotated[
        str, typer.Option("--as", metavar="PARTNER", help="Whose it is, where its sender is unknown.")
    ] = "",
) -> None:
    """Say that a mail is from who it says, or whose it is: it is read, and answered, like any other."""
    from crossdock.dock import Dock
    from schemas.configuration import unknown
    from schemas.errors import ConfigError

    with Dock.open(create=False) as dock:
        rows = _of(dock, mail)
        if partner and partner not in dock.library.partners:
            raise ConfigError(unknown("partner", partner, dock.library.partners))
        strangers = sorted({row["from"] for row in rows if dock.library.partner_of("email", row["from"]) is None})
        if strangers and not partner:
            raise typer.BadParameter(
                f"no partner file claims {', '.join(strangers)}: say whose it is with --as PARTNER"
            )
        ids = [row["payload"] for row in rows]
        with _acting():
            dock.ledger.vouching.release(ids, partner=partner, reason=reason)
            done = dock.translate(ids)
    documents, events, parked = (sum(getattr(one, name) for one in done) for name in ("documents", "events", "parked"))
    typer.echo(f"{documents:,} documents, {events:,} events, {parked:,} lines wait")


@app.command()
def reject(mail: Mail, reason: Reason) -> None:
    """Say that nothing of a mail will be used; its bytes are kept, and nobody is answered."""
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock, _acting():
        number = dock.ledger.vouching.reject([row["payload"] for row in _of(dock, mail)], reason=reason)
    typer.echo(f"{number:,} file{'s' * (number != 1)} rejected: {reason}")


def _of(dock: Dock, mail: int) -> list[dict[str, Any]]:
    """The files that wait of the mail, or of the one in which the file ``mail`` is."""
    rows = dock.ledger.vouching.waiting()
    number = next((row["mail"] for row in rows if mail in (row["payload"], row["mail"])), None)
    if number is None:
        raise typer.BadParameter(f"no mail {mail} waits for a word")
    return [row for row in rows if row["mail"] == number]


def _acting() -> Any:
    from crossdock.acting import acting_as, user

    return acting_as(f"person {user(os.environ)}")
