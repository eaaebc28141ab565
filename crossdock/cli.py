"""The command line: ``crossdock --help``.

Every command is thin: it asks the dock, and ``crossdock.views.report`` says how the answer looks. Nothing
heavier than Typer is imported before a command runs, so that help appears at once.

Exit codes: 0 done; 1 the data or the configuration has errors; 2 a file is not readable, or the
configuration stops the command; 3 the world is busy, try again; 4 it will not work this way.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import TyperException
from typer.core import TyperGroup

from crossdock.commands import (
    as2,
    audit,
    batches,
    channel,
    export,
    header,
    held,
    mail,
    master,
    outlets,
    publish,
    repair,
    token,
    workbooks,
)
from crossdock.commands.options import Json, echo_rows
from crossdock.own_process import prepare_polars
from schemas.errors import ConfigError, CrossdockError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.ledger import Ledger, StoredEvent
    from crossdock.translation import Context

EXIT_CODES: dict[type[CrossdockError], int] = {ConfigError: 2, TransientError: 3, PermanentError: 4}
LOOK, RUN, REMEMBERED, SETUP = SECTIONS = ("Look at a file", "Run", "Look at what is remembered", "Set up")
Stream = Literal["demand", "shipment", "inventory"]
Severity = Literal["error", "warning", "info"]
AnswerStatus = Literal["owed", "made", "refused"]
PAGE = 1000  #: events taken from the ledger at a time
BUG = 70  #: exit code of an error nobody foresaw (EX_SOFTWARE of sysexits.h)


class Speaking(TyperGroup):
    """Says errors in a sentence and a hint; a traceback only when ``--debug`` asks for it.

    Lists its commands by what they are for, in plain text: Typer's Rich panels take twice as long
    to appear as everything else together.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        names = self.list_commands(ctx)
        longest = max(map(len, names))
        sections: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for name in names:
            command: Any = self.commands[name]
            about = command.get_short_help_str(formatter.width - 6 - longest)
            sections[command.rich_help_panel].append((name.ljust(longest), about))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            from crossdock.views import display

            display.show(display.console(stderr=True), display.error_view(error))
            raise typer.Exit(exit_code(error)) from None


def exit_code(error: Exception) -> int:
    """The process's exit code for an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), BUG)


app = typer.Typer(
    cls=Speaking,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from crossdock import __version__

        typer.echo(f"crossdock {__version__}")
        raise typer.Exit


@app.callback()
def crossdock(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Orders, receipts and ship notices from anywhere, as one kind of event.

    CROSSDOCK_HOME names the folder where everything is kept (default: ./var).
    """


@app.command(rich_help_panel=LOOK)
def check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="EDI, workbook, CSV, mail (.eml) or pulled rows; or a folder of such."),
    ],
    partner: Annotated[str, typer.Option("--partner", "-p", help="Read it with this partner's mapping.")] = "",
    *,
    json: Json = False,
    events: Annotated[
        bool, typer.Option("--events", help="Include the events themselves (with --json as event_list).")
    ] = False,
    table: Annotated[bool, typer.Option("--table", help="One row a file, and nothing else.")] = False,
    correct: Annotated[
        Path | None,
        typer.Option("--correct", metavar="OUT.xlsx", help="Write the workbook with its errors marked in it."),
    ] = None,
) -> None:
    """Read, map and validate files, without a ledger.

    Shows documents, events and findings, of each file in a folder. Exit code 0: clean; 1: findings of severity error;
    2: a file that is not readable at all.
    """
    from crossdock.check import ALL, check_file, exit_code
    from crossdock.views import display, report
    from crossdock.views.check_table import files_in, result, table_view

    if table and (json or events):
        raise typer.BadParameter("a table holds neither documents nor events: leave out --json and --events")
    wanted = ALL if events else 0 if json or table else report.SAMPLE
    context = _pure_context(partner)
    if correct is not None:
        from crossdock.commands.workbooks import write_correction

        write_correction(files, correct, context, partner)
    worst = 0
    results = []
    for file, name in files_in(files):
        checked = check_file(file, context, partner=partner, sample=wanted)
        if table:
            documents = list(checked)
            results.append(result(name, documents))
        elif json:
            documents = []
            for document in checked:
                typer.echo(document.as_json(events=events))
                documents.append(replace(document, sample=()))
        else:
            documents = list(checked)
            display.show(display.console(), report.checked_view(file, documents))
        worst = max(worst, exit_code(documents))
    if table:
        display.show(display.console(), table_view(results))
    raise typer.Exit(worst)


