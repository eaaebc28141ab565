"""``crossdock master``: versions of master data, what differs, what is held back, who answers for a row."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossdock.commands.options import Json, Reason, echo_rows

if TYPE_CHECKING:
    from crossdock.master.differences import RowChange

app = typer.Typer(
    help="Master data: rows and who answers for them, versions and what differs, loads that were held back.",
    rich_markup_mode=None,
)
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many rows.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="As `crossdock master held` lists it.")]


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="partners, sites, items, units, cross_references or calendars.")],
    text: Annotated[str, typer.Argument(help="Only rows that have this in some column, as it stands there.")] = "",
    *,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Rows in force, with the days on which they hold, their owner and where they are from."""
    import polars as pl

    from crossdock.dock import Dock
    from schemas.configuration import unknown
    from schemas.errors import ConfigError
    from schemas.master import MASTER_TABLES

    if table not in MASTER_TABLES:
        raise ConfigError(unknown("master table", table, MASTER_TABLES))
    with Dock.open(create=False) as dock:
        rows = dock.ledger.master()[table]
        newest = next((one for one in dock.ledger.master_loads(1000) if _is_in_force(one, table)), None)
    rows = rows.select(pl.all().fill_null(""))
    if text:
        rows = rows.filter(pl.any_horizontal(pl.all() == text))
    loaded = newest["source"] if newest else ""
    for row in rows.head(limit).iter_rows(named=True):
        told = row | {"owner": row.get("owner", ""), "source": row.get("source") or loaded}
        if json:
            echo_rows([told])
        else:
            typer.echo(", ".join(f"{name} {value}" for name, value in told.items() if value))
    if not json and rows.height > limit:
        typer.echo(f"{rows.height:,} rows, {limit:,} of them shown")


@app.command()
def diff(
    table: Annotated[str, typer.Argument(help="The table; 'cross_references/by_hand' for what was added.")],
    old: Annotated[int | None, typer.Argument(help="A version; without one the one before.")] = None,
    new: Annotated[int | None, typer.Argument(help="Another; without one the newest.")] = None,
    *,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """What differs between two versions of a master table, row by row and field by field."""
    from crossdock.dock import Dock
    from crossdock.master.differences import differences
    from schemas.errors import ConfigError

    with Dock.open(create=False) as dock:
        versions = dock.ledger.master_versions(table)
        if not versions:
            raise ConfigError(f"no version of {table!r} was ever loaded")
        newer = new or versions[0]
        older = old or next((one for one in versions if one < newer), 0)
        after = dock.ledger.master_table(table, newer)
        before = dock.ledger.master_table(table, older) if older else after.clear()
    told = _tell(differences(table, before, after), limit, json)
    if not json:
        more = f", {limit:,} of them shown" if told > limit else ""
        typer.echo(f"{told:,} rows differ between versions {older or 'none'} and {newer}{more}")


@app.command()
def held(
    id: Annotated[int | None, typer.Argument(metavar="ID", help="One of them: what it would change.")] = None,
    *,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Loads that were held back, and why; of one of them what it would change of the version in force."""
    from crossdock.dock import Dock
    from crossdock.master.held import held as held_load

    with Dock.open(create=False) as dock:
        if id is not None:
            load = held_load(id, archive=dock.archive, ledger=dock.ledger)
            told = _tell(load.changes(), limit, json)
            if not json:
                more = f", {limit:,} of them shown" if told > limit else ""
                typer.echo(f"{told:,} rows of {load.table} would change{more}")
            return
        rows = dock.ledger.held_master()
    for row in rows:
        if json:
            echo_rows([row])
            continue
        typer.echo(
            f"{row['id']}: {row['name']} of {row['source']}, {row['rejected_at']:%Y-%m-%d %H:%M}, {row['actor']}"
        )
        for reason in row["reasons"]:
            typer.echo(f"    {reason}")
    if not rows and not json:
        typer.echo("no load is held back")


@app.command()
def accept(id: Id, reason: Reason) -> None:
    """Put a load in force although it misses what is expected; lines that waited for it go on."""
    from crossdock.acting import acting_as
    from crossdock.dock import Dock
    from crossdock.master.held import accept as put_in_force

    with Dock.open(create=False) as dock, acting_as(_author()):
        version = put_in_force(id, author=_author(), reason=reason, archive=dock.archive, ledger=dock.ledger)
        released = dock.release(reason)
    typer.echo(f"version {version} is in force; {released.released:,} lines released")


@app.command()
def discard(id: Id, reason: Reason) -> None:
    """Say that nothing of a load will be used; its bytes are kept."""
    from crossdock.acting import acting_as
    from crossdock.dock import Dock
    from crossdock.master.held import discard as give_up

    with Dock.open(create=False) as dock, acting_as(_author()):
        load = give_up(id, reason=reason, archive=dock.archive, ledger=dock.ledger)
    typer.echo(f"{load.table} of {load.source} discarded: {reason}")


@app.command()
def added(json: Json = False) -> None:
    """What was added by hand, with author and reason; the newest first."""
    from crossdock.dock import Dock
    from crossdock.mending.repair import rows_by_hand

    with Dock.open(create=False) as dock:
        rows = rows_by_hand(dock.ledger)
    for row in rows:
        if json:
            echo_rows([row])
            continue
        what = ", ".join(
            f"{name} {row[name]}" for name in row if name not in ("table", "author", "reason", "added_at") and row[name]
        )
        typer.echo(f"{row['added_at'][:16]} {row['author']}: {what}" + (f" ({row['reason']})" if row["reason"] else ""))


def _tell(changes: Iterable[RowChange], limit: int, json: bool) -> int:
    """How many there are; the first ``limit`` of them are shown, as JSON all."""
    told = 0
    for told, one in enumerate(changes, start=1):
        if json:
            echo_rows([{"change": one.change, "key": one.key, "fields": one.fields}])
        elif told <= limit:
            said = ", ".join(f"{name} {old!r} -> {new!r}" for name, (old, new) in one.fields.items())
            typer.echo(f"{one.change} {' / '.join(one.key)}: {said}")
    return told


def _is_in_force(load: dict[str, Any], table: str) -> bool:
    return (load["table"], load["status"]) == (table, "in_force")


def _author() -> str:
    from crossdock.acting import user

    return f"person {user(os.environ)}"
