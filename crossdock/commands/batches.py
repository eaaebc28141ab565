"""``crossdock batches``: what became of batches held against their expectations, and the record of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from crossdock.commands.options import Json, echo_rows

app = typer.Typer(help="Batches of events held against their expectations.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def batches(
    context: typer.Context,
    *,
    outcome: Annotated[
        Literal["passed", "warned", "parked", "stopped"] | None, typer.Option("--outcome", help="Only those.")
    ] = None,
    partner: Annotated[str | None, typer.Option("--partner", "-p", help="Only this partner's.")] = None,
    payload: Annotated[int | None, typer.Option("--payload", help="Only this payload's.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """What became of each batch, the newest first. What is stopped waits for `crossdock confirm PAYLOAD`."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock:
        rows = dock.ledger.verdicts.listing(outcome=outcome, partner=partner, payload=payload, limit=limit)
    for row in rows:
        if json:
            echo_rows([row])
        else:
            _show(row)
    if not rows and not json:
        typer.echo("no batch was judged; `batches:` in a partner's file says that something is expected of them")


@app.command()
def record() -> None:
    """Let Great Expectations look at what it has not seen, and write Data Docs. Exit code 1 where it disagrees."""
    from crossdock.dock import Dock
    from crossdock.expectations import record as look
    from crossdock.views.display import count

    with Dock.open(create=False) as dock:
        done = look(archive=dock.archive, ledger=dock.ledger, context=dock.context(), data_docs=dock.settings.data_docs)
        looked_at = count(done.batches, "batch", "batches")
        typer.echo(f"{looked_at} looked at, {done.unsure:,} of them not comparable any more")
        typer.echo(f"Data Docs: {dock.settings.data_docs / 'index.html'}")
    for alarm in done.alarms:
        typer.echo(alarm)
    raise typer.Exit(1 if done.alarms else 0)


def _show(row: dict[str, Any]) -> None:
    held = row["outcome"] == "stopped" and row["payload_status"] == "quarantined"
    outcome = "held" if held else row["outcome"]
    what = f"payload {row['payload_id']} {row['payload_name']}: {row['partner']} {row['type']}"
    typer.echo(f"{row['judged_at']:%Y-%m-%d %H:%M} {outcome} {what}, {row['rows']:,} lines")
    for missed in row["missed"]:
        such = f", such as {', '.join(missed['samples'])}" if missed["samples"] else ""
        found = f"{missed['found']}, {missed['wanted']}" if not missed["count"] else missed["found"]
        typer.echo(f"    {missed['policy']}  {missed['code']}: {missed['sentence']} Found {found}{such}")
    if held:
        typer.echo(f"    let it through: crossdock confirm {row['payload_id']} --reason ...")