def _pure_context(partner: str) -> Context:
    """Translation with the mappings in force and no master data: what is not known is a warning."""
    from connectors.registry import formats
    from crossdock.dock import Dock
    from crossdock.translation import Context
    from crossdock.views import display
    from mappings.master_data import MasterData
    from schemas.configuration import unknown

    with Dock.open() as dock:
        library, left_out = dock.library, dock.left_out()
    if left_out:
        display.show(display.console(stderr=True), display.error_view(left_out), "")
    if partner and partner not in library.partners:
        raise ConfigError(
            unknown("partner", partner, library.partners), hint="a partner is a YAML file in mappings/partners"
        )
    return Context(library=library, master=MasterData.empty(), formats=formats(), lenient=True)


@app.command(rich_help_panel=RUN)
def run(
    channel: Annotated[str | None, typer.Option("--channel", "-c", help="Only this channel.")] = None,
) -> None:
    """Run the whole pipeline once.

    Master data first, then every channel, then publishing. What stops one channel stops no other.
    """
    from crossdock.dock import Dock
    from crossdock.views import display, report

    terminal = display.console()
    with Dock.open() as dock:
        with report.Bars(display.console(stderr=True)) as bars:
            done = dock.run(channel, progress=bars)
        display.show(terminal, report.run_view(done))
    raise typer.Exit(max(map(exit_code, done.errors), default=0))


@app.command(rich_help_panel=RUN)
def respond(
    again: Annotated[bool, typer.Option("--again", help="Also make anew what a referee refused.")] = False,
) -> None:
    """Make the answers that partners are promised, and hand them over.

    997, 999, TA1 and 824; `crossdock run` does it too.
    """
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.answers import responded_view

    with Dock.open() as dock:
        if again:
            dock.ledger.owe_again()
        responded = dock.respond()
        display.show(display.console(), responded_view(responded))
    raise typer.Exit(max(map(exit_code, responded.errors), default=0))


@app.command(rich_help_panel=RUN)
def serve(
    host: Annotated[
        str, typer.Option("--host", envvar="CROSSDOCK_SERVE_HOST", help="The address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", envvar="CROSSDOCK_SERVE_PORT", min=0, max=65535, help="Its port; 0: a free one.")
    ] = 8400,
    certificate: Annotated[
        Path | None, typer.Option("--tls-cert", envvar="CROSSDOCK_TLS_CERT", help="Over TLS, with this certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--tls-key", envvar="CROSSDOCK_TLS_KEY", help="Its key, where it is not in there.")
    ] = None,
    *,
    oldest: Annotated[
        Literal["1.2", "1.3"], typer.Option("--tls-min", envvar="CROSSDOCK_TLS_MIN", help="The oldest TLS spoken.")
    ] = "1.2",
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", envvar="CROSSDOCK_SERVE_ORIGINS", help="Pages of this origin may ask (CORS)."),
    ] = None,
) -> None:
    """The feed over HTTP, and the console's pages.

    Needs CROSSDOCK_TOKEN: programs send it as bearer token, people log in as `crossdock` with it for a password.
    `crossdock token new` makes tokens for others.
    """
    import os
    from functools import partial

    from crossdock.console.pages import routes
    from crossdock.console.rendering import Rendering
    from crossdock.console.warming import beside
    from crossdock.console.workplace import workplace_of
    from crossdock.dock import Dock
    from crossdock.feed.access import USER, token_from
    from crossdock.feed.service import service_of
    from crossdock.feed.serving import serve as answer
    from crossdock.feed.tls import Tls

    def ready(url: str) -> None:
        typer.echo(f"the feed is at {url}/v1/events, the console at {url}; log in as {USER} with CROSSDOCK_TOKEN")

    token = token_from(os.environ)
    with Dock.open() as dock:
        service = service_of(dock, origins=origin or ())
        place = workplace_of(dock, service)
        tls = Tls(certificate=certificate, key=key, oldest=oldest) if certificate else None
        rendering = Rendering(service.zone)
        console = routes(place, rendering)
        meanwhile = partial(beside, service=service, token=token, rendering=rendering)
        answer(service, token, console, host=host, port=port, ready=ready, tls=tls, meanwhile=meanwhile)


