"""``crossdock as2``: what was sent and not receipted, and certificates that end."""

from __future__ import annotations

import typer

from crossdock.commands.options import Json, echo_rows


def as2(
    json: Json = False,
) -> None:
    """Documents sent over AS2 that were refused or whose receipt is late, and certificates that end soon.

    Ends with 1 when there are any.
    """
    from datetime import UTC, datetime

    import msgspec

    from crossdock.dock import Dock
    from crossdock.stations import ending_certificates, late_documents, told

    now = datetime.now(UTC)
    with Dock.open(create=False) as dock:
        late = late_documents(dock.settings.home, now)
        warnings = ending_certificates(
            dock.channels, dock.outlets, home=dock.settings.home, connections=dock.connections, at=now
        )
    if json:
        echo_rows({"kind": "document", **msgspec.to_builtins(one)} for one in late)
        echo_rows({"kind": "certificate", "warning": warning} for warning in warnings)
    else:
        for one in late:
            typer.echo(told(one))
        for warning in warnings:
            typer.echo(warning)
        if not late and not warnings:
            typer.echo("everything sent over AS2 is receipted, and no certificate ends soon")
    if late or warnings:
        raise typer.Exit(1)
