"""``crossdock publish``: hand outlets what they have not got yet, once or for as long as it runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from schemas.errors import CrossdockError


def publish(
    outlets: Annotated[list[str] | None, typer.Argument(metavar="[OUTLET]...", help="Only these.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: events leave as soon as they stand in the feed.")
    ] = False,
) -> None:
    """Hand every outlet the events it has not got yet.

    With --follow until SIGTERM or SIGINT; the ledger tells when there is something new, and files that change are read
    anew. Any number may run, beside the DAG too: each outlet is served by one at a time.
    """
    from crossdock.dock import Dock

    with Dock.open(create=follow) as dock:
        if follow:
            _go_on(dock, outlets)
            return
        names = [dock.outlet(name).outlet for name in outlets or ()]
        counts = {name: dock.publish(name)[name] for name in names} or dock.publish()
        paused = {one["sink"]: one["pause_reason"] for one in dock.ledger.sinks() if one["paused_at"] is not None}
        for name, count in counts.items():
            handed = f"was handed {count:,} event{'' if count == 1 else 's'}"
            typer.echo(f"{name} {handed}" + (f" and is paused: {paused[name]}" if name in paused else ""))


def _go_on(dock: Dock, only: list[str] | None) -> None:
    from crossdock.following import follow
    from crossdock.rereading import changed, who_gets_what

    is_over = changed(*who_gets_what(dock.settings))  # before any of the files is read
    chosen = [dock.outlet(name) for name in only] if only else dock.outlets.values()
    for broken in () if only else dock.outlets.broken.values():
        typer.echo(str(broken), err=True)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: enough.set())
    names = [one.outlet for one in chosen if one.carries == "events" and (only or one.enabled)]
    typer.echo(f"publishing to {', '.join(names) or 'nobody: no outlet is enabled'}")
    follow(dock, names, _told, enough, is_over)
    if not enough.is_set():
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606  the same command, which reads everything anew


def _told(outlet: str, count: int, error: CrossdockError | None) -> None:
    said = f"{count:,} event{'' if count == 1 else 's'}" if error is None else str(error)
    typer.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {outlet}: {said}", err=error is not None)
