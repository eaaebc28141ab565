"""``crossdock export``: what holds, as a workbook."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help=".xlsx, .csv or .parquet.")],
    *,
    audience: Annotated[
        Literal["planner", "buyer", "quality", "integration", "supplier"],
        typer.Option("--as", "-a", help="As who it sees the feed."),
    ] = "planner",
    partner: Annotated[str, typer.Option("--partner", "-p", help="Only this partner; whose supplier, as one.")] = "",
    item: Annotated[str | None, typer.Option("--item", help="Only this item.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this site.")] = None,
    at: Annotated[
        datetime | None, typer.Option("--at", formats=["%Y-%m-%dT%H:%M:%S%z"], help="As things stood then.")
    ] = None,
) -> None:
    """What holds now (or held then), as a clean workbook: a sheet for each stream.

    Exit code 1 if there is nothing to show.
    """
    from crossdock.dock import Dock
    from crossdock.feed.tables import CSV, PARQUET, event_table, rendered
    from crossdock.feed.workbooks import workbook
    from crossdock.ledger.spans import Wanted
    from crossdock.visibility import Audience, Viewer
    from crossdock.visibility.installation import visibility_of

    if file.suffix not in (".xlsx", ".csv", ".parquet"):
        raise typer.BadParameter(
            f"{file.name}: nobody knows what {file.suffix or 'no ending'} means; .xlsx, .csv, .parquet"
        )
    mine = partner if audience == "supplier" else ""
    with Dock.open() as dock:
        view = visibility_of(dock.settings, lambda: dock.library, dock.ledger).view(
            Viewer(audience=Audience(audience), partner=mine, name="crossdock export")
        )
        if mine:
            dock.ledger.tokens.note_access("crossdock export", mine, {"file": file.name})
        dock.ledger.spans.follow(seconds=3600)
        position = None if at is None else dock.ledger.spans.standing_at(at)
        wanted = Wanted(streams=view.streams, partner=partner or None, item=item, site=site)
        seen = list(view.events(dock.ledger.spans.every_latest(wanted, at=position)))
    media = {".csv": CSV, ".parquet": PARQUET}.get(file.suffix)
    file.write_bytes(workbook(seen) if media is None else rendered(event_table(seen), media))
    typer.echo(f"{len(seen):,} events in {file}")
    raise typer.Exit(0 if seen else 1)
