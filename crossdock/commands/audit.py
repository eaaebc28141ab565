"""``crossdock audit``, ``verify``, ``history``, ``hold``, ``maintain``: proof, history, and what may go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from crossdock.commands.options import Json, echo_rows

Partner = Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's id.")]


def audit(
    subject: Annotated[str | None, typer.Argument(help="Only entries on this, as 'payload 12'.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only such actions, as master or payload.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """The audit trail: what changed, when, by whom and why; the newest first."""
    from rich.text import Text

    from crossdock.dock import Dock
    from crossdock.views import display

    with Dock.open(create=False) as dock:
        rows = dock.ledger.trail.entries(subject=subject, action=action, limit=limit)
    if json:
        echo_rows(rows)
        return
    table = display.plain_table()
    for name in ("at", "who", "action", "on", "reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = (display.clock(row["at"]), row["actor"], row["action"], row["subject"], row["reason"])
        table.add_row(*(Text(cell) for cell in cells))
    display.show(display.console(), table)


def verify(
    head: Annotated[str, typer.Option("--head", help="A hash noted down elsewhere, which must be there.")] = "",
    json: Json = False,
) -> None:
    """Prove that audit trail and archive are as they were written down.

    Exit code 1 when anything was changed or is missing. Prints the trail's newest hash: noted down elsewhere, it
    proves later that nobody has written the whole trail anew.
    """
    from dataclasses import asdict

    from crossdock.auditing import verify as look
    from crossdock.dock import Dock

    grave = 0
    with Dock.open(create=False) as dock:
        for fault in look(dock.ledger, dock.archive, head=head):
            grave += fault.is_grave
            echo_rows([asdict(fault)]) if json else typer.echo(f"{fault.kind}: {fault.what}: {fault.message}")
        number, newest = dock.ledger.trail.head()
    if not json:
        typer.echo(f"{'not whole' if grave else 'whole'}: {number:,} entries, the newest {newest}")
    raise typer.Exit(1 if grave else 0)


def history(
    partner: Partner,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", dir_okay=False, help="Where to write it.")],
) -> None:
    """A partner's full history as one file, for an auditor."""
    from crossdock.auditing import export as write
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock:
        done = write(partner, file, ledger=dock.ledger, archive=dock.archive)
        dock.ledger.trail.note("history.exported", f"partner {partner}", detail={"file": file.name})
    typer.echo(f"{done.payloads:,} payloads, {done.documents:,} documents, {done.events:,} events in {file}")
    if done.missing:
        typer.echo(f"the bytes of {done.missing:,} payloads are not in the archive any more")


def hold(
    partner: Annotated[str | None, typer.Argument(metavar="PARTNER", help="Whose; without one the holds.")] = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the audit trail keeps it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Lift the hold.")] = False,
) -> None:
    """Legal hold: nothing of a partner is given up, whatever its age."""
    from crossdock.acting import acting_as, user
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock, acting_as(f"person {user(os.environ)}"):
        if partner is None:
            for row in dock.ledger.trail.holds():
                typer.echo(f"{row['partner']} since {row['since']:%Y-%m-%d}: {row['reason']}")
            return
        if not reason:
            raise typer.BadParameter("say why, with --reason")
        if not lift:
            dock.ledger.trail.hold(partner, reason)
        elif not dock.ledger.trail.lift(partner, reason):
            raise typer.BadParameter(f"there is no hold on {partner}")
    typer.echo(f"the hold on {partner} is {'lifted' if lift else 'placed'}")


def maintain() -> None:
    """Give up what is too old, compact, prove archive and trail, and tell what waits too long.

    CROSSDOCK_KEEP_RAW, CROSSDOCK_KEEP_FINDINGS and CROSSDOCK_KEEP_EVENTS say how long bytes, findings and superseded
    events are kept (1095d); without them, for ever. The DAG `maintenance` does it every night. Exit code 1 when
    somebody must look.
    """
    from crossdock.dock import Dock
    from crossdock.retention import Retention
    from crossdock.retention import maintain as do

    with Dock.open(create=False) as dock:
        done = do(Retention.from_environment(os.environ), ledger=dock.ledger, archive=dock.archive)
    typer.echo(
        f"given up: {done.raw:,} payloads' bytes, {done.findings:,} findings, {done.events:,} superseded events, "
        f"{done.leftovers:,} leftovers"
    )
    typer.echo(f"audit trail: {done.entries:,} entries, the newest {done.head}")
    for alarm in done.alarms:
        typer.echo(alarm)
    raise typer.Exit(1 if done.alarms else 0)
