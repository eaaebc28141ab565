"""What commands have in common: options of one meaning, and rows for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON Lines for programs instead of a view for people.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; the audit trail keeps it.")]


def echo_rows(rows: Iterable[Any]) -> None:
    """Each as a line of JSON."""
    import msgspec

    for row in rows:
        typer.echo(msgspec.json.encode(row))
