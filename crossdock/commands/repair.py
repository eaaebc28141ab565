"""``crossdock parked``, ``fix``, ``release`` and ``replay``: what waits, and how it goes on."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossdock.commands.options import Json, Reason, echo_rows

if TYPE_CHECKING:
    from crossdock.mending.release import Released

Partner = Annotated[str, typer.Option("--partner", "-p", help="Only this partner's.")]
Since = Annotated[str, typer.Option("--from", help="The first day it holds (YYYY-MM-DD); empty: since ever.")]
Until = Annotated[str, typer.Option("--to", help="The last day it holds; empty: until further notice.")]


def parked(
    *,
    partner: Partner = "",
    code: Annotated[str, typer.Option("--code", "-c", help="Only those with this finding.")] = "",
    value: Annotated[str, typer.Option("--value", "-v", help="Only those that wait for this value.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="Only those that came by this channel.")] = "",
    document: Annotated[str, typer.Option("--document", "-d", help="Only those of this document.")] = "",
    reject: Annotated[
        str, typer.Option("--reject", metavar="REASON", help="Give the lines back to whoever sent them.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many lines.")] = 50,
    json: Json = False,
) -> None:
    """Lines that wait, and what they wait for."""
    from crossdock.dock import Dock
    from crossdock.ledger.parked import Waiting
    from crossdock.mending import repair
    from crossdock.views import display, report

    only = Waiting(partner=partner, code=code, value=value, channel=channel, document=document)
    with Dock.open(create=False) as dock:
        if reject:
            if only == Waiting():
                raise typer.BadParameter("say which lines: --partner, --code, --value, --channel or --document")
            typer.echo(f"{repair.give_back(dock.ledger, only, reject):,} lines rejected: {reject}")
            return
        rows, causes = dock.ledger.parked(limit, only), dock.ledger.parked_causes(only=only)
        sentences = [cause.sentence for cause in repair.causes(dock.ledger, only, limit=12)]
    if json:
        echo_rows(rows)
        return
    display.show(display.console(), *sentences, *([""] if sentences else []), report.parked_view(rows, causes))


fix = typer.Typer(help="Add what waiting lines lack; what it unblocks goes on at once.", rich_markup_mode=None)


def _author() -> str:
    from crossdock.acting import user

    return f"person {user(os.environ)}"


Author = Annotated[str, typer.Option("--author", help="Who decided it (default: the user).")]


def _reference(kind: str, what: str) -> None:
    """Register ``crossdock fix <kind>``."""

    @fix.command(name=kind, help=f"Say which of our {what} a partner means by a code of theirs.")
    def add(
        *,
        theirs: Annotated[str, typer.Argument(help="As the partner writes it.")],
        ours: Annotated[str, typer.Argument(help="Our own id (of a unit: the Rec 20 code).")],
        partner: Annotated[str, typer.Option("--partner", "-p", help="Whose code; empty: everybody's.")] = "",
        since: Since = "",
        until: Until = "",
        reason: Reason = "",
        author: Author = "",
        remove: Annotated[bool, typer.Option("--remove", help="Take such a row away again.")] = False,
    ) -> None:
        from crossdock.mending.repair import CrossReference

        row = CrossReference(kind=kind, theirs=theirs, ours=ours, partner=partner, valid_from=since, valid_to=until)
        _change(row, reason, author, remove)


for _kind, _what in (("item", "items"), ("site", "sites"), ("unit", "units"), ("partner", "partners")):
    _reference(_kind, _what)


@fix.command()
def conversion(
    *,
    item: Annotated[str, typer.Argument(help="Our item; '' for all items.")],
    from_unit: Annotated[str, typer.Argument(help="One of this unit (Rec 20) ...")],
    factor: Annotated[str, typer.Argument(help="... is so many ...")],
    to_unit: Annotated[str, typer.Argument(help="... of this one.")],
    since: Since = "",
    until: Until = "",
    reason: Reason = "",
    author: Author = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take such a row away again.")] = False,
) -> None:
    """Say what one unit of an item is worth in another: `crossdock fix conversion P-100 XCT 12 C62`."""
    from crossdock.mending.repair import Conversion

    row = Conversion(item=item, from_unit=from_unit, to_unit=to_unit, factor=factor, valid_from=since, valid_to=until)
    _change(row, reason, author, remove)


def _change(row: Any, reason: str, author: str, remove: bool) -> None:
    from crossdock.acting import acting_as
    from crossdock.dock import Dock
    from crossdock.mending import repair

    who = author or _author()
    with Dock.open(create=False) as dock, acting_as(who):
        if remove:
            repair.withdraw(row, ledger=dock.ledger, author=who, reason=reason)
            typer.echo("the row is gone; what was published by it stays until a replay")
            return
        version = repair.add(row, ledger=dock.ledger, author=who, reason=reason)
        typer.echo(f"added, as version {version} of what was added by hand")
        _tell(dock.release(reason))
        for cause in repair.still_waiting(row, dock.ledger):
            typer.echo(f"{cause.sentence} all the same: what they say is of other days than the row (--from, --to)")


def release() -> None:
    """Let go on what need not wait any longer.

    `crossdock run` and the DAGs do it too, whenever master data or a partner's file has changed.
    """
    from crossdock.dock import Dock

    with Dock.open(create=False) as dock:
        _tell(dock.release())


def _tell(done: Released) -> None:
    from crossdock.ledger.corrections import Change
    from crossdock.views.display import count

    if not done.did_something:
        typer.echo("nothing is released")
    else:
        typer.echo(f"{count(done.released, 'line')} released, {count(done.published, 'event')} published")
    if done.still:
        waits = count(done.still, "line waits", "lines wait")
        typer.echo(f"{waits} still, for something else: `crossdock parked` says what for")
    if overtaken := done.changes[Change.OVERTAKEN]:
        typer.echo(f"{count(overtaken, 'event')} not published: something newer is known, which stands")
    if done.strangers:
        typer.echo(f"{count(done.strangers, 'payload')} of senders known by now")


def replay(
    *,
    documents: Annotated[list[str] | None, typer.Argument(metavar="DOCUMENT", help="Only these documents.")] = None,
    partner: Partner = "",
    channel: Annotated[str, typer.Option("--channel", help="Only what came by this channel.")] = "",
    type: Annotated[str, typer.Option("--type", help="Only documents of this type, as x12.856.")] = "",
    since: Annotated[str, typer.Option("--since", help="Received then or later (ISO 8601).")] = "",
    until: Annotated[str, typer.Option("--until", help="Received before then.")] = "",
    code: Annotated[str, typer.Option("--code", "-c", help="Only documents with this finding.")] = "",
    mapping_version: Annotated[str, typer.Option("--mapping-version", help="Only those read with this one.")] = "",
    last: Annotated[int | None, typer.Option("--last", min=1, help="Only the newest so many.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every document there is.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Say what would change, and write nothing.")] = False,
    reason: Reason = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show at most so many differences.")] = 50,
    json: Json = False,
) -> None:
    """Read documents again out of the archive, with the mappings and master data of today.

    Publishes only what that changes, as corrections; what stays the same keeps its id. With --preview: exit code 1
    when something would change.
    """
    from crossdock.dock import Dock
    from crossdock.ledger.selecting import Selection
    from crossdock.mending.replay import Replayed
    from crossdock.mending.replay import preview as look_ahead
    from crossdock.mending.replay import replay as read_again
    from crossdock.views import display, replays

    selection = Selection(
        documents=tuple(documents or ()),
        partner=partner,
        channel=channel,
        type=type,
        since=_instant("--since", since),
        until=_instant("--until", until),
        code=code,
        mapping_version=mapping_version,
        last=last,
    )
    if selection.is_everything and not everything:
        raise typer.BadParameter("say which documents, or --all")
    with Dock.open(create=False) as dock:
        parts = {"archive": dock.archive, "ledger": dock.ledger, "context": dock.context()}
        if preview:
            total = Replayed()
            differences = look_ahead(selection, **parts, total=total)  # type: ignore[arg-type]
            if json:
                echo_rows(replays.as_row(one) for one in differences)
            else:
                display.show(display.console(), replays.preview_view(differences, total, limit))
            raise typer.Exit(1 if total.changed or total.published else 0)
        done = read_again(selection, **parts, reason=reason or f"replay of {selection}")  # type: ignore[arg-type]
    display.show(display.console(), replays.done_view(done))
    raise typer.Exit(1 if done.unreadable else 0)


def confirm(
    payload: Annotated[int, typer.Argument(metavar="PAYLOAD", help="Its number, as `crossdock status` shows it.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it is right; the audit trail keeps it.")],
) -> None:
    """Let an unusual batch through, and lines that wait in it for being unusual: a person has looked, it is right."""
    from crossdock.acting import acting_as
    from crossdock.dock import Dock
    from crossdock.mending.batch_release import let_go

    with Dock.open(create=False) as dock, acting_as(_author()):
        done = let_go(payload, reason, archive=dock.archive, ledger=dock.ledger, context=dock.context())
    if done is None:
        raise typer.BadParameter(f"payload {payload} is not held")
    typer.echo(done)


def accept(
    *,
    partner: Annotated[str, typer.Argument(help="Whose documents.")],
    last: Annotated[int, typer.Option("--last", min=1, help="How many of the newest.")] = 100,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show at most so many differences.")] = 50,
    json: Json = False,
) -> None:
    """Would a changed mapping read what a partner has sent so far as before?

    Reads the newest documents again and prints the differences; writes nothing. Exit code 0 when there are none.
    """
    replay(partner=partner, last=last, preview=True, limit=limit, json=json)


def _instant(option: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is no date or time, expected as 2026-03-31T08:00Z") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
