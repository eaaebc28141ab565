"""``crossdock header``: sheets whose header is not the one that was confirmed, and a person's word on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from crossdock.partners.confirming import Changed
    from crossdock.partners.headers import Proposed, Review

app = typer.Typer(help="Headers of sheets that changed: look, and say what is meant.", rich_markup_mode=None)
Payload = Annotated[int, typer.Argument(metavar="PAYLOAD", help="Its number, as `crossdock header` lists it.")]


@app.callback(invoke_without_command=True)
def header(context: typer.Context) -> None:
    """Sheets that say something else above their columns than what was confirmed; the newest first."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock
    from crossdock.partners.confirming import changed
    from crossdock.views import display
    from crossdock.views.headers import listed_view

    with Dock.open(create=False) as dock:
        found = list(changed(archive=dock.archive, ledger=dock.ledger, context=dock.context()))
    display.show(display.console(), listed_view(found))


@app.command()
def show(payload: Payload) -> None:
    """What differs in a sheet, what its columns hold, and what is proposed, with how alike the words are (of 100)."""
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.headers import review_view

    with Dock.open(create=False) as dock:
        found = _of(dock, payload)
    for one in found:
        display.show(display.console(), review_view(one.review))
    if not found:
        typer.echo("its header is the one that was confirmed, or nothing was confirmed yet and all is read")


@app.command()
def confirm(
    payload: Payload,
    *,
    say: Annotated[
        list[str] | None,
        typer.Option("--say", metavar="FIELD=HEADER", help="Which header holds a field; FIELD= for none."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every likely proposal.")] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the audit trail keeps it.")] = "",
    dry: Annotated[
        bool, typer.Option("--show", help="Print the partner's file as it would be; write nothing.")
    ] = False,
) -> None:
    """Say what the columns of a changed sheet are: the partner's file keeps it, and what waited is read.

    A proposal is asked for once, and never taken silently. Comments and order of the file stay as they are.
    """
    from crossdock.acting import acting_as, user
    from crossdock.dock import Dock

    said = dict(one.split("=", 1) for one in say or () if "=" in one)
    with Dock.open(create=False) as dock:
        found = [one.review for one in _of(dock, payload)]
        if not found:
            raise typer.BadParameter(f"nothing is to be confirmed of payload {payload}")
    with acting_as(f"person {user(os.environ)}"):
        for review in found:
            _confirm(review, said, ask=not (yes or dry), reason=reason, dry=dry)
        if not dry:
            _go_on(found, payload, reason or "the header was confirmed")


def _confirm(review: Review, said: Mapping[str, str], *, ask: bool, reason: str, dry: bool) -> None:
    from crossdock.dock import Dock
    from crossdock.partners import confirming, headers
    from crossdock.views import display
    from crossdock.views.headers import review_view

    if not dry:
        display.show(display.console(), review_view(review))

    def answer(one: Proposed) -> str:
        return said[one.field] if one.field in said else _asked(one) if ask else review.likely.get(one.field, "")

    meant = confirming.meant(review, answer)
    with Dock.open(create=False) as dock:  # anew, so that it knows what was confirmed of the sheet before
        partner, folder = dock.library.partners[review.partner], dock.settings.partners
        if dry:
            typer.echo(headers.confirm(review, meant, partner=partner, folder=folder)[1])
            return
        path = confirming.keep(review, meant, partner=partner, folder=folder, ledger=dock.ledger, reason=reason)
        typer.echo(f"{path}: the header of {review.document} is confirmed")


def _asked(one: Proposed) -> str:
    text = f"Which column holds {one.field} ({one.meaning})? A header, or - for none"
    answer = str(typer.prompt(text, default=one.new or "-")).strip()
    return "" if answer == "-" else answer


def _go_on(found: list[Review], payload: int, reason: str) -> None:
    from crossdock.dock import Dock
    from crossdock.partners import confirming
    from crossdock.views.display import count

    with Dock.open(create=False) as dock:
        done = confirming.go_on(
            found, payload, archive=dock.archive, ledger=dock.ledger, context=dock.context(), reason=reason
        )
    typer.echo(
        f"{count(done.released, 'line')} and {count(done.strangers, 'sheet')} released, "
        f"{count(done.published, 'event')} corrected or added to what was read before"
    )


def _of(dock: Dock, payload: int) -> list[Changed]:
    from crossdock.partners.confirming import changed_in

    return changed_in(payload, archive=dock.archive, ledger=dock.ledger, context=dock.context())
