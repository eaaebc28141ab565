"""What the command line does with workbooks: corrections, templates, new partners from a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crossdock.partners.onboarding import Proposal
    from crossdock.translation import Context


def write_correction(files: Sequence[Path], out: Path, context: Context, partner: str) -> None:
    """``crossdock check FILE --correct OUT.xlsx``: one workbook, and its correction in the partner's language."""
    from connectors.registry import recognise
    from crossdock.partners.correction import correct

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


def template(
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's id.")],
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="What it is to tell: stock, order_response ...")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it.")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Without open order lines filled in.")] = False,
) -> None:
    """A clean workbook for a partner to fill in: drop-downs, its own item numbers, open order lines.

    Filled in and sent back it reads without findings.
    """
    from crossdock.dock import Dock
    from crossdock.master.loading import master_in_force
    from crossdock.partners.template import make_template, open_order_lines
    from schemas.configuration import unknown
    from schemas.errors import ConfigError

    with Dock.open() as dock:
        library = dock.library
        if partner not in library.partners:
            raise ConfigError(unknown("partner", partner, library.partners))
        known = [type_ for type_ in library.document_types if type_.startswith("workbook.")]
        type_ = document if document.startswith("workbook.") else f"workbook.{document}"
        mapping = library.mapping_for(library.partners[partner], type_)
        if mapping is None:
            raise ConfigError(unknown("document", document, (one.partition(".")[2] for one in known)))
        lines = [] if empty else open_order_lines(dock.ledger, partner)
        content = make_template(library.partners[partner], mapping, master=master_in_force(dock.ledger), lines=lines)
    file = out or Path(f"{partner.lower()}-{type_.partition('.')[2]}.xlsx")
    file.write_bytes(content)
    typer.echo(str(file))


partner = typer.Typer(help="Partners: a new one from a sample of what it sends.", rich_markup_mode=None)


@partner.callback()
def _partner() -> None:
    """Partners: a new one from a sample of what it sends."""


@partner.command()
def new(
    sample: Annotated[Path, typer.Option("--from", metavar="FILE", exists=True, dir_okay=False, help="A sample.")],
    *,
    say: Annotated[
        list[str] | None,
        typer.Option("--say", metavar="KEY=ANSWER", help="An answer beforehand: partner=ACME, unit==EA, dates=dmy ..."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every proposal.")] = False,
    golden: Annotated[Path | None, typer.Option("--golden", help="The folder of golden cases.")] = None,
) -> None:
    """Propose a partner file from a sample (workbook, .csv or EDI), ask what it does not say, write it.

    Shows the lines that the sample becomes, then writes the partner file and a golden folder.
    """
    from crossdock.partners.onboarding import Question, propose, write
    from crossdock.settings import Settings

    said = dict(one.split("=", 1) for one in say or () if "=" in one)

    def ask(question: Question) -> str:
        if question.key in said:
            return said[question.key]
        if yes:
            return question.proposal
        choices = f" [{', '.join(one for one in question.choices if one)}]" if question.choices else ""
        return str(typer.prompt(question.text + choices, default=question.proposal, show_default=True))

    proposal = propose(sample, ask)
    _show(proposal)
    if yes and proposal.unread:
        typer.echo("nothing of the sample is read by it, so it is not written: say more with --say", err=True)
        raise typer.Exit(1)
    if not yes and not typer.confirm("Write it?", default=not proposal.unread):
        raise typer.Exit(1)
    settings = Settings.from_environment()
    cases = Path("tests/golden/cases")
    folder = golden or (cases if cases.is_dir() else settings.home / "golden")
    for path in write(proposal, sample, partners=settings.partners, golden=folder):
        typer.echo(str(path))


def _show(proposal: Proposal) -> None:
    """The partner file, the first lines that it makes of the sample, and what is wrong with them."""
    import msgspec

    from crossdock.partners.onboarding import shown
    from crossdock.views import display

    names, rows = shown(proposal)
    table = display.plain_table()
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    errors = [one for one in msgspec.to_builtins(proposal.findings) if one["severity"] == "error"]
    sums = (("line", proposal.lines.height), ("event", len(proposal.events)), ("error", len(errors)))
    terminal = display.console()
    terminal.print(proposal.text, markup=False)
    display.show(
        terminal, table, display.findings_view(errors, most=5), ", ".join(display.count(n, what) for what, n in sums)
    )
