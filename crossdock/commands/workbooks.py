"""What the command line does with workbooks: corrections of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from crossdock.translation import Context


def write_correction(files: Sequence[Path], out: Path, context: Context, partner: str) -> None:
    """``crossdock check FILE --correct OUT.xlsx``: one workbook, and its correction in the partner's language."""
    from connectors.registry import recognise
    from crossdock.correction import correct

    if len(files) != 1 or not files[0].is_file():
        raise typer.BadParameter("--correct takes one workbook at a time")
    file = files[0]
    content = file.read_bytes()
    format = recognise(content[:4096], file.name)
    if format is None or format.name != "workbook":
        raise typer.BadParameter(f"{file} is no workbook: there is nothing to mark in it")
    received = datetime.fromtimestamp(file.stat().st_mtime, UTC).replace(microsecond=0)
    metadata = {"received_at": received.isoformat()} | ({"partner": partner} if partner else {})
    with file.open("rb") as stream:
        made = correct(
            stream, payload=hashlib.sha256(content).hexdigest(), name=file.name, metadata=metadata, context=context
        )
    out.write_bytes(made.content)
    typer.echo(f"{out}: {made.title}", err=True)
