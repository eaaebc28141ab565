"""What was done, for people: a checked file, a run, and what the ledger holds.

Shared by the command line and the demo.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import asdict
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from crossdock.views.answers import answer_summary_view, expectations_view, responded_line
from crossdock.views.display import (
    DIM,
    STREAM_STYLES,
    Heading,
    Indented,
    as_row,
    clock,
    count,
    error_view,
    events_table,
    findings_view,
    phrases,
    plain_table,
    quoted,
    size,
    tally,
    tally_view,
)

if TYPE_CHECKING:
    from crossdock.check import Checked
    from crossdock.dock import ChannelRun, Run
    from crossdock.ledger import Ledger, StoredEvent
    from crossdock.simulate import Simulation

WIDE = 112  #: columns from which a table of channels fits; below it they are listed
MOST = 50  #: payloads, documents and findings of each that are listed
ERRORS = 500  #: findings an outcome is told with
CAUSES = 12  #: causes of waiting lines that the status shows
DOCUMENTS = 20  #: documents of a checked file that are shown
SAMPLE = 5  #: events of a checked document that are shown


# -- a checked file ---------------------------------------------------------------------------------

STATUS_STYLES = {"accepted": "green", "accepted_with_errors": "yellow", "rejected": "bold red"}


def checked_view(file: Path, checked: Sequence[Checked]) -> RenderableType:
    """A file's documents with their first events and findings, and one line that sums it up."""
    shown, more = checked[:DOCUMENTS], len(checked) - DOCUMENTS
    documents = [row for one in shown for row in (Text(), checked_document_view(one, str(file)))]
    if more > 0:
        documents += [Text(), Text(f"and {count(more, 'more document')}; --json shows all", style=DIM)]
    return Group(Heading(str(file)), *documents, Text(), *_checked_sum(checked))


def checked_document_view(one: Checked, file: str) -> RenderableType:
    """One document: what it is and from whom, its first events, its findings."""
    found = [as_row(finding) for finding in one.findings]
    stranger = any(row["code"] == "partner.unknown" and row["line"] is None for row in found)
    counts = (count(one.lines, "line"), count(one.events, "event")) if one.is_document else ()
    head = phrases(
        Text(one.file.removeprefix(f"{file}: ") if one.file != file else ""),
        Text.assemble((one.type, "bold"), f" {one.control_number}" if one.control_number else ""),
        Text("from an unknown sender", style="yellow") if stranger else f"from {one.partner}" if one.partner else "",
        *counts,
        Text(f"{one.parked:,} parked", style="yellow") if one.parked else "",
        Text(one.status.replace("_", " "), style=STATUS_STYLES.get(one.status, "")),
    )
    rows: list[RenderableType] = []
    if one.sample:
        rows.append(events_table(one.sample))
        if one.events > len(one.sample):
            rows.append(Text(f"and {count(one.events - len(one.sample), 'more event')}", style=DIM))
    if found:
        rows.append(findings_view([_within(row, one.file) for row in found]))
    return Group(head, Indented(2, *rows))


def _checked_sum(checked: Sequence[Checked]) -> Iterator[Text]:
    documents = [one for one in checked if one.is_document]
    found = [as_row(finding) for one in checked for finding in one.findings]
    yield phrases(
        Text(count(len(documents), "document"), style="bold"),
        count(sum(one.lines for one in documents), "line"),
        count(sum(one.events for one in documents), "event"),
        tally_view(tally(found)) or Text("nothing to complain of", style="green"),
    )
    if any(row["severity"] == "warning" and row["stage"] == "reference" for row in found):
        yield Text(
            "A check has no master data to look things up in; what is unknown here may be known to the ledger.",
            style=DIM,
        )


# -- a run ------------------------------------------------------------------------------------------


