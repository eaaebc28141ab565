"""``crossdock header``: sheets whose header is not the one that was confirmed, and a person's word on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crossdock.dock import Dock
    from crossdock.mending.release import Released
    from crossdock.partners.headers import Review

app = typer.Typer(help="Headers of sheets that changed: look, and say what is meant.", rich_markup_mode=None)
Payload = Annotated[int, typer.Argument(metavar="PAYLOAD", help="Its number, as `crossdock header` lists it.")]
_LOOKED_AT = 200  #: payloads


@app.callback(invoke_without_command=True)
def header(context: typer.Context) -> None:
    """Sheets that say something else above their columns than what was confirmed; the newest first."""
    if context.invoked_subcommand is not None:
        return
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.headers import listed_view

    with Dock.open(create=False) as dock:
        display.show(display.console(), listed_view(list(_changed(dock))))


@app.command()
def show(payload: Payload) -> None:
    """What differs in a sheet, and what is proposed, with how alike the words are (of 100)."""
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.headers import review_view

    with Dock.open(create=False) as dock:
        found = _reviews(dock, payload)
    for review in found:
        display.show(display.console(), review_view(review))
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
    from crossdock.dock import Dock
    from crossdock.partners.headers import confirm as confirmed
    from crossdock.partners.partner_file import write
    from crossdock.views import display
    from crossdock.views.headers import review_view

    said = dict(one.split("=", 1) for one in say or () if "=" in one)
    with Dock.open(create=False) as dock:
        found = _reviews(dock, payload)
        if not found:
            raise typer.BadParameter(f"nothing is to be confirmed of payload {payload}")
    for number in range(len(found)):
        with Dock.open(create=False) as dock:  # anew, so that it knows what was confirmed of the sheet before
            review = found[number]
            if not dry:
                display.show(display.console(), review_view(review))
            meant = _meant(review, said, ask=not (yes or dry))
            partner = dock.library.partners[review.partner]
            path, text = confirmed(review, meant, partner=partner, folder=dock.settings.partners)
            if dry:
                typer.echo(text)
                continue
            write(path, text)
            _note(dock, review, meant, reason)
            typer.echo(f"{path}: the header of {review.document} is confirmed")
    if not dry:
        _go_on(found, payload, reason or "the header was confirmed")


def _meant(review: Review, said: Mapping[str, str], *, ask: bool) -> dict[str, str]:
    """Which header holds which field: as said, as answered, else as is likely. Nothing is left to chance."""
    meant: dict[str, str] = {}
    for one in review.proposed:
        if one.field in said:
            answer = said[one.field]
        elif ask:
            text = f"Which column holds {one.field} ({one.meaning})? A header, or - for none"
            answer = str(typer.prompt(text, default=one.new or "-")).strip()
        else:
            answer = review.likely.get(one.field, "")
        if answer and answer != "-":
            meant[one.field] = answer
    lacking = [name for name in review.missing if name not in meant]
    if lacking:
        raise typer.BadParameter(f"no column holds {', '.join(lacking)}: say --say {lacking[0]}=HEADER")
    return meant


def _note(dock: Dock, review: Review, meant: Mapping[str, str], reason: str) -> None:
    from crossdock.acting import acting_as, user

    with acting_as(f"person {user(os.environ)}"):
        dock.ledger.trail.note(
            "header.confirmed",
            f"partner {review.partner}",
            reason=reason,
            detail={"document": review.document, "before": review.before, "now": review.now, **meant},
        )


def _go_on(found: list[Review], payload: int, reason: str) -> None:
    """Whatever waited for the header is read, and what was read without a renamed column is read again."""
    from crossdock.dock import Dock
    from crossdock.ledger.selecting import Selection
    from crossdock.mending.replay import replay

    with Dock.open(create=False) as dock:
        released: Released = dock.release(reason)
        again = {row["document"] for row in dock.ledger.documents(payload=payload)}
        selections = [Selection(documents=tuple(again))] if again else []
        selections += [
            Selection(partner=one.partner, type=one.document, code="workbook.column_renamed") for one in found
        ]
        for selection in selections:
            done = replay(selection, archive=dock.archive, ledger=dock.ledger, context=dock.context(), reason=reason)
            released.add(done)
    typer.echo(
        f"{released.released:,} lines and {released.strangers:,} sheets released, "
        f"{released.published:,} events corrected or added to what was read before"
    )


def _reviews(dock: Dock, payload: int) -> list[Review]:
    from crossdock.partners.headers import reviews

    return reviews(dock.ledger.payload(payload), archive=dock.archive, context=dock.context())


def _changed(dock: Dock) -> Iterator[tuple[int, str, Review]]:
    """Payload, file name and review of each sheet that differs, of one header the newest."""
    from crossdock.partners.headers import reviews
    from schemas.errors import CrossdockError

    said = {"workbook.header_incomplete", "workbook.header_missing", "workbook.sheet_unwanted"}
    said |= {f"workbook.column_{what}" for what in ("renamed", "vanished", "appeared", "moved")}
    ids = {one["payload"] for one in dock.ledger.findings(limit=20_000, newest=True) if one["code"] in said}
    seen: set[tuple[str, str, str]] = set()
    for id in sorted(ids, reverse=True)[:_LOOKED_AT]:
        record = dock.ledger.payload(id)
        try:
            found = reviews(record, archive=dock.archive, context=dock.context())
        except CrossdockError:
            continue  # its bytes are gone, or nobody knows whose they are
        for review in found:
            key = (review.partner, review.document, review.now)
            if key not in seen:
                seen.add(key)
                yield id, record.name, review