@app.command(rich_help_panel=REMEMBERED)
def answers(
    status: Annotated[AnswerStatus | None, typer.Option("--status", help="Only answers in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """Answers to partners: what each answers, when it is due, how it left."""
    from crossdock.dock import Dock
    from crossdock.views import display
    from crossdock.views.answers import answers_view

    with Dock.open(create=False) as dock:
        rows = dock.ledger.answers(status=status, limit=limit)
    if json:
        echo_rows(rows)
    else:
        display.show(display.console(), answers_view(rows, status))


@app.command(rich_help_panel=REMEMBERED)
def status() -> None:
    """Channels, what is held back and why, master data, outlets."""
    from crossdock.dock import Dock
    from crossdock.views import display, report

    with Dock.open(create=False) as dock:
        display.show(display.console(), report.status_view(dock.ledger))


@app.command(rich_help_panel=REMEMBERED)
def events(
    stream: Annotated[Stream | None, typer.Option("--stream", "-s", help="Only this stream.")] = None,
    after: Annotated[
        int, typer.Option("--after", "-a", min=0, help="Only what follows this position of the feed.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="At most so many (default: 20; all with --json).")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--json", "--jsonl", help="CloudEvents, one JSON object a line.")] = False,
) -> None:
    """The feed, in the order events were committed."""
    from crossdock.dock import Dock
    from crossdock.views import display, report

    with Dock.open(create=False) as dock:
        if jsonl:
            for event in _feed(dock.ledger, after, limit, stream):
                typer.echo(event.cloud_event())
            return
        shown = list(_feed(dock.ledger, after, limit or 20, stream))
        display.show(display.console(), report.feed_view(shown))


def _feed(ledger: Ledger, after: int, limit: int | None, stream: str | None) -> Iterator[StoredEvent]:
    """Events after a position, a page at a time, at most ``limit``."""
    left = limit
    while left is None or left > 0:
        page = ledger.events(after=after, limit=min(PAGE, left or PAGE), stream=stream)
        if not page:
            return
        yield from page
        after = page[-1].position
        left = None if left is None else left - len(page)


@app.command(rich_help_panel=REMEMBERED)
def trace(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The id of an event, as the feed shows it.")],
) -> None:
    """From an event back to its document and raw bytes, and the way of each of its values."""
    from crossdock.dock import Dock
    from crossdock.explaining import explain
    from crossdock.views import display, report, spotlight
    from crossdock.views.explaining import ways_view

    with Dock.open(create=False) as dock:
        if (found := dock.ledger.trace(event_id)) is None:
            raise typer.BadParameter(f"no event has the id {event_id!r}; `crossdock events --json` shows ids")
        lineage = found["lineage"]
        place = (lineage["payload"], lineage["location"], lineage.get("offset"), lineage.get("length"))
        display.show(display.console(), report.trace_view(found))
        display.show(display.console(), spotlight.raw_source(dock.archive, *place))
        explained = explain(found, ledger=dock.ledger, archive=dock.archive, context=dock.context())
        display.show(display.console(), "", ways_view(explained))


@app.command(rich_help_panel=REMEMBERED)
def findings(
    severity: Annotated[Severity | None, typer.Option("--severity", help="Only findings this grave.")] = None,
    document: Annotated[str | None, typer.Option("--document", "-d", help="Only those of this document.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """What was found wrong, where, and what was expected.

    The newest are taken, and the gravest of them shown first.
    """
    from crossdock.dock import Dock
    from crossdock.views import display, report

    with Dock.open(create=False) as dock:
        rows = dock.ledger.findings(severity=severity, document=document, limit=limit, newest=True)
    if json:
        echo_rows(rows)
    else:
        display.show(display.console(), report.findings_list_view(rows, limit))


@app.command(rich_help_panel=SETUP)
def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Where to put the demo company.")],
    seed: Annotated[
        int, typer.Option("--seed", help="Another number, another company; the same number, the same bytes.")
    ] = 1,
    lines: Annotated[
        int, typer.Option("--lines", min=1, help="How many lines over all channels, about; 1000 at least.")
    ] = 3000,
) -> None:
    """Make the demo company.

    Its ERP, its EDI inbox and its mailbox, with some planted defects.
    """
    from crossdock.simulate import simulate as make
    from crossdock.views import display, report

    display.show(display.console(), report.simulation_view(make(folder, seed=seed, lines=lines)))


@app.command(rich_help_panel=SETUP)
def lint() -> None:
    """Check all configuration, every problem at once.

    Exit code 1 if there is any problem; each is told with its file and line.
    """
    from crossdock.lint import lint as look_at
    from crossdock.settings import Settings

    linted = look_at(Settings.from_environment())
    for problem in linted.problems:
        typer.echo(problem)
    typer.echo(linted.sentence, err=bool(linted.problems))
    raise typer.Exit(1 if linted.problems else 0)


@app.command(rich_help_panel=SETUP)
def migrate() -> None:
    """Bring the ledger's schema up to date."""
    from crossdock.dock import Dock

    with Dock.open() as dock:
        dock.ledger.master_version()
    typer.echo("the ledger's schema is up to date")


app.add_typer(outlets.app, name="outlets", rich_help_panel=RUN)
app.add_typer(token.app, name="token", rich_help_panel=SETUP)
app.command(rich_help_panel=REMEMBERED)(export.export)
app.add_typer(channel.app, name="channel", rich_help_panel=SETUP)
app.add_typer(held.app, name="held", rich_help_panel=RUN)
app.add_typer(header.app, name="header", rich_help_panel=RUN)
app.add_typer(mail.app, name="mail", rich_help_panel=RUN)
app.add_typer(batches.app, name="batches", rich_help_panel=RUN)
app.command(rich_help_panel=REMEMBERED)(as2.as2)
app.command(rich_help_panel=REMEMBERED)(repair.parked)
app.add_typer(repair.fix, name="fix", rich_help_panel=RUN)
app.command(rich_help_panel=RUN)(publish.publish)
app.command(rich_help_panel=RUN)(repair.release)
app.command(rich_help_panel=RUN)(repair.replay)
app.command(rich_help_panel=LOOK)(repair.accept)
app.command(rich_help_panel=RUN)(repair.confirm)
app.command(rich_help_panel=REMEMBERED)(audit.audit)
app.command(rich_help_panel=REMEMBERED)(audit.verify)
app.command(rich_help_panel=REMEMBERED)(audit.history)
app.command(rich_help_panel=RUN)(audit.hold)
app.command(rich_help_panel=RUN)(audit.maintain)
app.add_typer(master.app, name="master", rich_help_panel=REMEMBERED)
app.command(rich_help_panel=SETUP)(workbooks.template)
app.add_typer(workbooks.partner, name="partner", rich_help_panel=SETUP)


def main() -> None:
    """The ``crossdock`` command."""
    prepare_polars()
    app(prog_name="crossdock")