def run_view(run: Run) -> RenderableType:
    """What one run of the pipeline did: a line a channel and outlet, and what stopped any of them."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for one in run.channels:
        grid.add_row(one.channel, _channel_run(one))
    if run.released is not None and run.released.did_something:
        done = run.released
        grid.add_row("released", f"{count(done.released, 'line')} that waited, {count(done.published, 'event')}")
    for outlet, number in run.published.items():
        grid.add_row(outlet, f"{count(number, 'event')} published" if number else "nothing new to publish")
    if run.responded.sent or run.responded.refused:
        grid.add_row("answers", responded_line(run.responded))
    for outlet in run.undelivered:
        grid.add_row(outlet, Text("not published", style="bold red"))
    return Group(grid, *(row for error in run.errors for row in (Text(), error_view(error))))


def _channel_run(one: ChannelRun) -> Text:
    masters = [
        Text(f"{load.table} v{load.version}") if load.version else Text(f"{load.table} held back", style="bold red")
        for load in one.masters
    ]
    if masters:
        return phrases(*masters)
    said = phrases(
        count(one.received, "payload") if one.received else "",
        count(one.documents, "document") if one.documents else "",
        count(one.lines, "line") if one.lines else "",
        count(one.events, "new event") if one.events else "",
        f"{one.unchanged:,} unchanged" if one.unchanged else "",
        Text(f"{one.parked:,} parked", style="yellow") if one.parked else "",
        Text(count(one.rejected, "document rejected", "documents rejected"), style="bold red") if one.rejected else "",
        count(one.findings, "finding") if one.findings else "",
    )
    return said or Text("stopped" if one.errors else "nothing new", style="bold red" if one.errors else DIM)


class Bars:
    """Progress on the terminal: a bar for the channel or outlet at work. Silent where there is no terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", start=False, visible=False, said="")
        self._unit, self._done, self._total, self._lines = "bytes", 0, 0, 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, what: str, total: int, unit: str) -> None:
        self._unit, self._done, self._total, self._lines = unit, 0, total, 0
        self._progress.reset(self._task, description=what, total=total or None, visible=True, said="")

    def advance(self, done: int, lines: int = 0) -> None:
        self._done += done
        self._lines += lines
        self._progress.update(self._task, completed=self._done, said=self._said())

    def end(self) -> None:
        self._progress.update(self._task, visible=False)

    def _said(self) -> str:
        if self._unit != "bytes":
            return count(self._done, self._unit.removesuffix("s"))
        read = f"{size(self._done)} of {size(self._total)}"
        return f"{read}, {count(self._lines, 'line')}" if self._lines else read


# -- channels ---------------------------------------------------------------------------------------


class ChannelsView:
    """What each channel brought in, as the ledger sums it up: a table where there is room, else a list."""

    HEADERS = ("payloads", "documents", "lines", "demand", "shipment", "inventory", "parked", "quarantined")

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table() if options.max_width >= WIDE else Group(*self._list())

    def _counts(self, row: Mapping[str, Any]) -> list[int]:
        flat = {**row, **row["events"]}
        return [int(flat.get(name) or 0) for name in self.HEADERS]

    def _table(self) -> Table:
        table = plain_table()
        table.add_column("channel", no_wrap=True, style="bold")
        for name in self.HEADERS:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("findings")
        for row in self.rows:
            counts = (
                Text(f"{number:,}" if number else "-", style=self._style(name, number))
                for name, number in zip(self.HEADERS, self._counts(row), strict=True)
            )
            table.add_row(Text(row["channel"]), *counts, tally_view(row["findings"]))
        if len(self.rows) > 1:
            sums = (f"{sum(column):,}" for column in zip(*map(self._counts, self.rows), strict=True))
            table.add_section()
            table.add_row("together", *sums, tally_view(_summed(row["findings"] for row in self.rows)), style="bold")
        return table

    def _list(self) -> Iterator[RenderableType]:
        for row in self.rows:
            said = [
                count(number, name.removesuffix("s"))
                if name in ("payloads", "documents", "lines")
                else f"{number:,} {name}"
                for name, number in zip(self.HEADERS, self._counts(row), strict=True)
                if number
            ]
            yield Text(row["channel"], style="bold")
            yield Indented(2, phrases(*(said or ["nothing yet"]), tally_view(row["findings"])))

    @staticmethod
    def _style(name: str, number: int) -> str:
        if not number:
            return DIM
        return STREAM_STYLES.get(name) or {"parked": "yellow", "quarantined": "red"}.get(name, "")


def _summed(tallies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in tallies:
        for severity, number in one.items():
            total[severity] = total.get(severity, 0) + number
    return total


# -- what the ledger holds --------------------------------------------------------------------------


def status_view(ledger: Ledger) -> RenderableType:
    """Everything at a glance: channels, what is held back and why, master data, the feed."""
    causes = ledger.parked_causes(limit=CAUSES + 1)
    sections = {
        "Channels": channels_view(ledger.summary()),
        "Not readable": quarantined_view(ledger),
        "Rejected documents": rejected_view(ledger),
        "Lines that wait": causes_view(causes[:CAUSES], "crossdock parked shows all" if len(causes) > CAUSES else ""),
        "Answers to partners": answer_summary_view(ledger.answer_summary()),
        "Answers from partners": expectations_view(ledger.expectations()),
        "Master data": masters_view(ledger.master_loads()),
        "Feed": sinks_view(ledger.sinks()),
    }
    shown = [Group(Heading(title), view) for title, view in sections.items() if view is not None]
    return Group(*shown) if shown else Text("nothing has come in yet; crossdock run takes in what waits", style=DIM)


def outcome_view(ledger: Ledger) -> RenderableType:
    """What came in, and every rejected or parked line with its place, its value and what was expected."""
    held = ledger.findings(severity="error", limit=ERRORS)
    answers = ledger.answer_summary()
    nothing = Text("nothing", style="green")
    return Group(
        Heading("What came in"),
        channels_view(ledger.summary()) or nothing,
        Heading("What is held back, and why"),
        findings_view(held, most=ERRORS, files=True) if held else nothing,
        *((Heading("Answers to partners"), answered) if (answered := answer_summary_view(answers)) else ()),
    )


def channels_view(rows: Sequence[Mapping[str, Any]]) -> ChannelsView | None:
    """What each channel brought in; None when nothing ever came."""
    return ChannelsView(rows) if rows else None


def rejected_view(ledger: Ledger) -> RenderableType | None:
    """Documents of which nothing is published, each with the reason; None when there are none."""
    rows: list[RenderableType] = []
    for document in ledger.documents(status="rejected", limit=MOST):
        errors = ledger.findings(severity="error", document=document["document"], limit=MOST)
        head = Text.assemble((document["type"], "bold"), f" {document['control_number']}".rstrip())
        rows.append(
            phrases(
                head,
                f"from {document['partner']}" if document["partner"] else "",
                document["channel"],
                document["name"],
            )
        )
        rows.append(Indented(2, findings_view(errors, most=3)))
    return Group(*rows) if rows else None


def quarantined_view(ledger: Ledger) -> RenderableType | None:
    """Payloads of which nothing could be read, each with the reason; None when there are none."""
    rows: list[RenderableType] = []
    for payload in ledger.payloads(status="quarantined", limit=MOST):
        head = (payload["channel"], size(payload["size"]), clock(payload["received_at"]))
        archived = Text(f"archived as {payload['sha256'][:12]}…", style=DIM)
        rows.append(phrases(Text(payload["name"], style="bold"), *head, archived))
        errors = ledger.findings(payload=payload["id"], limit=MOST)
        rows.append(Indented(2, findings_view([_within(row, payload["name"]) for row in errors], most=3)))
    return Group(*rows) if rows else None


def _within(row: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    """The finding without the name of the file that is named above it already."""
    return {**row, "location": ""} if row["location"] == file else row


def causes_view(causes: Sequence[Mapping[str, Any]], more: str = "") -> RenderableType | None:
    """Parked lines by what they wait for, the most frequent first; None when none wait."""
    if not causes:
        return None
    table = plain_table()
    table.add_column("lines", justify="right")
    table.add_column("wait for", overflow="fold")
    table.add_column("partner", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("expected", overflow="fold", style=DIM)
    for cause in causes:
        value = quoted(cause["value"]) if cause["value"] is not None else ""
        cells = (f"{cause['lines']:,}", cause["code"], cause["partner"] or "", value, cause["expected"] or "")
        table.add_row(*(Text(cell) for cell in cells))
    return Group(table, *([Text(more, style=DIM)] if more else []))


def parked_view(lines: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Parked lines: what they wait for, then where each stands."""
    grouped = causes_view(causes)
    if grouped is None:
        return Text("no line waits", style="green")
    table = plain_table()
    for name in ("cause", "file", "place", "item", "quantity", "order"):
        table.add_column(name, overflow="fold")
    for line in lines:
        fields = line["fields"]
        item = fields.get("item") or fields.get("partner_item") or ""
        quantity = " ".join(fields[key] for key in ("quantity", "unit") if fields.get(key))
        order = " / ".join(fields[key] for key in ("order", "order_line") if fields.get(key))
        cells = (line["cause"], f"{line['channel']} {line['name']}", line["location"], item, quantity, order)
        table.add_row(*(Text(cell) for cell in cells))
    return Group(grouped, Text(), table)


def masters_view(loads: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """The master tables in force, and loads that were held back since; None when nothing was ever loaded."""
    if not loads:
        return None
    table = plain_table()
    table.add_column("table", style="bold")
    table.add_column("version", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("since")
    table.add_column("from", overflow="fold", style=DIM)
    held: list[RenderableType] = []
    for load in sorted(loads, key=lambda load: str(load["table"])):
        if load["status"] == "in_force":
            cells = (load["table"], str(load["version"]), f"{load['rows']:,}", clock(load["at"]), load["source"])
            table.add_row(*(Text(cell) for cell in cells))
        elif load["status"] == "rejected":
            held.append(
                phrases(Text(f"{load['table']} held back", style="bold red"), clock(load["at"]), load["source"])
            )
            held += [Indented(2, Text(reason)) for reason in load["reasons"]]
    return Group(table, *held)


def sinks_view(sinks: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """How far each outlet has got with the feed; None when nothing was ever published."""
    if not sinks:
        return None
    table = plain_table()
    table.add_column("outlet", style="bold")
    table.add_column("delivered", justify="right")
    table.add_column("behind", justify="right")
    table.add_column("last moved")
    for sink in sinks:
        behind = Text(f"{sink['behind']:,}", style="yellow" if sink["behind"] else "green")
        table.add_row(sink["sink"], f"{sink['position']:,}", behind, clock(sink["moved_at"]))
    return table


def findings_list_view(rows: Sequence[Mapping[str, Any]], limit: int) -> RenderableType:
    """Findings with their files, as many as were asked for."""
    if not rows:
        return Text("nothing to complain of", style="green")
    more = Text(f"the newest {limit:,}; --limit shows more", style=DIM) if len(rows) == limit else Text()
    return Group(findings_view(rows, most=len(rows), files=True), more)


def feed_view(events: Sequence[StoredEvent]) -> RenderableType:
    """Events as they stand in the feed, with the position to go on from."""
    if not events:
        return Text("no events", style=DIM)
    table = events_table(asdict(event) | {"data": json.loads(event.data)} for event in events)
    return Group(table, Text(f"go on with --after {events[-1].position}", style=DIM))


def trace_view(found: Mapping[str, Any]) -> RenderableType:
    """An event's way back: what it says, which document and mapping made it, and when what happened."""
    event, document, payload, lineage = found["event"], found["document"], found["payload"], found["lineage"]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("event", Text(f"{event['id']}, number {event['position']} of the feed, revision {event['sequence']}"))
    grid.add_row("subject", Text(event["subject"]))
    grid.add_row(
        "document",
        phrases(
            Text(f"{document['type']} {document['control_number']}".strip(), style="bold"),
            f"from {document['partner']}" if document["partner"] else "",
            Text(document["status"].replace("_", " "), style=STATUS_STYLES.get(document["status"], "")),
            Text(document["document"], style=DIM),
        ),
    )
    grid.add_row("mapping", Text(f"{lineage['mapping']}, version {lineage['mapping_version']}"))
    if document["master_version"]:
        grid.add_row("master data", Text(document["master_version"]))
    grid.add_row(
        "payload",
        phrases(Text(payload["name"]), payload["channel"], size(payload["size"]), Text(payload["sha256"], style=DIM)),
    )
    for answer in found["answers"]:
        how = answer["name"] or answer["status"]
        grid.add_row("answered by", Text(f"{answer['kind']}, {how}"))
    for revision in found["revisions"]:
        if revision["id"] != event["id"]:
            other = f"revision {revision['sequence']} of the same subject: {revision['kind']}, {revision['id']}"
            grid.add_row("see also", Text(other))
    steps = [
        f"{step['step'].replace('_', ' ')} {clock(datetime.fromisoformat(step['at']))}" for step in found["timeline"]
    ]
    grid.add_row("history", phrases(*steps))
    place = Text.assemble(lineage["location"], (f" of {payload['name']}", DIM))
    return Group(events_table([event]), Text(), grid, Heading("where it stands"), place)


def simulation_view(simulation: Simulation) -> RenderableType:
    """What the demo company wrote, what should come of it, and what to do next."""
    streams = phrases(
        *(Text(f"{number:,} {stream}", style=STREAM_STYLES[stream]) for stream, number in simulation.events.items())
    )
    folder = simulation.directory
    return Group(
        Text.assemble("the demo company is in ", (str(folder), "bold")),
        phrases(
            count(simulation.documents, "document"),
            count(simulation.lines, "line"),
            count(len(simulation.planted), "planted defect"),
        ),
        Text.assemble("which should give ", streams, " events"),
        Text(),
        Text.assemble("what is wrong on purpose   ", (str(folder / "PLANTED.md"), "bold")),
        Text.assemble("run it                     ", (f". {folder / 'environment'}; crossdock run", "bold")),
    )
